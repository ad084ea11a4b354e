"""Remote write 2.0 into a strict store: a table of samples, each with what is to be read of it, re-expressed from what
public sender suites name (labels, symbols, samples, timestamps, metadata, batching, edge cases). What answers come to is
in tests/unit/export/test_exporter_remote_write.c. Histograms and exemplars are not sent, so their cases have no place."""

import json
import math
import subprocess

import pytest
import yaml

import net
import remote_write_2
import telex
from telex import BINARY, FAST_RETRY

T = 1_700_000_000_000  # ms
NAN = float("nan")
LONG = "x" * 5000


def series(name, **labels):
    return {"__name__": name, **labels}


# (suite, case, line of the text format, labels, value, ms)
CASES = [
    # labels
    ("labels", "one", f'a{{x="1"}} 1 {T}', series("a", x="1"), 1, T),
    ("labels", "none but the name", f"lone 1 {T}", series("lone"), 1, T),
    ("labels", "given unsorted", f'b{{z="1",a="2",m="3"}} 1 {T}', series("b", z="1", a="2", m="3"), 1, T),
    ("labels", "an empty value is no label", f'c{{x="",y="1"}} 1 {T}', series("c", y="1"), 1, T),
    ("labels", "capitals before the name", f'd{{A="1",Z="2"}} 1 {T}', series("d", A="1", Z="2"), 1, T),
    ("labels", "underscores", f'e{{_a="1",__b="2"}} 1 {T}', series("e", _a="1", __b="2"), 1, T),
    ("labels", "a name with colons", f"job:f:sum 1 {T}", series("job:f:sum"), 1, T),
    ("labels", "UTF-8 in a value", f'g{{x="größe 東京"}} 1 {T}', series("g", x="größe 東京"), 1, T),
    ("labels", "quotes and lines in a value", f'h{{x="a\\"b\\nc\\\\d"}} 1 {T}', series("h", x='a"b\nc\\d'), 1, T),
    ("labels", "a long value", f'i{{x="{LONG}"}} 1 {T}', series("i", x=LONG), 1, T),
    ("labels", "a long name of a label", f'j{{{LONG[:300]}="1"}} 1 {T}', series("j", **{LONG[:300]: "1"}), 1, T),
    ("labels", "thirty of them", "k{" + ",".join(f'l{n:02}="{n}"' for n in range(30)) + f"}} 1 {T}",
     series("k", **{f"l{n:02}": str(n) for n in range(30)}), 1, T),
    ("labels", "job and instance", f'l{{job="a",instance="h:1"}} 1 {T}', series("l", job="a", instance="h:1"), 1, T),
    # symbols
    ("symbols", "a name that is a value too", f'm{{m="m"}} 1 {T}', series("m", m="m"), 1, T),
    ("symbols", "equal values of two labels", f'n{{x="1",y="1"}} 1 {T}', series("n", x="1", y="1"), 1, T),
    ("symbols", "a metric called as a label", f'x{{a="1"}} 1 {T}', series("x", a="1"), 1, T),
    ("symbols", "values that differ in case", f'o{{x="A",y="a"}} 1 {T}', series("o", x="A", y="a"), 1, T),
    # samples
    ("samples", "zero", f'p{{c="0"}} 0 {T}', series("p", c="0"), 0.0, T),
    ("samples", "zero below zero", f'p{{c="1"}} -0 {T}', series("p", c="1"), -0.0, T),
    ("samples", "below zero", f'p{{c="2"}} -3.5 {T}', series("p", c="2"), -3.5, T),
    ("samples", "the largest", f'p{{c="3"}} 1.7976931348623157e308 {T}', series("p", c="3"), 1.7976931348623157e308, T),
    ("samples", "the smallest", f'p{{c="4"}} 5e-324 {T}', series("p", c="4"), 5e-324, T),
    ("samples", "infinity", f'p{{c="5"}} +Inf {T}', series("p", c="5"), math.inf, T),
    ("samples", "infinity below zero", f'p{{c="6"}} -Inf {T}', series("p", c="6"), -math.inf, T),
    ("samples", "NaN", f'p{{c="7"}} NaN {T}', series("p", c="7"), NAN, T),
    ("samples", "all digits", f'p{{c="8"}} 0.30000000000000004 {T}', series("p", c="8"), 0.1 + 0.2, T),
    ("samples", "integers beyond 53 bits", f'p{{c="9"}} 9007199254740993 {T}', series("p", c="9"), 9007199254740992.0, T),
    ("samples", "a counter's", f"q_total 12345 {T}", series("q_total"), 12345.0, T),
    ("samples", "a bucket's", f'r_bucket{{le="+Inf"}} 7 {T}', series("r_bucket", le="+Inf"), 7.0, T),
    ("samples", "a summary's", f's{{quantile="0.99"}} 1.5 {T}', series("s", quantile="0.99"), 1.5, T),
    # timestamps
    ("timestamps", "whole seconds", f"t1 1 {T}", series("t1"), 1, T),
    ("timestamps", "milliseconds", f"t2 1 {T + 7}", series("t2"), 1, T + 7),
    ("timestamps", "long ago", "t3 1 1000", series("t3"), 1, 1000),
    ("timestamps", "1970", "t4 1 0", series("t4"), 1, 0),
    ("timestamps", "before 1970", "t5 1 -1500", series("t5"), 1, -1500),
    ("timestamps", "far ahead", "t6 1 4102444800000", series("t6"), 1, 4102444800000),
    # edge cases
    ("edge", "an info metric", f'build_info{{version="1.2.3",commit="abc"}} 1 {T}',
     series("build_info", version="1.2.3", commit="abc"), 1, T),
    ("edge", "a value that looks like a reference", f'u{{x="0",y="1"}} 1 {T}', series("u", x="0", y="1"), 1, T),
    ("edge", "only spaces in a value", f'v{{x="  "}} 1 {T}', series("v", x="  "), 1, T),
    ("edge", "a label called as the name of a metric", f'w{{w_total="1"}} 1 {T}', series("w", w_total="1"), 1, T),
]


