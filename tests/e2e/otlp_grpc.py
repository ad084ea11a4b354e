"""gRPC peers made of python3-grpcio: a collector that our exporter sends to, and a client of our receiver.

Messages are bytes here: otlp.py reads and writes them, so that neither side shares code with the program under test.
"""

import concurrent.futures

import grpc

import net
import otlp

SERVICES = {"metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
            "traces": "opentelemetry.proto.collector.trace.v1.TraceService"}
REQUESTS = {"metrics": "MetricsRequest", "traces": "TracesRequest"}


def varint_field(number, value):
    return otlp.write_varint(number << 3) + otlp.write_varint(value)


def bytes_field(number, data):
    return otlp.write_varint(number << 3 | 2) + otlp.write_varint(len(data)) + data


def retry_info(code, message, seconds, nanos=0):
    """The bytes of a google.rpc.Status with a RetryInfo."""
    delay = bytes_field(1, varint_field(1, seconds) + varint_field(2, nanos))
    detail = bytes_field(1, b"type.googleapis.com/google.rpc.RetryInfo") + bytes_field(2, delay)
    return varint_field(1, code) + bytes_field(2, message.encode()) + bytes_field(3, detail)


class Refusal:
    """What a call of the collector is answered instead of OK."""

    def __init__(self, code, message, details=None):
        self.code, self.message, self.details = code, message, details


class Collector(grpc.GenericRpcHandler):
    """Takes OTLP over gRPC. What breaks a rule is kept in `violations`; `script` holds what calls are answered first:
    a Refusal, or the bytes of a response."""

    def __init__(self, credentials=None, max_bytes=4 << 20):
        self.points, self.spans, self.calls, self.violations, self.script = [], [], [], [], []
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4),
                                  options=[("grpc.max_receive_message_length", max_bytes)])
        self.server.add_generic_rpc_handlers((self,))
        where = f"{net.HOST}:0"
        self.port = (self.server.add_secure_port(where, credentials) if credentials
                     else self.server.add_insecure_port(where))
        self.server.start()

    def service(self, call):
        for signal, service in SERVICES.items():
            if call.method == f"/{service}/Export":
                return grpc.unary_unary_rpc_method_handler(lambda message, context: self.take(signal, message, context))
        return None

    def take(self, signal, message, context):
        self.calls.append((signal, dict(context.invocation_metadata()), context.time_remaining(), len(message)))
        answer = self.script.pop(0) if self.script else b""
        if isinstance(answer, Refusal):
            if answer.details is not None:
                context.set_trailing_metadata((("grpc-status-details-bin", answer.details),))
            context.abort(answer.code, answer.message)
        if message:
            self.read(signal, message)
        return answer

    def read(self, signal, message):
        try:
            request = otlp.decode(REQUESTS[signal], message)
            if signal == "metrics":
                self.points += otlp.check_metrics(request)
            else:
                self.spans += otlp.check_traces(request)
        except ValueError as error:
            self.violations.append(str(error))

    def stop(self):
        self.server.stop(0).wait()


def client(channel, signal):
    """A call that takes and gives bytes."""
    return channel.unary_unary(f"/{SERVICES[signal]}/Export")
