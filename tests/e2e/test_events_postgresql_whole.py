"""PostgreSQL to a webhook through the whole program, while it and the server are killed: every committed row comes, copies have one id."""

import random
import threading
import time

import pytest

import net
import postgres
from test_events_local import ids, state, stream

SETTINGS = ("wal_level=logical",)
SOURCES = {"postgresql": {"time_column": "at"}, "outbox": {"poll_interval": "50ms"}}


@pytest.fixture
def server(tmp_path):
    server = postgres.Postgres(tmp_path, SETTINGS)
    server.start()
    server.psql("CREATE TABLE events (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), key int, n int, "
                "xid xid8 NOT NULL DEFAULT pg_current_xact_id())")
    yield server
    server.stop()


class Writers:
    """Transactions of several sessions, some rolled back, some that are slow."""

    def __init__(self, server, seed):
        self.server, self.ends = server, threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(random.Random(seed * 100 + worker), worker)) for worker in range(3)]
        for thread in self.threads:
            thread.start()

    def _run(self, rng, worker):
        while not self.ends.is_set():
            end = "ROLLBACK" if rng.random() < 0.2 else "COMMIT"
            pause = f"SELECT pg_sleep({rng.random() * 0.2});" if rng.random() < 0.3 else ""
            rows = rng.randrange(1, 30)
            self.server.psql(f"BEGIN; INSERT INTO events (key, n) SELECT {worker}, i FROM generate_series(1, {rows}) i; {pause} {end}",
                             check=False)

    def stop(self):
        self.ends.set()
        for thread in self.threads:
            thread.join()


def source(server, kind):
    return {"type": kind, "connection_string": server.url, "table": "events", "key_column": "key", **SOURCES[kind]}


def rows(server):
    return {str(row["id"]): row for row in server.rows("SELECT id, key, n FROM events")}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_committed_row_comes(start_webhook, start_telex, server, kind):
    sink = start_webhook()
    rng = random.Random(7)
    server.psql("INSERT INTO events (key, n) SELECT 9, i FROM generate_series(1, 300) i")
    backfill = {"enabled": True, "batchSize": 20, "rateLimit": 150}
    program = start_telex({"events": {"pg": stream(sink, source(server, kind), backfill=backfill)}})
    net.wait_until("the stream to run", lambda: state(program)["state"] == "running", 30)
    writers = Writers(server, 7)
    try:
        for kill in range(6):
            time.sleep(rng.random() + 0.3)
            if kill % 3 != 1:
                program.sigkill()
            if kill % 3 != 0:
                server.crash()
                time.sleep(rng.random() * 0.5)
                server.restart()
            if kill % 3 != 1:
                program.start()
                program.wait_ready()
    finally:
        writers.stop()
    committed = rows(server)
    net.wait_until("all rows", lambda: set(ids(sink)) >= set(committed), 90)
    assert set(ids(sink)) == set(committed)
    bodies = {body["id"]: body for body in sink.accepted()}
    for number, row in committed.items():
        assert bodies[number]["data"]["record"]["n"] == row["n"]
    # Copies of an event are the same event, and a transaction's rows of a key come in order.
    for body in sink.accepted():
        assert body["source"] == bodies[body["id"]]["source"]
    live = [body for body in sink.accepted() if body["data"]["record"]["key"] != 9]
    first = list(dict.fromkeys(body["sequence"] for body in live if body.get("sequence")))
    for key in range(3):
        mine = list(dict.fromkeys(b["sequence"] for b in live if b["data"]["record"]["key"] == key and b.get("sequence")))
        assert mine == sorted(mine), (kind, key)
    assert len(first) > 50
    net.wait_until("the end of the backfill", lambda: state(program)["backfill"]["phase"] == "done", 30)
    net.wait_until("what is known for sure", lambda: not state(program)["backfill"]["left_is_estimate"], 30)


def test_a_slot_that_is_lost_stops_the_stream(start_webhook, start_telex, server):
    sink = start_webhook()
    program = start_telex({"events": {"pg": stream(sink, source(server, "postgresql"))}})
    net.wait_until("the stream to run", lambda: state(program)["state"] == "running", 30)
    server.psql("INSERT INTO events (key, n) VALUES (1, 1)")
    net.wait_until("the first", lambda: ids(sink) == ["1"])
    assert program.sigterm() == 0
    server.psql("SELECT pg_drop_replication_slot('telex_pg')")
    server.psql("INSERT INTO events (key, n) VALUES (1, 2)")
    program.start()
    net.wait_until("the stream to be lost", lambda: state(program)["state"] == "lost", 30)
    assert "telex events reset" in str(state(program))
    assert ids(sink) == ["1"]


def test_a_backfill_that_cannot_be_read_rests_shortly(start_webhook, start_telex, server):
    """A page that fails is read again soon; only failures in a row make the rests longer."""
    sink = start_webhook()
    server.psql("INSERT INTO events (key, n) SELECT 9, i FROM generate_series(1, 300) i")
    backfill = {"enabled": True, "batchSize": 10, "rateLimit": 100}
    program = start_telex({"events": {"pg": stream(sink, source(server, "postgresql"), backfill=backfill)}})
    began, failures = time.monotonic(), 0
    while len(set(ids(sink))) < 300 and time.monotonic() < began + 60:
        server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'telex events pg' AND backend_type = 'client backend'")
        time.sleep(0.7)
        failures = program.process.log().count("the backfill cannot be read now")
    took = time.monotonic() - began
    assert len(set(ids(sink))) == 300
    assert failures >= 2 and took < 15, (failures, took)
