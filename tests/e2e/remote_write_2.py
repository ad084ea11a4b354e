"""A strict reader of Prometheus remote write 2.0 request bodies (io.prometheus.write.v2.Request) and a store that takes
nothing else, sharing no code with the program under test.

What the specification asks of senders is checked in every request: the first symbol is empty and no other is, none stands
twice, all are used; references are even in number, inside the table, sorted by name without repeats; a series has samples
or histograms, in time order; reserved fields are not sent.
"""

import struct

import snappy

from fakes import Answer, Fake
from remote_write import BYTES, FIXED64, VARINT, Sample, WireError, fields, varint

TYPES = {0: "unspecified", 1: "counter", 2: "gauge", 3: "histogram", 4: "gaugehistogram", 5: "summary", 6: "info",
         7: "stateset"}
HEADERS = (("Content-Encoding", "snappy"),
           ("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"),
           ("X-Prometheus-Remote-Write-Version", "2.0.0"))


class Series:
    """Labels as a tuple of pairs in wire order, samples, and (type, help, unit) or None."""

    def __init__(self, labels, samples, meta):
        self.labels, self.samples, self.meta = labels, samples, meta


def _need(holds, problem):
    if not holds:
        raise WireError(problem)


def _refs(data):
    refs, at = [], 0
    while at < len(data):
        ref, at = varint(data, at)
        _need(ref < 1 << 32, "a reference of more than 32 bits")
        refs.append(ref)
    return refs


class Reader:
    """One request: series with their texts looked up."""

    def __init__(self, data):
        self.symbols, self.used, raw = [], {0}, []
        for number, kind, value in fields(data):
            _need(number in (4, 5), f"field {number} in Request, which is reserved or unknown")
            _need(kind == BYTES, f"field {number} of Request has wire type {kind}")
            if number == 4:
                self.symbols.append(value.decode("utf-8"))
            else:
                raw.append(value)
        _need(self.symbols and self.symbols[0] == "", "the first symbol is not empty")
        _need(len(set(self.symbols)) == len(self.symbols), "a symbol stands twice")
        _need(raw, "no series")
        self.series = [self._series(value) for value in raw]
        unused = set(range(len(self.symbols))) - self.used
        _need(not unused, f"symbols that nothing refers to: {[self.symbols[n] for n in unused]}")

    def _text(self, ref):
        _need(ref < len(self.symbols), f"reference {ref} of {len(self.symbols)} symbols")
        self.used.add(ref)
        return self.symbols[ref]

    def _labels(self, data):
        refs = _refs(data)
        _need(refs and len(refs) % 2 == 0, f"{len(refs)} references")
        texts = [self._text(ref) for ref in refs]
        labels = tuple(zip(texts[::2], texts[1::2]))
        names = [name for name, _ in labels]
        _need(all(name and value for name, value in labels), f"an empty name or value in {labels}")
        _need(names == sorted(set(names), key=lambda name: name.encode()), f"names not sorted, or twice: {names}")
        _need("__name__" in names, f"no __name__ in {names}")
        return labels

    def _metadata(self, data):
        said = {1: 0, 3: 0, 4: 0}
        for number, kind, value in fields(data):
            _need(number in said, f"field {number} in Metadata")
            _need(kind == VARINT, f"field {number} of Metadata has wire type {kind}")
            said[number] = value
        _need(said[1] in TYPES, f"type {said[1]}")
        return TYPES[said[1]], self._text(said[3]), self._text(said[4])

    @staticmethod
    def _sample(data):
        bits, time_ms = 0, 0
        for number, kind, value in fields(data):
            _need(number in (1, 2), f"field {number} in Sample")
            _need(kind == {1: FIXED64, 2: VARINT}[number], f"field {number} of Sample has wire type {kind}")
            if number == 1:
                bits = struct.unpack("<Q", value)[0]
            else:
                time_ms = value - (1 << 64) if value >> 63 else value
        return Sample(bits, time_ms)

    def _series(self, data):
        refs, samples, meta = b"", [], None
        for number, kind, value in fields(data):
            _need(number in (1, 2, 5), f"field {number} in TimeSeries, which is reserved, unknown or not ours to send")
            _need(kind == BYTES, f"field {number} of TimeSeries has wire type {kind}")
            if number == 1:
                refs += value
            elif number == 2:
                samples.append(self._sample(value))
            else:
                meta = self._metadata(value)
        _need(samples, "a series without samples")
        times = [sample.time_ms for sample in samples]
        _need(times == sorted(set(times)), f"times not in order: {times}")
        return Series(self._labels(refs), samples, meta)


class Sink(Fake):
    """POST /api/v1/write of version 2.0. `rows` are (labels dict, Sample, meta) in order of arrival."""

    def __init__(self, port=None):
        super().__init__(port)
        self.rows, self.sizes = [], []

    def answer(self, request):
        if request.method == "GET":
            return Answer(200)
        for name, wanted in HEADERS:
            if request.headers.get(name) != wanted:
                return self.violation(f"{name}: {request.headers.get(name)!r}, not {wanted!r}")
        try:
            series = Reader(snappy.uncompress(request.raw)).series
        except (WireError, UnicodeDecodeError, snappy.UncompressError) as error:
            return self.violation(str(error))
        rows = [(dict(one.labels), sample, one.meta) for one in series for sample in one.samples]
        self.rows += rows
        self.sizes.append(len(rows))
        return Answer(204, headers={"X-Prometheus-Remote-Write-Samples-Written": str(len(rows)),
                                    "X-Prometheus-Remote-Write-Histograms-Written": "0",
                                    "X-Prometheus-Remote-Write-Exemplars-Written": "0"})
