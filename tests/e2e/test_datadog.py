"""Datadog, by a strict decoder of its schema: samples, profiles, limits, a wrong key."""

import json
import time

import net
import pytest
import vendors
from fakes import Answer, json_answer
from telex import FAST_RETRY, recording

ROUTES = [{"match": 'kind == "sample"', "to": ["dd"]}]


def exporter(server, **options):
    return {"type": "datadog", "url": server.url, "api_key": vendors.Datadog.KEY, **FAST_RETRY, **options}


def push(program, records):
    answer = net.post(program.url + "/api/v1/profile", json.dumps(records).encode(),
                      headers={"Content-Type": "application/json"})
    assert answer.status == 204, answer


def test_samples_arrive(scene, start_datadog):
    server = start_datadog()
    scene.vectors["some"] = [({"instance": name, "host": "h" + name, "odd": "a b,ä\n"}, index + 0.5)
                             for index, name in enumerate("abc")]
    scene.vectors["some"].append(({"instance": "nan"}, float("nan")))
    program = scene.play(recording("job:some_rate", "some"), routes=ROUTES,
                         exporters={"dd": exporter(server, tags=["environment:production"],
                                                   metrics_config={"namespace": "web", "tags": ["team:ops"]})})
    scene.wait_evaluations("some", 5)
    assert program.sigterm() == 0
    assert server.violations == []
    assert {(name, host, value, kind) for name, host, _, _, value, kind in server.points} == {
        ("web.job_some_rate", "ha", 0.5, 3), ("web.job_some_rate", "hb", 1.5, 3), ("web.job_some_rate", "hc", 2.5, 3)}
    assert {"environment:production", "team:ops", "odd:a_b_ä_", "instance:a"} <= set(
        next(tags for _, host, tags, *_ in server.points if host == "ha"))


def test_profiles_as_the_seed_maps_them(start_datadog, start_telex):
    server = start_datadog()
    mapped = {
        "processing_rate": {"metric_name": "foundation.log.processing_rate", "metric_type": "rate",
                            "source_field": "messages_per_second"},
        "emoji_overhead": {"metric_name": "foundation.log.emoji_overhead", "metric_type": "gauge",
                           "source_field": "emoji_overhead_percent"}}
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": exporter(
        server, app_key="unused", metrics_config={"namespace": "foundation.profiling", "tags": ["team:platform"]},
        apm_config={"service": "foundation-profiling", "env": "production", "version": "1.0.0"},
        custom_metrics=mapped)}})
    push(program, [{"messages_per_second": 14000, "emoji_overhead_percent": 3.5, "avg_latency_ms": 12, "up": True},
                   {"avg_latency_ms": 1, "timestamp": time.time() - 7200}])
    net.wait_until("the metrics", lambda: len(server.points) == 4)
    assert server.violations == []
    assert {(name, value, kind) for name, _, _, _, value, kind in server.points} == {
        ("foundation.log.processing_rate", 14000, 2), ("foundation.log.emoji_overhead", 3.5, 3),
        ("foundation.profiling.avg_latency_ms", 12, 3), ("foundation.profiling.up", 1, 3)}
    assert set(server.points[0][2]) == {"team:platform", "service:foundation-profiling", "env:production", "version:1.0.0"}
    net.wait_until("the dead letter", lambda: "older than an hour" in program.process.log())
    assert all("unused" not in str(request.headers) for request in server.requests)


def test_a_wrong_key_loses_nothing(start_datadog, start_telex):
    server = start_datadog()
    server.script = [500, 429, 403]
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": exporter(server)}})
    push(program, [{"a": 1}])
    net.wait_until("the metric, after the pause of a halt", lambda: len(server.points) == 1, deadline=60)
    assert vendors.Datadog.KEY not in program.process.log()


def test_large_batches_stay_below_the_limits(start_datadog, start_telex):
    server = start_datadog()
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": exporter(server, gzip=False)}})
    for part in range(4):
        push(program, [{"a": i, "labels": {"i": f"{part}-{i}", "long": "x" * 190}} for i in range(6000)])
    net.wait_until("the metrics", lambda: len(server.points) >= 24000)
    assert server.violations == [] and len({point[2] for point in server.points}) == 24000


def test_errors_of_a_202_are_dead_letters(start_datadog, start_telex):
    server = start_datadog()
    server.script = [json_answer({"errors": ["no such thing"]}, 202)]
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": exporter(server)}})
    push(program, [{"a": 1}])
    net.wait_until("the reason", lambda: "answered 202 with errors: no such thing" in program.process.log())
    push(program, [{"a": 2}])
    net.wait_until("the next", lambda: [point[4] for point in server.points] == [2])


