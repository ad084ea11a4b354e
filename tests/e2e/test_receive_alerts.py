"""Alerts in: real engines have Telex as their Alertmanager, a real Alertmanager posts its webhook, and what was
acknowledged is delivered, also after a kill."""

import json
import shutil
import time

import pytest
import yaml

import net
import servers
from process import Process
from telex import file_exporter, influx_exporter, is_edge

JSON = {"Content-Type": "application/json"}
ALERTS, WEBHOOK = "/api/v2/alerts", "/webhook"
EXPORTED = {"alert": "HighCPUUsage", "expr": "vector(85.4)", "labels": {"export_to_datastore": "true", "severity": "warning"},
            "annotations": {"export_datastore": "influx", "export_measurement": "cpu_alerts", "threshold_value": "80",
                            "value": "{{ $value }}", "summary": "High CPU usage"}}


def config(folder, **sections):
    return {"receive": {"alerts": True}, "exporters": {"archive": file_exporter(folder)}, **sections}


def alert(name, starts="2026-01-01T00:00:00Z", **fields):
    return {"labels": {"alertname": name}, "startsAt": starts, **fields}


def post(program, alerts, path=ALERTS):
    return net.post(program.url + path, json.dumps(alerts).encode(), headers=JSON)


def edges(program, folder):
    return [record for record in program.jsonl(folder) if is_edge(record)]


class Engine(servers.Prometheus):
    """A Prometheus whose Alertmanager is at `address`, with one rule that always fires."""

    def __init__(self, folder, address, rule=EXPORTED):
        super().__init__(folder)
        self.name, self.folder, self.to, self.rule = "engine", folder / "engine", address, rule

    def prepare(self):
        (self.folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [self.rule]}]}))
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump({
            "global": {"evaluation_interval": "1s"}, "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [self.to]}]}]}}))

    def argv(self):
        return [*super().argv(), "--rules.alert.resend-delay=1s"]


@pytest.fixture
def start_other():
    running = []

    def start(server):
        running.append(server)
        return server.start()

    yield start
    for server in reversed(running):
        server.stop()


def test_prometheus_has_telex_as_alertmanager(start_telex, start_influx, start_other, tmp_path):
    influx = start_influx()
    archive = tmp_path / "out"
    program = start_telex({"receive": {"alerts": True}, "routes": [{"to": ["archive"]}],
                           "exporters": {"archive": file_exporter(archive), "influx": influx_exporter(influx.url)}})
    engine = start_other(Engine(tmp_path, program.url.removeprefix("http://")))
    net.wait_until("the row", lambda: influx.rows("cpu_alerts"), 40)
    repeated = lambda: program.metrics()["telex_receive_alerts_total"][("news=unchanged",)]  # noqa: E731
    net.wait_until("repeats", lambda: repeated() >= 3, 30)
    row, = influx.rows("cpu_alerts")
    assert row["value"] == 85.4 and row["threshold"] == 80 and row["alertname"] == "HighCPUUsage"
    assert edges(program, archive) == [], "it names its exporter, so the routes do not see it fire"
    metrics = net.get(engine.url + "/metrics").text.splitlines()
    errors = [line for line in metrics if line.startswith("prometheus_notifications_errors_total{")]
    assert errors and all(line.endswith(" 0") for line in errors)


def test_vmalert_has_telex_as_alertmanager(start_telex, start_prometheus, tmp_path):
    if shutil.which("vmalert") is None:
        pytest.skip("vmalert is not installed (apt-get install victoria-metrics)")
    prometheus = start_prometheus()
    archive = tmp_path / "out"
    program = start_telex(config(archive))
    rule = {"alert": "Always", "expr": "vector(1)", "annotations": {"summary": "it fires"}}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "g", "interval": "1s", "rules": [rule]}]}))
    port = net.free_port()
    engine = Process("vmalert", ["vmalert", "-rule=rules.yml", f"-datasource.url={prometheus.url}",
                                 f"-notifier.url={program.url}", f"-httpListenAddr={net.HOST}:{port}"],
                     tmp_path, servers.GO_ENV).start()
    try:
        net.wait_until("the edge", lambda: edges(program, archive), 30)
        metrics = net.get(f"http://{net.HOST}:{port}/metrics").text
        failed = [line for line in metrics.splitlines() if line.startswith("vmalert_alerts_send_errors_total")]
        assert failed and all(line.endswith(" 0") for line in failed)
    finally:
        engine.stop()
    edge, = edges(program, archive)
    assert edge["state"] == "firing" and edge["annotations"]["summary"] == "it fires"


