"""What is known of metrics (type, help, unit) goes through the log, whatever they came in and go out as."""

import socket
import struct
import time

import pytest
import snappy

import net
import otlp
import otlp_public
import remote_write
import remote_write_2
from fakes import Answer, Fake
from telex import FAST_RETRY, remote_write_exporter
from test_receive import Sender

SECOND = 10**9
NOW = int(time.time())  # pages leave out what is old
HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}


def number(value):
    return {"timeUnixNano": NOW * SECOND, "asDouble": value}


METRICS = [
    {"name": "requests_total", "description": "How many.", "unit": "{request}",
     "sum": {"dataPoints": [number(7.0)], "aggregationTemporality": 2, "isMonotonic": True}},
    {"name": "queue", "unit": "By", "sum": {"dataPoints": [number(3.0)], "aggregationTemporality": 2}},
    {"name": "since", "sum": {"dataPoints": [number(2.0)], "aggregationTemporality": 1, "isMonotonic": True}},
    {"name": "latency", "description": "How long.", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [
        {"timeUnixNano": NOW * SECOND, "count": 3, "sum": 1.5, "bucketCounts": [1, 2], "explicitBounds": [0.5]}]}},
    {"name": "size", "summary": {"dataPoints": [{"timeUnixNano": NOW * SECOND, "count": 2, "sum": 3.0,
                                                 "quantileValues": [{"quantile": 0.5, "value": 1.0}]}]}},
    {"name": "plain", "gauge": {"dataPoints": [number(1.0)]}},
]
FAMILIES = {"requests_total": ("counter", "How many.", "{request}"), "queue": ("gauge", "", "By"), "since": ("gauge", "", ""),
            "latency": ("histogram", "How long.", "s"), "size": ("summary", "", ""), "plain": ("gauge", "", "")}
SERIES = {"requests_total": "requests_total", "queue": "queue", "since": "since", "latency_bucket": "latency",
          "latency_sum": "latency", "latency_count": "latency", "size": "size", "size_sum": "size", "size_count": "size",
          "plain": "plain"}


class Collector(Fake):
    """OTLP over HTTP: `metrics` are {name: (kind, monotonic, temporality, description, unit)}."""

    def __init__(self, port=None):
        super().__init__(port)
        self.metrics = {}

    def answer(self, request):
        try:
            message = otlp_public.decode("metrics", request.body())
            otlp.check_metrics(message)
        except ValueError as error:
            return self.violation(str(error))
        for metric in (m for r in message["resourceMetrics"] for s in r["scopeMetrics"] for m in s["metrics"]):
            kind = next(kind for kind in ("gauge", "sum") if kind in metric)
            data = metric[kind]
            self.metrics[metric["name"]] = (kind, data.get("isMonotonic", False), data.get("aggregationTemporality", 0),
                                            metric.get("description", ""), metric.get("unit", ""))
        return Answer(200, b"", {"Content-Type": "application/x-protobuf"})


class Store(Fake):
    """Remote write 1.0 that keeps what requests say of families."""

    def __init__(self, port=None):
        super().__init__(port)
        self.families, self.names = {}, set()

    def answer(self, request):
        try:
            body = snappy.uncompress(request.raw)
            for series in remote_write.decode(body):
                remote_write.check_series(series)
                self.names.add(dict(series.labels)["__name__"])
            self.families.update(remote_write.metadata(body))
        except remote_write.WireError as error:
            return self.violation(str(error))
        return Answer(204)


@pytest.fixture
def outputs():
    """Whoever takes metrics with what is known of them: {name: fake}."""
    otlp_public.use()
    fakes = {"otlp": Collector(), "rw1": Store(), "renamed": Store(), "some": Store(), "rw2": remote_write_2.Sink()}
    for fake in fakes.values():
        fake.start()
    yield fakes
    for fake in fakes.values():
        fake.stop()
    assert {name: fake.violations for name, fake in fakes.items() if fake.violations} == {}


def exporters(outputs, page_port):
    def store(name):
        return remote_write_exporter(outputs[name].url + "/api/v1/write")

    return {
        "otlp": {"type": "otlp", "url": outputs["otlp"].url, "service_name": "t", **FAST_RETRY},
        "rw1": store("rw1"),
        "renamed": {"type": "relabel", "exporter": store("renamed"), "relabel_configs": [
            {"source_labels": ["__name__"], "regex": "latency(.*)", "target_label": "__name__", "replacement": "time$1"},
            {"source_labels": ["__name__"], "regex": "queue", "action": "drop"}]},
        "some": store("some"),
        "rw2": {"type": "remote_write", "url": outputs["rw2"].url, "version": 2, **FAST_RETRY},
        "page": {"type": "prometheus", "mode": "pull", "metrics_port": page_port, "stale_after": "1h"},  # a run takes long
    }


ROUTES = [{"match": '__name__ == "requests_total" or __name__ == "plain"', "to": ["some"], "continue": True},
          {"to": ["otlp", "rw1", "renamed", "rw2", "page"]}]