def test_the_config_map_of_the_seed(start_datadog, start_telex, tmp_path):
    """`exporters` as a list, the key as the name of a secret, tags at the top."""
    server = start_datadog()
    (tmp_path / "datadog-api-key").write_text(vendors.Datadog.KEY + "\n")
    program = start_telex({
        "receive": {"profiles": True}, "secrets": {"path": str(tmp_path)},
        "exporters": [{"name": "datadog", "type": "datadog", "config": {
            "api_key_secret": "datadog-api-key", "site": "datadoghq.com", "url": server.url,
            "tags": ["environment:production", "service:foundation"]}}]})
    push(program, [{"messages_per_second": 14000}])
    net.wait_until("the metric", lambda: len(server.points) == 1)
    assert server.points[0][0] == "profiling.messages_per_second"
    assert server.points[0][2] == ("environment:production", "service:foundation") and server.violations == []


LATENCY = {"custom_metrics": {"latency": {"metric_name": "web.latency", "metric_type": "distribution",
                                          "source_field": "avg_latency_ms"}}}


def test_a_field_as_a_distribution(start_datadog, start_telex):
    """Every value arrives, those of one second in one point; the other fields are series as ever."""
    server = start_datadog()
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": exporter(
        server, **LATENCY, tags=["team:ops"], apm_config={"env": "prod"})}})
    now = int(time.time())
    push(program, [{"avg_latency_ms": n / 2, "rows": n, "timestamp": now - n // 10, "labels": {"host": "h", "z": "ä b"}}
                   for n in range(100)] + [{"avg_latency_ms": 1, "timestamp": now - 7200}])
    net.wait_until("the values", lambda: len(server.values) == 100 and len(server.points) == 100)
    assert server.violations == []
    assert {(name, host, tags) for name, host, tags, *_ in server.values} == {
        ("web.latency", "h", ("team:ops", "env:prod", "z:ä_b"))}
    assert sorted((time_s, value) for *_, time_s, value in server.values) == sorted(
        (now - n // 10, n / 2) for n in range(100))
    assert {name for name, *_ in server.points} == {"profiling.rows"}
    requests = [r for r in server.requests if r.path == "/api/v1/distribution_points"]
    assert len(requests) <= 3 and {r.headers["Content-Encoding"] for r in requests} == {"deflate"}
    assert len(requests[0].json()["series"][0]["points"]) >= 1
    net.wait_until("the dead letter", lambda: "older than an hour" in program.process.log())


def test_what_was_taken_is_not_sent_again(start_datadog, start_telex):
    """While series are refused, values of distributions arrive, once; and the other way round."""
    server = start_datadog()
    real, down = server.answer, ["/api/v2/series"]
    server.answer = lambda request: Answer(503) if request.path in down else real(request)
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": exporter(server, **LATENCY)}})
    push(program, [{"avg_latency_ms": n, "rows": n} for n in range(10)])
    net.wait_until("the values", lambda: len(server.values) == 10)
    net.wait_until("tries", lambda: sum(r.path == down[0] for r in server.requests) >= 3)
    assert server.points == []
    down[0] = "/api/v1/distribution_points"
    net.wait_until("the series", lambda: len(server.points) == 10)
    push(program, [{"avg_latency_ms": 99, "rows": 99}])
    net.wait_until("the series", lambda: len(server.points) == 11)
    assert len(server.values) == 10
    down.clear()
    net.wait_until("the value", lambda: len(server.values) == 11)
    assert program.sigterm() == 0
    assert server.violations == [] and len(server.points) == 11
    assert sorted(value for *_, value in server.values) == [*range(10), 99]


@pytest.mark.parametrize("compression", ["gzip", "zstd1", "deflate", "none"])
def test_compressions(start_datadog, start_telex, compression):
    server = start_datadog()
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": exporter(
        server, compression=compression, debug={"validate_schemas": True}, **LATENCY)}})
    push(program, [{"avg_latency_ms": 5, "rows": 7}])
    net.wait_until("both", lambda: len(server.points) == len(server.values) == 1)
    found = {r.path: r.headers.get("Content-Encoding", "none") for r in server.requests if r.method == "POST"}
    assert found == {"/api/v2/series": compression,
                     "/api/v1/distribution_points": "none" if compression == "none" else "deflate"}
    assert server.violations == [] and "what was encoded is not what was meant" not in program.process.log()


