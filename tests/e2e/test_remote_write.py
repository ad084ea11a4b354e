"""Recorded series, ALERTS and ALERTS_FOR_STATE over remote write: into our strict reader and into Prometheus."""

import math

import net
from scene import INTERVAL_NS
from telex import alerting, file_exporter, recording, remote_write_exporter, samples_by_series

ALL = [{"match": 'kind == "sample"', "to": ["sink"]}]


def play(scene, sink, *rules, **sections):
    exporters = {"hook": scene.config()["exporters"]["hook"],
                 "sink": remote_write_exporter(sink.url + "/api/v1/write"), **sections.pop("exporters", {})}
    routes = sections.pop("routes", None) or [{"match": 'kind == "alert"', "to": ["hook"]}, *ALL]
    return scene.play(*rules, exporters=exporters, routes=routes, **sections)


def one(series):
    """The only series of a named() answer: (labels dict, samples)."""
    assert len(series) == 1, list(series)
    (key, samples), = series.items()
    return dict(key), samples


def ms(times_ns):
    return {time_ns // 10**6 for time_ns in times_ns}


def test_recorded_series(scene, start_rw_sink):
    sink = start_rw_sink()
    values = {"a": 0.1 + 0.2, "b": -1e-300, "c": float("inf"), "d": 123456789.123456789}
    scene.vectors["some"] = [({"__name__": "x", "instance": name}, value) for name, value in values.items()]
    play(scene, sink, recording("out:some", "some", labels={"team": "t"}))
    net.wait_until("samples", lambda: all(len(samples) >= 5 for samples in sink.named("out:some").values())
                   and len(sink.named("out:some")) == 4)
    asked = ms(scene.slots("some"))
    for key, samples in sink.named("out:some").items():
        labels = dict(key)
        assert set(labels) == {"__name__", "instance", "team"} and labels["team"] == "t"
        assert {sample.value for sample in samples} == {values[labels["instance"]]}
        assert {sample.time_ms for sample in samples} <= asked
    assert sink.violations == []


def test_every_evaluation_is_written_once(scene, start_rw_sink):
    sink = start_rw_sink()
    scene.vectors["some"] = [({"instance": "a"}, 1.0)]
    program = play(scene, sink, recording("out", "some"))
    scene.wait_evaluations("some", 15)
    assert program.sigterm() == 0
    _, samples = one(sink.named("out"))
    assert scene.accounted("some", [sample.time_ms for sample in samples if not sample.stale])
    assert sink.duplicates == 0 and sink.violations == []


def test_a_series_that_ends_gets_a_stale_marker(scene, start_rw_sink):
    sink = start_rw_sink()
    both = [({"instance": "a,b=c"}, 1.0), ({"instance": "stays"}, 2.0)]
    scene.vectors["some"] = both
    play(scene, sink, recording("out", "some"))
    net.wait_until("both", lambda: len(sink.named("out")) == 2)
    scene.vectors["some"] = both[1:]
    gone = lambda: one(sink.named("out", instance="a,b=c"))[1]  # noqa: E731
    net.wait_until("the marker", lambda: gone()[-1].stale)
    scene.wait_evaluations("some", 3)
    assert [sample.stale for sample in gone()].count(True) == 1, "one marker only"
    assert gone()[-1].time_ms - gone()[-2].time_ms <= 5 * INTERVAL_NS // 10**6
    assert not any(sample.stale for sample in one(sink.named("out", instance="stays"))[1])
    scene.vectors["some"] = both
    net.wait_until("the return", lambda: not gone()[-1].stale)
    assert sink.violations == []


def test_an_error_writes_no_stale_marker(scene, start_rw_sink):
    sink = start_rw_sink()
    scene.vectors["some"] = [({"instance": "a"}, 1.0)]
    play(scene, sink, recording("out", "some"))
    net.wait_until("samples", lambda: sink.named("out"))
    scene.vectors["some"] = scene.prom.error("execution", "boom")
    before = len(scene.prom.queries)
    net.wait_until("failures", lambda: len(scene.prom.queries) > before + 4)
    assert not any(sample.stale for sample in one(sink.named("out"))[1])


def test_alerts_series(scene, start_rw_sink):
    sink = start_rw_sink()
    play(scene, sink, alerting("Waits", "waits", for_="900ms", labels={"severity": "page"}))
    scene.vectors["waits"] = [({"__name__": "up", "instance": "a"}, 5.0)]
    firing = lambda: sink.named("ALERTS", alertstate="firing")  # noqa: E731
    net.wait_until("firing", lambda: firing() and len(one(firing())[1]) >= 3)
    scene.vectors["waits"] = []
    net.wait_until("the end", lambda: one(firing())[1][-1].stale)
    base = {"alertname": "Waits", "instance": "a", "severity": "page"}
    labels, fired = one(firing())
    assert labels == {"__name__": "ALERTS", "alertstate": "firing", **base}
    labels, pending = one(sink.named("ALERTS", alertstate="pending"))
    assert labels == {"__name__": "ALERTS", "alertstate": "pending", **base}
    labels, since = one(sink.named("ALERTS_FOR_STATE"))
    assert labels == {"__name__": "ALERTS_FOR_STATE", **base}
    for samples in (fired, pending, since):
        assert samples[-1].stale and not any(sample.stale for sample in samples[:-1])
    assert {sample.value for sample in fired[:-1] + pending[:-1]} == {1.0}
    assert pending[-1].time_ms == fired[0].time_ms, "pending ends in the evaluation in which firing begins"
    first_true = next(query.time_ns for query in scene.prom.queries if query.vector)
    assert {math.floor(sample.value) for sample in since[:-1]} == {first_true // 10**9}
    assert pending[0].time_ms == since[0].time_ms == first_true // 10**6
    assert {sample.time_ms for sample in pending[:-1] + fired[:-1]} == {sample.time_ms for sample in since[:-1]}
    assert sink.violations == []


def test_a_restart_ends_no_series_and_forgets_none(scene, start_rw_sink):
    sink = start_rw_sink()
    scene.vectors["some"] = scene.vectors["plain"] = [({"instance": "a"}, 1.0)]
    program = play(scene, sink, recording("out", "some"), alerting("Plain", "plain"))
    net.wait_until("samples", lambda: sink.named("out") and sink.named("ALERTS"))
    assert program.sigterm() == 0
    for name in ("out", "ALERTS"):
        assert not one(sink.named(name))[1][-1].stale
    program.start()
    program.wait_ready()
    scene.wait_evaluations("some", 3)
    scene.vectors["plain"] = []
    net.wait_until("ALERTS to end", lambda: one(sink.named("ALERTS"))[1][-1].stale)
    assert sink.violations == []


def test_the_sink_being_down_loses_nothing(scene, start_rw_sink):
    sink = start_rw_sink()
    sink.down()
    scene.vectors["some"] = [({"instance": "a"}, 1.0)]
    program = play(scene, sink, recording("out", "some"))
    scene.wait_evaluations("some", 10)
    program.sigkill()
    program.start()
    program.wait_ready()
    scene.wait_evaluations("some", 3)
    asked = ms(scene.slots("some"))
    sink.up()
    net.wait_until("the backlog", lambda: sink.named("out") and one(sink.named("out"))[1][-1].time_ms >= max(asked))
    written = {sample.time_ms for sample in one(sink.named("out"))[1]}
    assert len(asked - written) <= 1, "only the evaluation that the kill cut may be missing"
    assert sink.violations == []


def test_into_prometheus_and_the_sink_alike(scene, start_rw_sink, start_prometheus, tmp_path):
    """Two remote-write destinations and a file get the same samples; Prometheus stores and answers them."""
    sink, prometheus = start_rw_sink(), start_prometheus()
    exporters = {"prom": remote_write_exporter(prometheus.url + "/api/v1/write"),
                 "archive": file_exporter(tmp_path / "out")}
    routes = [{"match": 'kind == "alert"', "to": ["hook"]},
              {"match": 'kind == "sample"', "to": ["sink", "prom", "archive"]}]
    scene.vectors["some"] = [({"instance": name}, float(index)) for index, name in enumerate("abc")]
    scene.vectors["plain"] = scene.vectors["some"][:2]
    program = play(scene, sink, recording("out", "some"), alerting("Plain", "plain"), exporters=exporters, routes=routes)
    scene.wait_evaluations("some", 10)
    scene.vectors["plain"] = []
    net.wait_until("ALERTS to end", lambda: all(samples[-1].stale for samples in sink.named("ALERTS").values()))
    net.wait_until("ALERTS to end in Prometheus too", lambda: prometheus.query("ALERTS") == [])
    assert {row["metric"]["instance"] for row in prometheus.query("out")} == {"a", "b", "c"}
    assert program.sigterm() == 0
    archived = samples_by_series(program.jsonl(tmp_path / "out"))
    assert set(archived) == set(sink.named("out")), "ALERTS goes to time series stores only"
    for key, samples in sink.samples.items():
        name = dict(key)["__name__"]
        selector = "{" + ",".join(f'{label}="{value}"' for label, value in key if label != "__name__") + "}"
        (_, stored), = prometheus.samples(name + selector).items()
        ours = {sample.time_ms: sample.value for sample in samples if not sample.stale}
        assert {round(when * 1000): float(text) for when, text in stored} == ours
        assert archived.get(key, ours) == ours
    assert sink.violations == []
