"""The benchmark's peer counts exactly, and its runner notices work that was not done."""

import importlib.machinery
import json
import pathlib
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest
import snappy

import remote_write

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from harness import measure, report  # noqa: E402
from harness.peer import Peer  # noqa: E402

PROGRAM = ROOT / "build" / "bench" / "bench-peer"
SERIES = 50


@pytest.fixture
def start_peer(tmp_path):
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not built")
    running = []

    def start(rotate=False):
        peer = Peer(str(PROGRAM), SERIES, 60, rotate, tmp_path)
        running.append(peer)
        peer.control(on=1, quota=1000)
        return peer

    yield start
    for peer in running:
        peer.stop()


def query(peer, expr, time, post=False):
    args = urllib.parse.urlencode({"query": expr, "time": time})
    url = peer.url + "/api/v1/query"
    request = urllib.request.Request(url, args.encode()) if post else url + "?" + args
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["data"]["result"]


def send(peer, path, body, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(peer.url + path, body, named)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


@pytest.mark.parametrize("rotate", [False, True])
def test_answers(start_peer, rotate):
    peer = start_peer(rotate)
    first = query(peer, 'bench_rec_007{env="production"}', "1700000000.25")
    second = query(peer, "sum(bench_rec_007)", "2023-11-14T22:13:21Z", post=True)
    names = [json.dumps(row["metric"]) for row in first]
    assert len(set(names)) == SERIES
    assert sorted(names) == sorted(json.dumps(row["metric"]) for row in second)
    assert list(first[0]["metric"]) == sorted(first[0]["metric"])
    assert {row["value"][0] for row in first} == {1700000000.25}
    assert {row["value"][0] for row in second} == {1700000001}
    values = {json.dumps(row["metric"]): row["value"][1] for row in first}
    assert all(values[json.dumps(row["metric"])] != row["value"][1] for row in second)
    assert all("." not in v or v[-1] in "13579" for v in values.values())
    whole = sum(int(row["value"][1]) for row in first + second if "." not in row["value"][1])
    assert peer.stats()["record"] == {"queries": 2, "samples": 2 * SERIES, "whole_sum": whole,
                                      "time_sum_ms": SERIES * (1700000000250 + 1700000001000)}


def test_off_and_unknown_queries_are_empty(start_peer):
    peer = start_peer()
    assert query(peer, "vector(1)", 1) == []
    peer.control(on=0)
    assert query(peer, "bench_alert_001 > 0", 1) == []
    stats = peer.stats()
    assert (stats["other_queries"], stats["alert"]["queries"], stats["alert"]["samples"]) == (1, 1, 0)


def test_gate_holds_the_query_over_the_quota(start_peer):
    peer = start_peer()
    peer.control(quota=1)
    query(peer, "bench_rec_000", 1700000000)
    held = threading.Thread(target=query, args=(peer, "bench_rec_000", 1700000000))
    held.start()
    held.join(0.3)
    assert held.is_alive() and peer.stats()["held"] == 1 and peer.stats()["passed"] == 1
    peer.control(quota=2)
    held.join(10)
    assert not held.is_alive() and peer.stats()["record"]["queries"] == 2


def test_sink_counts_by_class(start_peer):
    peer = start_peer()
    stale = remote_write.STALE_BITS
    body = snappy.compress(remote_write.encode([
        ([("__name__", "ALERTS"), ("a", "1")], [(1.0, 10), (stale, 20)]),
        ([("__name__", "ALERTS"), ("a", "2")], [(1.0, 10)]),
        ([("__name__", "ALERTS_FOR_STATE"), ("a", "1")], [(1700000000.0, 10)]),
        ([("__name__", "x"), ("a", "1")], [(5.0, 1), (0.5, 2), (7.0, 3)]),
    ]))
    assert [send(peer, "/api/v1/write", body, Content_Encoding="snappy") for _ in "ab"] == [204, 204]
    sink = peer.stats()["sink"]
    assert sink["ALERTS"] == {"series": 2, "samples": 4, "stale": 2, "whole_sum": 4, "time_sum_ms": 40}
    assert sink["ALERTS_FOR_STATE"] == {"series": 1, "samples": 2, "stale": 0,
                                        "whole_sum": 3400000000, "time_sum_ms": 20}
    assert sink["recorded"] == {"series": 1, "samples": 6, "stale": 0, "whole_sum": 24, "time_sum_ms": 12}
    assert (sink["requests"], sink["bad"], sink["bytes_wire"]) == (2, 0, 2 * len(body))


def test_sink_refuses(start_peer):
    peer = start_peer()
    good = remote_write.encode([([("__name__", "x")], [(1.0, 1)])])
    cases = [
        ({"Content_Encoding": "zstd"}, good, 400),
        ({"Content_Encoding": "snappy", "X_Prometheus_Remote_Write_Version": "2.0.0"}, good, 415),
        ({"Content_Encoding": "snappy"}, b"not snappy", 400),
        ({"Content_Encoding": "snappy"}, snappy.compress(good[:-1]), 400),
    ]
    assert [send(peer, "/api/v1/write", body, **head) for head, body, _ in cases] == [c[2] for c in cases]
    sink = peer.stats()["sink"]
    assert (sink["bad"], sink["recorded"]["samples"]) == (2, 0)


def test_alertmanager_counts(start_peer):
    peer = start_peer()
    body = json.dumps([{"labels": {"n": n}, "startsAt": "2024-01-01T00:00:00Z"} for n in "abc"])
    assert send(peer, "/api/v2/alerts", body.encode(), Content_Type="application/json") == 200
    assert (peer.stats()["notified_posts"], peer.stats()["notified_alerts"]) == (1, 3)


def perfect(plan, passes):
    """What the peer reports when everything was done: one empty pass, then full ones."""
    samples, alert = passes * plan.units, plan.kind == "alert"
    none = {"series": 0, "samples": 0, "stale": 0, "whole_sum": 0, "time_sum_ms": 0}
    full = dict(none, series=plan.units, samples=samples, whole_sum=samples, time_sum_ms=9)
    pending = dict(full, series=2 * plan.units, stale=plan.units)
    return {"abandoned": 0,
            plan.kind: {"queries": (passes + 1) * plan.rules, "samples": samples, "whole_sum": samples,
                        "time_sum_ms": 9},
            "sink": {"bad": 0, "recorded": none if alert else full,
                     "ALERTS": pending if alert else dict(none),
                     "ALERTS_FOR_STATE": dict(full) if alert else dict(none)}}


@pytest.mark.parametrize("kind", ["record", "alert"])
def test_every_difference_is_noticed(kind):
    plan = measure.Plan(kind, 3, 10, 15, 2, 2, 60)
    stats = perfect(plan, 4)
    assert measure.differences(plan, 4, 5, stats) == []
    assert measure.done(plan, 4, 5, stats)
    main = "recorded" if kind == "record" else "ALERTS"
    for name in ("samples", "series", "stale", "whole_sum", "time_sum_ms"):
        stats["sink"][main][name] += 1
        assert measure.differences(plan, 4, 5, stats), name
        stats["sink"][main][name] -= 1
    stats["sink"]["bad"] = 1
    assert measure.differences(plan, 4, 5, stats)


def test_report_judges_ratios():
    row = report.Row("CPU", "s", {"vmalert": 20.0, "telex": 1.0}, 20)
    assert report.verdict(row) == "met"
    row.value["telex"] = 1.01
    assert report.verdict(row) == "MISSED"
    assert report.verdict(report.Row("CPU", "s", {"vmalert": 20.0}, 20)) == ""


def test_no_script_of_the_bench_hides_a_package():
    """Whoever has the folder in front of sys.path still imports what he means."""
    elsewhere = [path for path in sys.path if pathlib.Path(path or ".").resolve() != ROOT / "bench"]
    specs = {script.stem: importlib.machinery.PathFinder.find_spec(script.stem, elsewhere)
             for script in (ROOT / "bench").glob("*.py")}
    assert [name for name, spec in specs.items() if spec is not None and spec.origin is not None] == []
