"""The life of an alert, with a datasource whose answers the test decides."""

import json

import pytest

import fakes
import net
from scene import INTERVAL_NS
from telex import alerting, decided_ns, group

MS = 10**6
UP = [({"job": "node", "instance": "a"}, 7.5)]
TWO = [({"instance": "a"}, 1.0), ({"instance": "b"}, 2.0)]
# Query times may be cut to milliseconds on the wire.
EXACT_NS = 1_500_000


def test_fires_and_resolves(scene):
    scene.play(alerting("Plain", "plain", labels={"severity": "page"}))
    scene.stays("Plain", expr="plain")
    scene.vectors["plain"] = UP
    firing, = scene.wait_states("firing", rule="Plain")
    assert firing["labels"] == {"alertname": "Plain", "job": "node", "instance": "a", "severity": "page"}
    assert firing["value"] == 7.5
    scene.stays("Plain", "firing", expr="plain")
    scene.vectors["plain"] = []
    _, resolved = scene.wait_states("firing", "resolved", rule="Plain")
    assert resolved["labels"] == firing["labels"] and resolved["id"] != firing["id"]
    assert net.parse_rfc3339(firing["starts_at"]) == net.parse_rfc3339(resolved["starts_at"])
    assert decided_ns(firing) < decided_ns(resolved)
    assert abs(net.parse_rfc3339(resolved["ends_at"]) - decided_ns(resolved)) <= EXACT_NS
    scene.stays("Plain", "firing", "resolved", expr="plain")


def test_edges_bear_the_slot_that_decided(scene):
    scene.play(alerting("Plain", "plain"))
    scene.wait_evaluations("plain")
    scene.vectors["plain"] = UP
    firing, = scene.wait_states("firing")
    true_slots = [query.time_ns for query in scene.prom.queries if query.vector]
    assert abs(decided_ns(firing) - true_slots[0]) <= EXACT_NS


def test_each_episode_has_its_own_ids(scene):
    scene.play(alerting("Plain", "plain"))
    for round_number in range(3):
        scene.vectors["plain"] = UP
        scene.wait_states(*["firing", "resolved"] * round_number, "firing")
        scene.vectors["plain"] = []
        scene.wait_states(*["firing", "resolved"] * (round_number + 1))
    assert len({edge["id"] for edge in scene.edges()}) == 6


def test_pending_until_for_has_passed(scene):
    program = scene.play(alerting("Waits", "waits", for_="1100ms"))
    scene.vectors["waits"] = UP
    net.wait_until("pending", lambda: program.alert_states("Waits") == ["pending"])
    assert program.rule("Waits")["state"] == "pending"
    firing, = scene.wait_states("firing", rule="Waits")
    first_true = next(query.time_ns for query in scene.prom.queries if query.vector)
    waited = decided_ns(firing) - first_true
    assert 1100 * MS - EXACT_NS <= waited < 1100 * MS + INTERVAL_NS * 4, "late only by missed slots"
    assert program.rule("Waits")["state"] == "firing"
    assert program.alert_states("Waits") == ["firing"]


def test_pending_gives_up_without_an_edge(scene):
    program = scene.play(alerting("Waits", "waits", for_="30s"))
    scene.vectors["waits"] = UP
    net.wait_until("pending", lambda: program.alert_states("Waits") == ["pending"])
    scene.vectors["waits"] = []
    net.wait_until("inactive", lambda: program.alert_states("Waits") == [])
    assert scene.states() == []


def test_for_starts_anew_after_a_gap(scene):
    program = scene.play(alerting("Waits", "waits", for_="900ms"))
    for _ in range(3):
        scene.vectors["waits"] = UP
        net.wait_until("pending", lambda: program.alert_states("Waits") == ["pending"])
        scene.vectors["waits"] = []
        net.wait_until("inactive", lambda: program.alert_states("Waits") == [])
    if scene.states():
        pytest.skip("the machine was too slow for 900 ms gaps")
    scene.vectors["waits"] = UP
    scene.wait_states("firing")


def test_keep_firing_for(scene):
    program = scene.play(alerting("Keeps", "keeps", keep_firing_for="1100ms"))
    scene.vectors["keeps"] = UP
    scene.wait_states("firing")
    scene.vectors["keeps"] = []
    scene.wait_evaluations("keeps", 2)
    assert program.alert_states("Keeps") == ["firing"] and scene.states() == ["firing"]
    _, resolved = scene.wait_states("firing", "resolved")
    last_true = max(query.time_ns for query in scene.prom.queries if query.vector)
    assert decided_ns(resolved) - last_true >= 1100 * MS


def test_keep_firing_for_is_cleared_by_a_return(scene):
    scene.play(alerting("Keeps", "keeps", keep_firing_for="1500ms"))
    scene.vectors["keeps"] = UP
    scene.wait_states("firing")
    for _ in range(3):
        scene.vectors["keeps"] = []
        scene.wait_evaluations("keeps", 3)
        scene.vectors["keeps"] = UP
        scene.wait_evaluations("keeps", 2)
    assert scene.states() == ["firing"]


