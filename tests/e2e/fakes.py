"""Receivers and a datasource that we wrote ourselves: scriptable, strict, and they remember everything.

`Webhook`           records requests and answers from a script of statuses
`InfluxV2`          /api/v2/write with token authentication and the strict line reader
`RemoteWriteSink`   remote write 1.0 with the strict reader and order checks across requests
`FakeProm`          a Prometheus query API whose answers come from a Python function of (query, time)

A strict server answers what a real one would and also keeps what was wrong in `violations`, which a test asserts to
be empty. All listen on loopback with one thread per connection; recorded lists are only appended to.
"""

import contextlib
import errno
import gzip
import json
import socket
import threading
import time
import urllib.parse
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import snappy

import lineproto
import net
import remote_write


class Answer:
    """What to answer to one request.

    `delay` seconds pass before anything is sent; `drop` closes the connection without an answer;
    `truncate` sends only that many body bytes of the announced length, then closes; `hang` never answers
    while the server is up.
    """

    def __init__(self, status=200, body=b"", headers=None, delay=0.0, drop=False, truncate=None, hang=False):
        self.status = status
        self.body = body if isinstance(body, bytes) else body.encode()
        self.headers = headers or {}
        self.delay = delay
        self.drop = drop
        self.truncate = truncate
        self.hang = hang


def json_answer(value, status=200):
    return Answer(status, json.dumps(value), {"Content-Type": "application/json"})


class Request:
    """One received request. `when` is time.time() at arrival of the headers; `status` what was answered."""

    def __init__(self, handler, body):
        parts = urllib.parse.urlsplit(handler.path)
        self.when = time.time()
        self.method = handler.command
        self.path = parts.path
        self.params = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
        self.headers = handler.headers
        self.raw = body
        self.status = None
        self.completed = False

    def body(self):
        """The body after Content-Encoding gzip or deflate is undone."""
        encoding = (self.headers.get("Content-Encoding") or "identity").lower()
        if encoding == "gzip":
            return gzip.decompress(self.raw)
        if encoding == "deflate":
            return zlib.decompress(self.raw)
        return self.raw

    def json(self):
        return json.loads(self.body())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True
    wbufsize = 65536

    def log_message(self, *_):
        pass

    def _serve(self):
        fake = self.server.fake
        if "chunked" in (self.headers.get("Transfer-Encoding") or ""):
            self.send_error(411)
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length or fake.closing.is_set():
            self.close_connection = True
            return
        request = Request(self, body)
        answer = fake.receive(request)
        if answer.hang:
            fake.closing.wait()
            answer.drop = True
        if answer.delay:
            fake.closing.wait(answer.delay)
        if answer.drop or fake.closing.is_set():
            self.close_connection = True
            self.connection.close()
            return
        request.status = answer.status
        self._send(request, answer)

    def _send(self, request, answer):
        try:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status not in (204, 304):
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if answer.truncate is not None:
                self.wfile.write(answer.body[:answer.truncate])
                self.close_connection = True
            elif answer.status not in (204, 304):
                self.wfile.write(answer.body)
            self.wfile.flush()
            request.completed = answer.truncate is None
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = _serve


PORT_PATIENCE = 10.0


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def process_request_thread(self, request, client_address):
        with self.fake.connected():
            super().process_request_thread(request, client_address)

    def handle_error(self, request, client_address):
        """A client that was killed mid-request is part of the tests, not worth a traceback."""


class Fake:
    """A loopback HTTP server. Subclasses override answer(request), or `handler` for what happens before it."""

    handler = Handler

    def __init__(self, port=None):
        self.port = port or net.free_port()
        self.requests = []
        self.violations = []
        self.script = []
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.connections = 0
        self._server = None

    @property
    def url(self):
        return f"http://{net.HOST}:{self.port}"

    def _listen(self):
        """Another program may have the port for a moment: an outgoing connection, a probe for a free one."""
        deadline = time.monotonic() + PORT_PATIENCE
        while True:
            try:
                return _HTTPServer((net.HOST, self.port), self.handler)
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def up(self):
        """Listens. After down() it listens on the same port again."""
        self.closing.clear()
        self._server = self._listen()
        self._server.fake = self
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def down(self):
        """Stops listening and lets waiting answers go: new connections are refused."""
        if self._server is not None:
            self.closing.set()
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    start, stop = up, down

    @contextlib.contextmanager
    def connected(self):
        """Counts the open connections in `connections`."""
        with self.lock:
            self.connections += 1
        try:
            yield
        finally:
            with self.lock:
                self.connections -= 1

    def receive(self, request):
        """Records a request and decides its answer: the script first, then answer()."""
        with self.lock:
            self.requests.append(request)
            scripted = self.script.pop(0) if self.script else None
            if isinstance(scripted, int):
                scripted = Answer(scripted)
            return scripted or self.answer(request)

    def answer(self, request):
        return Answer(200)

    def violation(self, message):
        self.violations.append(message)
        return Answer(400, message)


