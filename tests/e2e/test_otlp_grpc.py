"""OTLP over gRPC: what we send is taken by Google's implementation, and what it sends is taken by us."""

import json
import socket
import subprocess

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


# ---- what we receive ----

@pytest.fixture
def start_receiver(start_telex, tmp_path):
    """(program, channel) of a receiver of OTLP over gRPC that archives what it gets."""
    channels = []

    def start(config=None, channel=None):
        port, own = net.free_port(), net.free_port()
        server = {"listen": f"127.0.0.1:{own}", **(config or {}).pop("server", {})}
        program = start_telex({"receive": {"otlp_grpc": {"listen": f"127.0.0.1:{port}"}}, "server": server, "exporters": {
            "archive": file_exporter(tmp_path / "out")}, **(config or {})}, wait=False)
        program.port, program.grpc_port = own, port
        channels.append((channel or grpc.insecure_channel)(f"127.0.0.1:{port}"))
        if "tls" in server:
            grpc.channel_ready_future(channels[-1]).result(timeout=20)
        else:
            program.wait_ready()
        return program, channels[-1]

    yield start
    for channel in channels:
        channel.close()


def gauge(name, *values):
    return {"resourceMetrics": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
                                 "scopeMetrics": [{"metrics": [{"name": name, "gauge": {"dataPoints": [
                                     {"asDouble": value, "timeUnixNano": 1544712660000000000 + i} for i, value in enumerate(values)]}}]}]}]}


def values(program, tmp_path, name):
    return [record["value"] for record in program.jsonl(tmp_path / "out") if record.get("name") == name]


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_the_public_examples_come_in(start_receiver, shared_data, tmp_path, compression):
    program, channel = start_receiver()
    spans = json.loads((shared_data / "otlp" / "trace.json").read_text())
    metrics = json.loads((shared_data / "otlp" / "metrics.json").read_text())
    assert otlp_grpc.export(channel, "traces", spans, compression=compression) == {}
    partial = otlp_grpc.export(channel, "metrics", metrics, compression=compression)["partialSuccess"]
    assert partial["rejected"] == 1 and "1 points of exponential" in partial["errorMessage"]
    net.wait_until("the records", lambda: len(program.jsonl(tmp_path / "out")) >= 7)
    assert {"my_counter", "my_gauge", "my_histogram_count"} <= {r.get("name") for r in program.jsonl(tmp_path / "out")}


def test_large_messages_many_calls_and_health(start_receiver, tmp_path):
    program, channel = start_receiver()
    health = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert health(b"", timeout=5) == b"\x08\x01"
    assert otlp_grpc.export(channel, "metrics", b"") == {}
    assert otlp_grpc.export(channel, "metrics", gauge("big", *range(60000))) == {}
    calls = [otlp_grpc.client(channel, "metrics").future(otlp.encode("MetricsRequest", gauge("many", i)), timeout=20)
             for i in range(300)]
    assert all(call.result() == b"" for call in calls)
    net.wait_until("every value", lambda: len(values(program, tmp_path, "big")) == 60000 and
                   sorted(values(program, tmp_path, "many")) == list(range(300)))
    counts = program.metrics()["telex_grpc_requests_total"]
    assert counts[("code=OK",)] == 303


