"""Rules that read each other's results, and rules that travel in one request, on a real Prometheus."""

import time

import fakes
import net
import telex
from telex import alerting, group, recording


def stored(store, expr):
    """{time: value} of a series in the last minute."""
    found = store.query(f"{expr}[1m]")
    return {point[0]: float(point[1]) for series in found for point in series["values"]}


def setting(store, **datasource):
    return {"datasource": {"url": store.url, **datasource},
            "exporters": {"store": telex.remote_write_exporter(store.url + "/api/v1/write")}}


def test_many_rules_in_one_request_give_what_each_gives_alone(start_prometheus, start_telex):
    store = start_prometheus()
    rules = [recording("t", "vector(time())"), recording("nothing", "absent(vector(1))"),
             recording("labelled", 'label_replace(vector(1), "a", "b,\\"__rule_\\"", "", "")'),
             alerting("A", "vector(1) > 0  # a comment"), recording("number", "1 + 1")]
    program = start_telex(setting(store, query_batch=True), {"rules.yaml": [group("g", rules, interval="1s")]})
    net.wait_until("all to be there",
                   lambda: store.query("t") and store.query("labelled") and store.query("ALERTS") and
                   store.query("number"))
    assert store.query("labelled")[0]["metric"] == {"__name__": "labelled", "a": 'b,"__rule_"'}
    assert store.query("nothing") == []
    for at, value in stored(store, "t").items():
        assert abs(at - value) < 0.001
    counts = program.metrics()["telex_rule_batches_total"]
    assert counts[("result=answered",)] > 0
    assert counts[("result=split",)] == 0


def test_rules_see_what_earlier_ones_gave_in_the_same_slot(start_prometheus, start_telex):
    store = start_prometheus()
    rules = [recording("first", "vector(time())"), recording("second", "first + 0"),
             alerting("Chained", "second == time()"), recording("seen", 'count(ALERTS{alertname="Chained"})'),
             recording("alone", "vector(time())")]
    program = start_telex(setting(store), {"rules.yaml": [group("g", rules, interval="1s")]})
    net.wait_until("some slots", lambda: len(stored(store, "second")) >= 3 and store.query("seen"))
    for name in ("first", "second", "alone"):
        for at, value in stored(store, name).items():
            assert abs(at - value) < 0.001, f"{name} is not of its slot"
    firsts, seen = stored(store, "first"), stored(store, "seen")
    assert min(firsts) == min(seen), "ALERTS was there in the first slot"
    counts = program.metrics()["telex_rule_chain_waits_total"]
    assert counts[("result=late",)] == 0


def test_groups_see_what_other_groups_gave_in_the_same_slot(start_prometheus, start_telex):
    """Readers before givers in the file, in three groups, without a word about offsets."""
    store = start_prometheus()
    program = start_telex(setting(store), {"a.yaml": [
        group("alerts", [alerting("Chained", "second == time()"), recording("alone", "vector(time())")], interval="1s"),
        group("second", [recording("second", "first + 0")], interval="1s")], "b.yaml": [
        group("first", [recording("first", "vector(time())")], interval="1s"),
        group("slow", [recording("third", "second + 0"), recording("count", 'count(ALERTS{alertname="Chained"})')],
              interval="2s")]})
    net.wait_until("some slots", lambda: len(stored(store, "third")) >= 4 and store.query("count"))
    for name in ("first", "second", "third"):
        for at, value in stored(store, name).items():
            assert abs(at - value) < 0.001, f"{name} is not of its slot"
    seconds = sorted(stored(store, "second"))
    assert set(stored(store, "third")) <= set(stored(store, "first")), "their slots fall together"
    assert all(later - sooner < 1.5 for sooner, later in zip(seconds, seconds[1:])), "no slot was missed"
    counts = program.metrics()["telex_rule_chain_waits_total"]
    assert counts[("result=late",)] == 0 and counts[("result=delivered",)] > 0


def test_groups_in_a_circle_see_the_values_of_before(start_prometheus, start_telex):
    store = start_prometheus()
    program = start_telex(setting(store), {"rules.yaml": [
        group("a", [recording("a", "b or vector(time())")], interval="1s", eval_offset="0s"),
        group("b", [recording("b", "a")], interval="1s", eval_offset="0s")]})
    net.wait_until("some slots", lambda: len(stored(store, "b")) >= 5)
    counts = program.metrics()["telex_rule_chain_waits_total"]
    assert counts[("result=late",)] == 0 and counts[("result=delivered",)] == 0


def test_a_group_that_hangs_holds_its_readers_up_for_a_while(scene, start_telex):
    """A quarter of the interval; who does not read it goes on at once."""
    def answer(text, time_ns):
        found = fakes.vector_answer([({}, 1.0)], time_ns)
        found.delay = 5 if text == "hangs" else None
        return found
    scene.prom.respond = answer
    program = start_telex(scene.config(), {"scene.yaml": [
        group("reads", [recording("b", "a"), recording("c", "free")], interval="2s"),
        group("gives", [recording("a", "hangs")], interval="2s")]})
    net.wait_until("three slots", lambda: len(scene.slots("a")) >= 3)
    assert program.metrics()["telex_rule_chain_waits_total"][("result=late",)] >= 2
    asked = {text: {query.time_ns: query.when for query in list(scene.prom.queries) if query.text == text}
             for text in ("a", "free")}
    waits = [asked["a"][at] - asked["free"][at] for at in asked["a"]]
    assert all(0.3 < waited < 1.5 for waited in waits), waits


def test_an_output_that_is_down_holds_no_alert_up(start_prometheus, start_telex, webhook):
    store = start_prometheus()
    config = setting(store)
    config["exporters"]["dead"] = telex.remote_write_exporter(f"http://127.0.0.1:{net.free_port()}/write")
    config["exporters"]["hook"] = telex.webhook_exporter(webhook.url)
    rules = [recording("first", "vector(1)"), alerting("Chained", "absent(first) or first"),
             alerting("B", "vector(1)")]
    program = start_telex(config, {"rules.yaml": [group("g", rules, interval="1s")]})

    def fired():
        return {edge["rule"] for edge in webhook.accepted() if isinstance(edge, dict) and telex.is_edge(edge)}
    net.wait_until("both to fire", lambda: fired() >= {"Chained", "B"})
    assert program.metrics()["telex_rule_chain_waits_total"][("result=late",)] >= 1


def test_rules_run_side_by_side(scene, start_telex):
    """Four slow rules: as many at once as the group allows."""
    def slow(text, time_ns):
        time.sleep(0.4)
        return [({}, 1.0)]
    scene.prom.respond = slow

    def rules(name):
        return [recording(f"{name}{n}", f"s{n}") for n in range(4)]
    program = start_telex(scene.config(), {"scene.yaml": [
        group("alone", rules("a"), interval="8s"), group("together", rules("b"), interval="8s", concurrency=4)]})

    def took():
        return {found["name"]: found["evaluationTime"] for found in program.rules() if found["evaluationTime"] > 0}
    net.wait_until("both evaluated", lambda: len(took()) == 2, deadline=30)
    assert took()["alone"] >= 1.6 and took()["together"] < took()["alone"] - 0.6, took()
