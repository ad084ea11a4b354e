"""The comparison says no to each kind of wrong."""

import compare
import corpus
import engines

RECORD, ALERT = (("__name__", "r"), ("host", "a")), (("__name__", "ALERTS"), ("alertname", "A"), ("alertstate", "firing"))
STATE = (("__name__", "ALERTS_FOR_STATE"), ("alertname", "A"))
OURS, WINDOW = compare.Stamps(), (100, 200)
THEIRS = compare.Stamps(10, {"r": 5, "A": 5})
NAMES = ("telex", "vmalert")


def judge(ours, theirs):
    return compare.differences(NAMES, compare.by_slot(ours, OURS, WINDOW), compare.by_slot(theirs, THEIRS, WINDOW))


def test_the_same_is_no_difference():
    ours = {RECORD: [(105000, 1.5), (110000, None)], ALERT: [(105000, 1), (110000, None)], STATE: [(105000, 100)]}
    theirs = {RECORD: [(105000, 1.5), (123000, None)], ALERT: [(117000, 1), (124000, None)], STATE: [(117000, 112)]}
    assert judge(ours, theirs) == []


def test_each_wrong_is_a_difference():
    right = {RECORD: [(105000, 1.5), (110000, None)], ALERT: [(117000, 1)], STATE: [(117000, 112)]}
    ours = {RECORD: right[RECORD], ALERT: [(105000, 1)], STATE: [(105000, 100)]}
    for key, samples, said in (
            (RECORD, [(105000, 1.6), (110000, None)], "at 105: telex 1.6, vmalert 1.5"),
            (RECORD, [(105001, 1.5), (110000, None)], "at 105.001: telex 1.5, vmalert nothing"),
            (RECORD, [(105000, 1.5)], "at 110: telex nothing, vmalert a stale marker"),
            (ALERT, [(110000, 1)], "at 110: telex 1, vmalert nothing"),
            (STATE, [(105000, 105)], "at 105: telex 105, vmalert 100")):
        found = [line for line in judge({**ours, key: samples}, {**right, RECORD: [(105000, 1.5), (123000, None)]})]
        assert any(said in line for line in found), (said, found)


def test_only_what_has_a_reason_is_explained():
    rows = {(105, False): 1}
    ours = {STATE: rows, ALERT: rows}
    assert compare.explained(ours, {}, {"A"})[compare.WITHOUT_FOR] == 1 and list(ours) == [ALERT]
    ours = {STATE: rows}
    assert not any(compare.explained(ours, {STATE: rows}, {"A"}).values()) and list(ours) == [STATE]
    assert not any(compare.explained(ours, {}, {"B"}).values())


def test_displaced_labels_are_explained_where_the_rest_is_the_same():
    rows, ours_key = {(105, False): 1.5}, (("__name__", "r"), ("exported_host", "b"), ("host", "a"))
    ours = {ours_key: rows}
    assert compare.explained(ours, {RECORD: rows}, set())[compare.EXPORTED] == 1 and ours == {RECORD: rows}
    ours = {ours_key: rows}
    assert not any(compare.explained(ours, {}, set()).values()) and list(ours) == [ours_key]


def test_the_long_form_has_enough_rules():
    groups = corpus.groups("rules.yaml", (5, 10, 15), 9, 2, engines.is_good)
    assert sum(len(group["rules"]) for group in groups) >= 200
