"""Strict receivers of vendors that no test can reach, written from their published schemas.

`Datadog`   POST /api/v2/series, POST /api/v1/distribution_points, GET /api/v1/validate
`DatadogAgent`  PUT /v0.4/traces
`DatadogOtlp`  POST /v1/traces, POST /v1/metrics
`NewRelic`  POST /metric/v1, /v1/accounts/ID/events, /trace/v1

Whatever the schema or the limits do not allow is answered as the vendor would and kept in `violations`.
"""

import gzip
import json
import math
import re
import struct
import subprocess
import time
import zlib

import otlp
from fakes import Answer, Fake, json_answer


def refuse_constant(text):
    raise ValueError(f"{text} is no JSON")


def unique(pairs):
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise ValueError(f"a name twice in {names}")
    return dict(pairs)


def parse(raw):
    return json.loads(raw.decode("utf-8"), parse_constant=refuse_constant, object_pairs_hook=unique)


class Wrong(Exception):
    pass


def need(is_right, message):
    if not is_right:
        raise Wrong(message)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def unzstd(data):
    done = subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=False, timeout=30)
    need(done.returncode == 0, f"no zstd: {done.stderr.decode()}")
    return done.stdout


UNPACK = {"identity": bytes, "gzip": gzip.decompress, "deflate": zlib.decompress, "zstd1": unzstd}


def unpacked(request, encodings, content_type="application/json"):
    """The body's bytes; Wrong when it is not what its headers say."""
    encoding = request.headers.get("Content-Encoding") or "identity"
    need(encoding in ("identity", *encodings), f"Content-Encoding {encoding!r}")
    need((request.headers.get("Content-Type") or "").split(";")[0] == content_type, "Content-Type")
    try:
        return UNPACK[encoding](request.raw)
    except (OSError, EOFError, zlib.error) as error:
        raise Wrong(str(error)) from error


class Datadog(Fake):
    """`points` is a list of (metric, host, tags, time, value, type), `values` of (metric, host, tags, time, value) of
    distributions."""

    RAW_MAX, PACKED_MAX = 5242880, 512000
    KEY = "0123456789abcdef0123456789abcdef"
    SERIES = {"metric", "type", "points", "resources", "tags", "unit", "interval", "source_type_name", "metadata"}
    DISTRIBUTION = {"metric", "type", "points", "host", "tags"}

    def __init__(self, port=None):
        super().__init__(port)
        self.points, self.values = [], []
        self.takers = {"/api/v2/series": self.take_series, "/api/v1/distribution_points": self.take_distributions}

    def answer(self, request):
        if request.headers.get("DD-API-KEY") != self.KEY:
            return json_answer({"errors": ["Forbidden"]}, 403)
        if (request.method, request.path) == ("GET", "/api/v1/validate"):
            return json_answer({"valid": True})
        if request.method != "POST" or request.path not in self.takers:
            self.violation(f"{request.method} {request.path}")
            return Answer(404)
        try:
            return self.takers[request.path](request)
        except (Wrong, ValueError) as error:
            return self.violation(str(error))

    def series_of(self, request, encodings):
        raw = unpacked(request, encodings)
        if len(request.raw) > self.PACKED_MAX or len(raw) > self.RAW_MAX:
            raise Wrong(f"{len(request.raw)} bytes, {len(raw)} unpacked")
        body = parse(raw)
        need(set(body) == {"series"} and body["series"], "series")
        return body["series"]

    def take_series(self, request):
        rows = self.series_of(request, ("gzip", "deflate", "zstd1"))
        self.points += [point for series in rows for point in self.read_series(series)]
        return json_answer({"errors": []}, 202)

    def take_distributions(self, request):
        rows = self.series_of(request, ("deflate",))
        self.values += [value for series in rows for value in self.read_distribution(series)]
        return json_answer({"status": "ok"}, 202)

    @staticmethod
    def check_head(series, members):
        need(set(series) <= members, f"members {sorted(series)}")
        need(re.fullmatch(r"[A-Za-z][A-Za-z0-9_.]{0,199}", series["metric"]), f"name {series['metric']!r}")
        for tag in series.get("tags", []):
            need(re.fullmatch(r"[^\W\d_][\w\-:./]*", tag) and len(tag) <= 200, f"tag {tag!r}")
        need(series["points"], "no points")

    @staticmethod
    def check_second(timestamp):
        now = time.time()
        need(isinstance(timestamp, int) and now - 3600 - 60 <= timestamp <= now + 600 + 60, f"time {timestamp!r}")

    def read_distribution(self, series):
        self.check_head(series, self.DISTRIBUTION)
        need(series.get("type", "distribution") == "distribution", "type")
        need(isinstance(series.get("host", "h"), str) and series.get("host", "h"), "host")
        for point in series["points"]:
            need(isinstance(point, list) and len(point) == 2, f"point {point!r}")
            timestamp, values = point
            self.check_second(timestamp)
            need(isinstance(values, list) and values and all(map(is_number, values)), f"values {values!r}")
            for value in values:
                yield series["metric"], series.get("host"), tuple(series.get("tags", [])), timestamp, value

    def read_series(self, series):
        self.check_head(series, self.SERIES)
        need(series.get("type") in (0, 1, 2, 3), "type")
        need(series["type"] not in (1, 2) or series.get("interval", 0) > 0, "an interval is needed")
        need(isinstance(series.get("interval", 0), int), "interval")
        need(isinstance(series.get("unit", ""), str), "unit")
        resources = series.get("resources", [])
        need(all(set(one) == {"type", "name"} and one["name"] for one in resources), "resources")
        host = next((one["name"] for one in resources if one["type"] == "host"), None)
        for point in series["points"]:
            yield (series["metric"], host, tuple(series.get("tags", [])), *self.read_point(point), series["type"])

    def read_point(self, point):
        need(set(point) == {"timestamp", "value"} and is_number(point["value"]), "point")
        self.check_second(point["timestamp"])
        return point["timestamp"], point["value"]


