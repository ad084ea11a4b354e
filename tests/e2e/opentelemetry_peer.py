"""OpenTelemetry's own Python as a peer: a receiver by the public protos and stubs, and the SDK as a sender.

Runs by itself in the virtual environment of otlp_public.PACKAGES and shares nothing with the program under test.

    opentelemetry_peer.py collect OUT              a line of JSON per request; the first says the ports
    opentelemetry_peer.py send http|grpc ADDRESS   known metrics and spans; exits with 0 when all was taken
"""

import concurrent.futures
import http.server
import json
import logging
import sys
import threading

import grpc
import otlp_public
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_messages
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_service


class Out:
    """Lines of JSON, each written whole."""

    def __init__(self, path):
        self.file, self.lock = open(path, "w", encoding="utf-8"), threading.Lock()

    def take(self, signal, message):
        """What came over gRPC."""
        try:
            self.write(by="grpc", signal=signal, message=otlp_public.to_dict(message))
        except ValueError as problem:
            self.write(by="grpc", signal=signal, problem=repr(problem))

    def write(self, **line):
        with self.lock:
            self.file.write(json.dumps(line) + "\n")
            self.file.flush()


# ---- receiving ----

class Metrics(metrics_service.MetricsServiceServicer):
    def __init__(self, out):
        self.out = out

    def Export(self, request, context):
        self.out.take("metrics", request)
        return metrics_messages.ExportMetricsServiceResponse()


class Traces(trace_service.TraceServiceServicer):
    def __init__(self, out):
        self.out = out

    def Export(self, request, context):
        self.out.take("traces", request)
        return trace_messages.ExportTraceServiceResponse()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        kind, body = self.headers["Content-Type"], self.rfile.read(int(self.headers["Content-Length"]))
        signal = self.path.rsplit("/", 1)[1]
        try:
            message = otlp_public.read(signal, kind, self.headers["Content-Encoding"], body)
            self.server.out.write(by=kind, signal=signal, message=message)
            status = 200
        except (ValueError, KeyError) as problem:
            self.server.out.write(by=kind, signal=signal, problem=repr(problem))
            status = 400
        answer = b"{}" if kind == "application/json" else b""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def collect(path):
    out = Out(path)
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    metrics_service.add_MetricsServiceServicer_to_server(Metrics(out), server)
    trace_service.add_TraceServiceServicer_to_server(Traces(out), server)
    grpc_port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.out = out
    out.write(http=web.server_port, grpc=grpc_port)
    web.serve_forever()


# ---- sending ----

def exporters(protocol, address):
    # pylint: disable=import-outside-toplevel
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return OTLPMetricExporter(endpoint=address, insecure=True), OTLPSpanExporter(endpoint=address, insecure=True)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPMetricExporter(endpoint=address + "/v1/metrics"), OTLPSpanExporter(endpoint=address + "/v1/traces")


def record_metrics(meter):
    requests = meter.create_counter("http.requests", unit="{request}", description="How many.")
    for value, attributes in ((3, {"code": "200"}), (4, {"code": "200"}), (1, {"code": "500", "größe": "漢"})):
        requests.add(value, attributes)
    queue = meter.create_up_down_counter("queue.size", unit="By")
    queue.add(10)
    queue.add(-4)
    latency = meter.create_histogram("latency", unit="s", description="How long.")
    for value in (0.5, 7, 70, 20000):
        latency.record(value)
    meter.create_gauge("temperature").set(-1.5)


def record_spans(tracer):
    # pylint: disable=import-outside-toplevel
    from opentelemetry import trace

    with tracer.start_as_current_span("outer", kind=trace.SpanKind.SERVER, attributes={"http.status": 500}) as outer:
        outer.add_event("boom", {"why": "none"})
        with tracer.start_as_current_span("inner", links=[trace.Link(outer.get_span_context())]) as inner:
            inner.set_status(trace.Status(trace.StatusCode.ERROR, "bad"))
            inner.set_attribute("list", ["a", "b"])


def send(protocol, address):
    # pylint: disable=import-outside-toplevel
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    said = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = said.append
    logging.getLogger("opentelemetry").addHandler(handler)
    of_metrics, of_spans = exporters(protocol, address)
    resource = Resource.create({"service.name": "shop", "service.instance.id": "one"})
    meters = MeterProvider(
        resource=resource, metric_readers=[PeriodicExportingMetricReader(of_metrics, export_interval_millis=10**7)])
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(of_spans))
    record_metrics(meters.get_meter("lib", "1.0"))
    record_spans(tracers.get_tracer("lib", "1.0"))
    taken = meters.force_flush() and tracers.force_flush()
    for record in said:
        print(record.getMessage())
    meters.shutdown()
    tracers.shutdown()
    return 0 if taken and not said else 1


if __name__ == "__main__":
    sys.exit({"collect": collect, "send": send}[sys.argv[1]](*sys.argv[2:]))
