"""The HTTP API: shapes, health, who may call it."""

import socket

import pytest

import fakes
import net
import telex
from telex import alerting, group, recording

UP = [({"instance": "a"}, 1.5)]
RULE_KEYS = {"name", "query", "labels", "health", "lastError", "evaluationTime", "lastEvaluation", "type"}
ALERTING_KEYS = RULE_KEYS | {"state", "duration", "keepFiringFor", "annotations", "alerts"}
ALERT_KEYS = {"labels", "annotations", "state", "activeAt", "value"}


def test_rules(scene):
    program = scene.play(
        alerting("Plain", "plain", labels={"severity": "page"}, annotations={"summary": "s"}),
        alerting("Waits", "waits", for_="90s", keep_firing_for="2m"),
        recording("job:up:sum", "sum(up)", labels={"team": "x"}))
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    found, = program.rules()
    assert {"name", "file", "interval", "rules", "evaluationTime", "lastEvaluation"} <= set(found)
    assert found["name"] == "scene" and found["interval"] == 0.2 and found["file"].endswith("scene.yaml")
    plain, waits, record = found["rules"]
    assert ALERTING_KEYS <= set(plain) and RULE_KEYS <= set(record)
    assert (plain["type"], record["type"]) == ("alerting", "recording")
    assert (plain["state"], waits["state"]) == ("firing", "inactive")
    assert (waits["duration"], waits["keepFiringFor"]) == (90, 120)
    assert (plain["labels"], plain["annotations"]) == ({"severity": "page"}, {"summary": "s"})
    assert (record["name"], record["query"], record["labels"]) == ("job:up:sum", "sum(up)", {"team": "x"})
    assert plain["health"] == "ok" and plain["lastError"] == ""
    assert net.parse_rfc3339(plain["lastEvaluation"]) > 10**18 and plain["evaluationTime"] >= 0
    alert, = plain["alerts"]
    assert ALERT_KEYS <= set(alert)
    assert alert["labels"] == {"alertname": "Plain", "instance": "a", "severity": "page"}
    assert alert["state"] == "firing" and float(alert["value"]) == 1.5
    assert net.parse_rfc3339(alert["activeAt"]) > 10**18
    listed, = program.alerts()
    assert listed == alert


def test_order_of_groups_and_rules_is_that_of_the_file(scene, start_telex):
    groups = [group(name, [alerting(f"{name}{number}", "x") for number in range(5)]) for name in "cab"]
    program = start_telex(scene.config(), {"rules.yaml": groups})
    wanted = [(name, [f"{name}{number}" for number in range(5)]) for name in "cab"]
    assert [(found["name"], [rule["name"] for rule in found["rules"]]) for found in program.rules()] == wanted


def test_health_and_metrics(scene):
    program = scene.play(alerting("Plain", "plain"))
    scene.wait_evaluations("plain")
    for path in ("/-/healthy", "/-/ready"):
        assert program.get(path).status == 200
    answer = program.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    metrics = program.metrics()
    assert any(name.startswith("telex_") for name in metrics)
    assert "process_resident_memory_bytes" in metrics


def test_metrics_satisfy_promtool(scene, tmp_path):
    import shutil
    import subprocess
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (apt-get install prometheus)")
    program = scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    check = subprocess.run(["promtool", "check", "metrics"], input=program.get("/metrics").body, capture_output=True,
                           timeout=30)
    errors = [line for line in check.stderr.decode().splitlines() if "error" in line.lower()]
    assert check.returncode in (0, 3) and not errors, check.stderr.decode()


def test_unknown_paths_and_methods(scene):
    program = scene.play(alerting("Plain", "plain"))
    assert program.get("/nothing/here").status == 404
    assert net.post(program.url + "/api/v1/rules").status == 405
    assert program.get("/-/reload").status == 405
    assert program.get("/api/v1/../../etc/passwd").status in (400, 404)


BAD_HOSTS = ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example"]
PATHS = ["/api/v1/rules", "/metrics", "/-/ready", "/"]


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_foreign_hosts_are_refused(scene, host):
    """A name that an attacker points at 127.0.0.1 must not reach the API (DNS rebinding)."""
    program = scene.play(alerting("Plain", "plain"))
    for path in PATHS[:2]:
        assert program.get(path, headers={"Host": host}).status in (403, 421), path
    assert net.post(program.url + "/-/reload", headers={"Host": host}).status in (403, 421)


def test_own_hosts_are_served(scene):
    program = scene.play(alerting("Plain", "plain"))
    for host in (f"127.0.0.1:{program.port}", f"localhost:{program.port}"):
        assert program.get("/api/v1/rules", headers={"Host": host}).status == 200


def test_foreign_origins_are_refused(scene):
    program = scene.play(alerting("Plain", "plain"))
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{program.port + 1}"):
        assert program.reload(headers={"Origin": origin}).status == 403, origin
    assert program.reload(headers={"Origin": program.url}).status == 200


def test_admin_token(scene, start_telex):
    config = scene.config()
    program = start_telex(config, {"scene.yaml": [group("scene", [alerting("Plain", "plain")])]})
    program.write_config({**config, "server": telex.server_section(program.port, admin_token="t0p")})
    assert program.reload().status == 200, "without a token in the configuration anyone local may reload"
    for headers in (None, telex.admin_headers("wrong"), {"Authorization": "Basic dDBwOg=="}):
        assert program.reload(headers=headers).status == 401
    assert program.reload(headers=telex.admin_headers("t0p")).status == 200
    assert program.get("/api/v1/rules").status == 200, "reading needs no token"
    assert "t0p" not in program.process.log()


def test_broken_requests_do_no_harm(scene):
    program = scene.play(alerting("Plain", "plain"))
    for junk in (b"\x00" * 64, b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"POST /-/reload HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                 b"Content-Length: 99999999999\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n"):
        with socket.create_connection((net.HOST, program.port), 5) as raw:
            raw.settimeout(2)
            try:
                raw.sendall(junk)
                raw.recv(4096)
            except OSError:
                pass
    assert program.get("/-/healthy").status == 200


def test_refuses_to_start_on_a_bad_config(scene, start_telex):
    program = start_telex({**scene.config(), "exporters": {"hook": {"type": "webhook", "urll": "http://x"}}}, wait=False)
    program.expect_failure = True
    assert program.process.wait(10) != 0
    log = program.process.log()
    assert "telex.yaml:" in log and "urll" in log and "url" in log


def test_ready_only_once_it_serves(start_fake_prom, webhook, start_telex):
    """The datasource being down does not keep Telex from being ready: state and delivery work without it."""
    prom = fakes.FakeProm()
    config = {"datasource": {"url": prom.url}, "exporters": {"hook": telex.webhook_exporter(webhook.url)},
              "routes": [{"match": 'kind == "alert"', "to": ["hook"]}]}
    program = start_telex(config, {"r.yaml": [group("g", [alerting("Plain", "plain")])]})
    net.wait_until("an error", lambda: program.rule("Plain")["health"] == "err")
    prom.respond = lambda text, time_ns: UP
    prom.up()
    try:
        net.wait_until("the edge", lambda: len(webhook.accepted()) == 1)
    finally:
        prom.down()
