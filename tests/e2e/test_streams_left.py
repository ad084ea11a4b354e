"""What is left of a stream that was taken out of the config: told by all who look, and taken back by name."""

import contextlib
import http.server
import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time

import pytest
import yaml

import net
import postgres
from telex import BINARY, admin_headers
from test_events_local import ids, stream
from test_streams import command, restart_with

EMPTY = {"exporters": {}}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = postgres.Postgres(tmp_path_factory.mktemp("postgres"), ("wal_level=logical",))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def table(server):
    """A new table, and nothing of the test before."""
    net.wait_until("its slots to be free", lambda: server.rows("SELECT 1 AS x FROM pg_replication_slots WHERE active") == [])
    server.psql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    server.psql("DROP PUBLICATION IF EXISTS telex_pg")
    server.psql("DROP TABLE IF EXISTS events; CREATE TABLE events (id bigserial PRIMARY KEY, n int)")
    return "events"


def listed(program):
    return program.get("/api/v1/streams").json()["data"]["streams"]


def slots(server):
    return [row["slot_name"] for row in server.rows("SELECT slot_name FROM pg_replication_slots")]


def publications(server):
    return [row["pubname"] for row in server.rows("SELECT pubname FROM pg_publication")]


def check(program):
    done = subprocess.run([BINARY, "check", "-c", program.config_path], text=True, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def run_once(start_telex, start_webhook, server, **connection):
    """A stream over the table that has delivered a row."""
    sink = start_webhook()
    source = {"type": "postgresql", "tables": ["events"], **connection}
    program = start_telex({"events": {"pg": stream(sink, source)}})
    net.wait_until("the stream to run", lambda: listed(program)[0]["state"] == "running", 30)
    server.psql("INSERT INTO events (n) VALUES (1)")
    net.wait_until("the row", lambda: ids(sink) == ["1"])
    return program, {"pg": stream(sink, source)}


def secret_file(tmp_path, server):
    path = tmp_path / "connection"
    path.write_text(server.url + "\n")
    return {"connection_string_file": str(path)}


def test_a_slot_is_told_and_dropped(start_telex, start_webhook, tmp_path, server, table):
    program, _ = run_once(start_telex, start_webhook, server, **secret_file(tmp_path, server))
    restart_with(program, EMPTY)
    left = listed(program)[0]
    assert (left["name"], left["state"], left["source"]["kind"]) == ("pg", "unconfigured", "postgresql")
    assert "pg_drop_replication_slot('telex_pg')" in left["reason"] and left["position"]
    assert program.metrics()["telex_stream_unconfigured"] == {("stream=pg",): 1}
    assert "something is left of a stream" in program.process.log()
    status, text = check(program)
    assert status == 0 and "stream 'pg': it is not in the config" in text
    shown = command(program, "status")
    assert shown.returncode == 0 and "unconfigured" in shown.stdout
    assert slots(server) == ["telex_pg"]
    for verb, more in (("skip", ()), ("rewind", ("1/0",))):
        assert "does not run" in command(program, verb, "pg", *more).stderr
    done = command(program, "reset", "pg")
    assert done.returncode == 0 and "forgotten" in done.stdout, done.stderr
    assert slots(server) == [] and publications(server) == []
    assert listed(program) == []
    assert "telex_stream_unconfigured" not in program.metrics()
    assert "not in the config" not in check(program)[1]
    assert "no stream 'pg' runs" in command(program, "reset", "pg").stderr


def test_without_the_password_a_person_is_told_what_to_run(start_telex, start_webhook, tmp_path, server, table):
    program, config = run_once(start_telex, start_webhook, server, connection_string=server.url)
    restart_with(program, EMPTY)
    for state in (tmp_path.rglob("streams.db*")):
        assert postgres.PASSWORD.encode() not in state.read_bytes()
    failed = command(program, "reset", "pg")
    assert failed.returncode != 0
    assert "SELECT pg_drop_replication_slot('telex_pg');" in failed.stderr and "--keep-source" in failed.stderr
    assert [s["name"] for s in listed(program)] == ["pg"] and slots(server) == ["telex_pg"]
    # It was a mistake: put back, it goes on where it was.
    restart_with(program, {"events": config})
    net.wait_until("the stream to run", lambda: listed(program)[0]["state"] == "running", 30)
    assert listed(program)[0]["done"] == 1
    restart_with(program, EMPTY)
    answer = net.post(program.url + "/api/v1/streams/pg/reset?drop_source=false", b"", headers=admin_headers("adm"))
    assert answer.json()["data"]["state"] == "forgotten"
    assert listed(program) == [] and slots(server) == ["telex_pg"]


def test_a_way_there_that_is_long(start_telex, start_webhook, tmp_path, server, table):
    """What a person is to run is told whole, or in short."""
    here = f"127.0.0.1:{server.port}"
    others = [f"database-{i}.{'very-' * 8}long.example.com:5432" for i in range(8)]
    url = server.url.replace(here, ",".join([here, *others]))
    program, _ = run_once(start_telex, start_webhook, server, connection_string=url)
    restart_with(program, EMPTY)
    by_hand = re.findall(r"SELECT pg_drop_replication_slot\('telex_pg'\);.*DROP PUBLICATION IF EXISTS \"telex_pg\";", reason_of(program, "pg"))
    assert by_hand, reason_of(program, "pg")
    failed = command(program, "reset", "pg")
    assert failed.returncode != 0 and "Nothing was changed. Drop by hand: slot telex_pg, publication telex_pg" in failed.stderr, failed.stderr
    assert "`telex events reset --keep-source pg`" in failed.stderr and "no password supplied" in failed.stderr
    assert command(program, "reset", "--keep-source", "pg").returncode == 0


def state_of(program, name):
    return {s["name"]: s["state"] for s in listed(program)}.get(name)


def reason_of(program, name):
    return {s["name"]: s.get("reason", "") for s in listed(program)}[name]


def wait_running(program, name="pg"):
    net.wait_until("the stream to run", lambda: state_of(program, name) == "running", 30)


def test_a_publication_that_a_person_made_stays(start_telex, start_webhook, tmp_path, server, table):
    """Two streams read by one publication: what is left of the one takes nothing from the other."""
    server.psql("CREATE PUBLICATION pub FOR TABLE events")
    sink = start_webhook()
    access = {"type": "postgresql", "tables": ["events"], "publication": "pub", **secret_file(tmp_path, server)}
    config = {name: stream(sink, access) for name in ("h1", "h2")}
    program = start_telex({"events": config})
    for name in config:
        wait_running(program, name)
    restart_with(program, {"events": {"h2": config["h2"]}})
    wait_running(program, "h2")
    for text in (reason_of(program, "h1"), check(program)[1]):
        assert "'telex_h1'" in text and "PUBLICATION" not in text
    done = command(program, "reset", "h1")
    assert done.returncode == 0, done.stderr
    assert slots(server) == ["telex_h2"] and publications(server) == ["pub"]
    server.psql("INSERT INTO events (n) VALUES (1)")
    net.wait_until("the row", lambda: ids(sink) == ["1"])
    assert command(program, "reset", "h2", "--drop-source").returncode == 0
    wait_running(program, "h2")
    assert publications(server) == ["pub"], "a person made it"
    server.psql("DROP PUBLICATION pub")


def test_a_publication_that_another_stream_reads_by_stays(start_telex, start_webhook, tmp_path, server, table):
    sink = start_webhook()
    access = {"type": "postgresql", "tables": ["events"], "publication": "pub", **secret_file(tmp_path, server)}
    config = {name: stream(sink, access) for name in ("h1", "h2")}
    program = start_telex({"events": {"h1": config["h1"]}})
    wait_running(program, "h1")
    restart_with(program, {"events": {"h1": {**config["h1"], "enabled": False}, "h2": config["h2"]}})
    wait_running(program, "h2")
    assert command(program, "reset", "h1").returncode == 0
    assert slots(server) == ["telex_h2"] and publications(server) == ["pub"]
    restart_with(program, EMPTY)
    assert 'DROP PUBLICATION IF EXISTS "pub"' in reason_of(program, "h2"), "Telex made it, though for another stream"
    assert command(program, "reset", "h2").returncode == 0
    assert slots(server) == [] and publications(server) == []


def test_a_stream_that_is_renamed(start_telex, start_webhook, tmp_path, server, table):
    """Its slot is another's now: nobody is told to drop it, and nobody can."""
    names = {"slot": "sl", "publication": "pub"}
    program, config = run_once(start_telex, start_webhook, server, **names, **secret_file(tmp_path, server))
    renamed = {"events": {"new": config["pg"]}}
    restart_with(program, renamed)
    wait_running(program, "new")
    for text in (reason_of(program, "pg"), check(program)[1], command(program, "status", "pg").stdout):
        assert "only its position is kept" in text and "stream 'new'" in text
        assert "DROP" not in text and "drop" not in text and "without end" not in text
    program.sigterm()
    server.psql("INSERT INTO events (n) VALUES (2)")
    assert "only its position is kept" in command(program, "status", "pg").stdout
    done = command(program, "reset", "pg")
    assert done.returncode == 0, done.stderr
    assert slots(server) == ["sl"] and publications(server) == ["pub"]
    program.start()
    program.wait_ready()
    wait_running(program, "new")
    assert [s["name"] for s in listed(program)] == ["new"]
    net.wait_until("the row", lambda: program.get("/api/v1/streams").json()["data"]["streams"][0]["done"] >= 1)
    restart_with(program, EMPTY)
    assert command(program, "reset", "new").returncode == 0
    assert slots(server) == [] and publications(server) == [], "Telex made them, under the name before"


def test_a_renamed_stream_that_never_ran_calls_its_server_otherwise(start_telex, start_webhook, tmp_path, server, table):
    program, config = run_once(start_telex, start_webhook, server, slot="sl", **secret_file(tmp_path, server))
    program.sigterm()
    source = {"type": "postgresql", "tables": ["events"], "slot": "sl", "connection_string": "host=db.example.com user=telex"}
    program.write_config({"events": {"new": {**config["pg"], "source": source}}})
    assert "only its position is kept" in check(program)[1]
    assert command(program, "reset", "pg").returncode == 0
    assert slots(server) == ["sl"]


def test_what_an_earlier_telex_left(start_telex, start_webhook, tmp_path, server, table):
    """It noted a position, and not what it made: that is told, and a person decides."""
    program, _ = run_once(start_telex, start_webhook, server, **secret_file(tmp_path, server))
    program.sigterm()
    with sqlite3.connect(next(tmp_path.rglob("streams.db"))) as db:
        db.execute("DROP TABLE holdings")
        db.execute("DROP TABLE origins")
    program.write_config(EMPTY)
    assert "pg_drop_replication_slot('telex_pg')" in check(program)[1]
    failed = command(program, "reset", "pg")
    assert failed.returncode != 0 and "nobody noted how to connect" in failed.stderr and "--keep-source" in failed.stderr
    assert slots(server) == ["telex_pg"]
    assert command(program, "reset", "--keep-source", "pg").returncode == 0
    assert "telex_pg" not in check(program)[1]


def test_two_names_that_left_one_slot(start_telex, start_webhook, tmp_path, server, table):
    names = {"slot": "sl", "publication": "pub"}
    program, config = run_once(start_telex, start_webhook, server, **names, **secret_file(tmp_path, server))
    restart_with(program, {"events": {"new": config["pg"]}})
    wait_running(program, "new")
    restart_with(program, EMPTY)
    for name, other in (("pg", "new"), ("new", "pg")):
        text = reason_of(program, name)
        assert f"which stream '{other}' had as well" in text and "without end" in text and "DROP" not in text
    assert command(program, "reset", "new").returncode == 0
    assert slots(server) == ["sl"] and publications(server) == ["pub"]
    assert "pg_drop_replication_slot('sl')" in reason_of(program, "pg")
    assert command(program, "reset", "pg").returncode == 0
    assert slots(server) == [] and publications(server) == []


def test_a_slot_that_a_person_made_stays(start_telex, start_webhook, tmp_path, server, table):
    server.psql("CREATE PUBLICATION pub FOR TABLE events")
    server.psql("SELECT pg_create_logical_replication_slot('mine', 'pgoutput')")
    names = {"slot": "mine", "publication": "pub"}
    program, config = run_once(start_telex, start_webhook, server, **names, **secret_file(tmp_path, server))
    restart_with(program, {"events": config})
    wait_running(program)
    failed = command(program, "reset", "pg", "--drop-source")
    assert failed.returncode != 0 and "Telex did not make it" in failed.stderr, failed.stdout + failed.stderr
    wait_running(program)
    restart_with(program, EMPTY)
    assert "which Telex did not make" in reason_of(program, "pg") and "PUBLICATION" not in reason_of(program, "pg")
    assert command(program, "reset", "pg").returncode == 0
    assert slots(server) == ["mine"] and publications(server) == ["pub"] and listed(program) == []
    server.psql("DROP PUBLICATION pub")


@contextlib.contextmanager
def open_transaction(server):
    """A slot is not made before it has ended."""
    words = ["psql", "-X", "-d", server.url, "-c", "INSERT INTO events (n) VALUES (0); SELECT pg_sleep(120)"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as transaction:
        try:
            net.wait_until("the transaction", lambda: server.rows("SELECT 1 AS x FROM pg_locks WHERE mode = 'RowExclusiveLock'"))
            yield
        finally:
            server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE query LIKE '%pg_sleep(120)%' AND pid <> pg_backend_pid()")
            transaction.wait(30)


def test_what_a_failed_start_made_is_known(start_telex, start_webhook, tmp_path, server, table):
    """The publication is made, and the slot waits for a transaction: so long the start fails."""
    sink = start_webhook()
    source = {"type": "postgresql", "tables": ["events"], **secret_file(tmp_path, server)}
    program = start_telex(EMPTY)
    with open_transaction(server):
        restart_with(program, {"events": {"pg": stream(sink, source)}}, is_ready=False)
        net.wait_until("the publication", lambda: publications(server) == ["telex_pg"], 30)
        program.sigterm()
    program.start()
    wait_running(program)
    restart_with(program, EMPTY)
    assert command(program, "reset", "pg").returncode == 0
    assert slots(server) == [] and publications(server) == []


@pytest.mark.parametrize("comes_again", [False, True])
def test_killed_between_making_and_noting(start_telex, start_webhook, tmp_path, server, table, comes_again):
    """The server makes the slot while Telex stands still, and that never hears of it: it is ours all the same."""
    sink = start_webhook()
    config = {"events": {"pg": stream(sink, {"type": "postgresql", "tables": ["events"], **secret_file(tmp_path, server)})}}
    program = start_telex(EMPTY)
    with open_transaction(server):
        restart_with(program, config, is_ready=False)
        net.wait_until("the slot to be waited for", lambda: slots(server) == ["telex_pg"], 30)
        program.process.signal(signal.SIGSTOP)
    net.wait_until("the slot", lambda: server.rows("SELECT 1 AS x FROM pg_replication_slots WHERE confirmed_flush_lsn IS NOT NULL"), 30)
    program.sigkill()
    net.wait_until("nobody to have it", lambda: server.rows("SELECT 1 AS x FROM pg_replication_slots WHERE active") == [], 30)
    if comes_again:
        restart_with(program, config)
        wait_running(program)
    restart_with(program, EMPTY)
    assert "pg_drop_replication_slot('telex_pg')" in reason_of(program, "pg")
    done = command(program, "reset", "pg")
    assert done.returncode == 0, done.stderr
    assert slots(server) == [] and publications(server) == [] and listed(program) == []


def test_what_could_not_be_made_is_not_ours(start_telex, start_webhook, tmp_path, server, table):
    """The server answers that it makes none: nothing is noted, and who makes it by hand keeps it."""
    server.psql("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN REPLICATION PASSWORD 'guest'; GRANT SELECT ON events TO guest")
    sink = start_webhook()
    access = tmp_path / "guest"
    access.write_text(server.url.replace(f"telex:{postgres.PASSWORD}", "guest:guest") + "\n")
    config = {"events": {"pg": stream(sink, {"type": "postgresql", "tables": ["events"], "connection_string_file": str(access)})}}
    program = start_telex(EMPTY)
    restart_with(program, config, is_ready=False)
    net.wait_until("the stream to be refused", lambda: state_of(program, "pg") == "refused", 30)
    assert "CREATE PUBLICATION" in reason_of(program, "pg")
    restart_with(program, EMPTY)
    assert listed(program) == []
    server.psql("CREATE PUBLICATION telex_pg FOR TABLE events")
    restart_with(program, config)
    wait_running(program)
    restart_with(program, EMPTY)
    assert "PUBLICATION" not in reason_of(program, "pg")
    assert command(program, "reset", "pg").returncode == 0
    assert slots(server) == [] and publications(server) == ["telex_pg"]


@pytest.mark.parametrize("has_password", [True, False])
def test_a_stream_that_got_another_slot(start_telex, start_webhook, tmp_path, server, table, has_password):
    access = {"connection_string": server.url} if has_password else secret_file(tmp_path, server)
    program, config = run_once(start_telex, start_webhook, server, **access)
    source = {**config["pg"]["source"], "slot": "other"}
    restart_with(program, {"events": {"pg": {**config["pg"], "source": source}}}, is_ready=False)
    net.wait_until("the stream to be lost", lambda: listed(program)[0]["state"] == "lost", 30)
    assert command(program, "reset", "pg").returncode == 0
    wait_running(program)
    assert sorted(slots(server)) == ["other", "telex_pg"]
    net.wait_until("the slot before to be told of", lambda: state_of(program, "pg@1") == "unconfigured", 15)
    for text in (reason_of(program, "pg@1"), check(program)[1], program.process.log()):
        assert "stream 'pg' had it before" in text
        assert "pg_drop_replication_slot('telex_pg')" in text and "PUBLICATION" not in text
    assert program.metrics()["telex_stream_unconfigured"] == {("stream=pg@1",): 1}
    assert command(program, "reset", "pg@1").returncode == 0
    assert slots(server) == ["other"] and publications(server) == ["telex_pg"], "the publication is in use"
    assert [s["name"] for s in listed(program)] == ["pg"]
    assert command(program, "reset", "pg", "--drop-source").returncode == 0


def test_dropping_the_source_drops_what_the_stream_had(start_telex, start_webhook, tmp_path, server, table):
    program, config = run_once(start_telex, start_webhook, server, connection_string=server.url)
    source = {**config["pg"]["source"], "slot": "other"}
    restart_with(program, {"events": {"pg": {**config["pg"], "source": source}}}, is_ready=False)
    net.wait_until("the stream to be lost", lambda: listed(program)[0]["state"] == "lost", 30)
    assert command(program, "reset", "pg", "--drop-source").returncode == 0
    wait_running(program)
    assert slots(server) == ["other"] and [s["name"] for s in listed(program)] == ["pg"]


def test_a_stream_that_got_another_type(start_telex, start_webhook, tmp_path, server, table):
    program, config = run_once(start_telex, start_webhook, server, **secret_file(tmp_path, server))
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n')
    source = {"type": "file", "path": str(tmp_path / "in.jsonl")}
    restart_with(program, {"events": {"pg": {**config["pg"], "source": source}}}, is_ready=False)
    net.wait_until("the stream to be lost", lambda: listed(program)[0]["state"] == "lost", 30)
    assert command(program, "reset", "pg").returncode == 0
    wait_running(program)
    net.wait_until("the slot before to be told of", lambda: state_of(program, "pg@1") == "unconfigured", 15)
    assert "pg_drop_replication_slot('telex_pg')" in reason_of(program, "pg@1")
    program.sigterm()
    assert command(program, "reset", "pg@1").returncode == 0
    assert slots(server) == [] and publications(server) == []


def test_the_password_can_be_given(start_telex, start_webhook, tmp_path, server, table, monkeypatch):
    program, _ = run_once(start_telex, start_webhook, server, connection_string=server.url)
    restart_with(program, EMPTY)
    program.sigterm()
    assert "no password supplied" in command(program, "reset", "pg").stderr
    assert "a skip needs it" in command(program, "skip", "pg").stderr
    monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)
    done = command(program, "reset", "pg")
    assert done.returncode == 0, done.stderr
    assert slots(server) == [] and publications(server) == []


def test_a_stream_that_is_off(start_telex, start_webhook, tmp_path, server, table):
    program, config = run_once(start_telex, start_webhook, server, connection_string=server.url)
    restart_with(program, {"events": {"pg": {**config["pg"], "enabled": False}}})
    assert listed(program)[0]["state"] == "disabled" and "it is off" in check(program)[1]
    assert command(program, "reset", "pg").returncode == 0
    assert slots(server) == [] and listed(program) == []


def test_while_telex_does_not_run(start_telex, start_webhook, tmp_path, server, table):
    program, _ = run_once(start_telex, start_webhook, server, **secret_file(tmp_path, server))
    restart_with(program, EMPTY)
    program.sigterm()
    shown = command(program, "status", "pg")
    assert shown.returncode == 1 and "pg: unconfigured" in shown.stdout and "does not run" in shown.stdout
    assert command(program, "status", "other").returncode != 0
    done = command(program, "reset", "pg")
    assert done.returncode == 0, done.stderr
    assert slots(server) == [] and publications(server) == []
    assert "pg:" not in command(program, "status").stdout


def test_needs_of_the_event_table(start_telex, start_webhook, tmp_path):
    sink = start_webhook()
    program = start_telex({"receive": {"events": True}, "events": {"own": stream(sink, {"type": "embedded"})}})
    event = {"specversion": "1.0", "id": "1", "source": "/a", "type": "t", "data": {}}
    net.post(program.url + "/api/v1/events", json.dumps(event).encode(), headers={"Content-Type": "application/cloudevents+json"})
    net.wait_until("the event", lambda: ids(sink) == ["1"])
    net.wait_until("it to be done", lambda: listed(program)[0]["done"] == 1)

    def needs():
        path = next(tmp_path.rglob("events.db"))
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            return [row[0] for row in db.execute("SELECT name FROM readers")]

    restart_with(program, EMPTY)
    assert listed(program)[0]["state"] == "unconfigured" and needs() == ["own"]
    assert "event table keeps all events" in listed(program)[0]["reason"]
    assert command(program, "reset", "own").returncode == 0
    assert needs() == [] and listed(program) == []


PG = "postgresql://telex:x@db.example.com/shop"


@pytest.mark.parametrize("first, second, says, is_error", [
    (("a-b", {"type": "postgresql", "connection_string": PG, "table": "t"}),
     ("a_b", {"type": "postgresql", "connection_string": "host=db.example.com port=5432 dbname=other", "table": "t"}),
     "replication slot 'telex_a_b' of the server at db.example.com:5432", True),
    (("a", {"type": "postgresql", "connection_string": "host=127.0.0.1 dbname=x", "table": "t", "slot": "s"}),
     ("b", {"type": "postgresql", "connection_string": "postgresql://localhost/x", "table": "t", "slot": "s"}),
     "replication slot 's' of the server at localhost:5432", True),
    (("a-b", {"type": "postgresql", "connection_string": PG, "table": "t", "slot": "one"}),
     ("a_b", {"type": "postgresql", "connection_string": PG, "table": "t", "slot": "two"}), "publication 'telex_a_b'", True),
    (("a-b", {"type": "postgresql", "connection_string": PG, "table": "t"}),
     ("a_b", {"type": "postgresql", "connection_string": PG.replace("db.", "db2."), "table": "t"}), None, False),
    (("a", {"type": "outbox", "connection_string": PG, "table": "t", "on_ack": "delete"}),
     ("b", {"type": "outbox", "connection_string": PG, "table": "t"}), "rows of table 't' at db.example.com:5432/shop", True),
    (("a", {"type": "outbox", "connection_string": PG, "table": "t"}),
     ("b", {"type": "outbox", "connection_string": PG, "table": "t"}), None, False),
    (("a", {"type": "kafka", "brokers": ["k:9092"], "topics": ["x", "y"], "group": "g"}),
     ("b", {"type": "kafka", "brokers": ["k:9092"], "topics": ["y"], "group": "g"}), "consumer group 'g' of topic 'y'", False),
])
def test_streams_that_take_from_each_other(tmp_path, first, second, says, is_error):
    config = tmp_path / "telex.yaml"
    config.write_text(yaml.safe_dump({"state": {"path": str(tmp_path / "data")}, "events": {
        name: {"source": source, "metadata": {"cluster": "c"}, "sink": {"endpoint": "http://127.0.0.1:9/"}}
        for name, source in (first, second)}}, sort_keys=False))
    done = subprocess.run([BINARY, "check", "-c", config], text=True, capture_output=True, timeout=60, check=False)
    text = done.stdout + done.stderr
    assert (done.returncode != 0) == is_error, text
    if says is None:
        assert "streams '" not in text
    else:
        assert says in text and f"streams '{first[0]}' (line 4) and '{second[0]}' (line " in text, text
        assert PG not in text


def test_such_streams_do_not_start(tmp_path):
    config = tmp_path / "telex.yaml"
    section = {"source": {"type": "postgresql", "connection_string": PG, "table": "t"}, "metadata": {"cluster": "c"},
               "sink": {"endpoint": "http://127.0.0.1:9/"}}
    config.write_text(yaml.safe_dump({"state": {"path": str(tmp_path / "data")}, "events": {"a-b": section, "a_b": section}}))
    done = subprocess.run([BINARY, "run", "-c", config], text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode != 0 and "replication slot 'telex_a_b'" in done.stderr


def post(program, path, body=b""):
    return net.post(program.url + "/api/v1/streams/" + path, body, headers=admin_headers("adm"), timeout=30)


def test_what_a_skip_gives_up_of_a_slot_is_told(start_telex, start_webhook, tmp_path, server, table):
    """Where the slot was, and where the one begins that is made anew."""
    program, config = run_once(start_telex, start_webhook, server, connection_string=server.url)
    program.sigterm()
    server.psql("SELECT pg_drop_replication_slot('telex_pg')")
    restart_with(program, {"events": config}, is_ready=False)
    net.wait_until("the stream to stop", lambda: listed(program)[0]["state"] == "lost", 30)
    before = listed(program)[0]
    assert before["position"]
    done = command(program, "skip", "pg")
    assert done.returncode == 0, done
    assert f"given up is what lies between {before['position']} (kept at {before['position_saved']}) and " in done.stdout, done.stdout
    net.wait_until("where it goes on", lambda: listed(program)[0]["change"]["to"], 60)
    change = listed(program)[0]["change"]
    assert change["from"]["position"] == before["position"] != change["to"]["position"]
    told = [line for line in program.process.log().splitlines() if "gave up what lies between" in line]
    assert len(told) == 1 and before["position"] in told[0] and change["to"]["position"] in told[0], told
    net.wait_until("the stream to run", lambda: listed(program)[0]["state"] == "running", 30)


def test_a_change_that_takes_long(start_telex, start_webhook, tmp_path, server, table):
    program, config = run_once(start_telex, start_webhook, server, connection_string=server.url)
    restart_with(program, {"events": config})
    net.wait_until("the stream to run", lambda: listed(program)[0]["state"] == "running", 30)
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answer = post(program, "pg/reset?drop_source=true")
        assert answer.status == 202 and 3 < time.monotonic() - began < 9, answer.text
        assert answer.json()["data"]["see"] == "/api/v1/streams/pg"
        assert listed(program)[0]["change"]["phase"] == "running"
        again = post(program, "pg/skip")
        assert again.status == 409 and "is being changed already (reset)" in again.json()["error"]
        assert post(program, "other/skip").status == 404
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    net.wait_until("the change to end", lambda: listed(program)[0]["change"]["phase"] in ("done", "failed"), 30)
    assert listed(program)[0]["change"]["phase"] == "done", listed(program)[0]
    assert "change       reset: done" in command(program, "status", "pg").stdout


def test_the_command_waits_for_a_change(start_telex, start_webhook, tmp_path, server, table):
    program, _ = run_once(start_telex, start_webhook, server, **secret_file(tmp_path, server))
    restart_with(program, EMPTY)
    os.kill(server.process.pid, signal.SIGSTOP)
    timer = threading.Timer(7, os.kill, (server.process.pid, signal.SIGCONT))
    timer.start()
    try:
        done = command(program, "reset", "pg")
    finally:
        timer.cancel()
        os.kill(server.process.pid, signal.SIGCONT)
    assert done.returncode == 0 and "forgotten" in done.stdout, done.stderr
    assert slots(server) == []


def test_a_change_that_a_reload_interrupts(start_telex, start_webhook, tmp_path, server, table):
    """It was not made, and everybody says so: the command, the log, and the status of the stream that the reload made anew."""
    program, config = run_once(start_telex, start_webhook, server, connection_string=server.url)
    restart_with(program, {"events": config})
    wait_running(program)
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        timer = threading.Timer(7, program.sighup)
        timer.start()
        done = command(program, "reset", "pg", "--drop-source")
    finally:
        timer.cancel()
        os.kill(server.process.pid, signal.SIGCONT)
    assert done.returncode == 1 and "cannot be taken back" in done.stderr, done.stdout + done.stderr
    wait_running(program)
    assert "telex_pg" in slots(server)
    change = listed(program)[0]["change"]
    assert (change["what"], change["phase"]) == ("reset", "failed") and change["problem"]
    assert "a stream was not changed" in program.process.log()
    assert command(program, "reset", "pg").returncode == 0
    assert listed(program)[0]["change"]["phase"] == "done" and "a stream was changed" in program.process.log()


@pytest.mark.parametrize("verb, answers, status, says", [
    ("reset", [(200, None)], 1, "nobody knows whether it was made"),
    ("reset", [(200, ("skip", "done"))], 1, "nobody knows whether it was made"),
    ("reset", [(200, ("reset", "running")), (200, None)], 1, "nobody knows whether it was made"),
    ("skip", [(404, None)], 1, "nobody knows whether it was made"),
    ("reset", [(503, None), (404, None)], 0, "forgotten"),
    ("reset", [(200, ("reset", "waiting")), (200, ("reset", "failed"))], 1, "why"),
    ("skip", [(503, None), (200, ("skip", "running")), (200, ("skip", "done"))], 0, "pg: running"),
])
def test_what_the_command_makes_of_a_change(tmp_path, verb, answers, status, says):
    left = list(answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def answer(self, status, data):
            body = json.dumps({"status": "success", "data": data, "error": "no stream"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.answer(202, {"name": "pg", "state": "changing"})

        def do_GET(self):
            status, change = left.pop(0) if len(left) > 1 else left[0]
            change = change and {"what": change[0], "phase": change[1], "problem": "why", "since": "2026-01-01T00:00:00Z"}
            self.answer(status, {"name": "pg", "state": "running", "ready": True, "change": change})

    config = tmp_path / "telex.yaml"
    config.write_text(yaml.safe_dump({"server": {"admin_token": "adm"}, "state": {"path": str(tmp_path / "data")}}))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as fake:
        threading.Thread(target=fake.serve_forever, daemon=True).start()
        done = subprocess.run([BINARY, "events", verb, "pg", "-c", config, "--url", f"http://127.0.0.1:{fake.server_port}"],
                              text=True, capture_output=True, timeout=60, check=False)
        fake.shutdown()
    assert done.returncode == status and says in done.stdout + done.stderr, done.stdout + done.stderr


def test_a_long_position_is_shown_whole_and_taken(start_telex, start_webhook, tmp_path):
    sink = start_webhook()
    source = {"type": "file", "path": str(tmp_path / "in.jsonl"), "start_at": "beginning"}
    program = start_telex({"events": {"f": stream(sink, source)}})
    (tmp_path / "in.jsonl").write_text('{"n": 1}\n')
    net.wait_until("the event", lambda: len(ids(sink)) == 1)
    long = ";".join(f"topic-{i}=0:{i},1:{i}" for i in range(4000))
    restart_with(program, EMPTY)
    program.sigterm()
    with sqlite3.connect(next(tmp_path.rglob("streams.db"))) as db:
        db.execute("UPDATE streams SET position = ?", (long,))
    program.start()
    program.wait_ready()
    assert listed(program)[0]["position"] == long and long in command(program, "status", "f").stdout
    assert command(program, "reset", "f").returncode == 0
    restart_with(program, {"events": {"f": stream(sink, source)}})
    net.wait_until("the stream to run", lambda: listed(program)[0]["state"] == "running")
    refused = post(program, "f/rewind", json.dumps({"position": long}).encode())
    assert refused.status == 409 and "stays where it was" in refused.json()["error"]
    at = listed(program)[0]["position"]
    assert command(program, "rewind", "f", at).returncode == 0
