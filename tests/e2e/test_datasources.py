"""Who is asked: datasources by name, tenants of a cluster, a real Graphite."""

import time

import fakes
import net
import telex
from telex import alerting, group, recording


class Cluster(fakes.FakeProm):
    """A vmselect: only below /select/TENANT/prometheus; remembers who asked what."""

    def __init__(self, port=None):
        super().__init__(lambda text, time_ns: [({}, 1.0)], port)
        self.asked = set()

    def answer(self, request):
        parts = request.path.split("/", 4)
        if parts[1] != "select" or parts[3] != "prometheus":
            return self.violation(f"{request.method} {request.path}")
        request.path = "/" + parts[4]
        answer = super().answer(request)
        if self.queries:
            self.asked.add((parts[2], self.queries[-1].text))
        return answer


class ClusterSink(fakes.RemoteWriteSink):
    """A vminsert: /insert/TENANT/prometheus/api/v1/write; remembers which series came under which tenant."""

    def __init__(self, port=None):
        super().__init__(port)
        self.tenants = {}

    def answer(self, request):
        parts = request.path.split("/", 4)
        if parts[1] != "insert" or parts[3] != "prometheus":
            return self.violation(f"{request.method} {request.path}")
        request.path = "/" + parts[4]
        before = set(self.samples)
        answer = super().answer(request)
        for key in set(self.samples) - before:
            self.tenants[dict(key)["__name__"]] = parts[2]
        return answer


def test_rules_ask_who_they_name(start_fake_prom, webhook, start_telex):
    one = start_fake_prom(lambda text, time_ns: [({"from": "one"}, 1.0)])
    two = start_fake_prom(lambda text, time_ns: [({"from": "two"}, 2.0)])
    config = {"datasource": {"url": one.url}, "datasources": {"two": {"url": two.url}},
              "exporters": {"hook": telex.webhook_exporter(webhook.url)}}
    groups = [group("plain", [alerting("A", "a"), alerting("B", "b", datasource="two")]),
              group("other", [alerting("C", "c"), alerting("D", "d")], datasource="two")]
    program = start_telex(config, {"rules.yaml": groups})
    wanted = {("A", "one"), ("B", "two"), ("C", "two"), ("D", "two")}

    def fired():
        return {(edge["rule"], edge["labels"]["from"]) for edge in webhook.accepted() if telex.is_edge(edge)}
    net.wait_until("all to fire", lambda: fired() >= wanted)
    assert fired() == wanted
    assert {query.text for query in one.queries} == {"a"}
    assert program.metrics()
    config["datasources"]["two"]["url"] = one.url  # an edited datasource is asked after a reload
    program.write_config(config)
    assert program.reload().status == 200
    net.wait_until("the first to be asked", lambda: {query.text for query in one.queries} >= {"a", "b", "c", "d"})


def test_a_datasource_that_is_not_there_is_an_error_with_its_place(fake_prom, webhook, start_telex):
    config = {"datasource": {"url": fake_prom.url}, "datasources": {"two": {"url": fake_prom.url}},
              "exporters": {"hook": telex.webhook_exporter(webhook.url)}}
    program = start_telex(config, {"rules.yaml": [group("g", [alerting("A", "a")])]})
    program.write_rules({"rules.yaml": [group("g", [alerting("A", "a", datasource="tow")])]})
    answer = program.reload()
    assert answer.status >= 400 and "unknown datasource 'tow'; did you mean 'two'?" in answer.text, answer.text


def test_tenants_of_a_cluster(start_telex, webhook):
    select, insert = Cluster().start(), ClusterSink().start()
    try:
        config = {"datasource": {"url": select.url, "cluster": True, "tenant": "7"},
                  "exporters": {"vm": telex.remote_write_exporter(insert.url, cluster=True, tenant="9:1")}}
        config["exporters"]["hook"] = telex.webhook_exporter(webhook.url)
        mine = alerting("Mine", "y", labels={"export_to_datastore": "true"},
                        annotations={"export_query": "of_mine", "seen": '{{ query "seen" | len }}'})
        groups = [group("mine", [recording("mine", "x"), mine], tenant="1:2"),
                  group("none", [recording("none", "z")])]
        start_telex(config, {"rules.yaml": groups})
        net.wait_until("series of both", lambda: {"mine", "none", "ALERTS"} <= set(insert.tenants))
        net.wait_until("the alert", lambda: webhook.accepted())
        assert select.asked == {("1:2", "x"), ("1:2", "y"), ("1:2", "of_mine"), ("1:2", "seen"), ("7", "z")}
        assert insert.tenants["mine"] == insert.tenants["ALERTS"] == "1:2"
        assert insert.tenants["none"] == "9:1"
    finally:
        select.down()
        insert.down()


