"""`telex export --dry-run`: what is shown is what is sent, and nothing is sent."""

import http.server
import json
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
    shown, _ = export(tmp_path, {"type": "sqlite", "path": str(tmp_path / "db.sqlite")}, [SAMPLE], "--dry-run")
    assert "shows no bytes" in shown and '"name":"cpu"' in shown and not (tmp_path / "db.sqlite").exists()
    shown, _ = export(tmp_path, {"type": "resilient", "exporter": {"type": "webhook", "url": "http://127.0.0.1:1"}},
                      [ALERT], "--dry-run")
    assert "POST http://127.0.0.1:1/\n" in shown
