"""A strict reader and a writer of OTLP's protobuf, sharing no code with the program under test.

The schema is a table: message -> field number -> (name, type); `*` marks repeated fields. `decode` refuses what a
receiver may refuse (unknown fields, wrong wire types, texts that are no UTF-8, cut bytes) and gives dicts with the
names of the JSON form; `encode` is the way back. `check_metrics` and `check_traces` hold the rules of senders.
"""

import base64
import json
import struct

KEYVALUE = {1: ("key", "string"), 2: ("value", "AnyValue")}
EXEMPLAR = {2: ("timeUnixNano", "fixed64"), 3: ("asDouble", "double"), 4: ("spanId", "bytes"), 5: ("traceId", "bytes"),
            6: ("asInt", "sfixed64"), 7: ("filteredAttributes", "*KeyValue")}
NUMBER = {2: ("startTimeUnixNano", "fixed64"), 3: ("timeUnixNano", "fixed64"), 4: ("asDouble", "double"),
          5: ("exemplars", "*Exemplar"), 6: ("asInt", "sfixed64"), 7: ("attributes", "*KeyValue"), 8: ("flags", "uint")}
HISTOGRAM = {2: ("startTimeUnixNano", "fixed64"), 3: ("timeUnixNano", "fixed64"), 4: ("count", "fixed64"),
             5: ("sum", "double"), 6: ("bucketCounts", "#fixed64"), 7: ("explicitBounds", "#double"),
             8: ("exemplars", "*Exemplar"), 9: ("attributes", "*KeyValue"), 10: ("flags", "uint"), 11: ("min", "double"),
             12: ("max", "double")}
BUCKETS = {1: ("offset", "sint"), 2: ("bucketCounts", "#uint")}
EXPONENTIAL = {1: ("attributes", "*KeyValue"), 2: ("startTimeUnixNano", "fixed64"), 3: ("timeUnixNano", "fixed64"),
               4: ("count", "fixed64"), 5: ("sum", "double"), 6: ("scale", "sint"), 7: ("zeroCount", "fixed64"),
               8: ("positive", "Buckets"), 9: ("negative", "Buckets"), 10: ("flags", "uint"), 11: ("exemplars", "*Exemplar"),
               12: ("min", "double"), 13: ("max", "double"), 14: ("zeroThreshold", "double")}
SUMMARY = {2: ("startTimeUnixNano", "fixed64"), 3: ("timeUnixNano", "fixed64"), 4: ("count", "fixed64"),
           5: ("sum", "double"), 6: ("quantileValues", "*Quantile"), 7: ("attributes", "*KeyValue"), 8: ("flags", "uint")}
SPAN = {1: ("traceId", "bytes"), 2: ("spanId", "bytes"), 3: ("traceState", "string"), 4: ("parentSpanId", "bytes"),
        5: ("name", "string"), 6: ("kind", "uint"), 7: ("startTimeUnixNano", "fixed64"), 8: ("endTimeUnixNano", "fixed64"),
        9: ("attributes", "*KeyValue"), 10: ("droppedAttributesCount", "uint"), 11: ("events", "*Event"),
        12: ("droppedEventsCount", "uint"), 13: ("links", "*Link"), 14: ("droppedLinksCount", "uint"),
        15: ("status", "Status"), 16: ("flags", "fixed32")}