def start(start_telex, outputs, **receive):
    port = net.free_port()
    program = start_telex({"receive": receive, "exporters": exporters(outputs, port), "routes": ROUTES})
    return program, f"http://127.0.0.1:{port}/metrics"


def push_otlp(program):
    message = {"resourceMetrics": [{"scopeMetrics": [{"metrics": METRICS}]}]}
    assert net.post(program.url + "/v1/metrics", otlp.encode("MetricsRequest", message),
                    headers={"Content-Type": "application/x-protobuf"}).status == 200


def wait(outputs):
    net.wait_until("all of it everywhere", lambda: outputs["rw1"].names >= set(SERIES) and len(outputs["otlp"].metrics) >= len(SERIES)
                   and {row[0]["__name__"] for row in outputs["rw2"].rows} >= set(SERIES)
                   and "plain" in outputs["renamed"].names and "plain" in outputs["some"].names)


def check(outputs, page):
    """The families of METRICS, as everybody says them."""
    assert outputs["rw1"].families == FAMILIES
    assert outputs["some"].families == {name: FAMILIES[name] for name in ("requests_total", "plain")}
    renamed = {"time" if name == "latency" else name: said for name, said in FAMILIES.items() if name != "queue"}
    assert outputs["renamed"].families == renamed
    assert {row[0]["__name__"]: row[2] for row in outputs["rw2"].rows} == {name: FAMILIES[of] for name, of in SERIES.items()}
    totals = {"requests_total", "latency_bucket", "latency_sum", "latency_count", "size_sum", "size_count"}
    for name, (kind, monotonic, temporality, description, unit) in outputs["otlp"].metrics.items():
        assert (kind, monotonic, temporality) == (("sum", True, 2) if name in totals else ("gauge", False, 0)), name
        said = FAMILIES[SERIES[name]]
        assert description == said[1] and unit == ("" if name.endswith(("_bucket", "_count")) else said[2]), name
    lines = net.get(page).body.decode().splitlines()
    assert "# HELP requests_total How many." in lines and "# TYPE requests_total counter" in lines
    assert "# TYPE plain gauge" in lines and "# TYPE queue gauge" in lines


def test_from_otlp_to_everywhere(outputs, start_telex):
    program, page = start(start_telex, outputs, otlp=True)
    push_otlp(program)
    wait(outputs)
    check(outputs, page)


def test_through_two_of_us(outputs, start_telex):
    """The first sends remote write 1.0, as it lies in its log, to the second."""
    second, page = start(start_telex, outputs, remote_write=True)
    first = start_telex({"receive": {"otlp": True}, "exporters": {"next": remote_write_exporter(second.url + "/api/v1/write")}})
    push_otlp(first)
    wait(outputs)
    check(outputs, page)


def test_from_remote_write_2(outputs, start_telex):
    second, page = start(start_telex, outputs, remote_write=True)
    first = start_telex({"receive": {"otlp": True}, "exporters": {
        "next": {**remote_write_exporter(second.url + "/api/v1/write"), "version": 2}}})
    push_otlp(first)
    wait(outputs)
    check(outputs, page)


def field(number_, kind, value):
    tag = bytes([number_ << 3 | kind])
    return tag + (bytes([len(value)]) + value if kind == 2 else value)


def test_metadata_behind_the_series_of_a_foreign_sender(outputs, start_telex):
    program, page = start(start_telex, outputs, remote_write=True)
    sample = field(2, 2, field(1, 1, struct.pack("<d", 7.0)) + field(2, 0, otlp.write_varint(NOW * 1000)))
    series = b"".join(field(1, 2, field(1, 2, field(1, 2, b"__name__") + field(2, 2, name)) + sample)
                      for name in (b"requests_total", b"latency_count", b"unknown", b"plain"))
    said = (field(3, 2, field(1, 0, b"\x01") + field(2, 2, b"requests_total") + field(4, 2, b"How many."))
            + field(3, 2, field(1, 0, b"\x03") + field(2, 2, b"latency")) + field(3, 2, field(1, 0, b"\x02") + field(2, 2, b"absent")))
    assert net.post(program.url + "/api/v1/write", snappy.compress(series + said), headers=HEADERS).status == 204
    net.wait_until("it", lambda: len(outputs["otlp"].metrics) == 4 and len(outputs["rw2"].rows) == 4
                   and len(outputs["rw1"].names) == 4 and len(outputs["renamed"].names) == 4 and len(outputs["some"].names) == 2)
    assert outputs["otlp"].metrics["requests_total"] == ("sum", True, 2, "How many.", "")
    assert outputs["otlp"].metrics["unknown"][0] == "gauge"
    assert outputs["renamed"].families == {"requests_total": ("counter", "How many.", ""), "time": ("histogram", "", "")}
    assert outputs["some"].families == {"requests_total": ("counter", "How many.", "")}
    assert {row[0]["__name__"]: row[2] for row in outputs["rw2"].rows}["unknown"] is None
    assert "# TYPE requests_total counter" in net.get(page).body.decode().splitlines()


