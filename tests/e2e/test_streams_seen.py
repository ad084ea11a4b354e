"""How change streams are seen from outside: what the list, the status page and the metrics say, above all when nothing moves."""

import re
import shutil
import subprocess

import pytest
import yaml

import net
import postgres
from test_events_local import ids, stream
from fakes import Answer
from telex import ROOT
from test_streams import command, give, health, start_sink, wait_done  # noqa: F401
from test_streams import stream as own_stream
from test_streams import status as status_of


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = postgres.Postgres(tmp_path_factory.mktemp("postgres"), ("wal_level=logical",))
    server.start()
    yield server
    server.stop()


def samples(program, name):
    """By stream."""
    return {dict(label.split("=", 1) for label in labels)["stream"]: value
            for labels, value in program.metrics().get(name, {}).items()}


def wait_state(program, name, state):
    net.wait_until(f"{name} to be {state}", lambda: status_of(program, name)["state"] == state, 40)


def test_a_source_that_is_away_has_no_lag(start_telex, start_webhook, server):
    server.psql("CREATE TABLE seen (id bigserial PRIMARY KEY, n int)")
    sink = start_webhook()
    source = {"type": "postgresql", "tables": ["seen"], "connection_string": server.url}
    program = start_telex({"events": {"pg": stream(sink, source)}})
    wait_state(program, "pg", "running")
    server.psql("INSERT INTO seen (n) VALUES (1)")
    net.wait_until("the row", lambda: ids(sink) == ["1"], 30)
    lags = ("telex_stream_lag_seconds", "telex_stream_lag_events", "telex_stream_retained_bytes")
    net.wait_until("the lags", lambda: all("pg" in samples(program, name) for name in lags), 30)
    server.crash()
    wait_state(program, "pg", "waiting")
    net.wait_until("no lags", lambda: not any("pg" in samples(program, name) for name in lags), 30)
    told = status_of(program, "pg")
    assert told["lag_seconds"] is None and told["lag_events"] is None
    assert samples(program, "telex_stream_up") == {"pg": 0} and samples(program, "telex_stream_ready") == {"pg": 0}
    line = command(program, "status").stdout.splitlines()[1]
    assert "not known" in line and "0.0 s" not in line and "0 changes" not in line
    server.restart()
    wait_state(program, "pg", "running")
    net.wait_until("the lags", lambda: all("pg" in samples(program, name) for name in lags), 30)


def test_a_list_tells_of_dead_letters(start_telex, start_sink):
    sink = start_sink()
    sink.refuse = lambda event: Answer(422, "no such node") if int(event["id"]) < 3 else None
    program = start_telex(own_stream(sink))
    shown = command(program, "status")
    head, line = shown.stdout.splitlines()
    assert head.split() == ["STREAM", "STATE", "BEHIND", "DONE", "DEAD", "SINK"] and line.split()[-2] == "0"
    give(program, [health(i, node=f"n{i}") for i in range(5)])
    wait_done(program, 5)
    shown = command(program, "status")
    head, line, footer = shown.stdout.splitlines()
    assert line.split()[-3:] == ["5", "3", "ok"] and shown.returncode == 0
    assert "`telex events dead health`" in footer and "DONE" in footer
    assert "3 refused events, 0 unreadable changes, done all the same" in command(program, "status", "health").stdout


def page(program):
    answer = program.get("/")
    assert answer.status == 200
    return answer.text


def test_the_status_page_shows_streams(start_telex, start_sink):
    program = start_telex({"receive": {"events": True}})
    assert "<h2>Streams</h2>" not in page(program) and "streams not ready" not in page(program)
    sink = start_sink()
    sink.refuse = lambda event: Answer(422, "<b>no such node") if int(event["id"]) < 3 else None
    program = start_telex(own_stream(sink))
    give(program, [health(i, node=f"n{i}") for i in range(5)])
    wait_done(program, 5)
    well = '<tr><td>health</td><td>embedded</td><td class="good">running</td><td>0.0 s, 0 changes</td>'
    net.wait_until("the row", lambda: well in page(program), 30)
    row = re.search("<h2>Streams</h2>.*?(<tr><td>health</td>.*?</tr>)", page(program), re.S).group(1)
    assert '<td class="n">5</td><td class="n warn">3</td>' in row
    assert '<b class="">0</b>streams not ready' in page(program)
    sink.refuse = lambda event: Answer(403, "<b>who are you")
    give(program, [health(10)])
    net.wait_until("the stream not to be ready", lambda: '<b class="bad">1</b>streams not ready' in page(program), 30)
    assert "who are you" in page(program) and "<b>who" not in page(program)


