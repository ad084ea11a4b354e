"""The strict servers must themselves refuse what they exist to catch."""

import base64
import gzip
import json
import math
import threading
import time

import pytest
import snappy

import fakes
import lineproto
import net
import remote_write

GOOD_LINES = [
    ("m v=1 1", ("m", {}, {"v": 1.0}, 1)),
    ("m,a=b v=1i", ("m", {"a": "b"}, {"v": 1}, None)),
    (r"my\ m\,x,t\=k=a\ b\,c v\ 1=-1.5e3,s=" + r'"a \"q\" \\ b" 17', (
        "my m,x", {"t=k": "a b,c"}, {"v 1": -1500.0, "s": 'a "q" \\ b'}, 17)),
    ("m v=t,w=FALSE,x=7u -5", ("m", {}, {"v": True, "w": False, "x": 7}, -5)),
    (r"m,path=C:\temp v=.5", ("m", {"path": r"C:\temp"}, {"v": 0.5}, None)),
    ("cpu_usage,instance=server-01,export_to_datastore=true value=85.4 1705317000000000000", (
        "cpu_usage", {"instance": "server-01", "export_to_datastore": "true"}, {"value": 85.4},
        1705317000000000000)),
    ("größe,k=ü v=1", ("größe", {"k": "ü"}, {"v": 1.0}, None)),
]

BAD_LINES = [
    "m", "m ", "m 1", "m v", "m v=", ",a=b v=1", "m, v=1", "m,a v=1", "m,a= v=1", "m,=b v=1", "m,a=b",
    "m v=NaN", "m v=nan", "m v=Inf", "m v=-inf", "m v=1e999", "m v=0x10", "m v=1,v=2", "m,a=b,a=c v=1",
    "m,v=x v=1", "m v=1 1.5", "m v=1 now", "m v=1 1 1", "m v=1,", "m  v=1", "m v=1  1", "m v=9223372036854775808i",
    "m v=18446744073709551616u", "m v=-1u", 'm v="abc', "m,a=b\\ v=1", "m v=+1i", "m v=1.5i", "m v=tRUE",
    "m,a=b\tc v=1", "m v=١", "m v=1 99999999999999999999", "m v=1\r", "m v=.", "m v=1_000", "m,a\\=b v=1",
]


@pytest.mark.parametrize("text,want", GOOD_LINES)
def test_line_accepted(text, want):
    row, = lineproto.decode(text)
    assert (row.measurement, row.tags, row.fields, row.time_ns) == want


@pytest.mark.parametrize("text", BAD_LINES)
def test_line_refused(text):
    with pytest.raises(lineproto.LineError):
        lineproto.decode(text)


def test_lines_blank_and_comment_and_precision():
    rows = lineproto.decode(b"\n# a comment\nm v=1 2\n\nm v=3 4\n", "ms")
    assert [(row.fields["v"], row.time_ns) for row in rows] == [(1.0, 2 * 10**6), (3.0, 4 * 10**6)]


def test_lines_not_utf8():
    with pytest.raises(lineproto.LineError):
        lineproto.decode(b"m,a=\xff v=1")


def corpus_text(value):
    return value if isinstance(value, str) else base64.b64decode(value["binary"])


def test_line_protocol_corpus(shared_data):
    """Every encoder output of the public corpus is accepted; what its strict decoder refuses, ours refuses.

    Cases that ours refuses on purpose (a key twice, a control character) are allowed to differ the other way.
    """
    corpus = json.loads((shared_data / "line-protocol" / "corpus-part.json").read_text())
    outputs = [case["output"]["result"] for case in corpus["encode"].values() if "result" in case["output"]]
    assert len(outputs) > 50
    for output in outputs:
        lineproto.decode(corpus_text(output))
    wrongly_accepted = []
    for case in corpus["decode"].values():
        if "error" in case["output"]:
            try:
                lineproto.decode(corpus_text(case["input"]["text"]), {"1ns": "ns", "1us": "us", "1ms": "ms", "1s": "s"}[
                    case["input"]["precision"]])
                wrongly_accepted.append((case["input"]["text"], case["output"]["error"]))
            except lineproto.LineError:
                pass
    assert wrongly_accepted == []


