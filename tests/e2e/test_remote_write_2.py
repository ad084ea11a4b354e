"""Remote write 2.0 into a strict store: a table of samples, each with what is to be read of it, re-expressed from what
public sender suites name (labels, symbols, samples, timestamps, metadata, combined, batching, edge cases).

What answers come to (protocol, response, fallback, errors, retry, backoff) is in tests/unit/export/test_exporter_remote_write.c,
what 1.0 looks like in test_remote_write.py and test_receive.py, what becomes of metadata that came in otherwise in
test_metadata.py; broken connections, TLS, names and slow peers are those of every exporter (tests/unit/net/test_http_client*.c,
test_outage.py). These cases of prometheus/compliance remain, since the model of samples has no place for what they are about:

- native histograms (`histograms` but for the classic ones, `rw1_compat`'s that none is sent): they come in beside samples and go on
  only in bodies that nobody looks into;
- exemplars (`exemplars`, and those of `combined` that have them): the same;
- start times (`created_timestamp` of `timestamps`, `samples` and `metadata`): 1.0, which is what the log holds, has none.
"""

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


# (suite, case, form, text, {series: (type, help, unit)}); a series that is not there has no metadata
OF_METRICS = [
    ("metadata", "a counter", "prometheus", f"# TYPE a_total counter\na_total 1 {T}\n", {"a_total": ("counter", "", "")}),
    ("metadata", "a gauge", "prometheus", f"# TYPE b gauge\nb 1 {T}\n", {"b": ("gauge", "", "")}),
    ("metadata", "a histogram, each series", "prometheus",
     f'# TYPE c histogram\nc_bucket{{le="+Inf"}} 3 {T}\nc_sum 2 {T}\nc_count 3 {T}\n',
     {name: ("histogram", "", "") for name in ("c_bucket", "c_sum", "c_count")}),
    ("metadata", "a summary, each series", "prometheus",
     f'# TYPE d summary\nd{{quantile="0.5"}} 3 {T}\nd_sum 2 {T}\nd_count 3 {T}\n',
     {name: ("summary", "", "") for name in ("d", "d_sum", "d_count")}),
    ("metadata", "untyped", "prometheus", f"# TYPE e untyped\ne 1 {T}\n", {}),
    ("metadata", "help", "prometheus", f"# HELP f What it is.\n# TYPE f gauge\nf 1 {T}\n", {"f": ("gauge", "What it is.", "")}),
    ("metadata", "help without a type", "prometheus", f"# HELP g What it is.\ng 1 {T}\n", {"g": ("unspecified", "What it is.", "")}),
    ("metadata", "help with lines and backslashes", "prometheus", f"# HELP h a\\nb\\\\c\n# TYPE h gauge\nh 1 {T}\n",
     {"h": ("gauge", "a\nb\\c", "")}),
    ("metadata", "help in other scripts", "prometheus", f"# HELP i größe 東京 🚀\ni 1 {T}\n", {"i": ("unspecified", "größe 東京 🚀", "")}),
    ("metadata", "help that is a label too", "prometheus", f'# HELP j x\nj{{x="j"}} 1 {T}\n', {"j": ("unspecified", "x", "")}),
    ("metadata", "two metrics of one help", "prometheus", f"# HELP k1 same\n# HELP k2 same\nk1 1 {T}\nk2 1 {T}\n",
     {"k1": ("unspecified", "same", ""), "k2": ("unspecified", "same", "")}),
    ("metadata", "nothing said", "prometheus", f"l 1 {T}\n", {}),
    ("metadata", "of another metric", "prometheus", f"# TYPE m_other counter\nm 1 {T}\n", {}),
    ("metadata", "a unit", "openmetrics", "# TYPE n_bytes gauge\n# UNIT n_bytes bytes\nn_bytes 1 1700000000\n# EOF\n",
     {"n_bytes": ("gauge", "", "bytes")}),
    ("metadata", "a counter of OpenMetrics", "openmetrics",
     "# TYPE o_seconds counter\n# UNIT o_seconds seconds\n# HELP o_seconds Time.\no_seconds_total 1 1700000000\n# EOF\n",
     {"o_seconds_total": ("counter", "Time.", "seconds")}),
    ("metadata", "info", "openmetrics", '# TYPE p info\np_info{v="1"} 1 1700000000\n# EOF\n', {"p_info": ("info", "", "")}),
    ("metadata", "a set of states", "openmetrics",
     '# TYPE q stateset\nq{q="a"} 1 1700000000\nq{q="b"} 0 1700000000\n# EOF\n', {"q": ("stateset", "", "")}),
    ("metadata", "a histogram of gauges", "openmetrics",
     '# TYPE r gaugehistogram\nr_bucket{le="+Inf"} 3 1700000000\nr_gcount 3 1700000000\nr_gsum 2 1700000000\n# EOF\n',
     {name: ("gaugehistogram", "", "") for name in ("r_bucket", "r_gcount", "r_gsum")}),
    ("combined", "all series of a metric say the same", "prometheus",
     f'# HELP s_total Calls.\n# TYPE s_total counter\ns_total{{m="GET"}} 1 {T}\ns_total{{m="POST"}} 2 {T}\n',
     {"s_total": ("counter", "Calls.", "")}),
    ("combined", "all types in one request", "prometheus",
     f'# TYPE up gauge\nup 1 {T}\n\n# HELP cpu_total Time.\n# TYPE cpu_total counter\ncpu_total 45.67 {T}\n\nplain 7 {T}\n\n'
     f'# TYPE took histogram\ntook_bucket{{le="0.1"}} 1 {T}\ntook_bucket{{le="+Inf"}} 3 {T}\ntook_sum 2 {T}\ntook_count 3 {T}\n',
     {"up": ("gauge", "", ""), "cpu_total": ("counter", "Time.", ""), "took_bucket": ("histogram", "", ""),
      "took_sum": ("histogram", "", ""), "took_count": ("histogram", "", "")}),
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


def export(folder, sink, text, form="prometheus"):
    config = folder / "telex.yaml"
    config.write_text(yaml.safe_dump({"state": {"path": str(folder / "data")}, "exporters": {"rw": exporter(sink)}}))
    return subprocess.run([BINARY, "export", "-c", config, "--to", "rw", "--format", form, "-"], input=text,
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


def test_what_is_said_of_metrics(tmp_path, sink):
    for suite, name, form, text, wanted in OF_METRICS:
        sink.rows.clear()
        done = export(tmp_path, sink, text, form)
        assert done.returncode == 0, f"{suite}: {name}: {done.stderr}"
        samples = [line for line in text.splitlines() if line and not line.startswith("#")]
        assert len(sink.rows) == len(samples), f"{suite}: {name}"
        for labels, _, meta in sink.rows:
            assert meta == wanted.get(labels["__name__"]), f"{suite}: {name}: {labels}: {meta}"
        assert set(wanted) <= {labels["__name__"] for labels, _, _ in sink.rows}
    assert sink.violations == []
    print(f"{len(OF_METRICS)} cases of metadata")


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