def refused(call, message=b"", **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(message, timeout=5, **options)
    return caught.value


def test_refusals(start_receiver):
    program, channel = start_receiver()
    export = otlp_grpc.client(channel, "metrics")
    assert refused(channel.unary_unary("/no.such.Service/Export")).code() == grpc.StatusCode.UNIMPLEMENTED
    bad = refused(export, b"\x0a\x05")
    assert bad.code() == grpc.StatusCode.INVALID_ARGUMENT and "not well formed" in bad.details()
    assert refused(export, bytes(33 << 20)).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert otlp_grpc.export(channel, "metrics", gauge("after", 1)) == {}


def test_nobody_takes_it_says_when_to_come_back(start_receiver, start_telex, tmp_path):
    _, channel = start_receiver({"exporters": {"w": {"type": "alertmanager", "url": "http://127.0.0.1:1"}}})
    error = refused(otlp_grpc.client(channel, "metrics"), otlp.encode("MetricsRequest", gauge("x", 1)))
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert error.code() == grpc.StatusCode.UNAVAILABLE and "no exporter takes samples" in error.details()
    assert details == otlp_grpc.retry_info(14, error.details(), 30)


def test_credentials_and_drain(start_receiver, tmp_path):
    program, channel = start_receiver({"server": {"auth": {"bearer_token": "secret"}}})
    export = otlp_grpc.client(channel, "metrics")
    message = otlp.encode("MetricsRequest", gauge("x", 1))
    assert refused(export, message).code() == grpc.StatusCode.UNAUTHENTICATED
    assert export(message, timeout=5, metadata=(("authorization", "Bearer secret"),)) == b""
    assert program.sigterm() == 0
    assert refused(export, message).code() == grpc.StatusCode.UNAVAILABLE


def certificate(folder):
    """Files of a key and of its certificate for localhost."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return str(key), str(cert)


def test_tls_from_google_and_from_us(start_receiver, start_telex, tmp_path):
    key, cert = certificate(tmp_path)
    credentials = grpc.ssl_channel_credentials(open(cert, "rb").read())
    receiver, channel = start_receiver({"server": {"tls": {"cert_file": cert, "key_file": key}}},
                                       lambda where: grpc.secure_channel(where, credentials))
    assert otlp_grpc.export(channel, "metrics", gauge("x", *range(30000))) == {}
    sender = start_telex({"receive": {"profiles": True}, "exporters": {"c": {
        "type": "otlp", "otlp_protocol": "grpc", "url": f"127.0.0.1:{receiver.grpc_port}", "certificate": cert, **FAST_RETRY}}})
    for value in range(3):
        assert profile(sender, {"v": value}) == 204
        net.wait_until("it", lambda: values(receiver, tmp_path, "profiling_v") == list(range(value + 1)))
    assert len(values(receiver, tmp_path, "x")) == 30000


def dial(program):
    sock = socket.create_connection(("127.0.0.1", program.grpc_port))
    sock.settimeout(15)
    return sock


def test_slow_clients_are_ended(start_receiver, tmp_path):
    program, channel = start_receiver({"server": {"idle_timeout": "1s", "request_timeout": "1s"}})
    with dial(program) as silent, dial(program) as half, dial(program) as dripping:
        half.sendall(otlp_grpc.opening()[:10])
        dripping.sendall(otlp_grpc.opening() + otlp_grpc.request_headers(1) +
                         otlp_grpc.frame(otlp_grpc.DATA, 0, 1, b"\x00\x00\x10\x00\x00" + bytes(100)))
        statuses = [payload for kind, _, stream, payload in otlp_grpc.frames_of(dripping)
                    if kind == otlp_grpc.HEADERS and stream == 1]
        assert len(statuses) == 1  # DEADLINE_EXCEEDED, and then the connection is idle and closed
        assert list(otlp_grpc.frames_of(half))[-1:] != [None] and list(otlp_grpc.frames_of(silent)) is not None
    assert program.metrics()["telex_grpc_requests_total"][("code=DEADLINE_EXCEEDED",)] == 1
    assert otlp_grpc.export(channel, "metrics", gauge("after", 1)) == {}


def test_too_many_streams_and_resets_leak_nothing(start_receiver, tmp_path):
    program, channel = start_receiver()
    before = program.metrics().get("telex_memory_budget_used_bytes", {}).get((), 0)
    with dial(program) as sock:
        start = b"\x00\x01\x00\x00\x00" + bytes(12000)
        streams = range(1, 2 * 80, 2)
        sock.sendall(otlp_grpc.opening() + b"".join(
            otlp_grpc.request_headers(stream) + otlp_grpc.frame(otlp_grpc.DATA, 0, stream, start) for stream in streams))
        refused_streams = set()
        for kind, _, stream, _ in otlp_grpc.frames_of(sock):
            if kind == otlp_grpc.RST_STREAM:
                refused_streams.add(stream)
            if len(refused_streams) == 80 - 64:
                break
        assert min(refused_streams) > 2 * 64
        sock.sendall(b"".join(otlp_grpc.frame(otlp_grpc.RST_STREAM, 0, stream, b"\x00\x00\x00\x08") for stream in range(1, 129, 2)))
        sock.sendall(otlp_grpc.request_headers(301, flags=otlp_grpc.END_HEADERS | otlp_grpc.END_STREAM))
        assert any(stream == 301 for _, _, stream, _ in otlp_grpc.frames_of(sock))
    net.wait_until("no connection", lambda: program.metrics()["telex_grpc_connections"][()] == 0)
    assert program.metrics().get("telex_memory_budget_used_bytes", {}).get((), 0) <= before
    assert otlp_grpc.export(channel, "metrics", gauge("after", 1)) == {}
