"""StatsD over UDP and a Unix socket: what lines add up to."""

import socket

import net
from telex import file_exporter


def start(start_telex, tmp_path, **options):
    port = net.free_port()
    program = start_telex({"receive": {"statsd": {"listen": f"127.0.0.1:{port}", "flush_interval": "300ms", **options}},
                           "exporters": {"archive": file_exporter(tmp_path / "out")}})
    return program, port


def send(port, *datagrams):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for datagram in datagrams:
            sock.sendto(datagram.encode(), ("127.0.0.1", port))


def latest(program, tmp_path):
    """{(name, labels): value} of the last record of each series."""
    return {(r["name"], tuple(sorted(r["labels"].items()))): r["value"] for r in program.jsonl(tmp_path / "out")}


def test_types_tags_and_rates(start_telex, tmp_path):
    program, port = start(start_telex, tmp_path)
    send(port, "page.views:1|c\npage.views:2|c|@0.5\nfuel:10|g\nfuel:-4|g\nusers:a|s\nusers:b|s\nusers:a|s",
         "req:1:2:3:4|ms|#env:prod,host:größe", "tagged,zone=eu:3|c", "_e{1,1}:a|b", "nonsense", "x:|c", "y:nan|g")
    at = {"page_views": 5, "fuel": 6, "users": 2}
    tags = (("env", "prod"), ("host", "größe"))

    def all_there():
        got = latest(program, tmp_path)
        return (all(got.get((name, ())) == value for name, value in list(at.items())[:2]) and got
                if ("req_count", tags) in got else None)

    got = net.wait_until("the samples", all_there)
    assert got[("req_count", tags)] == 4 and got[("req_sum", tags)] == 10 and got[("tagged", (("zone", "eu"),))] == 3
    assert got[("req", (*tags, ("quantile", "0.99")))] == 4
    assert [r["value"] for r in program.jsonl(tmp_path / "out") if r["name"] == "users"][0] == 2
    lines = program.metrics()["telex_statsd_lines_total"]
    assert (lines[("result=taken",)], lines[("result=bad",)], lines[("result=other",)]) == (9, 3, 1)
    send(port, "page.views:1|c", "fuel:+1|g")
    net.wait_until("the total", lambda: latest(program, tmp_path).get(("page_views", ())) == 6 and
                   latest(program, tmp_path).get(("fuel", ())) == 7)


def test_series_are_limited_and_expire(start_telex, tmp_path):
    program, port = start(start_telex, tmp_path, max_series=10, expiry="1s")
    send(port, *[f"many:1|c|#n:{i}" for i in range(30)])
    net.wait_until("the count", lambda: program.metrics()["telex_statsd_lines_total"][("result=series limit",)] == 20)
    net.wait_until("ten series", lambda: program.metrics()["telex_statsd_series"][()] == 10)
    net.wait_until("no series", lambda: program.metrics()["telex_statsd_series"][()] == 0)
    send(port, "other:1|c")
    net.wait_until("room again", lambda: ("other", ()) in latest(program, tmp_path))


def test_a_unix_socket_and_the_last_flush(start_telex, tmp_path):
    path = tmp_path / "statsd.sock"
    program, _ = start(start_telex, tmp_path, socket=str(path), flush_interval="1h")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        for _ in range(1000):
            sock.sendto(b"hits:1|c", str(path))
    net.wait_until("all lines", lambda: program.metrics()["telex_statsd_lines_total"][("result=taken",)] == 1000)
    assert program.sigterm() == 0
    assert latest(program, tmp_path)[("hits", ())] == 1000 and not path.exists()
