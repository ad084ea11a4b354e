"""OpenTelemetry's own Python at the other end: its protos and stubs receive what we send, its SDK sends to us."""

import json
import pathlib
import subprocess

import pytest

import net
import otlp
import otlp_public
import pypi
from process import Process
from telex import FAST_RETRY, file_exporter
from test_metadata import METRICS, NOW, SECOND
from test_otlp import SPAN, push, traces

PEER = pathlib.Path(__file__).with_name("opentelemetry_peer.py")
ENV = {"OTEL_PYTHON_LOG_LEVEL": "warning", "GRPC_VERBOSITY": "ERROR"}
PROTOCOLS = {"http/protobuf": "application/x-protobuf", "http/json": "application/json", "grpc": "grpc"}


class Collector:
    """The receiver of opentelemetry_peer.py."""

    def __init__(self, folder):
        folder.mkdir()
        self.out = folder / "requests.jsonl"
        self.process = Process("collector", [pypi.interpreter(*otlp_public.PACKAGES), PEER, "collect", self.out], folder, ENV)
        self.process.start()
        self.ports = net.wait_until("the collector", lambda: self.out.exists() and self.lines() and self.lines()[0], 30)

    def lines(self):
        return [json.loads(line) for line in self.out.read_text(encoding="utf-8").splitlines() if line.endswith("}")]

    def requests(self, signal):
        return [line for line in self.lines()[1:] if line["signal"] == signal]

    def points(self):
        return [point for line in self.requests("metrics") for point in otlp.check_metrics(line["message"])]

    def metrics(self):
        """{name: metric} of the last request in which it stood."""
        return {metric["name"]: metric for line in self.requests("metrics") for of in line["message"]["resourceMetrics"]
                for scope in of["scopeMetrics"] for metric in scope["metrics"]}

    def spans(self):
        return [span for line in self.requests("traces") for span in otlp.check_traces(line["message"])]

    def exporter(self, protocol):
        where = f"http://{net.HOST}:{self.ports['grpc' if protocol == 'grpc' else 'http']}"
        return {"type": "otlp", "url": where, "otlp_protocol": protocol, "metrics_protocol": protocol, "service_name": "t",
                **FAST_RETRY}


@pytest.fixture
def collector(tmp_path):
    peer = Collector(tmp_path / "collector")
    yield peer
    peer.process.stop()
    assert [line for line in peer.lines() if "problem" in line] == []


def archive(program, folder):
    """Rows of metrics as {(name, labels, time): value}, and records of spans."""
    records = program.jsonl(folder)
    rows = {(r["name"], tuple(sorted(r["labels"].items())), net.parse_rfc3339(r["timestamp"])): r["value"]
            for r in records if r["kind"] == "sample"}
    return rows, [r for r in records if r["kind"] == "span"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_we_send_is_read_with_the_public_protos(collector, start_telex, tmp_path, protocol):
    program = start_telex({"receive": {"otlp": True}, "exporters": {
        "c": collector.exporter(protocol), "archive": file_exporter(tmp_path / "out")}})
    many = {"name": "many", "gauge": {"dataPoints": [
        {"timeUnixNano": NOW * SECOND, "asDouble": i / 3, "attributes": [{"key": "größe", "value": {"stringValue": str(i)}}]}
        for i in range(500)]}}
    message = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [*METRICS, many]}]}]}
    assert push(program, "metrics", message).status == 200
    assert push(program, "traces", traces(SPAN, {**SPAN, "spanId": "eee19b7ec3c1b175"}, **{"service.name": "shop"})).status == 200
    net.wait_until("all of it", lambda: len(collector.points()) >= 510 and len(collector.spans()) == 2
                   and len(archive(program, tmp_path / "out")[0]) >= 510, 20)
    assert {line["by"] for line in collector.requests("metrics") + collector.requests("traces")} == {PROTOCOLS[protocol]}
    rows, records = archive(program, tmp_path / "out")
    assert {(name, tuple(sorted(of.items())), time_ns): value for name, of, time_ns, value, _, _ in collector.points()} == rows
    counter = collector.metrics()["requests_total"]
    assert (counter["description"], counter["unit"]) == ("How many.", "{request}")
    assert counter["sum"]["aggregationTemporality"] == 2 and counter["sum"]["isMonotonic"]
    span, of, scope, resource = collector.spans()[0]
    assert {**span, "attributes": SPAN["attributes"]} == SPAN and of["http.status"] == 500
    assert scope == {"name": "lib"} and resource == {"service.name": "shop"}
    assert {span["spanId"] for span, _, _, _ in collector.spans()} == {record["span_id"] for record in records}


SUM, GAUGE = ("sum", True), ("gauge", False)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_the_public_sdk_sends_to_us(collector, start_telex, tmp_path, protocol):
    port = net.free_port()
    program = start_telex({"receive": {"otlp": True, "otlp_grpc": {"listen": f"{net.HOST}:{port}"}}, "exporters": {
        "c": collector.exporter("http/protobuf"), "archive": file_exporter(tmp_path / "out")}})
    where = program.url if protocol == "http" else f"{net.HOST}:{port}"
    sent = subprocess.run([pypi.interpreter(*otlp_public.PACKAGES), PEER, "send", protocol, where], capture_output=True, text=True,
                          timeout=60, check=False)
    assert (sent.returncode, sent.stdout) == (0, ""), sent.stderr
    net.wait_until("all of it", lambda: {"http_requests", "queue_size", "latency_count", "temperature"} <= set(collector.metrics())
                   and len(collector.spans()) == 2 and len(archive(program, tmp_path / "out")[1]) == 2, 20)
    rows, records = archive(program, tmp_path / "out")
    found = {(name, tuple(pair for pair in labels if pair[0] in ("code", "größe", "gr__e", "le"))): value
             for (name, labels, _), value in rows.items()}
    assert found[("http_requests", (("code", "200"),))] == 7
    assert sorted(value for (name, _), value in found.items() if name == "http_requests") == [1, 7]
    assert found[("queue_size", ())] == 6 and found[("temperature", ())] == -1.5
    assert found[("latency_count", ())] == 4 and found[("latency_sum", ())] == 20077.5
    buckets = {labels[0][1]: value for (name, labels), value in found.items() if name == "latency_bucket"}
    assert (buckets["0"], buckets["5"], buckets["10"], buckets["75"], buckets["10000"], buckets["+Inf"]) == (0, 1, 2, 3, 3, 4)
    of_all = [dict(labels) for _, labels, _ in rows]
    assert all(labels["job"] == "shop" and labels["instance"] == "one" for labels in of_all)
    kinds = {name: ("sum", metric["sum"].get("isMonotonic", False)) if "sum" in metric else GAUGE
             for name, metric in collector.metrics().items()}
    assert kinds == {"http_requests": SUM, "queue_size": GAUGE, "latency_bucket": SUM, "latency_sum": SUM, "latency_count": SUM,
                     "temperature": GAUGE}
    said = collector.metrics()["http_requests"]
    assert (said["description"], said["unit"]) == ("How many.", "{request}")
    spans = {record["function_name"]: record for record in records}
    outer, inner = spans["outer"], spans["inner"]
    assert inner["parent_id" if "parent_id" in inner else "parent_span_id"] == outer["span_id"]
    assert outer["trace_id"] == inner["trace_id"] and outer["span_kind"] == "server"
    forwarded = {span["name"]: span for span, _, _, _ in collector.spans()}
    assert forwarded["outer"]["events"][0]["name"] == "boom"
    assert forwarded["inner"]["links"][0]["spanId"] == outer["span_id"] and forwarded["inner"]["status"] == {"code": 2, "message": "bad"}
