"""A strict reader of Prometheus remote write 1.0 request bodies, sharing no code with the program under test.

Protobuf is read by hand; the snappy block comes from python3-snappy. `check_series` holds the rules a sender must
keep: label names sorted, no name twice, none empty, legal names, a `__name__`, samples in time order.
"""

import re
import struct

STALE_BITS = 0x7FF0000000000002
NORMAL_NAN_BITS = 0x7FF8000000000001
METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """Bytes that are not a well-formed, rule-abiding WriteRequest."""


class Sample:
    """One sample; `bits` tells a stale marker from other NaNs."""

    def __init__(self, bits, time_ms):
        self.bits = bits
        self.time_ms = time_ms
        self.value = struct.unpack("<d", struct.pack("<Q", bits))[0]

    @property
    def stale(self):
        return self.bits == STALE_BITS

    def __repr__(self):
        return f"({'stale' if self.stale else self.value} @{self.time_ms})"


class Series:
    """Labels as a tuple of (name, value) pairs in wire order, and the samples."""

    def __init__(self, labels, samples):
        self.labels = labels
        self.samples = samples

    @property
    def key(self):
        return tuple(sorted(self.labels))


def varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data):
            raise WireError("varint cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 1 << 64:
                raise WireError("varint over 64 bits")
            return value, at
        shift += 7
        if shift > 63:
            raise WireError("varint longer than 10 bytes")


def fields(data):
    """Yields (field number, wire type, value) of one message; value is int or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise WireError("field number 0")
        if kind == VARINT:
            value, at = varint(data, at)
        elif kind in (FIXED64, FIXED32, BYTES):
            size = {FIXED64: 8, FIXED32: 4}.get(kind)
            if size is None:
                size, at = varint(data, at)
            if at + size > len(data):
                raise WireError(f"field {number} cut off")
            value, at = data[at:at + size], at + size
        else:
            raise WireError(f"wire type {kind}")
        yield number, kind, value


def _text(value):
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError(f"label is not UTF-8: {value!r}") from error


def _expect(kind, wanted, what):
    if kind != wanted:
        raise WireError(f"{what} has wire type {kind}, not {wanted}")


def _label(data):
    pair = {1: "", 2: ""}
    for number, kind, value in fields(data):
        if number not in pair:
            raise WireError(f"unknown field {number} in Label")
        _expect(kind, BYTES, "Label")
        pair[number] = _text(value)
    return pair[1], pair[2]


def _sample(data):
    bits, time_ms = 0, 0
    for number, kind, value in fields(data):
        if number == 1:
            _expect(kind, FIXED64, "Sample.value")
            bits = struct.unpack("<Q", value)[0]
        elif number == 2:
            _expect(kind, VARINT, "Sample.timestamp")
            time_ms = value - (1 << 64) if value >> 63 else value
        else:
            raise WireError(f"unknown field {number} in Sample")
    return Sample(bits, time_ms)


def _series(data):
    labels, samples = [], []
    for number, kind, value in fields(data):
        _expect(kind, BYTES, "TimeSeries")
        if number == 1:
            labels.append(_label(value))
        elif number == 2:
            samples.append(_sample(value))
        elif number not in (3, 4):
            raise WireError(f"unknown field {number} in TimeSeries")
    return Series(tuple(labels), samples)


def decode(data):
    """The series of an uncompressed WriteRequest. Metadata (field 3) is checked to be a message only."""
    series = []
    for number, kind, value in fields(data):
        _expect(kind, BYTES, "WriteRequest")
        if number == 1:
            series.append(_series(value))
        elif number == 3:
            list(fields(value))
        else:
            raise WireError(f"unknown field {number} in WriteRequest")
    return series


TYPES = ("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")


def metadata(data):
    """{family: (type, help, unit)} of an uncompressed WriteRequest; a family that stands twice is an error."""
    families = {}
    for number, _, value in fields(data):
        said = {1: 0, 2: b"", 4: b"", 5: b""}
        for field, kind, part in fields(value) if number == 3 else ():
            if field not in said:
                raise WireError(f"unknown field {field} in MetricMetadata")
            _expect(kind, VARINT if field == 1 else BYTES, f"MetricMetadata.{field}")
            said[field] = part
        if number == 3:
            if not said[2] or said[1] >= len(TYPES) or _text(said[2]) in families:
                raise WireError(f"metadata of no family, of no type, or twice: {said}")
            families[_text(said[2])] = (TYPES[said[1]], _text(said[4]), _text(said[5]))
    return families


def check_series(series):
    """Raises WireError when one series of a request breaks a rule that binds the sender."""
    names = [name for name, _ in series.labels]
    if names != sorted(names, key=str.encode):
        raise WireError(f"labels not sorted: {names}")
    if len(set(names)) != len(names):
        raise WireError(f"label name twice: {names}")
    for name, value in series.labels:
        if not value:
            raise WireError(f"label {name!r} is empty")
        rule = METRIC_NAME if name == "__name__" else LABEL_NAME
        if not rule.match(value if name == "__name__" else name):
            raise WireError(f"illegal name in {name}={value!r}")
    if "__name__" not in names:
        raise WireError(f"no __name__: {series.labels}")
    if not series.samples:
        raise WireError(f"series without samples: {series.labels}")
    times = [sample.time_ms for sample in series.samples]
    if any(later <= earlier for earlier, later in zip(times, times[1:])):
        raise WireError(f"samples not in time order: {times}")
    for sample in series.samples:
        if sample.value != sample.value and sample.bits not in (STALE_BITS, NORMAL_NAN_BITS):
            raise WireError(f"NaN with bits {sample.bits:#x}")


def encode(series):
    """The reverse of decode, for self-tests: [(labels, [(bits or float, ms)])] to bytes."""
    out = b""
    for labels, samples in series:
        body = b""
        for name, value in labels:
            body += _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for value, time_ms in samples:
            bits = value if isinstance(value, int) else struct.unpack("<Q", struct.pack("<d", value))[0]
            body += _field(2, b"\x09" + struct.pack("<Q", bits) + b"\x10" + _varint(time_ms % (1 << 64)))
        out += _field(1, body)
    return out


def _varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _field(number, payload):
    return _varint(number << 3 | BYTES) + _varint(len(payload)) + payload
