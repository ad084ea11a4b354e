"""OpenTelemetry in and out: what is sent is read with the public protos, and requests of an encoder of its own are taken in."""

import gzip
import json
import subprocess

import pytest

import net
import otlp
import otlp_public
from fakes import Answer, Fake
from telex import BINARY, file_exporter, recording

TRACE = "5b8efff798038103d269b633813fc60c"
SPAN = {"traceId": TRACE, "spanId": "eee19b7ec3c1b174", "parentSpanId": "eee19b7ec3c1b173", "name": "a server span",
        "startTimeUnixNano": 1544712660000000000, "endTimeUnixNano": 1544712661000000000, "kind": 2,
        "traceState": "a=1", "attributes": [{"key": "http.status", "value": {"intValue": 500}},
                                            {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": True}]}}}],
        "events": [{"timeUnixNano": 1544712660500000000, "name": "boom"}],
        "status": {"message": "bad", "code": 2}}


class Collector(Fake):
    """Takes OTLP over HTTP; what breaks a rule is answered 400 and kept in `violations`."""

    def __init__(self, port=None):
        super().__init__(port)
        self.points, self.spans = [], []

    def answer(self, request):
        kind = request.headers.get("Content-Type")
        if kind not in ("application/x-protobuf", "application/json") or request.method != "POST":
            return self.violation(f"{request.method} of {kind!r}")
        read = otlp_public.decode if kind == "application/x-protobuf" else otlp_public.from_json
        if len(request.body()) > 20 << 20:
            return self.violation("larger than collectors take")
        try:
            if request.path == "/v1/metrics":
                self.points += otlp.check_metrics(read("metrics", request.body()))
            elif request.path == "/v1/traces":
                self.spans += otlp.check_traces(read("traces", request.body()))
            else:
                return Answer(404)
        except ValueError as error:
            return self.violation(str(error))
        return Answer(200, b"" if read == otlp_public.decode else b"{}", {"Content-Type": kind})


@pytest.fixture
def collector():
    otlp_public.use()
    server = Collector()
    server.start()
    yield server
    server.stop()
    assert server.violations == []


def otlp_exporter(url, **options):
    return {"type": "otlp", "url": url, **options}


def push(program, signal, message, headers=None):
    kind = {"metrics": "MetricsRequest", "traces": "TracesRequest"}[signal]
    body = message if isinstance(message, bytes) else otlp.encode(kind, message)
    return net.post(f"{program.url}/v1/{signal}", body, headers={"Content-Type": "application/x-protobuf", **(headers or {})})


def traces(*spans, **resource):
    pairs = [{"key": key, "value": {"stringValue": value}} for key, value in resource.items()]
    return {"resourceSpans": [{"resource": {"attributes": pairs}, "scopeSpans": [{"scope": {"name": "lib"}, "spans": list(spans)}]}]}


def test_rules_to_a_collector(scene, collector, tmp_path):
    scene.vectors["some"] = [({"instance": name, "größe": "漢"}, index + 0.5) for index, name in enumerate("abc")]
    program = scene.play(recording("cpu_usage", "some"), exporters={
        "c": otlp_exporter(collector.url, service_name="shop", resource_attributes={"zone": "eu"}),
        "archive": file_exporter(tmp_path / "out")}, routes=[{"match": 'kind == "sample"', "to": ["c", "archive"]}])
    scene.wait_evaluations("some", 6)
    assert program.sigterm() == 0
    archived = {(r["labels"]["instance"], net.parse_rfc3339(r["timestamp"])): r["value"]
                for r in program.jsonl(tmp_path / "out") if r["name"] == "cpu_usage"}
    sent = {(of["instance"], time_ns): value for name, of, time_ns, value, _, _ in collector.points if name == "cpu_usage"}
    assert sent == archived and len(sent) >= 18
    assert all(of["größe"] == "漢" and kind == "gauge" and resource == {"service.name": "shop", "zone": "eu"}
               for name, of, _, _, kind, resource in collector.points if name == "cpu_usage")


def test_profiles_and_spans_to_a_collector(collector, start_telex):
    program = start_telex({"receive": {"profiles": True}, "exporters": {"c": otlp_exporter(
        collector.url, span_name_prefix="profiling", metrics_mapping={"total": {"name": "all", "type": "counter", "unit": "1"}})}})
    body = [{"total": 7, "latency": 1.5, "labels": {"host": "a"}},
            {"function_name": "outer", "execution_time_ms": 100, "memory_usage_mb": 8, "status": "error"},
            {"function_name": "inner", "execution_time_ms": 10, "parent": "outer"}]
    assert net.post(program.url + "/api/v1/profile", json.dumps(body).encode(),
                    headers={"Content-Type": "application/json"}).status == 204
    net.wait_until("all of it", lambda: len(collector.points) == 2 and len(collector.spans) == 2)
    points = {name: (of, value, kind) for name, of, _, value, kind, _ in collector.points}
    assert points == {"all": ({"host": "a"}, 7, "sum"), "profiling_latency": ({"host": "a"}, 1.5, "gauge")}
    outer, inner = [span for span, _, _, _ in collector.spans]
    assert outer["name"] == "profiling.outer" and outer["status"]["code"] == 2
    assert inner["parentSpanId"] == outer["spanId"] and inner["traceId"] == outer["traceId"]
    assert collector.spans[0][1]["memory_usage_mb"] == 8


def test_partial_success_is_counted_and_busy_is_waited_out(collector, start_telex):
    partial = otlp.encode("Response", {"partialSuccess": {"rejected": 1, "errorMessage": "too old"}})
    collector.script = [Answer(503, b"", {"Retry-After": "1"}), Answer(200, partial, {"Content-Type": "application/x-protobuf"})]
    program = start_telex({"receive": {"profiles": True}, "exporters": {"c": otlp_exporter(collector.url)}})
    assert net.post(program.url + "/api/v1/profile", b'{"a": 1, "b": 2}', headers={"Content-Type": "application/json"}).status == 204
    net.wait_until("the second call", lambda: len(collector.requests) == 2)
    first, second = collector.requests
    assert second.when - first.when >= 0.9 and first.raw == second.raw
    net.wait_until("the count", lambda: sum(program.metrics().get("telex_exporter_dropped_total", {}).values()) == 1)
    assert len(collector.requests) == 2


def test_spans_come_in_and_go_out_the_same(collector, start_telex, tmp_path):
    program = start_telex({"receive": {"otlp": True}, "exporters": {
        "c": otlp_exporter(collector.url, service_name="ignored"), "archive": file_exporter(tmp_path / "out")}})
    answer = push(program, "traces", traces(SPAN, **{"service.name": "shop"}))
    assert (answer.status, answer.body) == (200, b"")
    net.wait_until("the span", lambda: collector.spans and program.jsonl(tmp_path / "out"))
    span, of, scope, resource = collector.spans[0]
    assert span == {**SPAN, "attributes": span["attributes"]} and of["http.status"] == 500
    assert of["list"] == {"values": [{"boolValue": True}]}
    assert scope == {"name": "lib"} and resource == {"service.name": "shop"}
    record = program.jsonl(tmp_path / "out")[0]
    assert record["trace_id"] == TRACE and record["span_kind"] == "server" and record["labels"] == {"service.name": "shop"}


def test_the_public_examples_come_in(collector, start_telex, shared_data, tmp_path):
    folder = shared_data / "otlp"
    program = start_telex({"receive": {"otlp": True}, "exporters": {"archive": file_exporter(tmp_path / "out")}})
    spans = json.loads((folder / "trace.json").read_text())
    metrics = json.loads((folder / "metrics.json").read_text())
    assert push(program, "traces", spans).status == 200
    answer = push(program, "metrics", gzip.compress(otlp.encode("MetricsRequest", metrics)), {"Content-Encoding": "gzip"})
    partial = otlp.decode("Response", answer.body)["partialSuccess"]
    assert answer.status == 200 and partial["rejected"] == 1 and "1 points of exponential" in partial["errorMessage"]
    net.wait_until("the records", lambda: len(program.jsonl(tmp_path / "out")) >= 7)
    names = {record.get("name") for record in program.jsonl(tmp_path / "out")}
    assert {"my_counter", "my_gauge", "my_histogram_bucket", "my_histogram_sum", "my_histogram_count"} <= names
    counts = program.metrics()
    assert counts["telex_receive_extras_total"][("kind=exponential_histogram",)] == 1
    assert counts["telex_receive_dropped_total"][("reason=left out",)] == 1


def test_json_both_ways(collector, start_telex, shared_data, tmp_path):
    program = start_telex({"receive": {"otlp": True}, "exporters": {
        "c": otlp_exporter(collector.url, otlp_protocol="http/json", service_name="shop"), "archive": file_exporter(tmp_path / "out")}})

    def push_json(signal, body):
        return net.post(f"{program.url}/v1/{signal}", body, headers={"Content-Type": "application/json"})

    answer = push_json("traces", (shared_data / "otlp" / "trace.json").read_bytes())
    assert (answer.status, answer.body) == (200, b"{}")
    answer = push_json("metrics", (shared_data / "otlp" / "metrics.json").read_bytes())
    partial = json.loads(answer.body)["partialSuccess"]
    assert answer.status == 200 and partial["rejectedDataPoints"] == "1" and "exponential" in partial["errorMessage"]
    answer = push_json("metrics", b'{"resourceMetrics": 1}')
    assert answer.status == 400 and json.loads(answer.body)["code"] == 3 and "byte" in json.loads(answer.body)["message"]
    net.wait_until("all of it", lambda: collector.spans and len(collector.points) >= 6)
    span, _, scope, resource = collector.spans[0]
    sent = json.loads((shared_data / "otlp" / "trace.json").read_text())["resourceSpans"][0]
    assert span["traceId"] == sent["scopeSpans"][0]["spans"][0]["traceId"].lower() and resource["service.name"] == "my.service"
    assert ("my_counter", 5.0) in [(name, value) for name, _, _, value, _, _ in collector.points]


def test_what_makes_no_sense_is_said_as_a_status(start_telex, tmp_path):
    program = start_telex({"receive": {"otlp": True}, "exporters": {"archive": file_exporter(tmp_path / "out")}})
    answer = push(program, "metrics", b"\x0a\x05")
    assert answer.status == 400 and otlp.decode("RpcStatus", answer.body)["code"] == 3
    assert push(program, "traces", b"x", {"Content-Encoding": "gzip"}).status == 400
    assert push(program, "traces", b"x", {"Content-Type": "text/plain"}).status == 415
    assert (lambda a: (a.status, a.body))(push(program, "traces", b"")) == (200, b"")


def test_acknowledged_spans_survive_a_kill(start_telex):
    program = start_telex({"receive": {"otlp": True}, "exporters": {"c": otlp_exporter(f"http://127.0.0.1:{net.free_port()}")}})
    for i in range(20):
        assert push(program, "traces", traces({**SPAN, "name": f"s{i}"})).status == 200
    program.sigkill()
    lines = subprocess.run([BINARY, "queue", "export", program.folder / "data" / "bulk"], capture_output=True, text=True,
                           timeout=60, check=True).stdout
    assert sorted(json.loads(line)["function_name"] for line in lines.splitlines()) == sorted(f"s{i}" for i in range(20))


def test_off_unless_asked_for(start_telex, tmp_path):
    program = start_telex({"exporters": {"archive": file_exporter(tmp_path / "out")}})
    assert push(program, "metrics", b"").status == 404


@pytest.mark.parametrize("down", ["/v1/metrics", "/v1/traces"])
def test_an_endpoint_that_is_down_holds_up_only_its_own(collector, start_telex, down):
    """Both ways; and after a restart meanwhile, what arrived does not come again."""
    real, is_down = collector.answer, [True]
    collector.answer = lambda request: Answer(503) if is_down and request.path == down else real(request)
    program = start_telex({"receive": {"otlp": True, "profiles": True}, "exporters": {"c": otlp_exporter(collector.url)}})

    def give(number):
        assert push(program, "traces", traces({**SPAN, "name": f"s{number}"})).status == 200
        body = json.dumps({"rows": number, "timestamp": 1.7e9 + number}).encode()
        assert net.post(program.url + "/api/v1/profile", body, headers={"Content-Type": "application/json"}).status == 204

    def came():
        return [span[0]["name"] for span in collector.spans] if down == "/v1/metrics" else [
            f"s{point[3]:.0f}" for point in collector.points]

    give(0)
    net.wait_until("a try", lambda: any(request.path == down for request in collector.requests))
    give(1)
    net.wait_until("the others", lambda: came() == ["s0", "s1"])
    program.sigterm()
    program.start()
    program.wait_ready()
    give(2)
    net.wait_until("the next", lambda: came() == ["s0", "s1", "s2"])
    assert not (collector.points if down == "/v1/metrics" else collector.spans)
    is_down.clear()
    net.wait_until("all", lambda: len(collector.points) == len(collector.spans) == 3)
    assert came() == ["s0", "s1", "s2"]