def test_a_sink_that_refuses_us_halts_the_stream(start_telex, start_sink):
    sink = start_sink()
    sink.refuse = lambda event: Answer(403, "who are you")
    program = start_telex(own_stream(sink))
    give(program, [health(1)])
    wait_state(program, "health", "halted")
    assert status_of(program)["sink"]["state"] == "halted" and "who are you" in status_of(program)["reason"]
    line = command(program, "status").stdout.splitlines()[1]
    assert line.split()[:2] == ["health", "halted"] and "the sink refuses" in line
    assert "stream health: halted: the sink refuses" in program.get("/-/ready").text
    sink.refuse = lambda event: None
    net.wait_until("the stream to run again", lambda: status_of(program)["state"] == "running", 60)


def test_every_metric_of_streams_is_on_its_page(start_telex, start_sink):
    sink = start_sink()
    sink.refuse = lambda event: Answer(422, "no such node")
    program = start_telex(own_stream(sink))
    give(program, [health(1)])
    wait_done(program, 1)
    text = (ROOT / "docs" / "events-metrics.md").read_text()
    rows = dict(re.findall(r"^\| `(telex_stream_\w+)` \| ((?:`\w+`,? ?)+) \|", text, re.M))
    found = net.wait_until("the lag", lambda: (m := program.metrics()).get("telex_stream_lag_seconds") and m, 30)
    of_streams = {name: samples for name, samples in found.items() if name.startswith("telex_stream_")}
    assert len(of_streams) > 12 and of_streams.keys() <= rows.keys()
    for name, samples in of_streams.items():
        labels = {label.split("=", 1)[0] for pairs in samples for label in pairs}
        assert labels == set(re.findall(r"\w+", rows[name])), name
    # What it says of others is there, too, but for what only a sink with tokens or without verification has.
    others = set(re.findall(r"`(telex_\w+[a-z])`", text)) - rows.keys()
    assert len(others) > 8
    absent = {"telex_oauth2_token_age_seconds", "telex_oauth2_token_requests_total", "telex_http_unverified_clients"}
    assert others - found.keys() <= absent


RULES = ROOT / "examples" / "rules" / "events.yaml"


def test_the_example_alerts_are_rules_for_prometheus_too():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (apt-get install prometheus)")
    done = subprocess.run([promtool, "check", "rules", RULES], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_alerts_fire(start_telex, start_sink):
    """With Telex's own metrics; only the times are shorter."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    for group in groups:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule.pop("for", None)
    sink = start_sink()
    sink.refuse = lambda event: Answer(422, "no such node")
    program = start_telex({**own_stream(sink), "datasource": {"type": "self"}}, rules={"events.yaml": groups})

    def firing():
        return {alert["labels"]["alertname"] for alert in program.get("/api/v1/alerts").json()["data"]["alerts"]}

    wait_state(program, "health", "running")
    net.wait_until("rules that find nothing", lambda: firing() == set(), 30)
    give(program, [health(1)])
    net.wait_until("what is told of dead letters", lambda: firing() == {"StreamDeadLetters"}, 30)
    sink.refuse = lambda event: Answer(403, "who are you")
    give(program, [health(2)])
    net.wait_until("what is told of a halt", lambda: "StreamNotReady" in firing(), 60)
    told = next(a for a in program.get("/api/v1/alerts").json()["data"]["alerts"] if a["labels"]["alertname"] == "StreamNotReady")
    assert told["labels"]["stream"] == "health" and told["annotations"]["summary"] == "Stream health is not ready"