def test_from_statsd(outputs, start_telex):
    port = net.free_port()
    _, page = start(start_telex, outputs, statsd={"listen": f"127.0.0.1:{port}", "flush_interval": "200ms"})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"hits:1|c\nfuel:10|g\nreq:5|ms", ("127.0.0.1", port))
    net.wait_until("it", lambda: {"hits", "fuel", "req", "req_count", "req_sum"} <= set(outputs["otlp"].metrics)
                   and "req" in outputs["rw1"].families)
    assert outputs["otlp"].metrics["hits"][:3] == ("sum", True, 2) and outputs["otlp"].metrics["fuel"][0] == "gauge"
    assert outputs["rw1"].families == {"hits": ("counter", "", ""), "fuel": ("gauge", "", ""), "req": ("summary", "", "")}
    assert "# TYPE hits counter" in net.get(page).body.decode().splitlines()


def test_from_prometheus_which_says_it_apart(outputs, start_telex, tmp_path):
    """Prometheus' remote write 1.0: samples that say nothing, and now and then requests that say what they are."""
    program, page = start(start_telex, outputs, remote_write=True)
    sender = Sender(tmp_path, program.url + "/api/v1/write", metadata_config={"send": True, "send_interval": "1s"}).start()
    try:
        net.wait_until("counters", lambda: outputs["otlp"].metrics.get("prometheus_http_requests_total", ("",))[0] == "sum"
                       and "go_goroutines" in outputs["rw1"].families and "go_gc_duration_seconds" in outputs["renamed"].families, 30)
    finally:
        sender.stop()
    said, help_of_routines = outputs["otlp"].metrics, "Number of goroutines that currently exist."
    assert said["prometheus_http_requests_total"] == ("sum", True, 2, "Counter of HTTP requests.", "")
    assert said["go_goroutines"] == ("gauge", False, 0, help_of_routines, "")
    assert said["prometheus_http_request_duration_seconds_bucket"][0] == "sum" and said["go_gc_duration_seconds_count"][0] == "sum"
    assert said["go_gc_duration_seconds"][0] == "gauge"
    assert outputs["rw1"].families["go_gc_duration_seconds"][0] == outputs["renamed"].families["go_gc_duration_seconds"][0] == "summary"
    metas = {row[0]["__name__"]: row[2] for row in outputs["rw2"].rows}
    assert metas["go_goroutines"] == ("gauge", help_of_routines, "")
    assert "# TYPE prometheus_http_requests_total counter" in net.get(page).body.decode().splitlines()


def test_who_need_not_know_gets_what_came(start_telex, start_rw_sink):
    """Where no output says types, a body goes on as it came though what is in it is known."""
    sink = start_rw_sink()
    program = start_telex({"receive": {"remote_write": True}, "exporters": {"out": remote_write_exporter(sink.url + "/api/v1/write")}})
    said = field(3, 2, field(1, 0, b"\x01") + field(2, 2, b"x_total") + field(4, 2, b"How many."))
    body = snappy.compress(remote_write.encode([((("__name__", "x_total"),), [(7.0, NOW * 1000)])]))
    for sent in (snappy.compress(said), body):
        assert net.post(program.url + "/api/v1/write", sent, headers=HEADERS).status == 204
    net.wait_until("it", lambda: sink.named("x_total"))
    assert [request.raw for request in sink.requests if request.method == "POST"] == [body]


def test_what_is_measured_of_us(outputs, start_telex, tmp_path):
    otlp_exporter = exporters(outputs, 0)["otlp"]
    program = start_telex({"receive": {"otlp": True}, "exporters": {
        "watched": {"type": "monitor", "exporter": {"type": "file", "output_directory": str(tmp_path / "out")},
                    "self_metrics_exporter": "own", "self_metrics_interval": "1s"}, "own": otlp_exporter},
        "routes": [{"to": ["watched"]}]})
    push_otlp(program)
    net.wait_until("what is measured", lambda: any(name.endswith("_total") for name in outputs["otlp"].metrics), 20)
    said = outputs["otlp"].metrics
    counters = {name: metric for name, metric in said.items() if name.endswith("_total")}
    assert {metric[:3] for metric in counters.values()} == {("sum", True, 2)} and all(metric[3] for metric in said.values())
    assert {metric[0] for name, metric in said.items() if name.endswith("_bucket")} <= {"sum"}
    assert "gauge" in {metric[0] for metric in said.values()}


def test_real_stores_take_it(start_telex, start_prometheus, start_victoria):
    """Samples and metadata in one request: what Prometheus itself sends apart."""
    stores = start_prometheus(), start_victoria()
    program = start_telex({"receive": {"otlp": True}, "exporters": {
        "prometheus": remote_write_exporter(stores[0].url + "/api/v1/write"), "victoria": remote_write_exporter(stores[1].write_url)}})
    now = {**METRICS[0], "sum": {**METRICS[0]["sum"], "dataPoints": [{"asDouble": 7.0}]}}  # without a time: now
    message = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [now]}]}]}
    assert net.post(program.url + "/v1/metrics", otlp.encode("MetricsRequest", message),
                    headers={"Content-Type": "application/x-protobuf"}).status == 200
    net.wait_until("the samples", lambda: stores[0].samples("requests_total") and stores[1].export("requests_total"), 30)
