"""PostgreSQL 17 with a standby that keeps the stream's slot: the first server is killed, the standby promoted, and nothing is lost.

The slot has FAILOVER and is carried over by the server itself (sync_replication_slots). synchronized_standby_slots keeps the
stream from what the standby does not have, so that no event tells of a row that the new server never heard of.
"""

import random
import time

import pytest

import net
import postgres
from event_source import EventSource
from test_events_local import ids, state, stream
from test_events_postgresql_whole import Writers, rows, source

VERSION = postgres.VERSION or "17"
PRIMARY = ("wal_level=logical", "wal_sender_timeout=3s")
SLOT = "telex_pg"


@pytest.fixture
def pair(tmp_path):
    """(primary, standby), both running."""
    if int(VERSION) < 17:
        pytest.skip(f"PostgreSQL {VERSION} has no slots that standbys keep")
    first = postgres.Postgres(tmp_path / "first", PRIMARY, VERSION)
    servers = [first]
    try:
        first.start()
        first.psql("CREATE TABLE events (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), key int, n int)")
        first.psql("SELECT pg_create_physical_replication_slot('standby', true)")
        first.crash()
        conninfo = f"host={net.HOST} port={first.port} user=telex password={postgres.PASSWORD} dbname=postgres"
        second = postgres.Standby(tmp_path / "second", first, (
            *PRIMARY, "sync_replication_slots=on", "hot_standby_feedback=on", "primary_slot_name=standby",
            f"primary_conninfo={conninfo}", "wal_receiver_status_interval=1s", "wal_retrieve_retry_interval=200ms"))
        servers.append(second)
        second.prepare()
        first.settings = (*PRIMARY, "synchronized_standby_slots=standby")
        first.restart()
        second.start()
        net.wait_until("the standby to follow", lambda: first.count("pg_stat_replication"), 90)
        yield first, second
    finally:
        for server in servers:
            server.stop()


def url_of(*servers):
    hosts = ",".join(f"{net.HOST}:{server.port}" for server in servers)
    return f"postgresql://telex:{postgres.PASSWORD}@{hosts}/postgres?target_session_attrs=read-write"


def slot(server):
    found = server.rows(f"SELECT failover, synced, temporary, confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{SLOT}'")
    return found[0] if found else None


def is_kept(primary, standby):
    """The slot is one that a promotion keeps. It becomes so when it moves on, over a note of what runs; who carries slots over
    naps longer and longer, and a reload wakes it."""
    primary.psql("SELECT pg_log_standby_snapshot()")
    standby.psql("SELECT pg_reload_conf()")
    found = slot(standby)
    return found is not None and found["synced"] and not found["temporary"]


class Everybody:
    """Writers of whichever server takes it."""

    def __init__(self, *servers):
        self.url = url_of(*servers)
        self.psql = lambda sql, check=True: servers[0].__class__.psql(self, sql, check)


def test_a_promoted_standby_goes_on(pair, start_webhook, start_telex):
    first, second = pair
    sink = start_webhook()
    config = {**source(first, "postgresql"), "connection_string": url_of(first, second), "failover": True}
    program = start_telex({"events": {"pg": stream(sink, config)}})
    net.wait_until("the stream to run", lambda: state(program)["state"] == "running", 90)
    writers = Writers(Everybody(first, second), 5)
    try:
        net.wait_until("the standby to have the slot", lambda: is_kept(first, second), 180, every=0.3)
        net.wait_until("some events", lambda: len(ids(sink)) > 50, 90)
        time.sleep(random.random())
        first.crash()
        before = len(ids(sink))
        second.promote()
        net.wait_until("events of the new server", lambda: len(ids(sink)) > before + 50, 180)
    finally:
        writers.stop()
    committed = rows(second)
    net.wait_until("all rows", lambda: set(ids(sink)) >= set(committed), 180)
    assert set(ids(sink)) == set(committed)
    assert state(program)["state"] == "running" and "the server was failed over" in program.process.log()


def test_a_slot_becomes_one_that_standbys_keep(pair):
    """One that was made without; then who comes to the standby before it is promoted waits, and goes on behind that."""
    first, second = pair
    config = {"type": "postgresql", "tables": ["events"]}
    with EventSource("pg", **config, connection_string=first.url) as events:
        begun = events.begin()
        assert not slot(first)["failover"]
    with EventSource("pg", **config, connection_string=first.url, failover=True, create_slot=False) as events:
        answer = events.start(begun["position"], begun["identity"])
        assert answer["result"] == "refused" and "failover => true" in answer["error"], answer
    with EventSource("pg", **config, connection_string=first.url, failover=True) as events:
        events.begin(begun["position"], begun["identity"])
        assert slot(first)["failover"]

        def kept():
            position = events.ask("next", 10, 200)["position"]
            if position:
                events.ask("ack", position)
                events.ask("tend")
            return is_kept(first, second)

        net.wait_until("the standby to have the slot", kept, 180, every=0.3)
        first.psql("INSERT INTO events (key, n) VALUES (1, 1), (1, 2)")
        done = events.read(2)
        events.ask("ack", done[0]["position"])
    with EventSource("pg", **config, failover=True, connection_string=second.url) as events:
        answer = events.start(done[0]["position"], begun["identity"])
        assert answer["result"] == "again" and "standby" in answer["error"], answer
        first.crash()
        second.promote()
        second.psql("INSERT INTO events (key, n) VALUES (1, 3)")
        again = events.begin(done[0]["position"], begun["identity"])
        assert again["position"].endswith("@2")
        assert [change["columns"]["n"][1] for change in events.read(2)] == ["2", "3"]
