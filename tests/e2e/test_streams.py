"""Change streams: nothing is lost, copies are told by id, keys stay in order, and a person can put things right."""

import json
import sqlite3
import subprocess
import threading
import time

import pytest
import yaml

import net
from event_sink import EventSink
from fakes import Answer
from telex import BINARY, server_section

FAST = {"initialBackoff": "50ms", "maxBackoff": "200ms", "jitter": "false"}
BATCHED = "application/cloudevents-batch+json"


@pytest.fixture
def start_sink():
    running = []

    def start(**options):
        sink = EventSink(**options).start()
        running.append(sink)
        return sink

    yield start
    for sink in running:
        sink.stop()
        assert sink.violations == []


def stream(to, **options):
    """A stream over our own table."""
    section = {"metadata": {"cluster": "c1"}, "sink": {"endpoint": to.url + "/events"}, "failureHandling": FAST}
    return {"receive": {"events": True}, "events": {"health": {**section, **options}}}


def health(number, node="n1", **members):
    return {"specversion": "1.0", "id": str(number), "source": "/agent", "type": "raw",
            "data": {"checkName": "XIDError", "nodeName": node, "isFatal": True, "recommendedAction": "RESTART_VM",
                     "generatedTimestamp": "2025-11-27T10:30:00Z", "number": number, **members}}


def give(program, events):
    answer = net.post(program.url + "/api/v1/events", json.dumps(events).encode(), headers={"Content-Type": BATCHED})
    assert answer.status == 202, answer.text


def status(program, name="health"):
    return next(s for s in program.get("/api/v1/streams").json()["data"]["streams"] if s["name"] == name)


def wait_done(program, count):
    net.wait_until(f"{count} changes to be done", lambda: status(program)["done"] == count, 30)


def restart_with(program, config, is_ready=True):
    """The same program with another config, and an admin token for who changes streams."""
    program.sigterm()
    program.write_config({"server": server_section(program.port, "adm"), **config})
    program.start()
    if is_ready:
        program.wait_ready()
    else:
        net.wait_until("an answer", lambda: program.get("/api/v1/streams", timeout=2).status == 200)


def command(program, *words):
    return subprocess.run([BINARY, "events", *words, "-c", program.config_path], text=True, capture_output=True,
                          timeout=60, check=False)


@pytest.mark.parametrize("mode", ["structured", "binary", "batched"])
def test_health_events_in_each_mode(start_telex, start_sink, mode):
    sink = start_sink(batched=mode == "batched")
    program = start_telex(stream(sink, sink={"endpoint": sink.url, "mode": mode}))
    give(program, [health(i, node=f"n{i % 3}") for i in range(50)])
    net.wait_until("all events", lambda: len(sink.ids()) == 50)
    event = sink.taken[0]
    assert event["type"] == "com.nvidia.nvsentinel.health.v1"
    assert event["source"] == "nvsentinel://c1/healthevents"
    assert event["data"]["metadata"] == {"cluster": "c1"}
    assert event["data"]["healthEvent"]["recommendedAction"] == 15
    assert event["time"] == "2025-11-27T10:30:00Z"
    for node, ids in sink.by_key().items():
        assert ids == [str(i) for i in range(50) if f"n{i % 3}" == node]
    wait_done(program, 50)
    assert status(program)["ready"] and status(program)["sink"]["delivered"] == 50


def test_a_match_that_leaves_out_everything_is_told(start_telex, start_sink):
    sink = start_sink()
    program = start_telex(stream(sink, match="isFatal == true and node_name == 'n1'"))
    give(program, [health(i) for i in range(150)])
    wait_done(program, 150)
    told = [line for line in program.process.log().splitlines() if "left out every change" in line]
    assert len(told) == 1 and "node_name" in told[0].split("lacking")[1] and "isFatal" not in told[0].split("lacking")[1]
    give(program, [health(i) for i in range(200, 400)])
    wait_done(program, 350)
    assert program.process.log().count("left out every change") == 1 and sink.ids() == []