class Notifying(servers.Alertmanager):
    """An Alertmanager that posts its webhook to `url`."""

    def __init__(self, folder, url):
        super().__init__(folder, resolve_timeout="2s")
        self.url_to = url

    def prepare(self):
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump({
            "global": {"resolve_timeout": self.resolve_timeout},
            "route": {"receiver": "telex", "group_wait": "100ms", "group_interval": "1s", "repeat_interval": "1s"},
            "receivers": [{"name": "telex", "webhook_configs": [{"url": self.url_to, "send_resolved": True}]}]}))


def test_alertmanager_posts_its_webhook(start_telex, start_other, tmp_path):
    archive = tmp_path / "out"
    program = start_telex(config(archive))
    manager = start_other(Notifying(tmp_path, program.url + WEBHOOK))
    body = json.dumps([{"labels": {"alertname": "Disk", "instance": "a"}, "annotations": {"summary": "full"}}]).encode()
    assert net.post(manager.url + ALERTS, body, headers=JSON).status == 200
    net.wait_until("both edges", lambda: len(edges(program, archive)) == 2, 30)
    fired, ended = edges(program, archive)
    assert (fired["state"], ended["state"]) == ("firing", "resolved")
    assert fired["id"].rsplit(":", 1)[0] == ended["id"].rsplit(":", 1)[0], "one episode"
    assert fired["labels"] == {"alertname": "Disk", "instance": "a"} and fired["annotations"] == {"summary": "full"}


def test_acknowledged_survives_a_kill(start_telex, start_webhook, tmp_path):
    """Killed between posts, the destination down: each alert arrives, none is a second record when it is posted again."""
    hook = start_webhook()
    hook.down()
    program = start_telex({"receive": {"alerts": True}, "exporters": {"out": {
        "type": "webhook", "url": hook.url, "retry": {"initial_delay": "50ms", "max_delay": "100ms"}}}})
    for number in range(60):
        assert post(program, [alert(f"a{number}"), alert("always")]).status == 200
        if number % 20 == 10:
            program.sigkill()
            program.start()
            program.wait_ready()
    hook.up()
    got = lambda: [record["alert_name"] for record in hook.accepted()]  # noqa: E731
    net.wait_until("all of them", lambda: set(got()) >= {f"a{n}" for n in range(60)}, 20)
    assert sorted(got()) == sorted([f"a{n}" for n in range(60)] + ["always"])


def test_what_is_answered(start_telex, tmp_path):
    archive = tmp_path / "out"
    program = start_telex(config(archive))
    answer = post(program, [alert("good"), {"labels": {}}])
    assert answer.status == 400 and "1 of 2 alerts are not taken" in answer.text and "byte" in answer.text
    net.wait_until("the good one", lambda: len(edges(program, archive)) == 1, 10)
    assert post(program, []).status == 200
    assert post(program, {"version": "3", "alerts": []}, WEBHOOK).status == 400
    assert "line" in post(program, {"a": 1}).text or "byte" in post(program, {"a": 1}).text
    assert net.post(program.url + ALERTS, b"[]", headers={"Content-Type": "text/plain"}).status == 415
    assert net.post(program.url + "/api/v1/alerts", b"[]", headers=JSON).status == 410
    deep = b"[" * 1000
    assert net.post(program.url + ALERTS, deep, headers=JSON).status in (400, 413)


def test_off_and_nobody(start_telex, tmp_path):
    program = start_telex({"exporters": {"archive": file_exporter(tmp_path / "out")}})
    assert post(program, [alert("a")]).status == 404