SCHEMA = {
    "KeyValue": KEYVALUE, "Exemplar": EXEMPLAR, "Number": NUMBER, "Histogram": HISTOGRAM, "Buckets": BUCKETS,
    "Exponential": EXPONENTIAL, "Summary": SUMMARY, "Span": SPAN,
    "AnyValue": {1: ("stringValue", "string"), 2: ("boolValue", "bool"), 3: ("intValue", "int"), 4: ("doubleValue", "double"),
                 5: ("arrayValue", "Array"), 6: ("kvlistValue", "List"), 7: ("bytesValue", "bytes")},
    "Array": {1: ("values", "*AnyValue")},
    "List": {1: ("values", "*KeyValue")},
    "Resource": {1: ("attributes", "*KeyValue"), 2: ("droppedAttributesCount", "uint")},
    "Scope": {1: ("name", "string"), 2: ("version", "string"), 3: ("attributes", "*KeyValue"),
              4: ("droppedAttributesCount", "uint")},
    "Quantile": {1: ("quantile", "double"), 2: ("value", "double")},
    "Gauge": {1: ("dataPoints", "*Number")},
    "Sum": {1: ("dataPoints", "*Number"), 2: ("aggregationTemporality", "uint"), 3: ("isMonotonic", "bool")},
    "HistogramOf": {1: ("dataPoints", "*Histogram"), 2: ("aggregationTemporality", "uint")},
    "ExponentialOf": {1: ("dataPoints", "*Exponential"), 2: ("aggregationTemporality", "uint")},
    "SummaryOf": {1: ("dataPoints", "*Summary")},
    "Metric": {1: ("name", "string"), 2: ("description", "string"), 3: ("unit", "string"), 5: ("gauge", "Gauge"),
               7: ("sum", "Sum"), 9: ("histogram", "HistogramOf"), 10: ("exponentialHistogram", "ExponentialOf"),
               11: ("summary", "SummaryOf"), 12: ("metadata", "*KeyValue")},
    "ScopeMetrics": {1: ("scope", "Scope"), 2: ("metrics", "*Metric"), 3: ("schemaUrl", "string")},
    "ResourceMetrics": {1: ("resource", "Resource"), 2: ("scopeMetrics", "*ScopeMetrics"), 3: ("schemaUrl", "string")},
    "MetricsRequest": {1: ("resourceMetrics", "*ResourceMetrics")},
    "Event": {1: ("timeUnixNano", "fixed64"), 2: ("name", "string"), 3: ("attributes", "*KeyValue"),
              4: ("droppedAttributesCount", "uint")},
    "Link": {1: ("traceId", "bytes"), 2: ("spanId", "bytes"), 3: ("traceState", "string"), 4: ("attributes", "*KeyValue"),
             5: ("droppedAttributesCount", "uint"), 6: ("flags", "fixed32")},
    "Status": {2: ("message", "string"), 3: ("code", "uint")},
    "ScopeSpans": {1: ("scope", "Scope"), 2: ("spans", "*Span"), 3: ("schemaUrl", "string")},
    "ResourceSpans": {1: ("resource", "Resource"), 2: ("scopeSpans", "*ScopeSpans"), 3: ("schemaUrl", "string")},
    "TracesRequest": {1: ("resourceSpans", "*ResourceSpans")},
    "Partial": {1: ("rejected", "int"), 2: ("errorMessage", "string")},
    "Response": {1: ("partialSuccess", "Partial")},
    "RpcStatus": {1: ("code", "int"), 2: ("message", "string")},
}
FIXED = {"fixed64": ("<Q", 1), "sfixed64": ("<q", 1), "double": ("<d", 1), "fixed32": ("<I", 5)}
VARINTS = ("uint", "int", "sint", "bool")
IDS = {"traceId", "spanId", "parentSpanId"}


class WireError(ValueError):
    """Bytes that are no message of this schema, or a message that breaks a rule."""


def read_varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise WireError("a varint is cut off or too long")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
        shift += 7


def write_varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _from_varint(kind, value):
    if kind == "bool":
        return bool(value)
    if kind == "sint":
        return (value >> 1) ^ -(value & 1)
    return value - (1 << 64) if kind == "int" and value >> 63 else value


def _scalars(kind, wire, data, at):
    """The values of one field as it stands, packed or not, and where it ends."""
    if kind in VARINTS:
        if wire != 0:
            raise WireError(f"wire type {wire} for {kind}")
        value, at = read_varint(data, at)
        return _from_varint(kind, value), at
    form, expected = FIXED[kind]
    size = struct.calcsize(form)
    if wire != expected or at + size > len(data):
        raise WireError(f"wire type {wire} for {kind}, or it is cut off")
    return struct.unpack_from(form, data, at)[0], at + size


def _packed(kind, data):
    values, at = [], 0
    while at < len(data):
        value, at = _scalars(kind, 0 if kind in VARINTS else FIXED[kind][1], data, at)
        values.append(value)
    return values


def _bytes_value(name, kind, data):
    if kind == "string":
        return data.decode()
    if kind == "bytes":
        return data.hex() if name in IDS else base64.b64encode(data).decode()
    return decode(kind, data)


def decode(message, data):
    """A dict of what is there. UnicodeDecodeError is a ValueError too."""
    out, at, fields = {}, 0, SCHEMA[message]
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag >> 3 not in fields:
            raise WireError(f"{message} has no field {tag >> 3}")
        name, kind = fields[tag >> 3]
        plain = kind.lstrip("*#")
        if tag & 7 == 2:
            length, at = read_varint(data, at)
            if at + length > len(data):
                raise WireError(f"{message}.{name} is cut off")
            part, at = data[at:at + length], at + length
            if kind[0] == "#":
                out.setdefault(name, []).extend(_packed(plain, part))
                continue
            if plain in VARINTS or plain in FIXED:
                raise WireError(f"{message}.{name} is no bytes")
            value = _bytes_value(name, plain, part)
        else:
            value, at = _scalars(plain, tag & 7, data, at)
        if kind[0] in "*#":
            out.setdefault(name, []).append(value)
        else:
            out[name] = value
    return out


def _field(number, name, kind, value):
    if kind in VARINTS:
        raw = (value << 1) ^ (value >> 63) if kind == "sint" else int(value)
        return write_varint(number << 3) + write_varint(raw)
    if kind in FIXED:
        form, wire = FIXED[kind]
        return write_varint(number << 3 | wire) + struct.pack(form, type(struct.unpack(form, bytes(8)[:struct.calcsize(form)])[0])(value))
    if kind == "string":
        data = value.encode()
    elif kind == "bytes":
        data = bytes.fromhex(value) if name in IDS else base64.b64decode(value)
    else:
        data = encode(kind, value)
    return write_varint(number << 3 | 2) + write_varint(len(data)) + data