NAME = ("__name__", "up")
GOOD_SERIES = [(NAME, ("job", "a")), [(1.0, 1000), (2.0, 2000)]]
BAD_SERIES = {
    "labels not sorted": [(("job", "a"), NAME), [(1.0, 1)]],
    "label name twice": [(NAME, ("job", "a"), ("job", "b")), [(1.0, 1)]],
    "empty value": [(NAME, ("job", "")), [(1.0, 1)]],
    "illegal label name": [(NAME, ("my-job", "a")), [(1.0, 1)]],
    "illegal metric name": [(("__name__", "a b"),), [(1.0, 1)]],
    "no name": [(("job", "a"),), [(1.0, 1)]],
    "no samples": [(NAME,), []],
    "not in time order": [(NAME,), [(1.0, 2), (1.0, 1)]],
    "time twice": [(NAME,), [(1.0, 2), (1.0, 2)]],
    "odd NaN": [(NAME,), [(0x7FF8000000000002, 1)]],
}


@pytest.fixture
def sink():
    sink = fakes.RemoteWriteSink().up()
    yield sink
    sink.down()


def push(sink, series, headers=None, body=None):
    headers = headers or {**dict(sink.HEADERS), "User-Agent": "test/1"}
    body = snappy.compress(remote_write.encode(series)) if body is None else body
    return net.post(sink.url + "/api/v1/write", body, headers=headers).status


def test_remote_write_accepted(sink):
    assert push(sink, [GOOD_SERIES]) == 204
    stale = [(NAME, ("job", "a")), [(remote_write.STALE_BITS, 3000)]]
    assert push(sink, [stale]) == 204
    assert push(sink, [stale]) == 204
    (key, samples), = sink.named("up").items()
    assert key == (("__name__", "up"), ("job", "a"))
    assert [(s.value, s.time_ms) for s in samples[:2]] == [(1.0, 1000), (2.0, 2000)]
    assert samples[2].stale and math.isnan(samples[2].value) and not samples[0].stale
    assert sink.duplicates == 1 and not sink.violations


@pytest.mark.parametrize("why", BAD_SERIES)
def test_remote_write_refused(sink, why):
    assert push(sink, [BAD_SERIES[why]]) == 400
    assert sink.violations


def test_remote_write_order_across_requests(sink):
    assert push(sink, [GOOD_SERIES]) == 204
    assert push(sink, [[(NAME, ("job", "a")), [(5.0, 1500)]]]) == 400, "older than what was stored"
    assert push(sink, [[(NAME, ("job", "a")), [(9.0, 2000)]]]) == 400, "another value for a stored time"
    assert push(sink, [GOOD_SERIES, GOOD_SERIES]) == 400, "the same times twice in one request"
    later = [(NAME, ("job", "b")), [(1.0, 1000)]], [(NAME, ("job", "b")), [(2.0, 2000)]]
    assert push(sink, later) == 204, "series twice in one request, in order"
    assert push(sink, later[::-1]) == 400, "series twice in one request, the later one first"
    assert len(sink.violations) == 4


def test_remote_write_headers_and_bytes(sink):
    for missing in [name for name, _ in sink.HEADERS] + ["User-Agent"]:
        headers = {**dict(sink.HEADERS), "User-Agent": "test/1"}
        headers[missing] = ""
        assert push(sink, [GOOD_SERIES], headers=headers) == 400, missing
    good = remote_write.encode([GOOD_SERIES])
    assert push(sink, [], body=good) == 400, "not compressed"
    for cut in range(1, len(good)):
        if cut != len(good):
            assert push(sink, [], body=snappy.compress(good[:cut])) == 400, f"cut at {cut}"
    assert push(sink, [], body=snappy.compress(good + b"\x12\x00")) == 400, "unknown field 2"
    assert push(sink, [], body=snappy.compress(b"\xff" * 11)) == 400, "endless varint"


@pytest.fixture
def influx():
    server = fakes.InfluxV2(token="tok").up()
    yield server
    server.down()


def write(influx, body, token="tok", headers=None, **params):
    params = {"org": influx.org, "bucket": influx.bucket, "precision": "ns", **params}
    headers = {"Authorization": f"Token {token}", **(headers or {})}
    return net.post(net.with_query(influx.url + "/api/v2/write", params), body, headers=headers).status