class Webhook(Fake):
    """Takes any POST. `accepted()` are the JSON bodies of requests that were answered 2xx, in order."""

    def accepted(self):
        return [request.json() for request in list(self.requests)
                if request.status is not None and 200 <= request.status < 300]


class InfluxV2(Fake):
    """POST /api/v2/write?org=&bucket=&precision= with `Authorization: Token ...`.

    Like InfluxDB 2 a whole request is refused when one line is bad. Rows are kept in `rows`, and the last
    value of each point (measurement, tags, time) in `points`.
    """

    WRITE = "/api/v2/write"
    SCHEME = "Token"
    PRECISIONS = {"none": "ns", "ns": "ns", "us": "us", "ms": "ms", "s": "s"}

    def __init__(self, org="acme", bucket="alerts_db", token="s3cret", port=None):
        super().__init__(port)
        self.org, self.bucket, self.token = org, bucket, token
        self.rows = []
        self.points = {}

    def answer(self, request):
        refused = self._refusal(request)
        if refused:
            return refused
        precision = self.PRECISIONS.get(request.params.get("precision", ["none"])[0])
        if precision is None:
            return self.violation(f"precision {request.params.get('precision')!r}")
        try:
            rows = lineproto.decode(request.body(), precision)
        except (lineproto.LineError, OSError, EOFError, zlib.error) as error:
            return self.violation(str(error))
        if not rows:
            return self.violation("no points in the request")
        self.rows += rows
        for row in rows:
            self.points[row.key()] = row
        return Answer(204)

    def _refusal(self, request):
        if request.method == "GET" and request.path == "/ping":
            return Answer(204)
        if request.method != "POST" or request.path != self.WRITE:
            self.violation(f"{request.method} {request.path}")
            return Answer(404, "not found")
        if request.headers.get("Authorization") != f"{self.SCHEME} {self.token}":
            return Answer(401, '{"code":"unauthorized"}')
        refused = self._place(request)
        if refused:
            return refused
        kind = (request.headers.get("Content-Type") or "text/plain").split(";")[0]
        if kind not in ("text/plain", "application/octet-stream"):
            return self.violation(f"Content-Type {kind!r}")
        if (request.headers.get("Content-Encoding") or "identity") not in ("identity", "gzip"):
            return self.violation("Content-Encoding")
        return None

    def _place(self, request):
        for name, wanted in (("org", self.org), ("bucket", self.bucket)):
            if request.params.get(name) != [wanted]:
                return Answer(404, f'{{"code":"not found","message":"{name} not found"}}')
        return None


class InfluxV3(InfluxV2):
    """POST /api/v3/write_lp?db=&precision= with `Authorization: Bearer ...`: a database is made when it is not there, and a
    request that has a bad line is refused, as with accept_partial=false."""

    WRITE = "/api/v3/write_lp"
    SCHEME = "Bearer"
    PRECISIONS = {"nanosecond": "ns", "microsecond": "us", "millisecond": "ms", "second": "s"}

    def _place(self, request):
        if not request.params.get("db", [""])[0] or {"org", "bucket", "rp"} & set(request.params):
            return self.violation(f"parameters {sorted(request.params)}")
        return None


