"""New Relic, by a strict decoder of its three APIs: metrics, events and spans of one push; ids of requests; limits."""

import json
import time

import net
from fakes import Answer
from telex import FAST_RETRY, recording

EVENT_TYPES = {"ProfileMetrics": {"attributes": ["messages_per_second", "avg_latency_ms", "emoji_overhead_percent"]},
               "ProfileTrace": {"attributes": ["function_name", "execution_time_ms", "memory_usage_mb"]}}
COMMON = {"service.name": "foundation-profiling", "environment": "production", "host": "web-1"}
RECORDS = [{"messages_per_second": 14000, "avg_latency_ms": 120.5, "ok": True, "labels": {"host": "a"}},
           {"function_name": "outer", "execution_time_ms": 100, "memory_usage_mb": 8, "status": "error", "cpu": 3},
           {"function_name": "inner", "execution_time_ms": 10, "parent": "outer"}]


def exporter(server, **options):
    return {**server.config(), **FAST_RETRY, **options}


def push(program, records):
    answer = net.post(program.url + "/api/v1/profile", json.dumps(records).encode(),
                      headers={"Content-Type": "application/json"})
    assert answer.status == 204, answer


def start(start_telex, server, **options):
    return start_telex({"receive": {"profiles": True}, "exporters": {"nr": exporter(server, **options)}})


def test_the_seed(start_newrelic, start_telex):
    server = start_newrelic()
    program = start(start_telex, server, event_types=EVENT_TYPES, common_attributes=COMMON,
                    metrics_mapping={"messages_per_second": {"name": "log.messages", "type": "counter"}})
    push(program, RECORDS)
    net.wait_until("all", lambda: (len(server.metrics), len(server.events), len(server.spans)) == (3, 3, 2))
    assert server.violations == []
    assert {(row["name"], row["type"], row["value"]) for row in server.metrics} == {
        ("log.messages", "count", 14000), ("profiling.avg_latency_ms", "gauge", 120.5), ("profiling.ok", "gauge", 1)}
    assert all(row["attributes"] == {**COMMON, "host": "a"} for row in server.metrics)
    profile = next(event for event in server.events if event["eventType"] == "ProfileMetrics")
    del profile["timestamp"]
    assert profile == {**COMMON, "host": "a", "eventType": "ProfileMetrics", "messages_per_second": 14000,
                       "avg_latency_ms": 120.5}
    outer = next(event for event in server.events if event.get("function_name") == "outer")
    assert outer["execution_time_ms"] == 100 and outer["memory_usage_mb"] == 8 and "cpu" not in outer
    spans = {span["attributes"]["name"]: span for span in server.spans}
    assert spans["inner"]["attributes"]["parent.id"] == spans["outer"]["id"]
    assert spans["inner"]["trace.id"] == spans["outer"]["trace.id"]
    assert spans["outer"]["attributes"]["duration.ms"] == 100 and "error.message" in spans["outer"]["attributes"]
    assert spans["inner"]["attributes"]["service.name"] == "foundation-profiling"


def test_a_retry_has_the_same_id(start_newrelic, start_telex):
    """The answer is lost, the request comes again, and is known by its id: nothing stands there twice."""
    server = start_newrelic()
    lost = []

    def lose(request, take=server.answer):
        answer = take(request)
        lost.append(request.headers["x-request-id"])
        return Answer(drop=True) if len(lost) <= 2 else answer

    server.answer = lose
    program = start(start_telex, server)
    push(program, [{"a": 1}])
    net.wait_until("the retry", lambda: len(lost) >= 3)
    assert len(set(lost)) == 1 and len(server.metrics) == 1 and server.violations == []
    assert program.sigterm() == 0


def test_413_is_halved_with_new_ids(start_newrelic, start_telex):
    server = start_newrelic()
    server.script = [413]
    program = start(start_telex, server)
    push(program, [{"a": i} for i in range(10)])
    net.wait_until("the metrics", lambda: len(server.metrics) == 10)
    ids = [request.headers["x-request-id"] for request in server.requests]
    assert len(ids) == len(set(ids)) == 3 and server.violations == []


def test_limits(start_newrelic, start_telex):
    server = start_newrelic()
    program = start(start_telex, server, event_types=EVENT_TYPES)
    push(program, [{"a": i, "labels": {"i": str(i), "long": "ä" * 3000}} for i in range(600)])
    push(program, [{"many": 1, "labels": {f"l{i}": "x" for i in range(151)}},
                   {"old": 1, "timestamp": time.time() - 49 * 3600}])
    net.wait_until("the metrics", lambda: len(server.metrics) >= 600)
    net.wait_until("the refused", lambda: "older than 48 hours" in program.process.log()
                   or "more attributes" in program.process.log())
    assert server.violations == [] and {row["name"] for row in server.metrics} == {"profiling.a"}


def test_samples_and_values_that_it_has_not(scene, start_newrelic):
    server = start_newrelic()
    scene.vectors["some"] = [({"instance": "a"}, 1.5), ({"instance": "nan"}, float("nan"))]
    program = scene.play(recording("out", "some"), exporters={"nr": exporter(server)},
                         routes=[{"match": 'kind == "sample"', "to": ["nr"]}])
    scene.wait_evaluations("some", 4)
    assert program.sigterm() == 0
    assert server.violations == [] and {row["attributes"]["instance"] for row in server.metrics} == {"a"}


def test_a_trace_api_that_is_down_holds_up_nothing_else(start_newrelic, start_telex):
    server = start_newrelic()
    real, is_down = server.answer, [True]
    server.answer = lambda request: Answer(503) if is_down and request.path == "/trace/v1" else real(request)
    program = start_telex({"receive": {"profiles": True}, "exporters": {"nr": {**server.config(), **FAST_RETRY}}})
    push(program, [{"function_name": "load", "execution_time_ms": 1}])
    net.wait_until("a try", lambda: server.requests)
    push(program, [{"rows": 1}, {"rows": 2}])
    net.wait_until("the metrics", lambda: len(server.metrics) == 2)
    assert server.spans == []
    is_down.clear()
    net.wait_until("the span", lambda: len(server.spans) == 1)
    assert len(server.metrics) == 2 and server.violations == []


def test_what_one_api_took_is_not_told_it_again(start_newrelic, start_telex):
    """Events are refused for a while: the metrics of the same profiles arrive, once; then the other way round."""
    server = start_newrelic()
    real, down = server.answer, ["/v1/accounts/1234567/events"]
    server.answer = lambda request: Answer(503) if request.path in down else real(request)
    program = start(start_telex, server, event_types=EVENT_TYPES)
    push(program, [{"messages_per_second": 1}, {"messages_per_second": 2}])
    net.wait_until("the metrics", lambda: len(server.metrics) == 2)
    net.wait_until("tries", lambda: sum(r.path == down[0] for r in server.requests) >= 3)
    assert server.events == []
    down[0] = "/metric/v1"
    net.wait_until("the events", lambda: len(server.events) == 2)
    push(program, [{"messages_per_second": 3}])
    net.wait_until("the event", lambda: len(server.events) == 3)
    assert len(server.metrics) == 2 and sum(r.path == "/metric/v1" for r in server.requests) >= 2
    down.clear()
    net.wait_until("the metric", lambda: len(server.metrics) == 3)
    assert program.sigterm() == 0
    assert len(server.events) == 3 and server.violations == []
