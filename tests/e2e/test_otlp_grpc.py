"""OTLP over gRPC: what we send is taken by Google's implementation, and what it sends is taken by us."""

import json

import pytest

import net
import otlp
from telex import FAST_RETRY, file_exporter

grpc = pytest.importorskip("grpc")
import otlp_grpc  # noqa: E402  needs grpc


@pytest.fixture
def collector():
    server = otlp_grpc.Collector()
    yield server
    server.stop()
    assert server.violations == []


def grpc_exporter(port, **options):
    return {"type": "otlp", "otlp_endpoint": f"http://127.0.0.1:{port}", "metrics_endpoint": f"http://127.0.0.1:{port}",
            "otlp_protocol": "grpc", **FAST_RETRY, **options}


def profile(program, *records):
    return net.post(program.url + "/api/v1/profile", json.dumps(list(records)).encode(),
                    headers={"Content-Type": "application/json"}).status


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_metrics_and_spans_to_a_collector(collector, start_telex, compression):
    program = start_telex({"receive": {"profiles": True}, "exporters": {"c": grpc_exporter(
        collector.port, compression=compression, service_name="shop", headers={"x-team": "a"}, timeout="7s")}})
    assert profile(program, {"total": 7, "labels": {"host": "größe"}},
                   {"function_name": "outer", "execution_time_ms": 100}) == 204
    net.wait_until("all of it", lambda: collector.points and collector.spans)
    assert [(name, of, value) for name, of, _, value, _, _ in collector.points] == [
        ("profiling_total", {"host": "größe"}, 7)]
    assert collector.spans[0][0]["name"] == "outer" and collector.spans[0][3] == {"service.name": "shop"}
    for _, headers, remaining, _ in collector.calls:
        assert headers["x-team"] == "a" and 0 < remaining <= 7


def test_what_codes_mean(collector, start_telex, tmp_path):
    wait = otlp_grpc.retry_info(8, "slower", 1, 200000000)
    collector.script = [otlp_grpc.Refusal(grpc.StatusCode.UNAVAILABLE, "später %"),
                        otlp_grpc.Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "slower", wait),
                        otlp.encode("Response", {"partialSuccess": {"rejected": 1, "errorMessage": "too old"}})]
    program = start_telex({"receive": {"profiles": True}, "exporters": {"c": grpc_exporter(collector.port)}})
    assert profile(program, {"a": 1, "b": 2}) == 204
    net.wait_until("the third call", lambda: len(collector.points) == 2)
    net.wait_until("the count", lambda: sum(program.metrics().get("telex_exporter_dropped_total", {}).values()) == 1)
    assert len(collector.calls) == 3
    assert "später %" in program.process.log()


def test_too_large_is_halved(start_telex, tmp_path):
    collector = otlp_grpc.Collector(max_bytes=20000)
    program = start_telex({"receive": {"profiles": True}, "exporters": {
        "c": grpc_exporter(collector.port, compression="none")}})
    assert profile(program, *[{"v": i, "labels": {"n": str(i) + "x" * 100}} for i in range(500)]) == 204
    net.wait_until("every point", lambda: len(collector.points) == 500)
    assert {value for _, _, _, value, _, _ in collector.points} == set(range(500))
    collector.stop()
    assert collector.violations == []