SPANS = [{"function_name": "inner", "execution_time_ms": 10, "parent": "outer", "rows": 12, "cached": True,
          "note": "größe"},
         {"function_name": "outer", "execution_time_ms": 100, "memory_usage_mb": 8.5, "status": "error",
          "labels": {"service": "api", "zone": "b"}},
         {"function_name": "other", "execution_time_ms": 1, "labels": {"env": "test"}}]


REFUSE = {"validate_schemas": True, "refuse_invalid": True}


def with_agent(server, agent, **options):
    return exporter(server, trace_agent={"url": agent.url}, debug=REFUSE, apm_config={
        "service": "foundation-profiling", "env": "production", "version": "1.0.0"}, **options)


def test_spans_go_to_the_agent(start_datadog, start_datadog_agent, start_telex):
    server, agent = start_datadog(), start_datadog_agent()
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": with_agent(server, agent)}})
    push(program, [*SPANS, {"messages_per_second": 3}])
    net.wait_until("the spans", lambda: len(agent.spans) == 3)
    net.wait_until("the metric", lambda: len(server.points) == 1)
    assert agent.violations == [] and server.violations == []
    spans = {span["name"]: span for span in agent.spans}
    inner, outer, other = spans["inner"], spans["outer"], spans["other"]
    assert inner["parent_id"] == outer["span_id"] and inner["trace_id"] == outer["trace_id"] != other["trace_id"]
    assert outer["parent_id"] == 0 and outer["error"] == 1 and inner["error"] == 0
    assert outer["duration"] == 100_000_000 and outer["resource"] == "outer"
    assert (outer["service"], inner["service"]) == ("api", "foundation-profiling")
    assert outer["meta"]["zone"] == "b" and outer["meta"]["env"] == "production" and other["meta"]["env"] == "test"
    assert inner["meta"]["cached"] == "true" and inner["meta"]["note"] == "größe" and inner["metrics"]["rows"] == 12
    assert "what was encoded is not what was meant" not in program.process.log()
    assert outer["metrics"]["memory_usage_mb"] == 8.5 and outer["metrics"]["_sampling_priority_v1"] == 1
    assert "_sampling_priority_v1" not in inner["metrics"] and outer["meta"]["version"] == "1.0.0"


def test_an_agent_that_is_full_or_gone(start_datadog, start_datadog_agent, start_telex):
    server, agent = start_datadog(), start_datadog_agent()
    real, answers = agent.answer, [429, 503, 429]
    agent.answer = lambda request: json_answer({}, answers.pop()) if answers else real(request)
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": with_agent(server, agent)}})
    push(program, SPANS)
    push(program, {"messages_per_second": 3})
    net.wait_until("the spans", lambda: len(agent.spans) == 3)
    net.wait_until("the metric", lambda: len(server.points) == 1)
    assert agent.violations == [] and answers == []


def test_an_agent_that_is_down_holds_up_nothing(start_datadog, start_datadog_agent, start_telex):
    """Metrics arrive meanwhile, and a restart repeats none of them, though spans still wait."""
    server, agent = start_datadog(), start_datadog_agent()
    real, agent.answer = agent.answer, lambda request: Answer(503)
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": with_agent(server, agent)}})
    push(program, SPANS)
    net.wait_until("a try", lambda: agent.requests)
    for value in range(3):
        push(program, {"messages_per_second": value})
    net.wait_until("the metrics", lambda: len(server.points) == 3)
    assert agent.spans == []
    program.sigterm()
    program.start()
    program.wait_ready()
    push(program, {"messages_per_second": 3})
    net.wait_until("the next metric", lambda: len(server.points) == 4)
    agent.answer = real
    net.wait_until("the spans", lambda: len(agent.spans) == 3)
    assert [point[4] for point in server.points] == [0, 1, 2, 3] and server.violations == agent.violations == []


def test_spans_without_an_agent_hold_up_nothing(start_datadog, start_telex):
    server = start_datadog()
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": exporter(server)}})
    push(program, [{"function_name": "load", "execution_time_ms": 1}])
    push(program, [{"messages_per_second": 5}])
    net.wait_until("the metrics", lambda: len(server.points) == 1)
    assert sum(program.metrics()["telex_exporter_dropped_total"].values()) == 1
    assert "none is named: set 'trace_agent" in program.process.log()


