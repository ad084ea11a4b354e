"""What Grafana and vmalert's own tools read of the API: every field there, of the right type."""

import copy

import pytest

import net
import shapes
from telex import alertmanager_exporter, alerting, group, recording

UP = [({"instance": "a"}, 1.5), ({"instance": "b"}, 2.5)]


@pytest.fixture
def program(scene, start_telex):
    """One of each: firing, pending and kept alerts, alerts of nobody, a failed rule, a recorded series."""
    scene.vectors["x"] = scene.vectors["kept"] = UP
    groups = [group("one", [alerting("High", "x", labels={"severity": "page"}, annotations={"summary": "{{ $value }}"}),
                            alerting("Kept", "kept", keep_firing_for="1h"), recording("job:x", "x", labels={"a": "b"})],
                    labels={"team": "ops"}, params={"nocache": ["1"]}, headers=["X-A: 1"], eval_offset="50ms"),
              group("two", [alerting("Waits", "x", for_="1h"), alerting("Never", "nothing")])]
    exporters = {**scene.config()["exporters"], "am": alertmanager_exporter(f"http://127.0.0.1:{net.free_port()}")}
    made = start_telex(scene.config(exporters=exporters, query_offset="30s"), {"rules.yaml": groups})
    net.wait_until("alerts of all rules", lambda: len(made.alerts()) == 6)
    scene.vectors["kept"] = []
    net.wait_until("kept ones", lambda: any("keepFiringSince" in alert for alert in made.alerts()))
    return made


def places(program, reader):
    """(path with its query, shape) of everything that a reader asks for."""
    found, = [found for found in program.rules() if found["name"] == "one"]
    ids = {"group_id": found["id"], "rule_id": found["rules"][0]["id"], "alert_id": found["rules"][0]["alerts"][0]["id"]}
    queries = {"group": ("group_id",), "rule": ("group_id", "rule_id"), "alert": ("group_id", "alert_id")}
    for path, shape in shapes.ALL[reader].items():
        if path.startswith("/"):
            names = queries.get(path.rsplit("/", 1)[1], ())
            yield net.with_query(path, {name: ids[name] for name in names}) if names else path, shape


@pytest.mark.parametrize("reader", ["grafana", "vmalert"])
def test_every_field_is_there(program, reader):
    asked = list(places(program, reader))
    assert len(asked) >= 4
    for path, shape in asked:
        answer = program.get(path)
        assert answer.status == 200, (path, answer)
        assert shapes.wrong(reader, shape, answer.json(), path) == []


def test_lists_are_not_empty(program):
    """Or the shapes of what is in them would not have been looked at."""
    kinds = [rule["type"] for found in program.rules() for rule in found["rules"]]
    assert sorted(set(kinds)) == ["alerting", "recording"]
    assert {alert["state"] for alert in program.alerts()} == {"firing", "pending"}
    notifiers = program.get("/api/v1/notifiers").json()["data"]["notifiers"]
    assert notifiers[0]["targets"]


def test_an_alert_of_this_run_is_not_restored(program):
    """Though results are older than the program is, by the offset of queries."""
    assert {alert["restored"] for alert in program.alerts()} == {False}


def at(value, path):
    for step in path:
        value = value[step]
    return value


def test_a_missing_or_wrong_field_is_found(program):
    """Of each field that a shape names: take it away, then make it something else."""
    answer, shape = program.get("/api/v1/rules").json(), "/api/v1/rules"
    named = list(shapes.fields("grafana", shape, answer))
    assert len(named) >= 60
    for path, may_be_missing in named:
        broken = copy.deepcopy(answer)
        at(broken, path[:-1])[path[-1]] = object
        assert shapes.wrong("grafana", shape, broken), path
        del at(broken, path[:-1])[path[-1]]
        assert may_be_missing or shapes.wrong("grafana", shape, broken), path
