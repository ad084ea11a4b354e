"""/api/v1/exporters: how exporters are, pausing, flushing, circuit breakers, and what removed ones left."""

import json
import subprocess
import time

import net
import telex
from telex import admin_headers, alerting, group, webhook_exporter

UP = [({"instance": "a"}, 1.5)]
TOKEN = "t0p"


def exporter(program, name):
    answer = program.get(f"/api/v1/exporters/{name}")
    assert answer.status == 200, answer.body
    return json.loads(answer.body)["data"]


def ask(program, name, verb, headers=None):
    return net.post(f"{program.url}/api/v1/exporters/{name}/{verb}", headers=headers or admin_headers(TOKEN))


def play(scene, start_telex, **exporters):
    """Telex with an admin token and these exporters beside the hook."""
    config = scene.config()
    config["exporters"].update(exporters)
    program = start_telex(config, {"scene.yaml": [group("scene", [alerting("Plain", "plain")], interval="200ms")]})
    program.write_config({**config, "server": telex.server_section(program.port, admin_token=TOKEN)})
    assert program.reload().status == 200
    scene.program = program
    return program


def test_it_says_how_an_exporter_is(scene, start_telex):
    program = play(scene, start_telex)
    idle = exporter(program, "hook")
    assert (idle["state"], idle["type"], idle["circuit_breaker"], idle["last_result"]) == ("idle", "webhook", None, None)
    assert idle["health"] == {"is_healthy": True, "error_message": None}
    assert {"usage_percent", "avg_flush_time_ms"} <= set(idle["buffer"])
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    net.wait_until("the result", lambda: exporter(program, "hook")["last_result"] is not None)
    after = exporter(program, "hook")
    assert after["state"] == "ok" and after["delivered"] >= 1 and after["queue"]["frames"] == 0
    assert after["last_result"]["success"] and after["last_result"]["response_time_ms"] > 0
    listed = json.loads(program.get("/api/v1/exporters").body)["data"]
    assert [found["name"] for found in listed["exporters"]] == ["hook"] and listed["orphans"] == []
    assert program.get("/api/v1/exporters/nobody").status == 404


def test_a_paused_exporter_waits(scene, start_telex):
    program = play(scene, start_telex)
    assert ask(program, "hook", "pause", {"Authorization": "Bearer wrong"}).status == 401
    assert ask(program, "hook", "dance").status == 404
    assert ask(program, "nobody", "pause").status == 404
    assert json.loads(ask(program, "hook", "pause").body)["data"]["state"] == "paused"
    scene.vectors["plain"] = UP
    net.wait_until("something waits", lambda: exporter(program, "hook")["queue"]["frames"] > 0)
    assert scene.states() == []
    assert ask(program, "hook", "resume").status == 200
    scene.wait_states("firing")
    net.wait_until("nothing waits", lambda: exporter(program, "hook")["queue"]["frames"] == 0)


def test_flush_cuts_a_backoff_short(scene, start_telex):
    scene.hook.script = [503]
    slow = {"retry": {"initial_delay": "1h", "max_delay": "1h"}}
    program = play(scene, start_telex, hook={"type": "webhook", "url": scene.hook.url, **slow})
    scene.vectors["plain"] = UP
    net.wait_until("a refusal", lambda: exporter(program, "hook")["state"] == "retrying")
    assert "503" in exporter(program, "hook")["last_result"]["error"]
    assert ask(program, "hook", "flush").status == 200
    scene.wait_states("firing")


def test_a_breaker_opens_and_the_fallback_gets_it(scene, start_telex, start_webhook):
    spare = start_webhook()
    scene.hook.down()
    program = play(scene, start_telex)
    config = scene.config()
    program.write_config({**config, "server": telex.server_section(program.port, admin_token=TOKEN), "exporters": {
        "hook": webhook_exporter(scene.hook.url), "spare": webhook_exporter(spare.url), "safe": {
            "type": "resilient", "exporter": "hook", "fallback_exporter": "spare",
            "circuit_breaker": {"failure_threshold": 2, "recovery_timeout_seconds": 3600},
            "retry": {"initial_delay_seconds": 0.05}}}, "routes": [{"to": ["safe"]}]})
    assert program.reload(headers=admin_headers(TOKEN)).status == 200
    scene.vectors["plain"] = UP
    net.wait_until("the fallback has it", lambda: len(spare.accepted()) >= 1)
    found = exporter(program, "safe")
    assert (found["state"], found["circuit_breaker"]) == ("open", "open")
    assert not found["last_result"]["success"] and found["queue"]["frames"] == 0


def test_what_a_removed_exporter_left(scene, start_telex, start_webhook):
    other = start_webhook()
    scene.hook.down()
    program = play(scene, start_telex)
    scene.vectors["plain"] = UP
    net.wait_until("something waits", lambda: exporter(program, "hook")["queue"]["frames"] > 0)
    program.write_config({**scene.config(), "exporters": {"other": webhook_exporter(other.url)},
                          "routes": [{"to": ["other"]}],
                          "server": telex.server_section(program.port, admin_token=TOKEN)})
    assert program.reload(headers=admin_headers(TOKEN)).status == 200

    def orphans():
        return json.loads(program.get("/api/v1/exporters").body)["data"]["orphans"]

    left, = orphans()
    assert left["name"] == "hook" and left["log"] == "ledger" and left["frames"] >= 1
    adopt = net.post(f"{program.url}/api/v1/orphans/hook/adopt?by=nobody", headers=admin_headers(TOKEN))
    assert adopt.status == 409
    adopt = net.post(f"{program.url}/api/v1/orphans/hook/adopt?by=other", headers=admin_headers(TOKEN))
    assert adopt.status == 200 and json.loads(adopt.body)["data"]["frames"] == left["frames"]
    net.wait_until("the heir delivers", lambda: len(other.accepted()) >= 1)
    assert orphans() == []


def test_tap_shows_what_is_sent(scene, start_telex):
    program = play(scene, start_telex)
    command = [telex.BINARY, "tap", "-c", program.config_path, "-n", "1", "hook"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tap:
        time.sleep(1)  # it asks twice a second
        scene.vectors["plain"] = UP
        out, errors = tap.communicate(timeout=20)
    assert tap.returncode == 0, errors
    call = json.loads(out)
    assert (call["count"], call["delivered"], call["requests"]) == (1, 1, 1) and call["status"] < 300
    record, = call["records"]
    assert record["alert_name"] == "Plain" and record["labels"]["instance"] == "a"
    done = subprocess.run([telex.BINARY, "tap", "-c", program.config_path, "nobody"], capture_output=True, text=True,
                          timeout=20)
    assert done.returncode == 1 and "answered 404: there is no exporter 'nobody'" in done.stderr
    assert "{" not in done.stderr, "words, not the answer's JSON"