def test_a_match_with_a_flag(start_telex, start_sink):
    sink = start_sink()
    program = start_telex(stream(sink, match="isFatal == true"))
    give(program, [health(i, isFatal=i % 2 == 0) for i in range(200)])
    wait_done(program, 200)
    assert len(sink.ids()) == 100 and "left out every change" not in program.process.log()


def test_helm_section_that_is_off_and_empty(start_telex, start_sink):
    sink = start_sink()
    program = start_telex({**stream(sink), "event-exporter": {"enabled": False, "exporter": {"sink": {"endpoint": ""}}}})
    give(program, [health(1)])
    wait_done(program, 1)
    assert program.get("/-/ready").status == 200
    config = {"event-exporter": {"enabled": False}, **stream(sink, metadata={"cluster": "c2"})}
    restart_with(program, config)
    give(program, [health(2)])
    net.wait_until("the event", lambda: sink.ids() == ["1", "2"])


def test_the_helm_section_as_it_is(start_telex, start_sink, start_webhook, tmp_path):
    sink = start_sink(token="t0k")
    issuer = start_webhook()
    issuer.answer = lambda request: Answer(200, '{"access_token":"t0k","token_type":"Bearer","expires_in":300}',
                                           {"Content-Type": "application/json"})
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "event-exporter-oidc-secret").write_text("hidden")
    section = yaml.safe_load(f"""
      enabled: true
      oidcSecretName: "event-exporter-oidc-secret"
      exporter:
        metadata: {{ cluster: "production-us-west", environment: "production", region: "us-west-2" }}
        sink: {{ endpoint: "{sink.url}/api/v1/events", timeout: "30s", insecureSkipVerify: false }}
        oidc: {{ tokenUrl: "{issuer.url}/token", clientId: "nvsentinel-exporter", scope: "events:write", insecureSkipVerify: false }}
        backfill: {{ enabled: true, maxAge: "720h", maxEvents: 1000000, batchSize: 500, rateLimit: 1000 }}
        failureHandling: {{ maxRetries: 17, initialBackoff: "1s", maxBackoff: "5m", backoffMultiplier: 2.0 }}
    """)
    program = start_telex({"receive": {"events": True}, "event-exporter": section,
                           "secrets": {"path": str(tmp_path / "secrets")}})
    give(program, [health(1)])
    net.wait_until("the event", lambda: sink.ids() == ["1"])
    assert sink.taken[0]["data"]["metadata"] == {"cluster": "production-us-west", "environment": "production",
                                                 "region": "us-west-2"}
    form = issuer.requests[0].raw.decode()
    assert "grant_type=client_credentials" in form and "scope=events%3Awrite" in form
    assert status(program, "event-exporter")["state"] == "running"


def test_an_outage_loses_nothing(start_telex, start_sink):
    sink = start_sink()
    program = start_telex(stream(sink, sink={"endpoint": sink.url, "mode": "batched"}, workers=3))
    sink.script = [Answer(503), Answer(drop=True), Answer(500), Answer(429, headers={"Retry-After": "1"})]
    give(program, [health(i, node=f"n{i % 5}") for i in range(200)])
    net.wait_until("all events", lambda: len(sink.ids()) == 200, 30)
    sink.down()
    give(program, [health(i, node=f"n{i % 5}") for i in range(200, 400)])
    time.sleep(0.5)
    assert status(program)["in_flight"] == 200
    assert status(program)["sink"]["last_error"] and status(program)["sink"]["last_error_at"]
    sink.up()
    net.wait_until("the rest", lambda: len(sink.ids()) == 400, 30)
    for node, ids in sink.by_key().items():
        assert ids == [str(i) for i in range(400) if f"n{i % 5}" == node]
    wait_done(program, 400)


def test_kills_lose_nothing_and_copies_have_the_same_id(start_telex, start_sink):
    sink = start_sink()
    config = stream(sink, sink={"endpoint": sink.url, "mode": "batched"}, workers=4)
    program = start_telex(config)
    total = 0
    for _ in range(5):
        give(program, [health(i, node=f"n{i % 7}") for i in range(total, total + 500)])
        total += 500
        time.sleep(0.05)
        program.sigkill()
        program.start().wait_ready()
    net.wait_until("all events", lambda: len(sink.ids()) == total, 30)
    wait_done(program, total)
    program.sigterm()
    before = len(sink.taken)
    program.start().wait_ready()
    time.sleep(0.5)
    assert len(sink.taken) == before, "a clean restart delivers nothing again"