def test_credentials(start_telex, tmp_path):
    port = net.free_port()
    server = {"listen": f"{net.HOST}:{port}", "auth": {"bearer_token": "t0ken"}}
    program = start_telex(config(tmp_path / "out", server=server), wait=False)
    program.port = port
    program.wait_ready()
    assert post(program, [alert("a")]).status == 401
    answer = net.post(program.url + ALERTS, json.dumps([alert("a")]).encode(),
                      headers={**JSON, "Authorization": "Bearer t0ken"})
    assert answer.status == 200


def test_a_url_of_an_allowed_host(start_telex, start_webhook, tmp_path):
    """Alerts of others may name the hosts that the config lists; what names another is kept as a dead letter."""
    hook = start_webhook()
    program = start_telex(config(tmp_path / "out", exporters={
        "hooks": {"type": "rule_webhook", "allowed_hosts": ["127.0.0.1"]}}, routes=[]))
    other = hook.url.replace("127.0.0.1", "localhost")
    export = {"export_to_datastore": "true"}
    assert post(program, [
        {"labels": {"alertname": "Allowed", **export}, "annotations": {"webhook_url": hook.url + "/in"}},
        {"labels": {"alertname": "Refused", **export}, "annotations": {"webhook_url": other + "/in"}},
    ]).status == 200
    net.wait_until("the allowed one", lambda: [edge["alert_name"] for edge in hook.accepted()] == ["Allowed"])
    net.wait_until("a dead letter", lambda: any(
        "allowed_hosts" in line for line in program.process.log().splitlines()))
    assert [edge["alert_name"] for edge in hook.accepted()] == ["Allowed"]


def test_the_history_invents_nothing(start_telex, tmp_path):
    """What was pushed has no pending state here, no `for`, and no value unless its sender says one."""
    archive = tmp_path / "out"
    program = start_telex(config(archive))
    said = {"annotations": {"value": "7"}}
    assert post(program, [alert("Ext", **said)]).status == 200
    assert post(program, [alert("Ext", endsAt="2026-01-01T00:01:00Z")]).status == 200
    net.wait_until("both edges", lambda: len(edges(program, archive)) == 2)
    assert [record["value"] for record in edges(program, archive)] == [7, None]

    def changes():
        return json.loads(program.get("/api/v1/history?rule=Ext").text)["data"]["changes"]

    net.wait_until("both changes", lambda: len(changes()) == 2)
    end, start = changes()
    assert (start["from"], start["to"], start["cause"], start["value"]) == ("inactive", "firing", "was pushed as firing", 7)
    assert (end["from"], end["to"], end["cause"], end["value"]) == ("firing", "resolved", "was pushed as resolved", None)
    nobody = program.get("/api/v1/rules/Ext/why")
    assert nobody.status == 404 and "/api/v1/history" in nobody.text


def test_begins_again_after_a_lost_end(start_telex, tmp_path):
    """A sender that was restarted never says that the alert of before ended."""

    program = start_telex(config(tmp_path))
    now = int(time.time())

    def at(seconds):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + seconds))
    assert post(program, [alert("Ext", starts=at(-60), endsAt=at(2))]).status == 200
    assert post(program, [alert("Ext", starts=at(-60), endsAt=at(3))]).status == 200
    assert post(program, [alert("Ext", starts=at(4), endsAt=at(600))]).status == 200
    told = net.wait_until("three edges", lambda: (lambda got: got if len(got) == 3 else None)(edges(program, tmp_path)))
    assert [edge["state"] for edge in told] == ["firing", "resolved", "firing"]
    assert told[1]["ends_at"].startswith(at(3)[:-1]), told[1]
    assert len({edge["id"] for edge in told}) == 3
    assert post(program, [alert("Ext", starts=at(4), endsAt=at(600))]).status == 200
    counted = program.metrics()["telex_receive_alerts_total"]
    assert sum(value for labels, value in counted.items() if "unchanged" in str(labels)) == 2