def test_influx_v2(influx):
    assert write(influx, b"m,a=b v=1 5\nm,a=b v=2 6") == 204
    assert write(influx, gzip.compress(b"m,a=b v=3 6"), headers={"Content-Encoding": "gzip"}) == 204
    assert len(influx.rows) == 3 and len(influx.points) == 2 and not influx.violations
    assert write(influx, b"m v=1", token="wrong") == 401
    assert write(influx, b"m v=1", bucket="other") == 404
    assert write(influx, b"m v=1", org="other") == 404
    assert not influx.violations
    for bad in (b"m v=NaN", b"m v=1\nm", b"", b"# only a comment"):
        assert write(influx, bad) == 400
    assert write(influx, b"m v=1", precision="h") == 400
    assert write(influx, b"m v=1", headers={"Content-Type": "application/json"}) == 400
    assert write(influx, b"plain", headers={"Content-Encoding": "gzip"}) == 400
    assert len(influx.violations) == 7 and len(influx.rows) == 3


def test_webhook_script_down_and_up(webhook):
    webhook.script = [503, fakes.Answer(429, headers={"Retry-After": "2"}), fakes.Answer(drop=True)]
    assert net.post(webhook.url, b'{"n":1}').status == 503
    assert net.post(webhook.url, b'{"n":1}').headers["Retry-After"] == "2"
    with pytest.raises(OSError):
        net.post(webhook.url, b'{"n":1}')
    assert net.post(webhook.url, b'{"n":1}').status == 200
    webhook.down()
    assert fakes.refused(webhook.port)
    webhook.up()
    assert net.post(webhook.url, b'{"n":2}').status == 200
    assert [record["n"] for record in webhook.accepted()] == [1, 2] and len(webhook.requests) == 5


def test_down_reaches_kept_connections(webhook):
    """A client that keeps its connection open must not get through to a server that is down."""
    import http.client
    connection = http.client.HTTPConnection(net.HOST, webhook.port, timeout=5)
    connection.request("POST", "/", b"1")
    assert connection.getresponse().read() == b""
    webhook.down()
    with pytest.raises((OSError, http.client.HTTPException)):
        connection.request("POST", "/", b"2")
        connection.getresponse()
    assert len(webhook.requests) == 1


def test_fake_prom(fake_prom):
    fake_prom.respond = lambda text, time_ns: [({"job": text}, time_ns / 1e9), ({"job": "n"}, float("nan"))]
    want = [{"metric": {"job": "up"}, "value": [1.5, "1.5"]}, {"metric": {"job": "n"}, "value": [1.5, "NaN"]}]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for answer in (net.get(fake_prom.url + "/api/v1/query?query=up&time=1.5"),
                   net.post(fake_prom.url + "/api/v1/query", "query=up&time=1970-01-01T00%3A00%3A01.5Z", headers=form),
                   net.post(fake_prom.url + "/api/v1/query?query=up&time=1.500", "", headers=form)):
        assert answer.json() == {"status": "success", "data": {"resultType": "vector", "result": want}}
    assert [query.time_ns for query in fake_prom.queries] == [1_500_000_000] * 3
    net.wait_until("all completed", lambda: all(query.completed for query in fake_prom.queries))


def test_fake_prom_misbehaves(fake_prom):
    url = fake_prom.url + "/api/v1/query?query=up"
    fake_prom.script = [fake_prom.error("execution", "boom"), fakes.Answer(200, b"0123456789", truncate=4),
                        fakes.Answer(200, b"{}", delay=0.3), fakes.Answer(hang=True)]
    assert net.get(url).json()["errorType"] == "execution"
    with pytest.raises(OSError):
        net.get(url)
    begin = time.monotonic()
    assert net.get(url).status == 200 and time.monotonic() - begin >= 0.3
    with pytest.raises(OSError):
        net.get(url, timeout=0.3)
    assert net.get(fake_prom.url + "/api/v1/query").status == 400
    hanging = threading.Thread(target=lambda: pytest.raises(OSError, net.get, url))
    fake_prom.script = [fakes.Answer(hang=True)]
    hanging.start()
    net.wait_until("the request", lambda: not fake_prom.script)
    fake_prom.down()
    hanging.join(5)
    assert not hanging.is_alive()


def test_times():
    assert net.parse_rfc3339("1970-01-01T00:00:01Z") == 10**9
    assert net.parse_rfc3339("2024-01-15T10:30:00.123456789+01:00") == 1705311000123456789
    assert fakes.parse_time("1705311000.123") == 1705311000123000000
    with pytest.raises(AssertionError):
        net.parse_rfc3339("2024-01-15T10:30:00")
