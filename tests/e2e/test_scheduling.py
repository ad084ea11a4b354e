"""When rule groups are evaluated, for what time they ask, and how much at once: as the datasource sees it."""

import subprocess

import pytest

import fakes
import net
import telex
from telex import alerting, group, recording

MS = 10**6
SECOND = 10**9

# fields of a group of one second; where the times asked for lie in the second; how long before it is asked
SLOTS = [
    ({"eval_offset": "300ms"}, 300, 0),
    ({"eval_offset": "-300ms"}, 700, 0),
    ({"eval_offset": "1s"}, 0, 0),
    ({"eval_offset": "300ms", "query_offset": "2s"}, 300, 2000),
    ({"eval_offset": "300ms", "query_offset": "450ms"}, 850, 450),
    ({"eval_alignment": True}, 0, 0),
    ({"eval_alignment": True, "query_offset": "1300ms"}, 0, 1300),
    ({"eval_alignment": True, "eval_delay": "2300ms"}, 0, 2300),
    ({"eval_delay": "1500ms"}, None, 1500),
    ({"query_offset": "1500ms"}, None, 1500),
    ({}, None, 0),
]


def test_slots(scene, start_telex, tmp_path):
    """All fields side by side: times asked for, one interval apart, and samples stamped with them."""
    scene.prom.respond = lambda text, time_ns: [({}, 1.0)]
    groups = [group(f"g{n}", [recording(f"r{n}", f"x{n}")], interval="1s", **fields)
              for n, (fields, _, _) in enumerate(SLOTS)]
    out = tmp_path / "out"
    program = start_telex(scene.config(exporters={"file": telex.file_exporter(out)}, routes=[{"to": ["file"]}]),
                          {"scene.yaml": groups})
    net.wait_until("slots of all", lambda: all(len(scene.slots(f"x{n}")) >= 4 for n in range(len(SLOTS))))
    for n, (fields, place_ms, before_ms) in enumerate(SLOTS):
        times = scene.slots(f"x{n}")
        assert all(later - sooner == SECOND for sooner, later in zip(times, times[1:])), fields
        assert place_ms in (None, times[0] % SECOND // MS), fields
        assert times[0] % MS == 0, "stores keep whole milliseconds"
        late = [query.when * 1e9 - query.time_ns - before_ms * MS for query in scene.prom.queries
                if query.text == f"x{n}"]
        assert -0.01 * SECOND < min(late) and min(late) < 0.5 * SECOND, f"{fields} asks {late} ns late"
    assert program.sigterm() == 0
    series = telex.samples_by_series(program.jsonl(out))
    for n in range(len(SLOTS)):
        assert scene.accounted(f"x{n}", series[(("__name__", f"r{n}"),)]), SLOTS[n]


def test_groups_without_fields_are_spread_and_stay_where_they_are(scene, start_telex):
    """By their names, so alike after a restart."""
    names = [f"x{n}" for n in range(12)]
    program = start_telex(scene.config(), {"scene.yaml": [
        group(name, [recording(f"r{name}", name)], interval="1s") for name in names]})

    def places():
        net.wait_until("all", lambda: all(scene.slots(name) for name in names))
        return [scene.slots(name)[-1] % SECOND // MS for name in names]
    before = places()
    assert len(set(before)) > 8, "they are spread"
    assert program.sigterm() == 0
    scene.prom.queries.clear()
    program.start().wait_ready()
    assert places() == before


@pytest.mark.parametrize("fields, words", [
    ({"eval_delay": "10s", "eval_offset": "5s"}, "'eval_delay' cannot stand beside 'eval_offset'"),
    ({"eval_delay": "10s", "query_offset": "10s"}, "mean the same"),
    ({"eval_offset": "61s"}, "longer than the interval"),
    ({"eval_offset": "-61s"}, "longer than the interval"),
])
def test_what_excludes_each_other_is_refused(tmp_path, fields, words):
    rules = tmp_path / "rules.yaml"
    rules.write_text(telex.yaml.safe_dump({"groups": [group("g", [recording("r", "x")], interval="1m", **fields)]}))
    done = subprocess.run([telex.BINARY, "check", rules], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and words in done.stderr + done.stdout


def test_missed_slots_are_counted_truly(scene, start_telex):
    """vmalert counts one for each late tick; here every slot is either evaluated or counted."""
    def answer(text, time_ns):
        found = fakes.vector_answer([({}, 1.0)], time_ns)
        found.delay = 1.1 if text == "slow" else 0
        return found
    scene.prom.respond = answer
    program = start_telex(scene.config(), {"scene.yaml": [group("slow", [recording("r", "slow")]),
                                                          group("quick", [recording("q", "quick")])]})
    net.wait_until("some evaluations", lambda: len(scene.slots("slow")) >= 5)

    def missed(name):
        found = program.metrics()["telex_rule_group_iterations_missed_total"]
        return sum(value for labels, value in found.items() if f"group={name}" in labels and "reason=late" in labels)

    def of_gaps(times):
        return (times[-1] - times[0]) // (200 * MS) - (len(times) - 1)

    def agree():
        """What is asked now was reached over all that was missed before; both are read while it stands."""
        times = [query.time_ns for query in scene.prom.queries if query.text == "slow"]
        counted = missed("slow")
        still = [query.time_ns for query in scene.prom.queries if query.text == "slow"]
        return times == still and counted == of_gaps(times) and counted
    assert net.wait_until("the counter to be right", agree) >= 15
    times = [query.time_ns for query in scene.prom.queries if query.text == "quick"]
    assert missed("quick") == of_gaps(times)


def test_limit(scene):
    """More than that is an error of the evaluation: nothing is recorded, alerts keep their state."""
    def series(count):
        return [({"instance": str(n)}, 1.0) for n in range(count)]
    scene.vectors.update(few=series(3), many=series(4), grows=series(2))
    program = scene.play(alerting("Few", "few", limit=3), alerting("Many", "many", limit=3),
                         alerting("Grows", "grows", limit=2))
    net.wait_until("what is within its limit fires", lambda: len(scene.edges("Few")) == 3 and len(scene.edges("Grows")) == 2)
    scene.vectors["grows"] = series(3)
    net.wait_until("the error", lambda: program.rule("Grows")["health"] == "err")
    assert "limit" in program.rule("Many")["lastError"] and not scene.edges("Many")
    scene.stays("Grows", "firing", "firing", expr="grows")
    assert program.alert_states("Grows") == ["firing", "firing"]


def test_concurrency(scene, start_telex):
    """As many at once as the group says, also beside a rule whose selector has no metric's name; readers come later."""
    rules = [recording("a", "a0"), recording("b", "b0"), recording("all", 'count({job="x"})'), recording("c", "c0"),
             recording("d", "d0"), recording("reads", "a + 1")]

    def answer(text, time_ns):
        found = fakes.vector_answer([({}, 1.0)], time_ns)
        found.delay = 0.4
        return found
    scene.prom.respond = answer
    start_telex(scene.config(), {"scene.yaml": [group("g", rules, interval="8s", concurrency=4)]})
    net.wait_until("all asked", lambda: len(scene.prom.queries) >= 6, deadline=30)
    first = min(query.when for query in scene.prom.queries)
    waves = {query.text: int((query.when - first) / 0.4 + 0.2) for query in scene.prom.queries[:6]}
    assert [waves[text] for text in ("a0", "b0", "c0", "d0")] == [0, 0, 0, 0], waves
    assert waves["a + 1"] == 1 and waves['count({job="x"})'] == 1, waves


def test_a_group_that_hangs_does_not_shift_others(scene, start_telex):
    def answer(text, time_ns):
        found = fakes.vector_answer([({}, 1.0)], time_ns)
        found.hang = text == "hangs"
        return found
    scene.prom.respond = answer
    start_telex(scene.config(), {"scene.yaml": [group("h", [recording("r", "hangs")]),
                                                group("q", [recording("q", "quick")])]})
    net.wait_until("evaluations", lambda: len(scene.slots("quick")) >= 10)
    times = scene.slots("quick")
    assert all(later - sooner == 200 * MS for sooner, later in zip(times, times[1:]))
    assert max(query.when - query.time_ns / 1e9 for query in scene.prom.queries if query.text == "quick") < 0.2
