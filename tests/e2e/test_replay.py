"""`telex replay`: rules over the past of a real Prometheus, into the same."""

import json
import signal
import subprocess
import time

import pytest
import yaml

import net
import telex

STEP_S = 10
STEPS = 120


@pytest.fixture
def past(tmp_path, start_prometheus):
    """A Prometheus with two hours of two series, ending a minute ago, and a config for replaying into it."""
    server = start_prometheus()
    end = int(time.time()) // STEP_S * STEP_S - 60
    start = end - STEPS * STEP_S
    lines = [json.dumps({"name": "load", "labels": {"i": name}, "timestamp": start + step * STEP_S, "value": value(step)})
             for step in range(STEPS) for name, value in (("a", lambda s: s), ("b", lambda s: 100 if 40 <= s < 60 else 0))]
    config = tmp_path / "telex.yaml"
    config.write_text(yaml.safe_dump({
        "state": {"path": str(tmp_path / "data")}, "datasource": {"url": server.url}, "rules": ["rules.yaml"],
        "exporters": {"prom": telex.remote_write_exporter(server.url)}}))
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [
        {"name": "late", "interval": "10s", "eval_offset": "0s", "rules": [{"record": "load:twice", "expr": "load:sum * 2"}]},
        {"name": "g", "interval": "10s", "eval_offset": "0s", "rules": [
            {"record": "load:sum", "expr": "sum(load)"},
            {"record": "load:busy", "expr": "load > 50"},
            {"alert": "Busy", "expr": 'load{i="b"} > 50', "for": "30s", "keep_firing_for": "20s"}]}]}))
    done = subprocess.run([telex.BINARY, "export", "-c", config, "--to", "prom", "-"], input="\n".join(lines), text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    server.start_s, server.end_s, server.config = start, end, config
    return server


def replay(past, *arguments, status=0):
    done = subprocess.run([telex.BINARY, "replay", "-c", past.config, "--from", str(past.start_s), "--to",
                           str(past.end_s - STEP_S), "--into", "prom", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    return done.stderr


def samples(past, selector):
    """Values by second of the only series, stale markers left out (a range query does not give them)."""
    series = past.samples(selector, "3h")
    assert len(series) <= 1, series
    return {round(seconds): float(text) for pairs in series.values() for seconds, text in pairs}


def test_records_are_what_they_would_have_been(past):
    said = replay(past, "--settle", "1s", "--slice", "50")
    assert "4 of 4 rules" in said and "refused" not in said
    sums = samples(past, "load:sum")
    want = {past.start_s + step * STEP_S: step + (100.0 if 40 <= step < 60 else 0.0) for step in range(STEPS)}
    assert sums == want
    assert samples(past, "load:twice") == {at: 2 * value for at, value in want.items()}, "read before it was recorded"
    busy = samples(past, 'load:busy{i="b"}')
    assert sorted(busy) == [past.start_s + step * STEP_S for step in range(40, 60)]
    assert past.query('load:busy{i="b"}', past.start_s + 62 * STEP_S) == [], "no stale marker"


def test_alerts_go_through_all_their_states(past):
    replay(past, "--settle", "0s", "g")
    firing = samples(past, 'ALERTS{alertname="Busy",alertstate="firing"}')
    pending = samples(past, 'ALERTS{alertname="Busy",alertstate="pending"}')
    at = [past.start_s + step * STEP_S for step in range(STEPS)]
    assert sorted(pending) == at[40:43]
    assert sorted(firing) == at[43:62], "keep_firing_for holds it two slots"
    assert set(samples(past, 'ALERTS_FOR_STATE{alertname="Busy"}').values()) == {at[40]}


def test_it_goes_on_where_it_was_killed(past, tmp_path):
    slow = subprocess.Popen([telex.BINARY, "replay", "-c", past.config, "--from", str(past.start_s), "--to",
                             str(past.end_s - STEP_S), "--into", "prom", "--slice", "2", "--settle", "20s"],
                            stderr=subprocess.DEVNULL)
    net.wait_until("a note", lambda: list((tmp_path / "data").glob("replay-*")) or None)
    slow.send_signal(signal.SIGKILL)
    slow.wait(10)
    said = replay(past, "--settle", "1s")
    assert "going on where the last replay ended" in said and "4 of 4 rules" in said
    assert len(samples(past, "load:sum")) == len(samples(past, "load:twice")) == STEPS
    assert not list((tmp_path / "data").glob("replay-*"))
    before = samples(past, "load:sum")
    replay(past, "--anew", "--settle", "0s", "g")
    assert samples(past, "load:sum") == before


def test_what_cannot_be(past):
    assert "no rule file has a group 'x'" in replay(past, "x", status=1)
    assert "--slice '0'" in replay(past, "--slice", "0", status=1)
    assert "nobody" in replay(past, "--into", "nobody", status=1)
    assert "not delivered" in replay(past, "--dry-run", "g")
    assert samples(past, "load:sum") == {}