def test_poison_becomes_a_dead_letter(start_telex, start_sink):
    sink = start_sink()
    sink.refuse = lambda event: 400 if event["data"]["healthEvent"]["number"] == 7 else None
    program = start_telex(stream(sink, sink={"endpoint": sink.url, "mode": "batched"}))
    give(program, [health(i) for i in range(20)])
    wait_done(program, 20)
    assert sink.ids() == [str(i) for i in range(20) if i != 7]
    assert status(program)["sink"]["refused"] == 1
    letters = subprocess.run([BINARY, "queue", "export", program.folder / "data" / "dead" / "events-health"], text=True,
                             capture_output=True, check=True).stdout
    assert '"id":"7"' in letters.replace(" ", "")


def test_halt_waits_for_a_person(start_telex, start_sink):
    sink = start_sink()
    sink.refuse = lambda event: 400 if event["id"] == "3" else None
    program = start_telex(stream(sink, failureHandling={**FAST, "policy": "halt"}, workers=1))
    give(program, [health(i) for i in range(6)])
    net.wait_until("the stream to halt", lambda: status(program)["sink"]["state"] == "halted")
    assert sink.ids() == ["0", "1", "2"]
    assert program.get("/-/ready").status == 503 and "the sink refuses" in program.get("/-/ready").text
    assert program.get("/-/healthy").status == 200
    restart_with(program, stream(sink, failureHandling={**FAST, "policy": "halt"}, workers=1), is_ready=False)
    net.wait_until("the stream to halt again", lambda: status(program)["sink"]["state"] == "halted")
    assert sink.ids() == ["0", "1", "2"]
    done = command(program, "skip", "health")
    assert done.returncode == 0, done.stderr
    net.wait_until("the rest", lambda: sink.ids() == ["0", "1", "2", "4", "5"], 60)
    wait_done(program, 6)
    assert any((program.folder / "data" / "dead" / "events-health").iterdir())
    assert command(program, "skip", "health").returncode == 1, "there is nothing to skip"
    net.wait_until("readiness", lambda: program.get("/-/ready").status == 200)


def test_skip_is_for_the_event_that_halts(start_telex, start_sink):
    """Who refuses us refuses no event: there is nothing to skip then, and nothing stays armed for later."""
    sink = start_sink()
    config = stream(sink, failureHandling={**FAST, "policy": "halt"}, workers=1)
    program = start_telex(config)
    restart_with(program, config)
    sink.refuse = lambda event: 403
    give(program, [health(0)])
    net.wait_until("the stream to halt", lambda: status(program)["sink"]["state"] == "halted")
    done = command(program, "skip", "health")
    assert done.returncode == 1 and "the sink refuses us" in done.stderr and "403" in done.stderr, done
    assert status(program)["change"] is None  # who asked was told, and nothing was changed
    restart_with(program, config, is_ready=False)
    sink.refuse = lambda event: 422 if event["id"] in ("1", "3") else None
    give(program, [health(i) for i in range(1, 5)])
    net.wait_until("a halt at event 1", lambda: status(program)["sink"]["state"] == "halted" and sink.ids() == ["0"], 60)
    done = command(program, "skip", "health")
    assert done.returncode == 0 and "health: skipped: what halted it is dead letter refused-" in done.stdout, done
    change = status(program)["change"]
    assert change["letter"] in done.stdout and change["from"] is None and change["passes"] and not change["moves"], change
    net.wait_until("a halt at event 3", lambda: status(program)["sink"]["state"] == "halted" and sink.ids() == ["0", "2"], 60)
    assert status(program)["dead_letters"]["refused"] == 1
    assert command(program, "skip", "health").returncode == 0
    net.wait_until("the rest", lambda: sink.ids() == ["0", "2", "4"], 60)


def rows_db(path):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)")
    db.commit()
    return db


def add_rows(db, count):
    db.executemany("INSERT INTO t (name) VALUES (?)", (("x",),) * count)
    db.commit()


