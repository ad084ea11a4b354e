"""PATCH /api/v1/exporters/{name}: options of an exporter that change while it runs, and stay changed."""

import json
import subprocess

import net
import telex
from telex import admin_headers, alerting, group
from test_exporters_api import TOKEN, UP, exporter, play


def change(program, name, options, headers=None):
    body = options if isinstance(options, bytes) else json.dumps(options).encode()
    return net.request("PATCH", f"{program.url}/api/v1/exporters/{name}", body=body,
                       headers=headers or admin_headers(TOKEN))


def take_back(program, name):
    return net.request("DELETE", f"{program.url}/api/v1/exporters/{name}/overrides", headers=admin_headers(TOKEN))


def methods(hook):
    return [request.method for request in hook.requests]


def test_options_change_while_it_runs(scene, start_telex):
    program = play(scene, start_telex)
    assert change(program, "hook", {"method": "PUT"}, {"Authorization": "Bearer wrong"}).status == 401
    assert change(program, "nobody", {"method": "PUT"}).status == 404
    answer = change(program, "hook", {"method": "PUT", "labels": {"site": "b"}})
    assert answer.status == 200, answer.body
    assert json.loads(answer.body)["data"] == {"name": "hook", "overrides": {"method": "PUT", "labels": {"site": "b"}}}
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    assert methods(scene.hook) == ["PUT"]
    assert scene.edges()[0]["labels"]["site"] == "b"
    assert change(program, "hook", {"method": None}).status == 200
    assert exporter(program, "hook")["overrides"] == {"labels": {"site": "b"}}
    scene.vectors["plain"] = []
    scene.wait_states("firing", "resolved")
    assert methods(scene.hook)[-1] == "POST"
    assert take_back(program, "hook").status == 200
    assert exporter(program, "hook")["overrides"] == {}
    assert take_back(program, "nobody").status == 404


def test_what_is_wrong_is_refused_by_name(scene, start_telex):
    program = play(scene, start_telex)
    for options, words in [({"methud": "PUT"}, "did you mean 'method'?"),
                           ({"retry": {"max_retries": "three"}}, "max_retries: expected a whole number"),
                           ({"type": "file"}, "'type' cannot be overridden"),
                           ({"bearer_token": "abc"}, "a secret cannot be overridden by its value"),
                           (b'{"method": ', "byte"), (b"[]", "expected an object of options"), (b"", "expected")]:
        answer = change(program, "hook", options)
        assert answer.status == 400, answer.body
        assert words in json.loads(answer.body)["error"], answer.body
        assert exporter(program, "hook")["overrides"] == {}
    said = json.loads(change(program, "hook", {"methud": 1}).body)["error"]
    assert "exporter 'hook': unknown option 'methud'" in said
    assert "overrides.json" not in said, "it has nothing of this, so its lines say nothing"
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    assert methods(scene.hook) == ["POST"]


def test_overrides_outlive_a_restart(scene, start_telex):
    program = play(scene, start_telex)
    assert change(program, "hook", {"method": "PUT", "retry": {"max_retries": 3}}).status == 200
    assert change(program, "hook", {"retry": {"max_retries": 5}}).status == 200
    program.sigkill()
    checked = subprocess.run([telex.BINARY, "check", "-c", program.config_path], capture_output=True, text=True)
    assert "overrides options of hook (method, retry)" in checked.stdout
    program.start()
    program.wait_ready()
    assert exporter(program, "hook")["overrides"] == {"method": "PUT", "retry": {"max_retries": 5}}
    listed = json.loads(program.get("/api/v1/exporters").body)["data"]
    assert listed["overrides"] == {"hook": {"method": "PUT", "retry": {"max_retries": 5}}}
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    assert methods(scene.hook) == ["PUT"]


def test_others_go_on(scene, start_telex, start_webhook):
    other = start_webhook()
    program = play(scene, start_telex)
    program.write_config({**scene.config(), "server": telex.server_section(program.port, admin_token=TOKEN),
                          "exporters": {"hook": telex.webhook_exporter(scene.hook.url),
                                        "other": telex.webhook_exporter(other.url)},
                          "routes": [{"to": ["hook", "other"]}]})
    assert program.reload(headers=admin_headers(TOKEN)).status == 200
    scene.hook.down()
    scene.vectors["plain"] = UP
    for lanes in (2, 3, 1):
        assert change(program, "hook", {"buffer": {"lanes": lanes}}).status == 200
    net.wait_until("the other has it", lambda: len(other.accepted()) == 1)
    scene.hook.up()
    scene.wait_states("firing")
    assert len(other.requests) == 1


def test_who_is_not_changed_goes_on_as_it_was(scene, start_telex, start_webhook):
    other = start_webhook()
    other.script = [503] * 100
    slow = {"retry": {"initial_delay": "1h", "max_delay": "1h", "jitter": "false"}}
    program = play(scene, start_telex)
    program.write_config({**scene.config(), "server": telex.server_section(program.port, admin_token=TOKEN),
                          "exporters": {"hook": telex.webhook_exporter(scene.hook.url),
                                        "other": {"type": "webhook", "url": other.url, **slow},
                                        "safe": {"type": "resilient", "exporter": "other",
                                                 "circuit_breaker": {"failure_threshold": 1, "recovery_timeout": "1h"}}},
                          "routes": [{"to": ["hook", "other", "safe"]}]})
    assert program.reload(headers=admin_headers(TOKEN)).status == 200
    scene.vectors["plain"] = UP
    net.wait_until("refusals", lambda: len(other.requests) == 2)
    net.wait_until("a backoff", lambda: exporter(program, "other")["state"] == "retrying")
    net.wait_until("a breaker", lambda: exporter(program, "safe")["state"] == "open")
    for lanes in (2, 3, 1):
        assert change(program, "hook", {"buffer": {"lanes": lanes}}).status == 200
    assert program.reload(headers=admin_headers(TOKEN)).status == 200
    scene.wait_states("firing")
    found = exporter(program, "other")
    assert (found["state"], found["retries"], found["last_result"]["success"]) == ("retrying", 1, False)
    assert exporter(program, "safe")["circuit_breaker"] == "open"
    assert len(other.requests) == 2
    other.script = []
    assert change(program, "other", {"retry": {"initial_delay": "1m"}}).status == 200
    net.wait_until("another try", lambda: len(other.accepted()) >= 1)