def same(got, wanted):
    if math.isnan(wanted):
        return math.isnan(got)
    return got == wanted and math.copysign(1, got) == math.copysign(1, wanted)


@pytest.fixture
def sink():
    store = remote_write_2.Sink()
    yield store.start()
    store.stop()


def exporter(sink, **options):
    return {"type": "remote_write", "url": sink.url, "version": 2, **FAST_RETRY, **options}


def export(folder, sink, text):
    config = folder / "telex.yaml"
    config.write_text(yaml.safe_dump({"state": {"path": str(folder / "data")}, "exporters": {"rw": exporter(sink)}}))
    return subprocess.run([BINARY, "export", "-c", config, "--to", "rw", "--format", "prometheus", "-"], input=text,
                          capture_output=True, text=True, timeout=60, check=False)


def test_what_is_read(tmp_path, sink):
    done = export(tmp_path, sink, "".join(case[2] + "\n" for case in CASES))
    assert done.returncode == 0, done.stderr
    assert sink.violations == []
    left = list(sink.rows)
    for suite, name, _, labels, value, time_ms in CASES:
        found = [row for row in left if row[0] == labels]
        assert len(found) == 1, f"{suite}: {name}: {found}"
        assert same(found[0][1].value, value) and found[0][1].time_ms == time_ms, f"{suite}: {name}: {found[0][1]}"
        left.remove(found[0])
    assert left == []
    print(f"{len(CASES)} cases of bodies")


def test_batching(tmp_path, sink):
    """Many samples go in several requests, each whole by itself; a series keeps its order across them."""
    lines = [f'big{{series="{n % 100}"}} {n} {T + n // 100}\n' for n in range(25_000)]
    done = export(tmp_path, sink, "".join(lines))
    assert done.returncode == 0, done.stderr
    assert sink.violations == [] and sum(sink.sizes) == 25_000 and max(sink.sizes) <= 10_000
    last = {}
    for labels, sample, _ in sink.rows:
        assert last.get(labels["series"], 0) < sample.time_ms
        last[labels["series"]] = sample.time_ms
    assert {sample.value for _, sample, _ in sink.rows} == set(map(float, range(25_000)))


def test_metadata(tmp_path, sink, start_telex):
    mapping = {"requests": {"name": "app_requests_total", "type": "counter", "help": "Requests.", "unit": "requests"},
               "speed": {"name": "app_speed", "type": "gauge", "help": "Speed."},
               "both": {"name": "app_both", "type": "rate", "help": "Speed."}}
    program = start_telex({"receive": {"profiles": True},
                           "exporters": {"rw": exporter(sink, metrics_mapping=mapping)}})
    body = json.dumps({"requests": 5, "speed": 1.5, "both": 2, "plain": 3}).encode()
    assert net.post(program.url + "/api/v1/profile", body, headers={"Content-Type": "application/json"}).status == 204
    net.wait_until("the samples", lambda: len(sink.rows) == 4)
    assert {labels["__name__"]: meta for labels, _, meta in sink.rows if "plain" not in labels["__name__"]} == {
        "app_requests_total": ("counter", "Requests.", "requests"), "app_speed": ("gauge", "Speed.", ""),
        "app_both": ("gauge", "Speed.", "")}
    assert sink.violations == []


def test_a_series_that_ends_gets_a_stale_marker(scene, sink):
    scene.vectors["some"] = [({"instance": "a"}, 1.0)]
    scene.play(telex.recording("out", "some"), exporters={"rw": exporter(sink)}, routes=[{"to": ["rw"]}])
    net.wait_until("a sample", lambda: [row for row in sink.rows if row[0]["__name__"] == "out"])
    scene.vectors["some"] = []
    net.wait_until("the marker", lambda: any(row[1].stale for row in sink.rows if row[0]["__name__"] == "out"))
    assert sink.violations == []


def test_a_store_of_1_gets_1(start_rw_sink, start_prometheus, start_telex):
    """Prometheus 2.42 answers 204 to 2.0 and keeps nothing: it is not believed, and gets 1.0."""
    store = start_prometheus()
    program = start_telex({"receive": {"profiles": True}, "exporters": {
        "rw": {"type": "remote_write", "url": store.url + "/api/v1/write", "version": 2, **FAST_RETRY}}})
    for value in (1, 2):
        assert net.post(program.url + "/api/v1/profile", json.dumps({"speed": value}).encode(),
                        headers={"Content-Type": "application/json"}).status == 204
    net.wait_until("the samples", lambda: len(store.samples("profiling_speed").get((("__name__", "profiling_speed"),), [])) == 2
                   or [len(rows) for rows in store.samples("profiling_speed").values()] == [2])
    assert program.process.log().count("does not know remote write 2.0; it gets 1.0") == 1
