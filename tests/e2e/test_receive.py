"""Remote write in: what real senders push arrives at real stores, and what was acknowledged survives a kill."""

import random
import shutil
import socket
import struct
import threading

import pytest
import snappy
import yaml

import net
import remote_write
import servers
from process import Process
from telex import remote_write_exporter

WRITE = "/api/v1/write"
HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
           "X-Prometheus-Remote-Write-Version": "0.1.0"}


def config(url, **options):
    return {"receive": {"remote_write": True},
            "exporters": {"out": remote_write_exporter(url, **options)}}


def counted(program, name, label):
    return program.metrics()[name][(label,)]


class Sender(servers.Prometheus):
    """A Prometheus that scrapes itself and pushes to `url`; `options` are more of its `remote_write`."""

    def __init__(self, folder, url, **options):
        super().__init__(folder)
        self.name = "sender"
        self.folder = folder / "sender"
        self.push_url, self.push_options = url, options

    def prepare(self):
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "self", "static_configs": [{"targets": [self.address]}]}],
            "remote_write": [{"url": self.push_url, "queue_config": {"batch_send_deadline": "500ms"}, **self.push_options}]}))


@pytest.fixture
def start_sender(tmp_path):
    running = []

    def start(url):
        running.append(Sender(tmp_path, url))
        return running[-1].start()

    yield start
    for sender in running:
        sender.stop()


def test_prometheus_through_telex_into_victoria(start_telex, start_victoria, start_sender):
    victoria = start_victoria()
    program = start_telex(config(victoria.write_url, buffer={"fsync": "always"}))
    sender = start_sender(program.url + WRITE)
    net.wait_until("samples", lambda: len(victoria.export('{__name__="up"}')) == 1
                   and len(victoria.export('{__name__=~"prometheus_build.*"}')) == 1, 30)
    sent = dict(sender.samples("up"))
    (labels, samples), = victoria.export('{__name__="up"}').items()
    (own_labels, own), = sent.items()
    assert labels == own_labels
    times = {round(when * 1000) for when, _ in own}
    assert {when for when, _ in samples} <= times and {value for _, value in samples} == {1}
    assert counted(program, "telex_receive_requests_total", "code=204") > 0
    assert counted(program, "telex_receive_requests_total", "code=400") == 0


def test_vmagent_through_telex(start_telex, start_rw_sink, start_prometheus, tmp_path):
    if shutil.which("vmagent") is None:
        pytest.skip("vmagent is not installed (apt-get install victoria-metrics)")
    prometheus = start_prometheus()
    sink = start_rw_sink()
    program = start_telex(config(sink.url + WRITE))
    (tmp_path / "scrape.yml").write_text(yaml.safe_dump({
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [{"job_name": "p", "static_configs": [{"targets": [prometheus.address]}]}]}))
    agent = Process("vmagent", ["vmagent", f"-httpListenAddr={net.HOST}:{net.free_port()}",
                                "-promscrape.config=scrape.yml", "-remoteWrite.tmpDataPath=queue",
                                "-remoteWrite.flushInterval=200ms",
                                f"-remoteWrite.url={program.url}{WRITE}"], tmp_path, servers.GO_ENV).start()
    try:
        net.wait_until("samples", lambda: sink.named("up"), 30)
    finally:
        agent.stop()
    assert counted(program, "telex_receive_requests_total", "code=400") == 0


def body(number):
    return snappy.compress(remote_write.encode(
        [((("__name__", "seq"), ("n", str(number))), [(float(number), 1700000000000 + number)])]))


@pytest.mark.parametrize("fsync", ["always", "interval"])
def test_acknowledged_survives_a_kill(start_telex, start_rw_sink, fsync):
    sink = start_rw_sink()
    sink.down()
    program = start_telex(config(sink.url + WRITE, buffer={"fsync": fsync}))
    for number in range(300):
        assert net.post(program.url + WRITE, body(number), headers=HEADERS).status == 204
    program.sigkill()
    program.start()
    program.wait_ready()
    sink.up()
    got = lambda: {int(dict(key)["n"]) for key in sink.named("seq")}  # noqa: E731
    net.wait_until("all of them", lambda: got() == set(range(300)), 20)