def lose_rows(db):
    """The numbers begin anew: the position is behind the last row."""
    db.execute("DELETE FROM t")
    db.execute("DELETE FROM sqlite_sequence")
    db.commit()


@pytest.mark.parametrize("is_away", [False, True])
def test_what_a_skip_gives_up_is_told(start_telex, start_sink, tmp_path, is_away):
    """From where to where, with times: in the command's output, in the status and in the log; also when that is known later."""
    sink = start_sink()
    path = tmp_path / "rows.db"
    db = rows_db(path)
    config = stream(sink, source={"type": "sqlite", "path": str(path), "table": "t"}, event={"shape": "plain"})
    program = start_telex({"receive": {"events": True}})
    restart_with(program, config)
    net.wait_until("the stream to run", lambda: status(program)["state"] == "running")
    add_rows(db, 5)
    wait_done(program, 5)
    before = status(program)
    lose_rows(db)
    net.wait_until("the stream to stop", lambda: status(program)["state"] == "lost")
    assert status(program)["position"] == before["position"]
    add_rows(db, 2)
    if is_away:
        path.rename(tmp_path / "away.db")
    done = command(program, "skip", "health")
    assert done.returncode == 0, done
    given_up = f"health: skipped: given up is what lies between {before['position']} (kept at {before['position_saved']}) and "
    assert given_up in done.stdout, done.stdout
    if is_away:
        assert "known once that is there" in done.stdout and status(program)["change"]["to"] is None, done.stdout
        (tmp_path / "away.db").rename(path)
    net.wait_until("the place where it goes on", lambda: status(program)["change"]["to"], 60)
    change = status(program)["change"]
    assert change["from"] == {"position": before["position"], "since": before["position_saved"]} and change["moves"]
    assert change["to"]["position"] != before["position"]
    log = program.process.log()
    asked = next(line for line in log.splitlines() if "somebody changes a stream" in line)
    assert f"position_before={before['position']}" in asked.replace('"', "") and before["position_saved"] in asked
    net.wait_until("the log", lambda: "gave up what lies between" in program.process.log())
    told = next(line for line in program.process.log().splitlines() if "gave up what lies between" in line)
    for word in (before["position"], before["position_saved"], change["to"]["position"], change["to"]["since"]):
        assert word in told, told
    shown = command(program, "status", "health").stdout
    assert f"from         {before['position']} (kept at {before['position_saved']})" in shown, shown
    again = command(program, "skip", "health")
    assert again.returncode == 1 and "nothing to skip" in again.stderr, again
    assert status(program)["change"] == change  # what was given up is told all the same
    add_rows(db, 1)
    net.wait_until("what comes now", lambda: len(sink.taken) == 6)


def test_what_was_skipped_stays_so(start_telex, start_sink):
    """Several workers halt, each at an event of its own: a skip for each is enough, whoever is read again."""
    sink = start_sink()
    bad = {"3", "8", "14"}
    sink.refuse = lambda event: 422 if event["id"] in bad else None
    config = stream(sink, failureHandling={**FAST, "policy": "halt"}, workers=4)
    program = start_telex(config)
    restart_with(program, config)
    give(program, [health(i, node=f"n{i}") for i in range(20)])
    for _ in bad:
        net.wait_until("a halt", lambda: status(program)["sink"]["state"] == "halted", 60)
        time.sleep(0.5)
        assert command(program, "skip", "health").returncode == 0
    wait_done(program, 20)
    assert set(sink.ids()) == {str(i) for i in range(20)} - bad
    letters = subprocess.run([BINARY, "queue", "export", program.folder / "data" / "dead" / "events-health"], text=True,
                             capture_output=True, check=True).stdout
    assert {json.loads(line)["id"] for line in letters.splitlines()} == bad