def test_many_spans(start_datadog, start_datadog_agent, start_telex):
    """A name that is too long is cut, and traces are told by all of their ids."""
    server, agent = start_datadog(), start_datadog_agent()
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": with_agent(server, agent)}})
    spans = [{"function_name": "ü" * 4000, "execution_time_ms": 1, "trace_id": f"{n % 50 + 1:016x}{7:016x}",
              "span_id": f"{n + 1:016x}"} for n in range(500)]
    push(program, spans)
    net.wait_until("the spans", lambda: len(agent.spans) == 500)
    assert agent.violations == []
    assert {span["name"] for span in agent.spans} == {"ü" * 50} and {span["resource"] for span in agent.spans} == {"ü" * 2500}
    assert len({span["meta"]["_dd.p.tid"] for span in agent.spans}) == 50


def with_otlp(server, intake, **options):
    return exporter(server, otlp_url=intake.url, otlp_source="acme", tags=["team:ops", "canary"], apm_config={
        "service": "foundation-profiling", "env": "production", "version": "1.0.0"}, **options)


def test_spans_as_otlp(start_datadog, start_datadog_otlp, start_telex):
    server, intake = start_datadog(), start_datadog_otlp()
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": with_otlp(
        server, intake, traces_via="otlp", debug={"validate_schemas": True})}})
    push(program, [*SPANS, {"messages_per_second": 3}])
    net.wait_until("the spans", lambda: len(intake.spans) == 3)
    net.wait_until("the metric", lambda: len(server.points) == 1)
    assert intake.violations == [] and server.violations == []
    spans = {span["name"]: (span, own, resource) for span, own, _, resource in intake.spans}
    assert spans["inner"][0]["parentSpanId"] == spans["outer"][0]["spanId"]
    assert spans["outer"][0]["status"]["code"] == 2 and spans["outer"][1]["memory_usage_mb"] == 8.5
    common = {"service.version": "1.0.0", "team": "ops", "canary": "true"}
    assert spans["inner"][2] == {"service.name": "foundation-profiling", "deployment.environment.name": "production", **common}
    assert spans["outer"][2] == {"service.name": "api", "service": "api", "zone": "b",
                                 "deployment.environment.name": "production", **common}
    assert {r.headers["dd-otlp-source"] for r in intake.requests} == {"acme"}
    assert "what was encoded is not what was meant" not in program.process.log()


def test_metrics_as_otlp(start_datadog, start_datadog_otlp, start_telex):
    """Counters as deltas, tags as attributes of the resource; a distribution takes the API all the same."""
    server, intake = start_datadog(), start_datadog_otlp()
    mapping = {"rows": {"name": "rows_read", "type": "counter"}, "up": "web.up",
               "avg_latency_ms": {"type": "distribution"}}
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": with_otlp(
        server, intake, metrics_via="otlp", metrics_config={"namespace": "shop", "interval": "30s"},
        metrics_mapping=mapping, debug={"validate_schemas": True})}})
    push(program, [{"rows": 7, "up": True, "avg_latency_ms": 2, "labels": {"zone": "b"}}, {"rows": 1, "timestamp": 1.5e9}])
    net.wait_until("the points", lambda: len(intake.points) == 2 and len(server.values) == 1)
    assert intake.violations == [] and server.violations == [] and server.points == []
    found = {name: (own, value, kind, resource) for name, own, _, value, kind, resource in intake.points}
    resource = {"service.name": "foundation-profiling", "deployment.environment.name": "production",
                "service.version": "1.0.0", "team": "ops", "canary": "true"}
    assert found == {"shop.rows_read": ({"zone": "b"}, 7, "sum", resource), "web.up": ({"zone": "b"}, 1, "gauge", resource)}
    assert server.values[0][0] == "shop.avg_latency_ms"
    net.wait_until("the dead letter", lambda: "older than an hour" in program.process.log())
    assert "what was encoded is not what was meant" not in program.process.log()
    assert all(json.loads(r.headers["dd-otel-metric-config"]) == {"resource_attributes_as_tags": True}
               for r in intake.requests)


def test_the_intake_of_otlp_refuses(start_datadog, start_datadog_otlp, start_telex):
    """What it says to have left out is counted, a wrong key loses nothing, and 429 is tried again."""
    server, intake = start_datadog(), start_datadog_otlp()
    intake.script = [429, 503]
    intake.partial = {"partialSuccess": {"rejected": 2, "errorMessage": "too old"}}
    program = start_telex({"receive": {"profiles": True}, "exporters": {"dd": with_otlp(server, intake, traces_via="otlp")}})
    push(program, SPANS)
    net.wait_until("the spans", lambda: len(intake.spans) == 3)
    net.wait_until("what was left out", lambda: sum(program.metrics()["telex_exporter_dropped_total"].values()) == 2)
    assert "the destination refused 2 of 3: too old" in program.process.log() and intake.violations == []