def test_nobody_loses_by_a_route(start_telex, start_rw_sink, start_webhook):
    sink = start_rw_sink()
    hook = start_webhook()
    program = start_telex({**config(sink.url + WRITE), "routes": [{"match": 'n == "1"', "to": ["out"]}]})
    for number in range(3):
        assert net.post(program.url + WRITE, body(number), headers=HEADERS).status == 204
    net.wait_until("the one", lambda: len(sink.named("seq")) == 1)
    assert counted(program, "telex_receive_dropped_total", "reason=no route") == 2
    assert "go nowhere" in program.process.log()
    alone = start_telex({"receive": {"remote_write": True},
                         "exporters": {"am": {"type": "alertmanager", "url": hook.url}}})
    answer = net.post(alone.url + WRITE, body(1), headers=HEADERS)
    assert answer.status == 503 and answer.headers["Retry-After"] == "30"


def test_what_is_refused(start_telex, start_rw_sink):
    sink = start_rw_sink()
    program = start_telex({**config(sink.url + WRITE),
                           "receive": {"remote_write": True, "max_body": "64KiB", "max_decoded": "128KiB"}})

    def push(data, **headers):
        answer = net.post(program.url + WRITE, data, headers={**HEADERS, **headers})
        return answer.status, answer.text

    assert push(b"garbage")[0] == 400
    status, text = push(snappy.compress(b"garbage"))
    assert status == 400 and "at byte 0" in text
    assert push(b"x" * 70000)[0] == 413
    assert push(snappy.compress(b"\x1a\x00" * 70000))[0] == 413
    status, text = push(body(1), **{"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v3.Request"})
    assert status == 415 and "proto=io.prometheus.write.v2.Request" in text
    status, text = push(body(1), **{"X-Prometheus-Remote-Write-Version": "2.0.0"})
    assert status == 415 and "Content-Type does not say" in text
    assert push(body(1), **{"Content-Encoding": "zstd"})[0] == 415
    assert push(snappy.compress(b""))[0] == 204
    assert sink.named("seq") == {}


HEADERS_2 = {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
             "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "2.0.0"}


def field(number, value):
    return bytes([number << 3 | 2, len(value)]) + value


def sample(value, time_ms):
    time = b""
    while time_ms >= 0x80:
        time, time_ms = time + bytes([time_ms & 0x7F | 0x80]), time_ms >> 7
    return field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + time + bytes([time_ms]))


def request_2(*series, symbols=("", "__name__", "seq", "n", "1", "2")):
    """A request of remote write 2.0; of each series the references of its labels, and what else it holds."""
    return snappy.compress(b"".join(field(4, text.encode()) for text in symbols)
                           + b"".join(field(5, field(1, bytes(refs)) + rest) for refs, rest in series))


HISTOGRAM = field(3, b"\x19" + struct.pack("<d", 1.0))
EXEMPLAR = field(4, field(1, bytes([3, 4])) + b"\x11" + struct.pack("<d", 1.0))
SEQ_1, SEQ_2 = [1, 2, 3, 4], [1, 2, 3, 5]


@pytest.mark.parametrize("what, pushed, status, written", [
    ("samples", request_2((SEQ_1, sample(1, 1700000000001)), (SEQ_2, sample(2, 1700000000001))), 204, (2, 0, 0)),
    ("two of one series", request_2((SEQ_1, sample(1, 1700000000001) + sample(2, 1700000000002))), 204, (2, 0, 0)),
    ("with the rest", request_2((SEQ_1, sample(1, 1700000000001) + EXEMPLAR), (SEQ_2, HISTOGRAM)), 204, (1, 1, 1)),
    ("nothing", request_2(), 204, (0, 0, 0)),
    ("histograms alone", request_2((SEQ_1, HISTOGRAM)), 400, None),
    ("odd references", request_2(([1, 2, 3], sample(1, 1700000000001))), 400, None),
    ("no such symbol", request_2(([1, 9], sample(1, 1700000000001))), 400, None),
    ("a label twice", request_2(([1, 2, 1, 2], sample(1, 1700000000001))), 400, None),
    ("no empty symbol", request_2((SEQ_1, sample(1, 1700000000001)), symbols=("x", "__name__", "seq", "n", "1")), 400, None),
])
def test_remote_write_2(start_telex, start_rw_sink, what, pushed, status, written):
    """Cases of the public conformance suite of receivers, in our own words."""
    sink = start_rw_sink()
    program = start_telex(config(sink.url + WRITE))
    answer = net.post(program.url + WRITE, pushed, headers=HEADERS_2)
    assert answer.status == status, answer.text
    if written is not None:
        names = ("Samples", "Histograms", "Exemplars")
        assert tuple(int(answer.headers[f"X-Prometheus-Remote-Write-{name}-Written"]) for name in names) == written
        net.wait_until("them", lambda: sum(len(kept) for kept in sink.named("seq").values()) == written[0], 10)