def test_what_is_no_health_event_can_halt_too(start_telex, start_sink):
    sink = start_sink()
    config = stream(sink, failureHandling={**FAST, "policy": "halt"}, event={"shape": "health"})
    program = start_telex(config)
    restart_with(program, config)
    give(program, [health(0), {"specversion": "1.0", "id": "x", "source": "/s", "type": "t", "data": {"a": 1}}, health(1)])
    net.wait_until("the stream to halt", lambda: status(program)["state"] == "halted")
    assert "nodeName" in status(program)["reason"]
    shown = command(program, "status")
    assert shown.returncode == 1 and shown.stdout.splitlines()[1].split()[:2] == ["health", "halted"]
    assert len(shown.stdout.splitlines()) == 3 and "telex events status STREAM" in shown.stdout.splitlines()[2]
    assert command(program, "status", "--json").returncode == 1
    assert status(program)["broken"] == 0, "nothing is decided"
    done = command(program, "skip", "health")
    assert done.returncode == 0 and "what halted it is dead letter unreadable-1 now" in done.stdout, done
    net.wait_until("the rest", lambda: sink.ids() == ["0", "1"])
    net.wait_until("the count", lambda: status(program)["broken"] == 1)
    wait_done(program, 3)
    assert status(program)["broken"] == 1 and "broken       1\n" in command(program, "status", "health").stdout
    assert any((program.folder / "data" / "dead" / "stream-health").iterdir())


def test_a_halt_in_the_last_batch_of_a_backfill(start_telex, start_sink):
    sink = start_sink()
    program = start_telex({"receive": {"events": True}})
    give(program, [health(0), {"specversion": "1.0", "id": "x", "source": "/s", "type": "t", "data": {"a": 1}}, health(1)])
    restart_with(program, stream(sink, failureHandling={**FAST, "policy": "halt"}, event={"shape": "health"},
                                 backfill={"enabled": True}), is_ready=False)
    net.wait_until("the stream to halt", lambda: status(program)["state"] == "halted")
    net.wait_until("its phase", lambda: status(program)["backfill"]["phase"] == "running")
    assert command(program, "skip", "health").returncode == 0
    net.wait_until("the rest", lambda: sink.ids() == ["0", "1"])


def test_what_waits_goes_together(start_telex, start_sink):
    """Events that come one by one while the sink takes its time go in one request, in order, up to its limit."""
    gate = threading.Event()
    sink = start_sink()
    sink.refuse = lambda event: gate.wait(60) and (422 if event["id"].endswith("7") else None)
    program = start_telex(stream(sink, sink={"endpoint": sink.url, "mode": "batched", "batch_size": 15}, workers=1))
    for i in range(21):
        give(program, [health(i)])
        net.wait_until("it to be read", lambda i=i: status(program)["in_flight"] == i + 1)
    gate.set()
    wait_done(program, 21)
    assert sink.ids() == [str(i) for i in range(21) if i not in (7, 17)]
    assert sink.copies == 0 and status(program)["dead_letters"]["refused"] == 2
    sizes = [len(request.json()) for request in sink.requests]
    assert sizes[:2] == [1, 15] and max(sizes) == 15, sizes


def test_filter_and_metadata(start_telex, start_sink):
    sink = start_sink()
    program = start_telex(stream(sink, match='number >= 3 and region == "eu"', metadata={"cluster": "c", "region": "eu"}))
    give(program, [health(i) for i in range(6)])
    wait_done(program, 6)
    assert sink.ids() == ["3", "4", "5"]
    assert status(program)["filtered"] == 3


def test_backfill_reset_and_rewind(start_telex, start_sink):
    sink = start_sink()
    backfill = {"enabled": True, "batchSize": 10, "rateLimit": 0}
    program = start_telex({"receive": {"events": True}})
    give(program, [health(i) for i in range(100)])
    restart_with(program, stream(sink, backfill=backfill))
    net.wait_until("the backfill", lambda: len(sink.ids()) == 100)
    net.wait_until("its end", lambda: status(program)["backfill"] == {**status(program)["backfill"], "phase": "done", "done": 100})
    assert status(program)["backfill"]["done_at"] and not status(program)["backfill"]["left_is_estimate"]
    shown = command(program, "status", "health").stdout
    assert f"backfill     done at {status(program)['backfill']['done_at']}, 100 changes" in shown, shown
    give(program, [health(100)])
    net.wait_until("what is new", lambda: "100" in sink.ids())
    wait_done(program, 1)
    position = status(program)["position"]
    saved = status(program)["position_saved"]
    done = command(program, "reset", "health")
    assert done.returncode == 0 and f"health: reset: it was at {position} (kept at {saved}) and goes on at " in done.stdout, done
    net.wait_until("all of it again", lambda: sink.copies >= 100, 30)
    assert command(program, "rewind", "health", "garbage").returncode == 1
    net.wait_until("the stream to run on", lambda: status(program)["state"] == "running")
    assert status(program)["position"] == position
    done = command(program, "rewind", "health", position)
    assert done.returncode == 0 and f"and goes on at {position} (since " in done.stdout, done
    assert command(program, "reset", "nobody").returncode == 1
    assert len(sink.ids()) == 101


