"""`telex export --dry-run`: what is shown is what is sent, and nothing is sent."""

import http.server
import json
import sqlite3
import subprocess
import threading
import time

import net
import pytest
import telex
import yaml

ALERT = {"timestamp": "2024-01-15T10:30:00Z", "alert_name": "HighCPU", "value": 85.4, "severity": "warning",
         "labels": {"service": "a b"}, "annotations": {"summary": "hot"}}
SAMPLE = {"kind": "sample", "name": "cpu", "labels": {"host": "a"}, "value": 1.5, "timestamp": "2024-01-15T10:30:00Z"}
SPAN = {"kind": "span", "function_name": "f", "execution_time_ms": 1, "timestamp": "2024-01-15T10:30:00Z"}
PROFILE = {"kind": "profile", "ms": 12.5, "labels": {"host": "a"}}


class Recorder:
    """Takes everything and keeps the request line, headers and body."""

    def __init__(self):
        self.requests = requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                requests.append((f"{self.command} http://{self.headers['Host']}{self.path}",
                                 dict(self.headers.items()), body))
                self.send_response(204)
                self.end_headers()

            do_PUT = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((net.HOST, 0), Handler)
        self.url = f"http://{net.HOST}:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def recorder():
    found = Recorder()
    yield found
    found.server.shutdown()