def test_series_of_a_rule_live_their_own_lives(scene):
    scene.play(alerting("Plain", "plain"))
    scene.vectors["plain"] = TWO
    scene.wait_states("firing", "firing")
    scene.vectors["plain"] = TWO[:1]
    scene.wait_states("firing", "resolved", instance="b")
    scene.stays("Plain", *scene.states("Plain"), expr="plain")
    assert scene.states(instance="a") == ["firing"]
    scene.vectors["plain"] = TWO
    scene.wait_states("firing", "resolved", "firing", instance="b")


FAILURES = {
    "query error": lambda: fakes.FakeProm.error("execution", "boom"),
    "unavailable": lambda: fakes.Answer(503, "down"),
    "not JSON": lambda: fakes.Answer(200, "<html>"),
    "cut off": lambda: fakes.Answer(200, b'{"status":"success","data":{"resultType":"vector","result":[]}}', truncate=30),
    "no answer": lambda: fakes.Answer(drop=True),
    "partial": lambda: fakes.vector_answer([], 10**18, isPartial=True),
}


@pytest.mark.parametrize("why", FAILURES)
def test_a_failed_evaluation_keeps_state(scene, why):
    scene.play(alerting("Plain", "plain"), alerting("Waits", "waits", for_="60s"))
    scene.vectors["plain"] = scene.vectors["waits"] = UP
    scene.wait_states("firing", rule="Plain")
    net.wait_until("pending", lambda: scene.program.alert_states("Waits") == ["pending"])
    scene.vectors["plain"] = scene.vectors["waits"] = FAILURES[why]()
    before = len(scene.prom.queries)
    net.wait_until("failed evaluations", lambda: len(scene.prom.queries) >= before + 10)
    assert scene.states() == ["firing"]
    assert scene.program.alert_states("Plain") == ["firing"] and scene.program.alert_states("Waits") == ["pending"]
    rule = scene.program.rule("Plain")
    if why != "partial":
        assert rule["health"] == "err" and rule["lastError"]
    scene.vectors["plain"] = UP
    net.wait_until("health", lambda: scene.program.rule("Plain")["health"] == "ok")
    assert scene.states() == ["firing"]
    scene.vectors["plain"] = []
    scene.wait_states("firing", "resolved", rule="Plain")


def test_a_hanging_datasource_holds_up_only_its_rule(scene):
    scene.vectors["hangs"] = fakes.Answer(hang=True)
    scene.vectors["plain"] = UP
    groups = [group("stuck", [alerting("Stuck", "hangs")]), group("free", [alerting("Plain", "plain")])]
    scene.program = scene._start_telex(scene.config(), {"rules.yaml": groups})
    scene.wait_states("firing", rule="Plain")
    scene.wait_evaluations("plain", 5)


def test_duplicate_label_sets_fail_the_rule(scene):
    scene.play(alerting("Twice", "twice", labels={"instance": "same"}))
    scene.vectors["twice"] = TWO
    net.wait_until("an error", lambda: scene.program.rule("Twice")["health"] == "err")
    assert scene.program.rule("Twice")["lastError"]
    assert scene.states() == []


def test_not_a_number_is_valid_json(scene):
    scene.play(alerting("Odd", "odd"))
    scene.vectors["odd"] = [({"instance": "nan"}, float("nan")), ({"instance": "inf"}, float("inf"))]
    scene.wait_states("firing", "firing")

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    for request in scene.hook.requests:
        json.loads(request.body(), parse_constant=refuse)


def test_templates_are_rendered(scene):
    scene.play(alerting(
        "Shown", "shown", labels={"where": "{{ $labels.instance | toUpper }}"},
        annotations={"summary": "{{ $labels.instance }} is at {{ $value | printf \"%.1f\" }} of {{ humanize 1234567.0 }}",
                     "missing": "<{{ $labels.nothing }}>", "plain": "as it is"}))
    scene.vectors["shown"] = [({"instance": "web-1"}, 85.44)]
    edge, = scene.wait_states("firing")
    assert edge["labels"]["where"] == "WEB-1"
    assert edge["annotations"] == {"summary": "web-1 is at 85.4 of 1.235M", "missing": "<>", "plain": "as it is"}


def test_rule_labels_win_and_empty_ones_delete(scene):
    scene.play(alerting("Named", "named", labels={"job": "mine", "gone": ""}))
    scene.vectors["named"] = [({"__name__": "up", "job": "theirs", "gone": "x", "instance": "a"}, 1.0)]
    edge, = scene.wait_states("firing")
    labels = dict(edge["labels"])
    labels.pop("exported_job", None)
    assert labels == {"alertname": "Named", "job": "mine", "instance": "a"}
