"""Strict receivers of vendors that no test can reach, written from their published schemas.

`Datadog`   POST /api/v2/series, GET /api/v1/validate

Whatever the schema or the limits do not allow is answered as the vendor would and kept in `violations`.
"""

import gzip
import json
import math
import re
import time
import zlib

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


def unpacked(request, encodings):
    """The body's bytes; Wrong when it is not what its headers say."""
    encoding = request.headers.get("Content-Encoding") or "identity"
    need(encoding in ("identity", *encodings), f"Content-Encoding {encoding!r}")
    need((request.headers.get("Content-Type") or "").split(";")[0] == "application/json", "Content-Type")
    try:
        return gzip.decompress(request.raw) if encoding == "gzip" else request.raw
    except (OSError, EOFError, zlib.error) as error:
        raise Wrong(str(error)) from error


class Datadog(Fake):
    """`points` is a list of (metric, host, tags, time, value, type)."""

    RAW_MAX, PACKED_MAX = 5242880, 512000
    KEY = "0123456789abcdef0123456789abcdef"
    SERIES = {"metric", "type", "points", "resources", "tags", "unit", "interval", "source_type_name", "metadata"}

    def __init__(self, port=None):
        super().__init__(port)
        self.points = []

    def answer(self, request):
        if request.headers.get("DD-API-KEY") != self.KEY:
            return json_answer({"errors": ["Forbidden"]}, 403)
        if (request.method, request.path) == ("GET", "/api/v1/validate"):
            return json_answer({"valid": True})
        if (request.method, request.path) != ("POST", "/api/v2/series"):
            self.violation(f"{request.method} {request.path}")
            return Answer(404)
        try:
            self.take_series(request)
        except (Wrong, ValueError) as error:
            return self.violation(str(error))
        return json_answer({"errors": []}, 202)

    def take_series(self, request):
        raw = unpacked(request, ("gzip", "deflate", "zstd1"))
        if len(request.raw) > self.PACKED_MAX or len(raw) > self.RAW_MAX:
            raise Wrong(f"{len(request.raw)} bytes, {len(raw)} unpacked")
        body = parse(raw)
        need(set(body) == {"series"} and body["series"], "series")
        points = [point for series in body["series"] for point in self.read_series(series)]
        self.points += points

    def read_series(self, series):
        need(set(series) <= self.SERIES, f"members {sorted(series)}")
        need(re.fullmatch(r"[A-Za-z][A-Za-z0-9_.]{0,199}", series["metric"]), f"name {series['metric']!r}")
        need(series.get("type") in (0, 1, 2, 3), "type")
        need(series["type"] not in (1, 2) or series.get("interval", 0) > 0, "an interval is needed")
        need(isinstance(series.get("interval", 0), int), "interval")
        need(isinstance(series.get("unit", ""), str), "unit")
        for tag in series.get("tags", []):
            need(re.fullmatch(r"[^\W\d_][\w\-:./]*", tag) and len(tag) <= 200, f"tag {tag!r}")
        resources = series.get("resources", [])
        need(all(set(one) == {"type", "name"} and one["name"] for one in resources), "resources")
        host = next((one["name"] for one in resources if one["type"] == "host"), None)
        need(series["points"], "no points")
        for point in series["points"]:
            yield (series["metric"], host, tuple(series.get("tags", [])), *self.read_point(point), series["type"])

    @staticmethod
    def read_point(point):
        need(set(point) == {"timestamp", "value"}, "point")
        need(isinstance(point["timestamp"], int) and is_number(point["value"]), "values of a point")
        now = time.time()
        need(now - 3600 - 60 <= point["timestamp"] <= now + 600 + 60, f"time {point['timestamp']}")
        return point["timestamp"], point["value"]