class Packed:
    """A strict reader of MessagePack: the shortest form of lengths and integers, no extensions, nothing behind."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        need(self.at + count <= len(self.data), "cut off")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, size, signed=False):
        return int.from_bytes(self.take(size), "big", signed=signed)

    def whole(self):
        value = self.value()
        need(self.at == len(self.data), "bytes behind the end")
        return value

    def value(self):
        kind = self.number(1)
        if kind < 0x80 or kind >= 0xE0:
            return kind if kind < 0x80 else kind - 256
        if kind < 0xA0:
            return (self.pairs if kind < 0x90 else self.items)(kind & 0xF)
        if kind < 0xC0:
            return self.text(kind & 0x1F)
        if 0xCC <= kind <= 0xCF:
            value = self.number(1 << (kind - 0xCC))
            need(value >= (128, 1 << 8, 1 << 16, 1 << 32)[kind - 0xCC], f"{value} is not in its shortest form")
            return value
        if 0xD0 <= kind <= 0xD3:
            value = self.number(1 << (kind - 0xD0), signed=True)
            need(value < (-32, -1 << 7, -1 << 15, -1 << 31)[kind - 0xD0], f"{value} is not in its shortest form")
            return value
        if kind == 0xCB:
            return struct.unpack(">d", self.take(8))[0]
        takers = {0xD9: (self.text, 1, 32), 0xDA: (self.text, 2, 1 << 8), 0xDB: (self.text, 4, 1 << 16),
                  0xDC: (self.items, 2, 16), 0xDD: (self.items, 4, 1 << 16),
                  0xDE: (self.pairs, 2, 16), 0xDF: (self.pairs, 4, 1 << 16)}
        need(kind in takers, f"type {kind:#x}")
        take, size, least = takers[kind]
        count = self.number(size)
        need(count >= least, f"length {count} is not in its shortest form")
        return take(count)

    def text(self, count):
        return self.take(count).decode("utf-8")

    def items(self, count):
        return [self.value() for _ in range(count)]

    def pairs(self, count):
        found = {}
        for _ in range(count):
            key = self.value()
            need(isinstance(key, str) and key not in found, f"key {key!r} is no text, or stands twice")
            found[key] = self.value()
        return found


class DatadogAgent(Fake):
    """PUT /v0.4/traces. `spans` are maps in order of arrival, `traces` the number in each request."""

    BODY_MAX = 25 * 1000 * 1000
    TYPES = {"service": str, "name": str, "resource": str, "type": str, "trace_id": int, "span_id": int,
             "parent_id": int, "start": int, "duration": int, "error": int, "meta": dict, "metrics": dict}

    def __init__(self, port=None):
        super().__init__(port)
        self.spans, self.traces = [], []

    def answer(self, request):
        if (request.method, request.path) != ("PUT", "/v0.4/traces"):
            self.violation(f"{request.method} {request.path}")
            return Answer(404)
        try:
            self.take_traces(request)
        except (Wrong, UnicodeDecodeError) as error:
            return self.violation(str(error))
        return json_answer({"rate_by_service": {"service:,env:": 1}})

    def take_traces(self, request):
        headers = request.headers
        need(headers.get("Content-Type") == "application/msgpack", "Content-Type")
        need(headers.get("DD-API-KEY") is None, "the key is Datadog's, not the agent's")
        need(headers.get("Datadog-Send-Real-Http-Status"), "without it the agent says 200 to what it drops")
        need(all(headers.get(f"Datadog-Meta-{name}") for name in ("Lang", "Lang-Version", "Tracer-Version")), "who it is")
        need(len(request.raw) <= self.BODY_MAX, f"{len(request.raw)} bytes")
        traces = Packed(request.raw).whole()
        need(isinstance(traces, list) and traces, "no traces")
        need(headers.get("X-Datadog-Trace-Count") == str(len(traces)), "X-Datadog-Trace-Count")
        for trace in traces:
            self.check_trace(trace)
        full = [(span["trace_id"], span["meta"].get("_dd.p.tid")) for trace in traces for span in trace[:1]]
        need(len(set(full)) == len(full), "a trace stands twice")
        self.spans += [span for trace in traces for span in trace]
        self.traces.append(len(traces))

    def check_trace(self, trace):
        need(isinstance(trace, list) and trace, "a trace without spans")
        need(len({(span["trace_id"], span["meta"].get("_dd.p.tid")) for span in trace}) == 1, "spans of other traces")
        for span in trace:
            need(set(span) == set(self.TYPES), f"members {sorted(span)}")
            need(all(isinstance(span[name], kind) for name, kind in self.TYPES.items()), f"types in {span}")
            need(0 < len(span["service"]) and len(span["service"].encode()) <= 100, "service")
            need(0 < len(span["name"]) and len(span["name"].encode()) <= 100, "name")
            need(0 < len(span["resource"]) and len(span["resource"].encode()) <= 5000, "resource")
            need(0 < span["trace_id"] < 1 << 64 and 0 < span["span_id"] < 1 << 64, "ids")
            need(span["start"] > 10**18 and 0 <= span["duration"] < 1 << 63 and span["error"] in (0, 1), "times")
            need(all(isinstance(value, str) for value in span["meta"].values()), "meta")
            need(all(isinstance(value, float) and math.isfinite(value) for value in span["metrics"].values()), "metrics")


class DatadogOtlp(Fake):
    """Datadog's intake of OTLP: protobuf over HTTP, counters as deltas. `points` and `spans` are what otlp.py gives,
    `partial` is a response that is given once instead of an empty one."""

    def __init__(self, port=None):
        super().__init__(port)
        self.points, self.spans, self.partial = [], [], None
        self.takers = {"/v1/metrics": self.take_metrics, "/v1/traces": self.take_traces}

    def answer(self, request):
        if request.headers.get("DD-API-KEY") != Datadog.KEY:
            return Answer(403)
        if request.method != "POST" or request.path not in self.takers:
            self.violation(f"{request.method} {request.path}")
            return Answer(404)
        try:
            self.takers[request.path](request, unpacked(request, ("gzip",), "application/x-protobuf"))
        except (Wrong, ValueError) as error:
            return self.violation(str(error))
        response, self.partial = self.partial or {}, None
        return Answer(200, otlp.encode("Response", response), {"Content-Type": "application/x-protobuf"})

    def take_metrics(self, request, body):
        config = json.loads(request.headers.get("dd-otel-metric-config", "{}"))
        need(set(config) <= {"resource_attributes_as_tags", "instrumentation_scope_metadata_as_tags", "histograms",
                             "summaries"}, f"dd-otel-metric-config {config}")
        message = otlp.decode("MetricsRequest", body)
        for metric in (m for r in message["resourceMetrics"] for s in r["scopeMetrics"] for m in s["metrics"]):
            need(not set(metric) & {"exponentialHistogram", "summary"}, f"kind of {metric['name']}")
            if "sum" in metric:
                need(metric["sum"]["aggregationTemporality"] == 1, "Datadog takes deltas alone")
                need(all(0 < p["startTimeUnixNano"] < p["timeUnixNano"] for p in metric["sum"]["dataPoints"]), "start")
        self.points += otlp.check_metrics(message)

    def take_traces(self, request, body):
        need(request.headers.get("dd-otlp-source"), "dd-otlp-source")
        self.spans += otlp.check_traces(otlp.decode("TracesRequest", body))


class NewRelic(Fake):
    """`metrics`, `events` and `spans` are objects with the common attributes put in. A request whose
    x-request-id came before is taken once."""

    BODY_MAX = 1000 * 1000
    KEY = "0123456789abcdef0123456789abcdef0123NRAL"
    UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"

    def __init__(self, port=None, account="1234567"):
        super().__init__(port)
        self.metrics, self.events, self.spans = [], [], []
        self.ids, self.seen = {}, set()
        self.takers = {"/metric/v1": self.take_metrics, f"/v1/accounts/{account}/events": self.take_events,
                       "/trace/v1": self.take_spans}

    def config(self):
        return {"type": "newrelic", "license_key": self.KEY, "account_id": "1234567",
                "debug": {"validate_schemas": True, "refuse_invalid": True},
                "metrics_api_url": self.url + "/metric/v1", "traces_api_url": self.url + "/trace/v1",
                "events_api_url": self.url + "/v1/accounts/{account_id}/events"}

    def answer(self, request):
        take = self.takers.get(request.path)
        if request.method != "POST" or take is None:
            self.violation(f"{request.method} {request.path}")
            return Answer(404)
        if request.headers.get("Api-Key") != self.KEY:
            return Answer(403)
        try:
            body = unpacked(request, ("gzip",))
            if len(body) > self.BODY_MAX:
                self.violation(f"{len(body)} bytes")
                return Answer(413)
            self.take_once(request, take, body)
        except (Wrong, ValueError) as error:
            return self.violation(str(error))
        return json_answer({"requestId": request.headers["x-request-id"]}, 202)

    def take_once(self, request, take, body):
        name = request.headers.get("x-request-id") or ""
        need(re.fullmatch(self.UUID4, name), f"x-request-id {name!r}")
        need(self.ids.setdefault(name, body) == body, "an x-request-id for two payloads")
        if name not in self.seen:
            take(parse(body), request)
            self.seen.add(name)

    @staticmethod
    def check_attributes(attributes, most):
        need(len(attributes) <= most, f"{len(attributes)} attributes")
        for name, value in attributes.items():
            need(0 < len(name) <= 255, f"name {name!r}")
            need(isinstance(value, (str, bool)) or is_number(value), f"value of {name}")
            need(not isinstance(value, str) or len(value) <= 4096, f"length of {name}")

    @staticmethod
    def check_time(time_ms, oldest_s=48 * 3600, newest_s=24 * 3600):
        need(isinstance(time_ms, int), "timestamp")
        need(-oldest_s - 60 <= time_ms / 1000 - time.time() <= newest_s + 60, f"time {time_ms}")

    def rows_of(self, body, name):
        need(isinstance(body, list) and len(body) == 1 and set(body[0]) == {"common", name}, "the outer form")
        need(set(body[0]["common"]) <= {"attributes", "timestamp", "interval.ms"}, "common")
        need(body[0][name], "no rows")
        common = body[0]["common"].get("attributes", {})
        return [{**row, "attributes": {**common, **row["attributes"]}} for row in body[0][name]]

    def take_metrics(self, body, _):
        rows = self.rows_of(body, "metrics")
        for row in rows:
            need(set(row) <= {"name", "type", "value", "timestamp", "interval.ms", "attributes"}, f"{sorted(row)}")
            need(0 < len(row["name"]) <= 255, "name")
            need(row["type"] in ("gauge", "count"), "type")
            need(row["type"] == "gauge" or row.get("interval.ms", 0) > 0, "interval.ms")
            need(is_number(row["value"]), "value")
            self.check_time(row["timestamp"])
            self.check_attributes(row["attributes"], 150)
        self.metrics += rows

    def take_events(self, body, _):
        need(isinstance(body, list) and body, "an array of events")
        for event in body:
            need(re.fullmatch(r"[A-Za-z0-9_: ]{1,255}", event["eventType"]), "eventType")
            need("accountId" not in event and "appId" not in event, "a reserved name")
            self.check_time(event["timestamp"])
            self.check_attributes(event, 254 + 1)
        self.events += body

    def take_spans(self, body, request):
        need(request.headers.get("Data-Format") == "newrelic" and request.headers.get("Data-Format-Version") == "1",
             "Data-Format")
        rows = self.rows_of(body, "spans")
        for row in rows:
            need(set(row) == {"id", "trace.id", "timestamp", "attributes"}, f"{sorted(row)}")
            need(re.fullmatch("[0-9a-f]{16}", row["id"]) and re.fullmatch("[0-9a-f]{32}", row["trace.id"]), "ids")
            need(row["attributes"]["name"] and row["attributes"]["duration.ms"] >= 0, "name and duration")
            self.check_time(row["timestamp"])
            self.check_attributes(row["attributes"], 254)
        self.spans += rows
