"""Levels of the log that change while the program runs: over the API for a time, and with a reload."""

import json

import net
import telex
from telex import admin_headers
from test_exporters_api import TOKEN, UP, play


def ask(program, method, body=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    return net.request(method, f"{program.url}/api/v1/trace", body=data, headers=headers or admin_headers(TOKEN))


def levels(program):
    return json.loads(program.get("/api/v1/trace").body)["data"]


def log_of(program):
    return program.process.log()


def test_a_component_is_debugged_for_a_time(scene, start_telex):
    program = play(scene, start_telex)
    before = levels(program)
    assert before["level"] == "info" and before["until"] is None and before["changed"] == {"levels": {}}
    assert before["levels"]["export/hook"] == "info"
    change = {"levels": {"export/hook": "debug", "http": "error"}, "for": "3s"}
    assert ask(program, "PUT", change, {"Authorization": "Bearer wrong"}).status == 401
    answer = ask(program, "PUT", change)
    assert answer.status == 200, answer.body
    found = levels(program)
    assert found["levels"]["export/hook"] == "debug" and found["levels"]["export"] == "info"
    assert found["changed"] == {"levels": {"export/hook": "debug", "http": "error"}} and found["until"] is not None
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    net.wait_until("a line", lambda: 'level=debug component=export/hook msg="a call ended"' in log_of(program))
    assert program.reload(headers=admin_headers(TOKEN)).status == 200
    assert levels(program)["levels"]["export/hook"] == "debug"
    net.wait_until("its end", lambda: levels(program)["until"] is None)
    assert levels(program) == before


def test_levels_are_taken_back(scene, start_telex):
    program = play(scene, start_telex)
    assert ask(program, "PUT", {"level": "off"}).status == 200
    assert levels(program)["level"] == "off" and levels(program)["levels"]["rules"] == "off"
    assert ask(program, "DELETE").status == 200
    assert levels(program)["levels"]["rules"] == "info"


def test_what_is_wrong_is_refused(scene, start_telex):
    program = play(scene, start_telex)
    for body, words in [({"level": "loud"}, "1:11: expected a level"), ({"levels": {"rulez": "debug"}}, "no component"),
                        ({"for": 5}, "expected a time"), ({"for": "40d"}, "expected a time"), ({"x": 1}, "unknown member"),
                        ([], "expected an object"), ({"levels": "debug"}, "expected levels by component")]:
        answer = ask(program, "PUT", body)
        assert answer.status == 400 and words in json.loads(answer.body)["error"], answer.body
    assert levels(program)["changed"] == {"levels": {}}


def test_a_reload_changes_levels_and_form(scene, start_telex):
    program = play(scene, start_telex)
    program.write_config({**scene.config(), "server": telex.server_section(program.port, admin_token=TOKEN),
                          "log": {"level": "warn", "format": "json", "levels": {"app": "info"}}})
    assert program.reload(headers=admin_headers(TOKEN)).status == 200
    found = levels(program)
    assert (found["level"], found["levels"]["app"], found["levels"]["export/hook"]) == ("warn", "info", "warn")
    net.wait_until("JSON", lambda: '"component":"app","msg":"reloaded"' in log_of(program))