def test_a_backfill_goes_on_after_kills(start_telex, start_sink):
    sink = start_sink()
    program = start_telex({"receive": {"events": True}})
    give(program, [health(i, node=f"n{i % 3}") for i in range(1000)])
    program.sigterm()
    program.write_config(stream(sink, backfill={"enabled": True, "batchSize": 20, "rateLimit": 400}, workers=2,
                                sink={"endpoint": sink.url, "mode": "batched"}))
    program.start().wait_ready()
    for kill in range(8):
        time.sleep(0.2)
        give(program, [health(1000 + kill)])
        program.sigkill()
        program.start().wait_ready()
    net.wait_until("all events", lambda: len(sink.ids()) == 1008, 60)
    net.wait_until("its end", lambda: status(program)["backfill"]["phase"] == "done")
    assert sink.copies < 800, "an interruption repeats what was in flight, not all"


def test_another_exporter_and_our_log_between(start_telex, start_sink, tmp_path):
    sink = start_sink()
    config = stream(sink, buffer=True)
    config["events"]["filed"] = {"metadata": {"cluster": "c1"}, "to": "both", "buffer": True}
    config["exporters"] = {"both": {"type": "multi", "exporters": [
        {"name": "a", "type": "file", "output_directory": str(tmp_path / "a"), "file_format": "jsonl"},
        {"name": "b", "type": "file", "output_directory": str(tmp_path / "b"), "file_format": "jsonl"}]}}
    program = start_telex(config)
    give(program, [health(i) for i in range(10)])
    net.wait_until("the sink", lambda: len(sink.ids()) == 10)
    for folder in ("a", "b"):
        net.wait_until("the files", lambda: [r["id"] for r in program.jsonl(tmp_path / folder)] == [str(i) for i in range(10)])


def test_a_reload_changes_streams(start_telex, start_sink):
    sink, other = start_sink(), start_sink()
    program = start_telex(stream(sink))
    give(program, [health(0)])
    net.wait_until("the first", lambda: sink.ids() == ["0"])
    program.write_config(stream(other))
    assert program.reload().status == 200
    give(program, [health(1)])
    net.wait_until("the second", lambda: other.ids() == ["1"])
    assert sink.ids() == ["0"]
    program.write_config({"receive": {"events": True}})
    assert program.reload().status == 200
    assert status(program)["state"] == "unconfigured" and program.get("/-/ready").status == 200


def test_the_receiver_of_the_examples(start_telex, tmp_path):
    port = net.free_port()
    example = BINARY.parents[1] / "examples" / "receiver.py"
    child = subprocess.Popen(["/usr/bin/python3", str(example), str(port), str(tmp_path / "received.db")])
    try:
        config = {"receive": {"events": True}, "events": {"health": {
            "metadata": {"cluster": "c"}, "failureHandling": FAST, "backfill": {"enabled": True},
            "sink": {"endpoint": f"http://{net.HOST}:{port}/", "mode": "batched"}}}}
        program = start_telex(config)
        restart_with(program, config)
        give(program, [health(i) for i in range(100)])
        wait_done(program, 100)
        assert command(program, "reset", "health").returncode == 0
        net.wait_until("the copies", lambda: status(program)["backfill"]["done"] == 100)
    finally:
        child.kill()
        child.wait()
    with sqlite3.connect(tmp_path / "received.db") as db:
        assert db.execute("SELECT count(*) FROM events").fetchone() == (100,)