def test_groups_and_rules_write_where_they_say(fake_prom, start_rw_sink, start_webhook, start_telex):
    fake_prom.respond = lambda text, time_ns: [({"of": text}, 1.0)]
    sinks = {name: start_rw_sink() for name in ("one", "two")}
    hooks = {name: start_webhook() for name in ("h1", "h2")}
    config = {"datasource": {"url": fake_prom.url},
              "exporters": {**{name: telex.remote_write_exporter(sink.url) for name, sink in sinks.items()},
                            **{name: telex.webhook_exporter(hook.url) for name, hook in hooks.items()}},
              "routes": [{"to": ["one", "h1"]}]}
    groups = [group("routed", [recording("routed", "a"), alerting("Routed", "a")]),
              group("own", [recording("own", "b"), alerting("Own", "b"),
                            recording("back", "c", exporters="one")], exporters=["two", "h2"])]
    program = start_telex(config, {"rules.yaml": groups})
    net.wait_until("all series", lambda: sinks["one"].named("routed") and sinks["two"].named("own")
                   and sinks["one"].named("back") and sinks["two"].named("ALERTS"))

    def edges(hook):  # recorded series come to a webhook too, as lists
        records = (each for body in hook.accepted() for each in (body if isinstance(body, list) else [body]))
        return {record["rule"] for record in records if telex.is_edge(record)}
    net.wait_until("all edges", lambda: edges(hooks["h1"]) and edges(hooks["h2"]))

    def alerts(sink):
        return {dict(key)["alertname"] for key in sink.named("ALERTS")}
    assert (alerts(sinks["one"]), alerts(sinks["two"])) == ({"Routed"}, {"Own"})
    assert {name for name in ("routed", "own", "back") if sinks["one"].named(name)} == {"routed", "back"}
    assert {name for name in ("routed", "own", "back") if sinks["two"].named(name)} == {"own"}
    assert (edges(hooks["h1"]), edges(hooks["h2"])) == ({"Routed"}, {"Own"})
    program.write_rules({"rules.yaml": [group("own", [recording("own", "b")], exporters=["twoo"])]})
    answer = program.reload()
    assert answer.status >= 400 and "twoo" in answer.text and "rules.yaml:" in answer.text, answer.text


def test_a_real_graphite(start_graphite, fake_prom, start_rw_sink, start_telex):
    graphite = start_graphite()
    graphite.write("web.a.errors", 3)
    graphite.write("web.b.errors", 4)
    sink = start_rw_sink()
    config = {"datasource": {"url": fake_prom.url},
              "datasources": {"carbon": {"type": "graphite", "url": graphite.url}},
              "exporters": {"vm": telex.remote_write_exporter(sink.url)}}
    rules = [recording("errors", "web.*.errors"), recording("errors_sum", 'alias(sumSeries(web.{a,b}.errors), "s")'),
             alerting("Many", "removeBelowValue(web.*.errors, 3.5)")]
    program = start_telex(config, {"rules.yaml": [group("g", rules, interval="1s", type="graphite")]})
    net.wait_until("the sum of both", lambda: [samples[-1].value for samples in sink.named("errors_sum").values()] == [7.0])
    net.wait_until("the alert", lambda: program.alert_states("Many"))
    values = {dict(key)["name"]: samples[-1].value for key, samples in sink.named("errors").items()}
    assert values == {"web.a.errors": 3.0, "web.b.errors": 4.0}
    alerts = [alert["labels"] for alert in program.alerts() if alert["labels"]["alertname"] == "Many"]
    assert [labels["name"] for labels in alerts] == ["web.b.errors"], alerts
    assert abs(time.time() - max(s.time_ms for samples in sink.samples.values() for s in samples) / 1000) < 60