def encode(message, value):
    """The bytes of a dict with the names of the JSON form; 64-bit integers may be texts, as they are there."""
    out, left = b"", dict(value)
    for number, (name, kind) in SCHEMA[message].items():
        if name not in left:
            continue
        item = left.pop(name)
        if kind[0] == "*":
            out += b"".join(_field(number, name, kind[1:], part) for part in item)
        elif kind[0] == "#":
            packed = b"".join(_field(1, name, kind[1:], part)[1:] for part in item)
            out += write_varint(number << 3 | 2) + write_varint(len(packed)) + packed
        else:
            out += _field(number, name, kind, item)
    if left:
        raise WireError(f"{message} has no {sorted(left)}")
    return out


def from_json(message, data):
    """What decode() gives, of the JSON form: enums are integers, 64-bit integers texts, ids hex, and there is no
    field but those of the schema."""
    return _of_json(message, json.loads(data))


def _of_json(message, value):
    fields = {name: kind for name, kind in SCHEMA[message].values()}
    _check(isinstance(value, dict) and set(value) <= set(fields), f"{message} with {sorted(value)}")
    return {name: _json_field(message, name, fields[name], item) for name, item in value.items()}


def _json_field(message, name, kind, item):
    plain = kind.lstrip("*#")
    if kind[0] in "*#":
        _check(isinstance(item, list), f"{name} is no list")
        return [_json_field(message, name, plain, part) for part in item]
    if plain in SCHEMA:
        return _of_json(plain, item)
    if plain in ("fixed64", "sfixed64", "int"):
        _check(isinstance(item, str), f"{name} is {item!r}, not a text")
        return int(item)
    if plain == "double" and isinstance(item, str):
        _check(item in ("NaN", "Infinity", "-Infinity"), f"{name} is {item!r}")
        return float(item)
    types = {"bool": bool, "double": (int, float), "string": str, "bytes": str}
    _check(isinstance(item, types.get(plain, int)), f"{name} is {item!r}")
    _check(name not in IDS or set(item) <= set("0123456789abcdef"), f"{name} is {item!r}")
    return item


def _check(holds, what):
    if not holds:
        raise WireError(what)


def attributes(pairs):
    """As a dict; a key stands once and is not empty, and each has a value of one type."""
    out = {}
    for pair in pairs:
        _check(pair.get("key"), "an attribute without a key")
        _check(pair["key"] not in out, f"attribute {pair['key']!r} twice")
        value = pair.get("value", {})
        _check(len(value) == 1, f"attribute {pair['key']!r} has {len(value)} values")
        out[pair["key"]] = next(iter(value.values()))
    return out


def check_metrics(request):
    """(name, attributes, time, value, kind, resource) of each point."""
    points = []
    for resource in request.get("resourceMetrics", []):
        of = attributes(resource.get("resource", {}).get("attributes", []))
        _check(of.get("service.name"), "a resource without service.name")
        for scope in resource.get("scopeMetrics", []):
            for metric in scope["metrics"]:
                points += _check_metric(metric, of)
    _check(points, "a request without a point")
    return points


def _check_metric(metric, resource):
    kinds = [kind for kind in ("gauge", "sum", "histogram", "exponentialHistogram", "summary") if kind in metric]
    _check(metric.get("name"), "a metric without a name")
    _check(len(kinds) == 1, f"metric {metric['name']!r} has {len(kinds)} kinds of data")
    data = metric[kinds[0]]
    _check(kinds[0] != "sum" or data.get("aggregationTemporality") in (1, 2), "a sum without temporality")
    points = []
    for point in data["dataPoints"]:
        has_value = ("asDouble" in point) + ("asInt" in point)
        _check(point.get("timeUnixNano", 0) > 0, "a point without a time")
        _check(has_value == (0 if point.get("flags", 0) & 1 else 1), "a point without a value, or with two")
        points.append((metric["name"], attributes(point.get("attributes", [])), point["timeUnixNano"],
                       point.get("asDouble", point.get("asInt")), kinds[0], resource))
    return points


def check_traces(request):
    """(span, its attributes, scope, resource) of each span."""
    spans = []
    for resource in request.get("resourceSpans", []):
        of = attributes(resource.get("resource", {}).get("attributes", []))
        _check(of.get("service.name"), "a resource without service.name")
        for scope in resource.get("scopeSpans", []):
            for span in scope["spans"]:
                _check(len(span.get("traceId", "")) == 32 and set(span["traceId"]) != {"0"}, "a trace id that is none")
                _check(len(span.get("spanId", "")) == 16 and set(span["spanId"]) != {"0"}, "a span id that is none")
                _check(len(span.get("parentSpanId", "")) in (0, 16), "a parent's id that is none")
                _check(0 < span["startTimeUnixNano"] <= span["endTimeUnixNano"], "a span that ends before it starts")
                _check(span.get("kind", 0) <= 5 and span.get("status", {}).get("code", 0) <= 2, "an enum beyond its values")
                spans.append((span, attributes(span.get("attributes", [])), scope.get("scope", {}), of))
    _check(spans, "a request without a span")
    return spans