def export(folder, exporter, records, *arguments):
    config = folder / "telex.yaml"
    config.write_text(yaml.safe_dump({"state": {"path": str(folder / "data")}, "exporters": {"x": exporter}}))
    done = subprocess.run([telex.BINARY, "export", "-c", config, "--to", "x", *map(str, arguments), "-"],
                          input="".join(json.dumps(record) + "\n" for record in records).encode(),
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(), done.stderr.decode()


def blocks(shown):
    """(line, headers, body) of each thing that was shown."""
    found = []
    for block in shown.split("--- exporter x\n")[1:]:
        head, _, body = block.partition("\n\n")
        line, *headers = head.splitlines()
        found.append((line, dict(header.split(": ", 1) for header in headers), body[:-1]))
    return found


KINDS = {
    "webhook": ({"type": "webhook", "headers": {"X-A": "{{ .alert_name }}"}, "path": "/p/{{ .labels.service }}"}, ALERT),
    "http": ({"type": "http", "payload": {"v": "{{ .value }}"}, "method": "PUT"}, SAMPLE),
    "influxdb": ({"type": "influxdb", "database": "d", "gzip": False}, SAMPLE),
    "cloudevents": ({"type": "cloudevents", "mode": "binary"}, ALERT),
    "victoriametrics": ({"type": "victoriametrics", "gzip": False}, SAMPLE),
    "newrelic": ({"type": "newrelic", "license_key": "hush", "gzip": False}, SAMPLE),
    "remote_write": ({"type": "remote_write", "path": "/api/v1/write"}, SAMPLE),
    "otlp": ({"type": "otlp", "compression": "none"}, SPAN),
    "datadog": ({"type": "datadog", "api_key": "hush", "compression": "none"}, SAMPLE),
    "datadog, a distribution": ({"type": "datadog", "api_key": "hush", "compression": "none", "metrics_mapping": {
        "ms": {"type": "distribution"}}}, PROFILE),
    "datadog, spans as OTLP": ({"type": "datadog", "api_key": "hush", "compression": "none", "otlp_url": "URL",
                                "traces_via": "otlp", "otlp_source": "acme"}, SPAN),
}


@pytest.mark.parametrize("kind", KINDS)
def test_shown_as_sent(tmp_path, recorder, kind):
    exporter, record = KINDS[kind]
    exporter = {"url": recorder.url, **exporter}
    if "otlp_url" in exporter:
        exporter["otlp_url"] = recorder.url
    if kind == "remote_write":
        exporter = {"type": "remote_write", "url": recorder.url + "/api/v1/write"}
    if exporter["type"] in ("newrelic", "datadog"):
        record = {**record, "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    if kind == "newrelic":
        exporter = {"type": "newrelic", "license_key": "hush", "metrics_api_url": recorder.url + "/metric/v1"}
    raw = tmp_path / "raw"
    shown, said = export(tmp_path, exporter, [record], "--dry-run", "--raw", raw)
    assert not recorder.requests and "nothing was sent" in said
    assert not (tmp_path / "data").exists() or not any((tmp_path / "data").rglob("*.log"))
    export(tmp_path, exporter, [record])
    assert raw.read_bytes() == b"".join(body for _, _, body in recorder.requests) != b""
    for (line, headers, _), (sent_line, sent_headers, _) in zip(blocks(shown), recorder.requests, strict=True):
        assert line == sent_line
        for name, value in headers.items():
            sent = {key.lower(): text for key, text in sent_headers.items()}[name.lower()]
            assert value == sent or value.endswith("[redacted]")
        assert {name.lower() for name in sent_headers} - {name.lower() for name in headers} <= {
            "accept", "accept-encoding"}


def test_text_is_text_and_secrets_are_not_shown(tmp_path, recorder):
    exporter = {"type": "webhook", "url": recorder.url + "/?token=hush1", "bearer_token": "hush2",
                "headers": {"X-Api-Key": "hush3"}}
    shown, _ = export(tmp_path, exporter, [ALERT], "--dry-run")
    (line, headers, body), = blocks(shown)
    assert "hush" not in shown and headers["Authorization"] == "Bearer [redacted]"
    assert json.loads(body)["alert_name"] == "HighCPU" and "[redacted]" in line


def test_binary_is_hexadecimal(tmp_path):
    shown, _ = export(tmp_path, {"type": "otlp", "url": "http://127.0.0.1:1", "protocol": "grpc"}, [SPAN], "--dry-run")
    (line, headers, body), = blocks(shown)
    assert line.startswith("POST ") and headers["Content-Type"] == "application/grpc"
    assert len(bytes.fromhex(body.replace("\n", " "))) == int(headers["Content-Length"])


def test_what_is_no_request(tmp_path):
    out = tmp_path / "out"
    shown, _ = export(tmp_path, {"type": "file", "output_directory": str(out),
                                 "serializer": {"n": "{{ .name }}"}}, [SAMPLE], "--dry-run")
    assert f"appended to {out}/" in shown and '{"n":"cpu"}' in shown and not out.exists()
    shown, _ = export(tmp_path, {"type": "syslog", "address": "tcp://127.0.0.1:1"}, [ALERT], "--dry-run")
    assert "tcp://127.0.0.1:1\n" in shown and " <28>1 2024-01-15T10:30:00Z" in shown
    shown, _ = export(tmp_path, {"type": "resilient", "exporter": {"type": "webhook", "url": "http://127.0.0.1:1"}},
                      [ALERT], "--dry-run")
    assert "POST http://127.0.0.1:1/\n" in shown


AWKWARD = [
    {**ALERT, "timestamp": "2024-01-15T10:30:00.1234567Z", "labels": {"q": "o'c\\d\t\"x\"", "n": "a\nb"},
     "annotations": {"summary": "\\N \\. \u00e4"}},
    {**ALERT, "state": "resolved", "timestamp": "2024-01-15T10:40:00Z"},
    {**SAMPLE, "value": 2}, {**SAMPLE, "value": 0.1}, {**SAMPLE, "value": 1e300}, {**SAMPLE, "value": 1e21},
    {**SAMPLE, "value": "NaN"}, {**SAMPLE, "value": "-Inf"}, {**SAMPLE, "name": "\\N", "value": -0.5},
    {**SPAN, "ok": True, "memory_usage_mb": 1.25, "text": "t"},
    {"kind": "profile", "timestamp": "2024-01-15T10:30:00Z", "total_messages": 7, "labels": {"a": "b"}},
]
TABLES = ["telex_alerts", "telex_samples", "telex_spans", "telex_profiles"]


def script_of(shown):
    """What stands below the heads."""
    return "".join(body for _, _, body in blocks(shown))


def test_a_postgresql_script_does_what_is_sent(tmp_path, start_postgres):
    server = start_postgres()
    exporter = {"type": "postgresql", "connection_string": server.url, "column_mapping": {"total_messages": "n bigint"}}
    shown, _ = export(tmp_path, {**exporter, "connection_string": "postgresql://u:hush@127.0.0.1:1/x"}, AWKWARD, "--dry-run")
    assert "hush" not in shown and server.count("telex_samples") == 0
    assert "FORMAT binary" in blocks(shown)[0][0]
    done = subprocess.run(["psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", server.url], input=script_of(shown), text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rows = {table: server.rows(f"SELECT t::text FROM {table} t ORDER BY 1") for table in TABLES}
    server.psql("TRUNCATE " + ", ".join(TABLES))
    export(tmp_path, exporter, AWKWARD)
    for table in TABLES:
        assert rows[table] and server.rows(f"SELECT t::text FROM {table} t ORDER BY 1") == rows[table]


def test_a_sqlite_script_does_what_is_bound(tmp_path):
    exporter = {"type": "sqlite", "path": str(tmp_path / "db.sqlite")}
    shown, _ = export(tmp_path, exporter, AWKWARD, "--dry-run")
    assert not (tmp_path / "db.sqlite").exists()
    export(tmp_path, exporter, AWKWARD)
    by_script = sqlite3.connect(":memory:", isolation_level=None)
    by_script.executescript(script_of(shown))
    by_telex = sqlite3.connect(tmp_path / "db.sqlite")
    for table in TABLES:
        columns = [name for _, name, *_ in by_telex.execute(f"PRAGMA table_info({table})")]
        typed = f"SELECT {', '.join(f'{name}, typeof({name})' for name in columns)} FROM {table} ORDER BY 1, 3, 5"
        rows = by_telex.execute(typed).fetchall()
        assert rows and by_script.execute(typed).fetchall() == rows


def test_no_table_is_made_where_none_may_be(tmp_path):
    exporter = {"type": "sqlite", "path": str(tmp_path / "db.sqlite"), "create_table": False, "batch_size": 2,
                "transaction_rows": 2}
    shown, _ = export(tmp_path, exporter, [SAMPLE] * 5, "--dry-run")
    assert "CREATE" not in shown and [line.split()[0] for line, _, _ in blocks(shown)] == ["2", "2", "1"]


def test_alertmanager_gets_its_alerts(tmp_path):
    exporter = {"type": "alertmanager", "url": "http://127.0.0.1:1/am", "labels": {"dc": "eu"}, "resend_delay": "2m",
                "basic_auth": {"username": "u", "password": "hush"}}
    ended = {**ALERT, "state": "resolved", "timestamp": "2024-01-15T10:40:00Z"}
    began = time.time()
    shown, _ = export(tmp_path, exporter, [{**ALERT, "labels": {"a.b": "c"}}, {**ALERT, "state": "pending"}, ended], "--dry-run")
    (line, headers, body), = blocks(shown)
    assert line == "POST http://127.0.0.1:1/am/api/v2/alerts" and "hush" not in shown
    assert headers["Content-Type"] == "application/json" and int(headers["Content-Length"]) == len(body.encode())
    firing, resolved = json.loads(body)
    assert firing["labels"] == {"alertname": "HighCPU", "severity": "warning", "dc": "eu", "a_b": "c"}
    assert firing["startsAt"] == "2024-01-15T10:30:00Z" and firing["annotations"] == ALERT["annotations"]
    ends = net.parse_rfc3339(firing["endsAt"]) / 1e9
    assert began + 470 < ends < time.time() + 490  # four times resend_delay
    assert resolved["endsAt"] == "2024-01-15T10:40:00Z"


def test_kafka_shows_topic_key_and_headers(tmp_path):
    exporter = {"type": "kafka", "brokers": ["127.0.0.1:1"], "headers": {"team": "a"}}
    shown, _ = export(tmp_path, exporter, [SAMPLE], "--dry-run")
    (line, headers, body), = blocks(shown)
    assert line == "topic: telex-sample" and headers == {"key": 'cpu{host="a"}', "team": "a"}
    assert json.loads(body)["value"] == 1.5
