"""gRPC peers made of python3-grpcio: a collector that our exporter sends to, and a client of our receiver.

Messages are bytes here: otlp_public.py reads requests and otlp.py writes them, so that neither side shares code with the program
under test.
"""

import concurrent.futures

import grpc

import net
import otlp
import otlp_public

SERVICES = {"metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
            "traces": "opentelemetry.proto.collector.trace.v1.TraceService"}
REQUESTS = {"metrics": "MetricsRequest", "traces": "TracesRequest"}


def varint_field(number, value):
    return otlp.write_varint(number << 3) + otlp.write_varint(value)


def bytes_field(number, data):
    return otlp.write_varint(number << 3 | 2) + otlp.write_varint(len(data)) + data


def retry_info(code, message, seconds, nanos=0):
    """The bytes of a google.rpc.Status with a RetryInfo."""
    delay = bytes_field(1, varint_field(1, seconds) + (varint_field(2, nanos) if nanos else b""))
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
        otlp_public.use()
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
            request = otlp_public.decode(signal, message)
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


def export(channel, signal, message, **options):
    """Sends a message, bytes or a dict, and gives the response as a dict."""
    data = message if isinstance(message, bytes) else otlp.encode(REQUESTS[signal], message)
    return otlp.decode("Response", client(channel, signal)(data, timeout=10, **options))


# ---- HTTP/2 by hand, for what no library does ----

DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name, value):
    """A header of HPACK that is in no table."""
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def request_headers(stream, signal="metrics", flags=END_HEADERS):
    pairs = [(":method", "POST"), (":scheme", "http"), (":path", f"/{SERVICES[signal]}/Export"), (":authority", "x"),
             ("content-type", "application/grpc"), ("te", "trailers")]
    return frame(HEADERS, flags, stream, b"".join(literal(*pair) for pair in pairs))


def opening():
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)


def frames_of(sock):
    """(kind, flags, stream, payload) of what comes until the end or the socket's timeout."""
    data = b""
    while True:
        while len(data) < 9 or len(data) < 9 + int.from_bytes(data[:3], "big"):
            part = sock.recv(65536)
            if not part:
                return
            data += part
        size = int.from_bytes(data[:3], "big")
        yield data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:9 + size]
        data = data[9 + size:]
