"""/api/v1/history and why: what alerts went through, what became of it, and why a rule fires or does not."""

import json
import urllib.parse

import net
from telex import alerting, recording

UP = [({"instance": "a"}, 1.5)]


def history(program, **params):
    answer = program.get("/api/v1/history?" + urllib.parse.urlencode(params))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)["data"]


def why(program, rule):
    answer = program.get(f"/api/v1/rules/{urllib.parse.quote(rule, safe='')}/why")
    assert answer.status == 200, answer.body
    return json.loads(answer.body)["data"]


def changes(program, **params):
    return [(change["from"], change["to"]) for change in history(program, **params)["changes"]]


def test_every_change_with_its_cause_and_delivery(scene):
    program = scene.play(alerting("Waits", "waits", for_="1s", annotations={"summary": "at {{ $value }}"}))
    scene.vectors["waits"] = UP
    scene.wait_states("firing")
    scene.vectors["waits"] = []
    scene.wait_states("firing", "resolved")
    net.wait_until("the history", lambda: len(changes(program)) == 3 and
                   all(c["deliveries"] for c in history(program, told="true")["changes"]))
    resolved, fired, pending = history(program)["changes"]
    assert [(c["from"], c["to"], c["told"]) for c in (pending, fired, resolved)] == [
        ("inactive", "pending", False), ("pending", "firing", True), ("firing", "resolved", True)]
    assert fired["cause"] == "true for as long as `for` asks" and resolved["cause"] == "no longer true"
    assert fired["labels"] == {"alertname": "Waits", "instance": "a"} and fired["value"] == 1.5
    assert fired["annotations"] == {"summary": "at 1.5"} and fired["rule"] == "Waits" and fired["group"] == "scene"
    delivery, = fired["deliveries"]
    assert (delivery["exporter"], delivery["result"], delivery["reason"]) == ("hook", "delivered", "")
    assert pending["deliveries"] == []
    assert {edge["id"] for edge in scene.edges()} == {fired["id"], resolved["id"]}


def test_it_is_asked_by_parts_and_pages(scene):
    program = scene.play(alerting("One", "one"), alerting("Two", "two"))
    scene.vectors["one"] = [({"instance": name}, 1.0) for name in "abc"]
    scene.vectors["two"] = UP
    net.wait_until("four changes", lambda: len(changes(program)) == 4)
    assert len(changes(program, rule="One")) == 3 and len(changes(program, rule="Two")) == 1
    assert len(changes(program, labels='{"instance":"b"}')) == 1
    assert len(changes(program, state="firing")) == 4 and changes(program, state="resolved") == []
    assert changes(program, to="1970-01-01T00:00:01Z") == [] and len(changes(program, **{"from": "1"})) == 4
    first = history(program, limit=3)
    second = history(program, limit=3, before=first["next"])
    assert len(first["changes"]) == 3 and len(second["changes"]) == 1 and second["next"] is None
    assert program.get("/api/v1/history?limit=x").status == 400
    assert program.get("/api/v1/history?labels=x").status == 400
    assert program.get("/api/v1/history?from=noon").status == 400
    wrong = program.get("/api/v1/history?state=frob")
    assert wrong.status == 400 and "pending, firing, resolved or inactive" in wrong.text
    assert program.get("/api/v1/history?limit=1000").status == 200
    wrong = program.get("/api/v1/history?limit=1001")
    assert wrong.status == 400 and "1000 at most" in wrong.text


def test_dead_letters_are_told(scene):
    program = scene.play(alerting("Plain", "plain"))
    scene.hook.script += [422] * 20
    scene.vectors["plain"] = UP
    net.wait_until("the end", lambda: history(program)["changes"] and history(program)["changes"][0]["deliveries"])
    delivery, = history(program)["changes"][0]["deliveries"]
    assert delivery["result"] == "dead_letter" and "422" in delivery["reason"]


def test_it_outlives_the_program(scene):
    program = scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = UP
    scene.wait_states("firing")
    assert program.sigterm() == 0
    program.start()
    program.wait_ready()
    assert changes(program) == [("inactive", "firing")]


def test_why(scene):
    program = scene.play(alerting("Waits", "waits", for_="1h"), alerting("Plain", "plain > 1"), recording("rec", "some"))
    scene.vectors["waits"] = scene.vectors["plain > 1"] = UP
    net.wait_until("firing", lambda: program.alert_states("Plain") == ["firing"])
    net.wait_until("pending", lambda: program.alert_states("Waits") == ["pending"])
    waits = why(program, "Waits")
    assert "the expression gave 1 series" in waits["why"] and waits["alert_count"] == 1
    assert "fires at the first evaluation from" in waits["alerts"][0]["why"] and "(for: 1h)" in waits["alerts"][0]["why"]
    assert "fires since" in why(program, "Plain")["alerts"][0]["why"]
    assert "gave no series" in why(program, "rec")["why"]
    scene.vectors["plain > 1"] = []
    net.wait_until("resolved", lambda: "resolved at" in (why(program, "Plain")["alerts"] or [{"why": ""}])[0]["why"])
    assert "its condition is true for none" in why(program, "Plain")["why"]
    assert len(why(program, "Plain")["evaluations"]) > 1
    assert program.get("/api/v1/rules/nobody/why").status == 404


def test_none_is_kept_when_so_said(scene):
    program = scene.play(alerting("Plain", "plain"), history={"enabled": False})
    assert program.get("/api/v1/history").status == 404
    assert not (program.folder / "data" / "history.db").exists()
