"""A strict reader of the InfluxDB line protocol, for judging what an exporter wrote.

It accepts the grammar of InfluxDB 2 and nothing beyond it, and it refuses what receivers tolerate but a careful
writer never sends: NaN and Inf, a tag or field named twice, empty tag values, a lone backslash before a
character that needs no escape being the only exception the grammar makes (it stands for itself).
"""

import math
import re

I64 = (-(2**63), 2**63 - 1)
U64_MAX = 2**64 - 1
FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?\Z")
INTEGER = re.compile(r"-?[0-9]+i\Z")
UNSIGNED = re.compile(r"[0-9]+u\Z")
TIMESTAMP = re.compile(r"-?[0-9]+\Z")
BOOLEANS = {"t": True, "T": True, "true": True, "True": True, "TRUE": True,
            "f": False, "F": False, "false": False, "False": False, "FALSE": False}
PRECISION_NS = {"ns": 1, "n": 1, "us": 10**3, "u": 10**3, "ms": 10**6, "s": 10**9}
# Each place's characters that a backslash may escape.
MEASUREMENT, TAG_KEY, TAG_VALUE, FIELD_KEY = ", ", ",= ", ",= ", ",= "


class LineError(ValueError):
    """A line that the grammar does not allow; the text says where."""


class Row:
    """One point: measurement, tags and fields as dicts, time in nanoseconds or None."""

    def __init__(self, measurement, tags, fields, time_ns):
        self.measurement = measurement
        self.tags = tags
        self.fields = fields
        self.time_ns = time_ns

    def key(self):
        return (self.measurement, tuple(sorted(self.tags.items())), self.time_ns)

    def __repr__(self):
        return f"Row({self.measurement!r}, {self.tags!r}, {self.fields!r}, {self.time_ns!r})"


class Unsigned(int):
    """A field that was written with the suffix u."""


def decode(body, precision="ns"):
    """All rows of a request body (bytes or text). Raises LineError at the first bad line."""
    if isinstance(body, bytes):
        try:
            body = body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise LineError(f"not UTF-8: {error}") from error
    rows = []
    reader = _Reader(body, PRECISION_NS[precision])
    while reader.next_line():
        rows.append(reader.row())
    return rows


class _Reader:
    def __init__(self, text, scale):
        self.text = text
        self.at = 0
        self.line = 1
        self.scale = scale

    def next_line(self):
        """Skips blank lines and comments; false at the end."""
        while self.at < len(self.text):
            end = self.text.find("\n", self.at)
            end = len(self.text) if end < 0 else end
            line = self.text[self.at:end]
            if line.strip(" \r\t") and not line.lstrip(" \t").startswith("#"):
                return True
            self.at = end + 1
            self.line += 1
        return False

    def fail(self, message):
        raise LineError(f"line {self.line}: {message} at {self.text[self.at:self.at + 20]!r}")

    def peek(self):
        return self.text[self.at] if self.at < len(self.text) else "\n"

    def row(self):
        measurement = self.name("measurement", MEASUREMENT, stop=", \n")
        tags = {}
        while self.peek() == ",":
            self.at += 1
            key = self.name("tag key", TAG_KEY, stop=",= \n")
            self.expect("=")
            value = self.name("tag value", TAG_VALUE, stop=",= \n")
            if key in tags:
                self.fail(f"tag {key!r} twice")
            tags[key] = value
        self.expect(" ")
        fields = self.fields()
        time_ns = self.timestamp()
        if self.peek() != "\n":
            self.fail("characters after the point")
        self.at += 1
        self.line += 1
        for shared in tags.keys() & fields.keys():
            self.fail(f"{shared!r} is both a tag and a field")
        return Row(measurement, tags, fields, time_ns)

    def name(self, what, escapable, stop):
        out = []
        while self.peek() not in stop:
            char = self.peek()
            follower = self.text[self.at + 1:self.at + 2]
            if char == "\\" and follower and follower in escapable:
                char = follower
                self.at += 1
            elif char == "\\" and follower in ("", "\n"):
                self.fail(f"{what} ends in a backslash")
            elif ord(char) < 32 or ord(char) == 127:
                self.fail(f"control character in the {what}")
            out.append(char)
            self.at += 1
        if not out:
            self.fail(f"empty {what}")
        return "".join(out)

    def expect(self, char):
        if self.peek() != char:
            self.fail(f"expected {char!r}")
        self.at += 1

    def fields(self):
        fields = {}
        while True:
            key = self.name("field key", FIELD_KEY, stop=",= \n")
            self.expect("=")
            value = self.string() if self.peek() == '"' else self.bare_value()
            if key in fields:
                self.fail(f"field {key!r} twice")
            fields[key] = value
            if self.peek() != ",":
                return fields
            self.at += 1

    def string(self):
        out = []
        self.at += 1
        while True:
            if self.at >= len(self.text):
                self.fail("string without an end")
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                return "".join(out)
            if char == "\\" and self.text[self.at + 1:self.at + 2] in ('"', "\\"):
                self.at += 1
                char = self.text[self.at]
            self.line += char == "\n"
            out.append(char)
            self.at += 1

    def bare_value(self):
        start = self.at
        while self.peek() not in ", \n":
            self.at += 1
        text = self.text[start:self.at]
        if text in BOOLEANS:
            return BOOLEANS[text]
        if INTEGER.match(text):
            value = int(text[:-1])
            return value if I64[0] <= value <= I64[1] else self.fail(f"integer {text} out of range")
        if UNSIGNED.match(text):
            value = int(text[:-1])
            return Unsigned(value) if value <= U64_MAX else self.fail(f"unsigned {text} out of range")
        if FLOAT.match(text) and math.isfinite(float(text)):
            return float(text)
        return self.fail(f"bad field value {text!r}")

    def timestamp(self):
        if self.peek() == "\n":
            return None
        self.expect(" ")
        start = self.at
        while self.peek() not in " \n":
            self.at += 1
        text = self.text[start:self.at]
        if not TIMESTAMP.match(text):
            self.fail(f"bad timestamp {text!r}")
        value = int(text) * self.scale
        return value if I64[0] <= value <= I64[1] else self.fail("timestamp out of range")
