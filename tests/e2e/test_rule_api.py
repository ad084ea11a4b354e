"""The API that Grafana and tools of vmalert and Prometheus read: filters, pages, their paths and pages."""

import http.client
import json
import urllib.parse

import pytest

import net
from telex import alerting, group, recording

UP = [({"instance": "a"}, 1.5), ({"instance": "b"}, 2.5)]


@pytest.fixture
def program(scene, start_telex):
    scene.vectors["x"] = UP
    groups = [group("one", [alerting("High", "x", labels={"severity": "page"}, annotations={"summary": "{{ $value }}"}),
                            recording("job:x", "x")]),
              group("two", [alerting("Waits", "x", for_="1h"), alerting("Never", "nothing")]),
              group("three", [recording("three:x", "x")])]
    made = start_telex(scene.config(), {"rules.yaml": groups})
    net.wait_until("alerts of both rules", lambda: len(made.alerts()) == 4)
    return made


def ask(program, path, **params):
    query = urllib.parse.urlencode({name.replace("__", "[]"): value for name, value in params.items()})
    answer = program.get(path + ("?" + query if query else ""))
    return answer.status, json.loads(answer.body)


def names(program, **params):
    status, answer = ask(program, "/api/v1/rules", **params)
    assert status == 200, answer
    return {found["name"]: [rule["name"] for rule in found["rules"]] for found in answer["data"]["groups"]}


FILTERS = [
    ({"type": "alert"}, {"one": ["High"], "two": ["Waits", "Never"]}),
    ({"rule_name__": "High"}, {"one": ["High"]}),
    ({"rule_group__": "three"}, {"three": ["three:x"]}),
    ({"match__": '{severity="page"}'}, {"one": ["High"]}),
    ({"state": "firing"}, {"one": ["High"]}),
    ({"filter": "pending"}, {"two": ["Waits"]}),
    ({"search": "wait"}, {"two": ["Waits"]}),
    ({"datasource_type": "graphite"}, {}),
]


@pytest.mark.parametrize("params,want", FILTERS, ids=[str(params) for params, _ in FILTERS])
def test_filters(program, params, want):
    assert names(program, **params) == want


@pytest.mark.parametrize("params", [{"type": "x"}, {"match__": "{"}, {"state": "angry"}, {"group_limit": "0"},
                                    {"page_num": "2"}, {"group_limit": "1", "group_next_token": "x"}])
def test_bad_parameters(program, params):
    status, answer = ask(program, "/api/v1/rules", **params)
    assert status == 400 and answer["status"] == "error" and answer["errorType"] == "bad_data" and answer["error"]


def test_pages_of_both_peers(program):
    _, first = ask(program, "/api/v1/rules", group_limit=2)
    assert [found["name"] for found in first["data"]["groups"]] == ["one", "two"]
    assert (first["page"], first["total_pages"], first["total_groups"], first["total_rules"]) == (1, 2, 3, 5)
    _, second = ask(program, "/api/v1/rules", group_limit=2, group_next_token=first["data"]["groupNextToken"])
    assert [found["name"] for found in second["data"]["groups"]] == ["three"]
    assert "groupNextToken" not in second["data"]
    _, numbered = ask(program, "/api/v1/rules", group_limit=2, page_num=2)
    assert [found["name"] for found in numbered["data"]["groups"]] == ["three"] and numbered["page"] == 2


def test_alerts(program):
    _, answer = ask(program, "/api/v1/alerts", match__='{instance="a"}')
    assert sorted(alert["name"] for alert in answer["data"]["alerts"]) == ["High", "Waits"]
    alert = next(alert for alert in answer["data"]["alerts"] if alert["name"] == "High")
    assert alert["annotations"] == {"summary": "1.5"} and alert["value"] == "1.5" and not alert["stabilizing"]
    _, again = ask(program, "/api/v1/alert", group_id=alert["group_id"], alert_id=alert["id"])
    assert again == alert
    status, _ = ask(program, "/api/v1/alert", group_id=alert["group_id"], alert_id="1")
    assert status == 404


def test_rule_and_group(program):
    found, = [found for found in program.rules() if found["name"] == "one"]
    status, rule = ask(program, "/api/v1/rule", group_id=found["id"], rule_id=found["rules"][0]["id"])
    assert status == 200 and rule["name"] == "High" and len(rule["alerts"]) == 2
    assert rule["updates"][0]["samples"] == 2 and rule["updates"][0]["curl"].startswith("curl ")
    status, whole = ask(program, "/api/v1/group", group_id=found["id"])
    assert status == 200 and [rule["name"] for rule in whole["rules"]] == ["High", "job:x"]
    assert whole["states"] == {"firing": 1, "ok": 1}
    assert ask(program, "/api/v1/group", group_id="1")[0] == 404


@pytest.mark.parametrize("prefix", ["/vmalert", "/prometheus"])
def test_behind_prefixes(program, prefix):
    for path in ("/api/v1/rules", "/api/v1/alerts", "/api/v1/notifiers", "/api/v1/alertmanagers"):
        status, answer = ask(program, prefix + path)
        assert status == 200 and answer["status"] == "success"


def test_pages_and_probes(program):
    for path, place in (("/vmalert/groups", "/"), ("/vmalert/rule?group_id=1&rule_id=2", "/?rule=2"), ("/alerts", "/")):
        connection = http.client.HTTPConnection("127.0.0.1", program.port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Location"]) == (302, place), path
        connection.close()
    assert program.get("/health").body == b"OK"
    assert program.get("/ping").status == 204


def test_whom_alerts_are_told(scene, start_telex):
    port = net.free_port()
    config = scene.config(exporters={"am": {"type": "alertmanager", "url": f"http://127.0.0.1:{port}"}},
                          routes=[{"to": ["am"]}])
    made = start_telex(config, {"rules.yaml": [group("one", [alerting("High", "x")])]})
    _, answer = ask(made, "/api/v1/notifiers")
    notifier, = answer["data"]["notifiers"]
    target, = notifier["targets"]
    assert notifier["kind"] == "static" and f"127.0.0.1:{port}" in target["address"]
    assert target["labels"] == {} and "lastError" in target
    _, answer = ask(made, "/api/v1/alertmanagers")
    active, = answer["data"]["activeAlertmanagers"]
    assert active["url"].endswith("/api/v2/alerts") and answer["data"]["droppedAlertmanagers"] == []
