"""The source `outbox` against a real server: nothing is missed in whatever order transactions commit, without replication."""

import itertools
import time

import pytest

import postgres
from event_source import EventSource, ids
from test_events_postgresql import Session, bodies, insert

names = (f"o{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = postgres.Postgres(tmp_path_factory.mktemp("server"))
    yield server.start()
    server.stop()


@pytest.fixture
def table(server):
    name = next(names)
    server.psql(f"CREATE TABLE {name} (id bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp(), body text, "
                "xid xid8 NOT NULL DEFAULT pg_current_xact_id())")
    server.psql(f"CREATE INDEX ON {name} (xid, id)")
    return name


def source(server, table, **config):
    return EventSource(table, **{"type": "outbox", "connection_string": server.url, "table": table, "poll_interval": "50ms", **config})


def count(server, table):
    return int(server.psql(f"SELECT count(*) FROM {table}").stdout)


def start_when_free(events, *words):
    deadline = time.monotonic() + 10
    while (answer := events.start(*words))["result"] == "again" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert answer["result"] == "ok", answer
    return answer


def test_commits_out_of_order(server, table):
    slow, undone = Session(server), Session(server)
    with source(server, table) as events:
        events.begin()
        slow.run(f"BEGIN; INSERT INTO {table} (body) VALUES ('slow')")
        undone.run(f"BEGIN; INSERT INTO {table} (body) VALUES ('undone')")
        insert(server, table, "fast")
        assert events.read(1) == []  # it is committed, and not settled
        assert "pid" in events.ask("measure")["state"]
        undone.run("ROLLBACK")
        slow.run("COMMIT")
        changes = events.read(2)
    slow.close()
    undone.close()
    assert bodies(changes) == ["slow", "fast"] and ids(changes) == ["1", "3"]
    assert [c["sequence"] for c in changes] == sorted(c["sequence"] for c in changes)


def test_a_crash_replays_the_same(server, table):
    with source(server, table) as events:
        begun = events.begin()
        for number in range(5):
            insert(server, table, f"{number}a", f"{number}b")
        first = events.read(10)
        server.crash()
        assert events.ask("next", 10, 2000)["result"] == "again"
        assert events.ask("tend")["result"] == "again"
    server.restart()
    with source(server, table) as events:
        events.begin(first[2]["position"], begun["identity"])
        again = events.read(7)
    assert [(c["id"], c["position"], c["sequence"]) for c in again] == \
           [(c["id"], c["position"], c["sequence"]) for c in first[3:]]


def test_one_at_a_time(server, table):
    with source(server, table) as first, source(server, table) as second:
        first.begin()
        answer = second.start()
        assert answer["result"] == "again" and "another telex" in answer["error"]
        server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'telex events%'")
        start_when_free(second)
        # Who lost the connection lost the lock, and may not read on over another connection.
        first.ask("measure")
        assert first.ask("next", 10, 100)["result"] == "again"
        assert first.start()["result"] == "again"


def test_backfill_ends_where_the_stream_begins(server, table):
    server.psql(f"INSERT INTO {table} (body) SELECT 'old ' || i FROM generate_series(1, 30) i")
    open_one = Session(server)
    open_one.run(f"BEGIN; INSERT INTO {table} (body) VALUES ('open')")
    insert(server, table, "committed")
    with source(server, table) as events:
        begun = events.begin()
        open_one.run("COMMIT")
        insert(server, table, "new")
        streamed = events.read(3)
        filled = events.backfill(begun["oldest"], 7)
        assert events.ask("left", 0, begun["oldest"], "", 0, 0)["left"] > 0
        newest = events.backfill(begun["oldest"], 7, newest=4)
    open_one.close()
    assert bodies(streamed) == ["open", "committed", "new"]
    assert bodies(filled) == [f"old {number}" for number in range(1, 31)]
    assert bodies(newest) == [f"old {number}" for number in range(27, 31)]


def test_rows_are_deleted_when_they_are_safe(server, table):
    insert(server, table, *(str(number) for number in range(10)))
    with source(server, table, on_ack="delete") as events:
        begun = events.begin()
        assert begun["oldest"] == ""
        changes = events.read(10)
        assert bodies(changes) == [str(number) for number in range(10)] and count(server, table) == 10
        events.ask("ack", changes[3]["position"])
        events.ask("tend")
        assert count(server, table) == 6
        events.ask("ack", changes[9]["position"])
        events.ask("close")
        assert count(server, table) == 0


def test_notify_wakes_it(server, table):
    with source(server, table, poll_interval="60s", notify_channel="Telex.o") as events:
        events.begin()
        assert events.ask("next", 10, 100)["changes"] == []
        server.psql(f"INSERT INTO {table} (body) VALUES ('now'); NOTIFY \"Telex.o\"")
        began = time.monotonic()
        assert bodies(events.ask("next", 10, 20000)["changes"]) == ["now"]
        assert time.monotonic() - began < 5


def test_serialized_and_other_columns(server, table):
    server.psql(f"CREATE TABLE {table}_s (id bigserial PRIMARY KEY, body text)")
    insert(server, f"{table}_s", "old")
    with source(server, f"{table}_s") as events:
        answer = events.start()
        assert answer["result"] == "refused" and "ADD COLUMN \"xid\" xid8" in answer["error"]
    with source(server, f"{table}_s", serialized=True) as events:
        begun = events.begin()
        insert(server, f"{table}_s", *(str(number) for number in range(12)))
        changes = events.read(12)
        assert bodies(changes) == [str(number) for number in range(12)]
        assert [c["sequence"] for c in changes] == sorted(c["sequence"] for c in changes)
        assert bodies(events.backfill(begun["oldest"], 10)) == ["old"]
        events.ask("close")
        start_when_free(events, changes[5]["position"], begun["identity"])
        assert ids(events.read(6)) == ids(changes[6:])
    server.psql(f"CREATE TABLE {table}_b (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), body text, "
                "tx bigint DEFAULT (pg_current_xact_id()::text::bigint))")
    with source(server, f"{table}_b", xid_column="tx") as events:
        events.begin()
        insert(server, f"{table}_b", "one")
        insert(server, f"{table}_b", "two")
        assert bodies(events.read(2)) == ["one", "two"]


def test_a_restored_server(server, table):
    with source(server, table) as events:
        identity = events.begin()["identity"]
        events.ask("close")
        answer = events.start("999999999999/1", identity)
        assert answer["result"] == "lost" and "restored" in answer["error"]
        assert events.start("nonsense", identity)["result"] == "lost"