def test_off_by_default(start_telex, start_rw_sink):
    sink = start_rw_sink()
    program = start_telex({"exporters": {"out": remote_write_exporter(sink.url + WRITE)}})
    answer = net.post(program.url + WRITE, body(1), headers=HEADERS)
    assert answer.status == 404 and "receive.remote_write" in answer.text


def answer_to_head(url, length):
    """What is said of a push of which nothing but the head came."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as s:
        lines = [f"POST {WRITE} HTTP/1.1", f"Host: {host}:{port}", f"Content-Length: {length}",
                 *(f"{name}: {value}" for name, value in HEADERS.items()), "", ""]
        s.sendall("\r\n".join(lines).encode())
        return s.recv(4096)


def test_a_full_quota_is_answered_503_and_nothing_acknowledged_is_lost(start_telex, start_rw_sink):
    sink = start_rw_sink()
    sink.down()
    program = start_telex(config(sink.url + WRITE, buffer={
        "fsync": "always", "overflow": "block", "max_disk_bytes": "1MB"}))
    acknowledged = set()
    for number in range(100):
        noise = random.Random(number).randbytes(15000).hex()
        message = snappy.compress(remote_write.encode(
            [((("__name__", "seq"), ("n", str(number)), ("noise", noise)), [(1.0, 1700000000000 + number)])]))
        answer = net.post(program.url + WRITE, message, headers=HEADERS)
        assert answer.status in (204, 503)
        if answer.status == 204:
            acknowledged.add(number)
        else:
            assert int(answer.headers["Retry-After"]) > 0
            break
    assert answer.status == 503 and len(acknowledged) > 10
    assert answer_to_head(program.url, 10_000_000).startswith(b"HTTP/1.1 503 ")
    sink.up()
    got = lambda: {int(dict(key)["n"]) for key in sink.named("seq")}  # noqa: E731
    net.wait_until("all of them", lambda: got() == acknowledged, 20)
    assert net.post(program.url + WRITE, body(1000), headers=HEADERS).status == 204


def test_a_stop_answers_what_is_in_flight(start_telex, start_rw_sink):
    sink = start_rw_sink()
    program = start_telex(config(sink.url + WRITE, buffer={"fsync": "always"}))
    acknowledged, ended = [], threading.Event()

    def push_on(first):
        for number in range(first, 1000000, 4):
            try:
                if net.post(program.url + WRITE, body(number), headers=HEADERS).status == 204:
                    acknowledged.append(number)
            except OSError:
                pass
            if ended.is_set():
                return

    pushers = [threading.Thread(target=push_on, args=(first,)) for first in range(4)]
    for pusher in pushers:
        pusher.start()
    net.wait_until("some", lambda: len(acknowledged) > 100)
    assert program.sigterm() == 0
    ended.set()
    for pusher in pushers:
        pusher.join()
    got = {int(dict(key)["n"]) for key in sink.named("seq")}
    assert set(acknowledged) <= got


def test_a_reload_turns_it_on(start_telex, start_rw_sink):
    sink = start_rw_sink()
    program = start_telex({"exporters": {"out": remote_write_exporter(sink.url + WRITE)}})
    assert net.post(program.url + WRITE, body(1), headers=HEADERS).status == 404
    program.write_config(config(sink.url + WRITE))
    assert program.reload().status == 200
    assert net.post(program.url + WRITE, body(1), headers=HEADERS).status == 204
    net.wait_until("it", lambda: len(sink.named("seq")) == 1)