class RemoteWriteSink(Fake):
    """POST /api/v1/write. `samples` maps sorted label pairs to [Sample] in order of arrival.

    The same sample sent again (same time, same bits) is a permitted duplicate and is not stored twice; an
    older sample, or another value for a stored time, is a violation.
    """

    HEADERS = (("Content-Encoding", "snappy"), ("Content-Type", "application/x-protobuf"),
               ("X-Prometheus-Remote-Write-Version", "0.1.0"))

    def __init__(self, port=None):
        super().__init__(port)
        self.samples = {}
        self.duplicates = 0

    def answer(self, request):
        if request.method == "GET" and request.path == "/-/healthy":
            return Answer(200)
        if request.method != "POST" or request.path != "/api/v1/write":
            self.violation(f"{request.method} {request.path}")
            return Answer(404)
        for name, wanted in self.HEADERS:
            if request.headers.get(name) != wanted:
                return self.violation(f"{name}: {request.headers.get(name)!r}, not {wanted!r}")
        if not request.headers.get("User-Agent"):
            return self.violation("no User-Agent")
        try:
            self.store(remote_write.decode(snappy.uncompress(request.raw)))
        except (remote_write.WireError, snappy.UncompressError) as error:
            return self.violation(str(error))
        return Answer(204)

    def store(self, request_series):
        last = {}
        for series in request_series:
            remote_write.check_series(series)
            # A series may come again in a request, as Prometheus itself sends it, but only with later times.
            if series.samples[0].time_ms <= last.get(series.key, float("-inf")):
                raise remote_write.WireError(f"series twice in one request, not in order: {series.key}")
            last[series.key] = series.samples[-1].time_ms
            kept = self.samples.setdefault(series.key, [])
            for sample in series.samples:
                self._keep(series.key, kept, sample)

    def _keep(self, key, kept, sample):
        if not kept or sample.time_ms > kept[-1].time_ms:
            kept.append(sample)
        elif any(old.time_ms == sample.time_ms and old.bits == sample.bits for old in kept):
            self.duplicates += 1
        else:
            raise remote_write.WireError(f"{key}: {sample} after {kept[-1]}")

    def named(self, name, **labels):
        """{labels: samples} of the series with this metric name and these labels."""
        wanted = {("__name__", name), *labels.items()}
        return {key: list(samples) for key, samples in dict(self.samples).items() if wanted <= set(key)}


class Query:
    """One query that FakeProm got: the text, the time asked for (ns), when it came, and what was answered."""

    def __init__(self, request, text, time_ns):
        self.request = request
        self.text = text
        self.time_ns = time_ns
        self.when = request.when
        self.vector = None

    @property
    def completed(self):
        """The whole answer was handed to the kernel, so the client may have read it."""
        return self.request.completed and self.vector is not None


class FakeProm(Fake):
    """/api/v1/query by GET or POST. `respond(text, time_ns)` gives a list of (labels dict, value), or an Answer.

    Values may be floats or texts; NaN and Inf are written as Prometheus writes them.
    """

    def __init__(self, respond=None, port=None):
        super().__init__(port)
        self.respond = respond or (lambda text, time_ns: [])
        self.queries = []

    def answer(self, request):
        if request.path == "/api/v1/query" and request.method in ("GET", "POST"):
            return self._query(request)
        if request.path in ("/-/ready", "/-/healthy"):
            return Answer(200, "ready")
        if request.path == "/api/v1/status/buildinfo":
            return json_answer({"status": "success", "data": {"version": "2.42.0"}})
        return Answer(404, "404 page not found")

    def _query(self, request):
        params = dict(request.params)
        kind = (request.headers.get("Content-Type") or "").split(";")[0]
        if kind == "application/x-www-form-urlencoded":
            params.update(urllib.parse.parse_qs(request.raw.decode(), keep_blank_values=True))
        if not params.get("query") or not params["query"][0]:
            self.violation("query without text")
            return self.error("bad_data", "parse error: no expression found in input", 400)
        time_ns = parse_time(params["time"][0]) if "time" in params else int(request.when * 1e9)
        query = Query(request, params["query"][0], time_ns)
        self.queries.append(query)
        vector = self.respond(query.text, time_ns)
        if isinstance(vector, Answer):
            return vector
        query.vector = vector
        return vector_answer(vector, time_ns)

    @staticmethod
    def error(kind, message, status=422):
        return json_answer({"status": "error", "errorType": kind, "error": message}, status)


def vector_answer(vector, time_ns, **extra):
    """A Prometheus instant-vector answer; extra keys (isPartial, warnings...) stand beside data."""
    result = [{"metric": labels, "value": [time_ns / 1e9, value_text(value)]} for labels, value in vector]
    return json_answer({"status": "success", "data": {"resultType": "vector", "result": result}, **extra})


def value_text(value):
    if isinstance(value, str):
        return value
    value = float(value)
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def parse_time(text):
    """A query's time argument (seconds with fraction, or RFC 3339) in nanoseconds, without float rounding."""
    if "T" in text:
        return net.parse_rfc3339(text)
    whole, _, fraction = text.partition(".")
    sign = -1 if whole.startswith("-") else 1
    if "e" in text.lower():
        return int(float(text) * 1e9)
    return int(whole) * 10**9 + sign * int((fraction + "000000000")[:9])


def refused(port):
    """Whether nothing listens on the loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex((net.HOST, port)) != 0
