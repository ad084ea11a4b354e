"""The source `postgresql` against a real server: what was committed comes, in the order of the commits, and again after a crash."""

import itertools
import os
import signal
import subprocess
import threading
import time

import pytest

import postgres
from event_source import EventSource, ids

SETTINGS = ("wal_level=logical", "wal_sender_timeout=3s", "max_replication_slots=40", "max_wal_senders=40")
names = (f"t{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = postgres.Postgres(tmp_path_factory.mktemp("server"), SETTINGS)
    yield server.start()
    server.stop()


@pytest.fixture
def table(server):
    """A table of events with a name of its own, and the slots of its streams dropped behind it."""
    name = next(names)
    server.psql(f"CREATE TABLE {name} (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), body text)")
    yield name
    server.psql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                f"WHERE slot_name LIKE 'telex_{name}%' AND NOT active", check=False)


def source(server, stream, **config):
    """A source of the table of the same name as the stream, unless the config says another."""
    named = {} if "tables" in config else {"tables": [stream]}
    return EventSource(stream, **{"type": "postgresql", "connection_string": server.url, **named, **config})


def insert(server, table, *bodies):
    server.psql(f"INSERT INTO {table} (body) VALUES " + ", ".join(f"('{body}')" for body in bodies))


def bodies(changes):
    return [change["columns"]["body"][1] for change in changes]


class Session:
    """A connection of psql that stays open."""

    def __init__(self, server):
        self.child = subprocess.Popen(["psql", "-X", "-A", "-t", "-q", "-d", server.url], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)

    def run(self, sql):
        self.child.stdin.write(f"{sql};\n\\echo done\n")
        self.child.stdin.flush()
        while self.child.stdout.readline().strip() != "done":
            pass

    def close(self):
        self.child.stdin.close()
        self.child.wait()


def test_order_is_that_of_the_commits(server, table):
    slow, undone = Session(server), Session(server)
    with source(server, table) as events:
        events.begin()
        slow.run(f"BEGIN; INSERT INTO {table} (body) VALUES ('slow')")
        undone.run(f"BEGIN; INSERT INTO {table} (body) VALUES ('undone')")
        insert(server, table, "fast")
        undone.run("ROLLBACK")
        slow.run(f"SAVEPOINT s; INSERT INTO {table} (body) VALUES ('undone too'); ROLLBACK TO s; COMMIT")
        changes = events.read(2)
    slow.close()
    undone.close()
    assert bodies(changes) == ["fast", "slow"]
    assert ids(changes) == ["3", "1"]
    assert [c["sequence"] for c in changes] == sorted(c["sequence"] for c in changes)
    assert {c["op"] for c in changes} == {"insert"}


def test_a_crash_replays_the_same(server, table):
    slow = Session(server)
    with source(server, table) as events:
        begun = events.begin()
        for number in range(5):
            insert(server, table, f"{number}a", f"{number}b")
        first = events.read(10)
        slow.run(f"BEGIN; INSERT INTO {table} (body) VALUES ('never')")  # an open transaction: the slot may go back
        events.ask("ack", first[2]["position"])
        events.ask("tend")
        time.sleep(1.2)
        events.ask("tend")
        server.crash()
        assert events.ask("next", 10, 2000)["result"] == "again"
    slow.close()
    server.restart()
    with source(server, table) as events:
        events.begin(first[2]["position"], begun["identity"])
        again = events.read(7)
        assert [(c["id"], c["position"], c["sequence"]) for c in again] == \
               [(c["id"], c["position"], c["sequence"]) for c in first[3:]]


def test_a_slot_has_one_consumer(server, table):
    with source(server, table) as first, source(server, table) as second:
        first.begin()
        answer = second.start()
        assert answer["result"] == "again"
        assert f"telex events {table}" in answer["error"]
        first.kill()
        deadline = time.monotonic() + 10
        while second.start()["result"] != "ok" and time.monotonic() < deadline:
            time.sleep(0.2)
        insert(server, table, "mine")
        assert bodies(second.read(1)) == ["mine"]


def test_a_slot_that_is_gone_or_another(server, table):
    with source(server, table) as events:
        begun = events.begin()
        insert(server, table, "first")
        at = events.read(1)[0]["position"]
        events.ask("close")
        drop = f"SELECT pg_drop_replication_slot('telex_{table}')"
        while server.psql(drop, check=False).returncode != 0:
            time.sleep(0.1)
        lost = events.start(at, begun["identity"])
        assert lost["result"] == "lost" and "telex events reset" in lost["error"]
        insert(server, table, "missed")
        server.psql(f"SELECT pg_create_logical_replication_slot('telex_{table}', 'pgoutput')")
        lost = events.start(at, begun["identity"])
        assert lost["result"] == "lost" and "is missed" in lost["error"]
        other = events.start(at, begun["identity"].replace("postgresql/", "postgresql/1"))
        assert other["result"] == "lost" and "position is one of" in other["error"]
        future = events.start("FF/0/0@1", begun["identity"])
        assert future["result"] == "lost" and "log ends at" in future["error"]


@pytest.fixture
def short_log(server):
    """A server that keeps next to no log for slots, and writes enough of it to drop what it kept."""
    server.psql("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    server.psql("SELECT pg_reload_conf()")

    def write():
        for _ in range(3):
            server.psql("SELECT pg_switch_wal() FROM pg_logical_emit_message(false, 'x', repeat('x', 1000000))")
        server.psql("CHECKPOINT")
    yield write
    server.psql("ALTER SYSTEM RESET max_slot_wal_keep_size")
    server.psql("SELECT pg_reload_conf()")


def test_a_slot_that_is_invalidated_while_nobody_reads(server, table, short_log):
    with source(server, table) as events:
        begun = events.begin()
        insert(server, table, "kept")
        at = events.read(1)[0]["position"]
        events.ask("close")
        short_log()
        lost = events.start(at, begun["identity"])
        assert lost["result"] == "lost" and "invalidated" in lost["error"], lost
        assert events.ask("measure")["in_danger"]
        events.ask("close")
        # As behind `telex events reset` or `skip`: nobody can use the slot any more, so there is another of its name.
        anew = events.begin()
        assert anew["position"] != at
        insert(server, table, "anew")
        assert bodies(events.read(1)) == ["anew"]


def test_a_dead_slot_that_is_given_stays(server, table, short_log):
    slot = f"telex_{table}_given"
    server.psql(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    short_log()
    with source(server, table, slot=slot, create_slot=False) as events:
        begun = events.start()
        assert begun["result"] == "refused" and f"pg_drop_replication_slot('{slot}')" in begun["error"], begun


def test_a_slot_that_is_invalidated_in_mid_stream(server, table, short_log):
    with source(server, table) as events:
        begun = events.begin()
        server.psql(f"INSERT INTO {table} (body) SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
        at = events.ask("next", 100, 5000)["changes"][-1]["position"]
        # The sink is stuck: nothing is read. The server's process cannot end as long as it has something to send, and
        # a checkpoint waits for it; so the source gives way.
        writer = threading.Thread(target=short_log)
        writer.start()
        deadline = time.monotonic() + 30
        while (answer := events.ask("tend"))["result"] == "ok" and time.monotonic() < deadline:
            events.ask("measure")
            time.sleep(0.5)
        writer.join(20)
        assert not writer.is_alive()
        if answer["result"] == "again":
            answer = events.start(at, begun["identity"])
        assert answer["result"] == "lost" and "telex events reset" in answer["error"], answer


def test_an_idle_table_holds_no_log(server, table):
    server.psql("CREATE TABLE IF NOT EXISTS noise (text text)")
    with source(server, table) as events:
        begun = events.begin()
        server.psql("INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 40000)")
        assert events.ask("measure")["retained_bytes"] > 40e6
        position = begun["position"]
        deadline = time.monotonic() + 20
        while events.ask("measure")["retained_bytes"] > 2e6 and time.monotonic() < deadline:
            batch = events.ask("next", 10, 1500)
            assert batch["result"] == "ok" and not batch["changes"]
            position = batch["position"] or position
            events.ask("ack", position)
            server.psql("CHECKPOINT")
        assert events.ask("measure")["retained_bytes"] < 2e6
        events.ask("close")
        insert(server, table, "behind it")
        deadline = time.monotonic() + 10
        while events.start(position, begun["identity"])["result"] != "ok" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert bodies(events.read(1)) == ["behind it"]


def test_a_large_transaction_comes_in_parts(server, table):
    with source(server, table) as events:
        begun = events.begin()
        server.psql(f"INSERT INTO {table} (body) SELECT i::text FROM generate_series(1, 5000) i")
        part = events.ask("next", 1000, 5000)["changes"]
        assert len(part) <= 1000 and len({c["sequence"].split(".")[0] for c in part}) == 1
        events.ask("ack", part[-1]["position"])
        events.ask("close")
        deadline = time.monotonic() + 10
        while events.start(part[-1]["position"], begun["identity"])["result"] != "ok" and time.monotonic() < deadline:
            time.sleep(0.2)
        rest = events.read(5000 - len(part), limit=1000)
        assert ids(part + rest) == [str(number) for number in range(1, 5001)]
        assert [int(c["sequence"].split(".")[1], 16) for c in part + rest] == list(range(1, 5001))


def test_what_is_read_is_not_what_is_safe(server, table):
    def confirmed():
        return server.psql("SELECT confirmed_flush_lsn FROM pg_replication_slots "
                           f"WHERE slot_name = 'telex_{table}'").stdout.strip()
    with source(server, table) as events:
        begun = events.begin()
        insert(server, table, "read", "not safe")
        at = events.read(2)[-1]["position"]
        events.ask("close")
        deadline = time.monotonic() + 10
        while events.start(at, begun["identity"])["result"] != "ok" and time.monotonic() < deadline:
            time.sleep(0.2)
        before = confirmed()
        time.sleep(1.2)
        events.ask("tend")
        events.ask("next", 10, 1200)
        assert confirmed() == before
        events.ask("ack", at)
        events.ask("tend")
        time.sleep(1.2)
        events.ask("tend")
        time.sleep(0.3)
        assert confirmed() == at.split("/")[0] + "/" + at.split("/")[1]


def test_a_table_that_changes(server, table):
    with source(server, table) as events:
        events.begin()
        insert(server, table, "old")
        server.psql(f"ALTER TABLE {table} ADD COLUMN more int[], DROP COLUMN at")
        server.psql(f"INSERT INTO {table} (body, more) VALUES ('new', '{{1,2}}')")
        server.psql(f"ALTER TABLE {table} RENAME COLUMN id TO number")
        insert(server, table, "renamed")
        changes = events.read(3)
    assert [sorted(c["columns"]) for c in changes] == [["at", "body", "id"], ["body", "id", "more"], ["body", "more", "number"]]
    assert changes[1]["columns"]["more"] == ["json", "[1,2]"]
    assert ids(changes) == ["1", "2", "3"]


def test_updates_and_what_was_not_sent(server, table):
    server.psql(f"ALTER TABLE {table} ALTER COLUMN body SET STORAGE EXTERNAL")
    with source(server, table, operations=["insert", "update", "delete"]) as events:
        events.begin()
        insert(server, table, "x" * 9000)
        server.psql(f"UPDATE {table} SET at = '2026-01-02 03:04:05+00'")
        server.psql(f"UPDATE {table} SET id = 7")
        server.psql(f"DELETE FROM {table}")
        server.psql(f"ALTER TABLE {table} REPLICA IDENTITY FULL")
        insert(server, table, "y" * 9000)
        server.psql(f"UPDATE {table} SET at = now()")
        server.psql(f"DELETE FROM {table}")
        server.psql(f"TRUNCATE {table}")
        changes = events.read(7)
    assert [c["op"] for c in changes] == ["insert", "update", "update", "delete", "insert", "update", "delete"]
    assert [c["key"] for c in changes] == ["1", "1", "7", "7", "2", "2", "2"]
    assert len(set(ids(changes))) == 7 and ids(changes) == [c["sequence"] for c in changes]
    body = [c["columns"]["body"] for c in changes]
    assert body[1] == ["unsent", ""] and body[3] == ["unsent", ""]
    assert body[5] == ["text", "y" * 9000] and body[6] == ["text", "y" * 9000]
    assert changes[1]["columns"]["at"] == ["text", "2026-01-02T03:04:05Z"]


TYPES = [("bool", "true", "flag", "true"), ("int2", "-3", "number", "-3"), ("int8", "9007199254740993", "number", "9007199254740993"),
         ("numeric", "1.50", "number", "1.50"), ("numeric", "'NaN'", "text", "NaN"), ("float8", "1e-7", "number", "1e-07"),
         ("float8", "'-Infinity'", "text", "-Infinity"), ("float4", "0.1", "number", "0.1"), ("text", "'a''b'", "text", "a'b"),
         ("json", "'{ \"a\" : 1}'", "json", "{ \"a\" : 1}"), ("jsonb", "'[1, null]'", "json", "[1, null]"),
         ("bytea", "'\\x414243'", "bytes", "ABC"), ("date", "'2026-02-03'", "text", "2026-02-03"),
         ("timestamptz", "'2026-02-03 04:05:06.5+02'", "text", "2026-02-03T02:05:06.5Z"),
         ("timestamp", "'2026-02-03 04:05:06'", "text", "2026-02-03T04:05:06Z"), ("timestamptz", "'infinity'", "text", "infinity"),
         ("interval", "'1 day 2 hours'", "text", "P1DT2H"), ("uuid", "'550e8400-e29b-41d4-a716-446655440000'", "text",
                                                           "550e8400-e29b-41d4-a716-446655440000"),
         ("int4[]", "'{{1,2},{3,NULL}}'", "json", "[[1,2],[3,null]]"), ("text[]", "ARRAY['a,b', 'c\"d', '']", "json",
                                                                       "[\"a,b\",\"c\\\"d\",\"\"]"),
         ("jsonb[]", "ARRAY['{\"a\": 1}'::jsonb]", "json", "[{\"a\": 1}]"), ("mood", "'ok'", "text", "ok"),
         ("mood[]", "'{ok,sad}'", "json", "[\"ok\",\"sad\"]"), ("document", "'{\"d\": 1}'", "json", "{\"d\": 1}"),
         ("inet", "'10.0.0.1'", "text", "10.0.0.1"), ("int4range", "'[1,5)'", "text", "[1,5)"), ("money", "'1'", "text", "$1.00"),
         ("box[]", "'{(1,1),(0,0);(3,3),(2,2)}'", "text", "{(1,1),(0,0);(3,3),(2,2)}"), ("xid8", "'42'", "text", "42"),
         ("text", "NULL", "null", "")]


def test_types_are_the_same_from_stream_and_backfill(server, table):
    server.psql("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    server.psql("CREATE DOMAIN document AS jsonb")
    columns = ", ".join(f"c{number} {kind}" for number, (kind, *_) in enumerate(TYPES))
    server.psql(f"CREATE TABLE {table}_types (id int PRIMARY KEY, {columns}, twice int GENERATED ALWAYS AS (id * 2) STORED)")
    values = ", ".join(value for _, value, *_ in TYPES)
    with source(server, f"{table}_types") as events:
        server.psql(f"INSERT INTO {table}_types VALUES (1, {values})")
        begun = events.begin()
        server.psql(f"INSERT INTO {table}_types VALUES (2, {values})")
        streamed = events.read(1)
        filled = events.backfill(begun["oldest"], 10)
    assert ids(streamed) == ["2"] and ids(filled) == ["1"]
    wanted = {f"c{number}": [form, text] for number, (_, _, form, text) in enumerate(TYPES)}
    for change in streamed + filled:
        assert change["columns"].pop("id")[0] == "number"
        assert change["columns"] == wanted


def test_backfill_pages_over_uuids(server, table):
    name = f"{table}_uuids"
    server.psql(f"CREATE TABLE {name} (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), at timestamptz, n int)")
    server.psql(f"INSERT INTO {name} (at, n) SELECT '2026-01-01'::timestamptz + i * interval '1 day', i FROM generate_series(1, 100) i")
    with source(server, name, time_column="at") as events:
        begun = events.begin()
        server.psql(f"INSERT INTO {name} (at, n) SELECT '2026-06-01', i FROM generate_series(101, 120) i")
        filled = events.backfill(begun["oldest"], 7)
        streamed = events.read(20)
        numbers = [int(c["columns"]["n"][1]) for c in filled]
        assert len(set(numbers)) == len(numbers) and set(range(1, 101)) <= set(numbers)
        assert ids(filled) == sorted(ids(filled))
        by_number = {c["columns"]["n"][1]: c["id"] for c in streamed}
        assert sorted(map(int, by_number)) == list(range(101, 121))
        assert all(by_number[c["columns"]["n"][1]] == c["id"] for c in filled if int(c["columns"]["n"][1]) > 100)
        server.psql(f"DELETE FROM {name} WHERE n > 100")
        newest = events.backfill(begun["oldest"], 7, newest=10)
        assert sorted(int(c["columns"]["n"][1]) for c in newest) == list(range(91, 101))
        from_ns = 1_772_323_200 * 10**9  # 2026-03-01
        recent = events.backfill(begun["oldest"], 7, from_ns=from_ns)
        assert sorted(int(c["columns"]["n"][1]) for c in recent) == list(range(59, 101))
        both = events.backfill(begun["oldest"], 7, from_ns=from_ns, newest=50)
        assert len(both) == 42
        assert newest[0]["time_ns"] >= 1_775_000_000 * 10**9


def test_backfill_over_several_tables_and_keys(server, table):
    server.psql(f"CREATE TABLE {table}_a (x text, y int, n int, PRIMARY KEY (y, x))")
    server.psql(f"CREATE TABLE {table}_empty (id int PRIMARY KEY)")
    server.psql(f"CREATE TABLE {table}_b (id int PRIMARY KEY)")
    server.psql(f"INSERT INTO {table}_a SELECT 'k/' || i % 7, i / 7, i FROM generate_series(1, 50) i")
    server.psql(f"INSERT INTO {table}_b SELECT generate_series(1, 25)")
    tables = [f"{table}_a", f"{table}_empty", f"{table}_b"]
    with source(server, table, tables=tables) as events:
        begun = events.begin()
        assert events.ask("left", 0, begun["oldest"], "", 0, 0)["left"] > 0
        filled = events.backfill(begun["oldest"], 10)
        server.psql(f"INSERT INTO {table}_a VALUES ('k/1', 99, 51); INSERT INTO {table}_empty VALUES (1)")
        streamed = events.read(2)
    assert len(filled) == 75 and len(set(ids(filled))) == 75
    assert f"public.{table}_a/k%2F1/0" in ids(filled) and f"public.{table}_b/25" in ids(filled)
    assert ids(streamed) == [f"public.{table}_a/k%2F1/99", f"public.{table}_empty/1"]
    assert [c["name"] for c in streamed] == [f"{table}_a", f"{table}_empty"]


def version(server):
    return int(server.psql("SHOW server_version_num").stdout) // 10000


def test_conditions_are_the_servers(server, table):
    if version(server) < 15:
        pytest.skip("publications have conditions from PostgreSQL 15 on")
    with source(server, table, where="body LIKE 'yes%'") as events:
        insert(server, table, "yes before", "no before")
        begun = events.begin()
        insert(server, table, "no", "yes")
        assert bodies(events.read(1)) == ["yes"]
        assert bodies(events.backfill(begun["oldest"], 10)) == ["yes before"]


def test_a_publication_of_other_rows_is_refused(server, table):
    if version(server) < 15:
        pytest.skip("publications have conditions from PostgreSQL 15 on")
    server.psql(f"CREATE PUBLICATION telex_{table} FOR TABLE {table} WITH (publish = 'insert')")
    with source(server, table, where="body LIKE 'yes%'") as events:
        answer = events.start()
        assert answer["result"] == "refused" and "has no condition for table" in answer["error"], answer
        server.psql(f"ALTER PUBLICATION telex_{table} SET TABLE {table} WHERE (id > 1)")
        answer = events.start()
        assert answer["result"] == "refused" and "has condition (id > 1) for table" in answer["error"], answer
        # What it says does it, and the server's own way to write the condition is no other one.
        server.psql(answer["error"][answer["error"].index("BEGIN;"):])
        events.begin()
        insert(server, table, "no", "yes")
        assert bodies(events.read(1)) == ["yes"]


@pytest.mark.parametrize("is_there", [False, True])
def test_a_condition_that_cannot_be_is_refused(server, table, is_there):
    if version(server) < 15:
        pytest.skip("publications have conditions from PostgreSQL 15 on")
    if is_there:
        server.psql(f"CREATE PUBLICATION telex_{table} FOR TABLE {table} WITH (publish = 'insert')")
    with source(server, table, where="foo > 3") as events:
        answer = events.start()
        assert answer["result"] == "refused" and "`where`" in answer["error"] and '"foo" does not exist' in answer["error"], answer


def test_refusals_say_what_to_do(server, table):
    server.psql("CREATE ROLE poor LOGIN PASSWORD 'p'")
    poor = server.url.replace("telex:" + postgres.PASSWORD, "poor:p")
    cases = [({"tables": ["nowhere"]}, "no table nowhere"),
             ({"connection_string": poor}, "REPLICATION"),
             ({"connection_string": server.url.replace(postgres.PASSWORD, "wrong")}, "authentication failed"),
             ({"id_column": "nothing"}, "no column nothing"),
             ({"create_publication": False}, f'CREATE PUBLICATION "telex_{table}" FOR TABLE "public"."{table}"'),
             ({"create_slot": False}, "pg_create_logical_replication_slot")]
    if version(server) < 15:
        cases.append(({"where": "id > 1"}, "15"))
    if version(server) < 17:
        cases.append(({"failover": True}, "17"))
    for config, words in cases:
        with source(server, table, **config) as events:
            answer = events.start()
            assert answer["result"] == "refused" and words in answer["error"], answer


@pytest.mark.parametrize("option", ["id_column", "key_column", "time_column"])
def test_columns_that_the_config_names(server, table, option):
    server.psql(f"CREATE TABLE {table}_more (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED)"
                if version(server) >= 12 else f"CREATE TABLE {table}_more (id int PRIMARY KEY)")
    things = f"SELECT slot_name FROM pg_replication_slots WHERE slot_name = 'telex_{table}' UNION ALL " \
             f"SELECT pubname FROM pg_publication WHERE pubname = 'telex_{table}'"
    for column in ("body", "twice"):
        with source(server, table, tables=[f"{table}_more", table][::1 if column == "twice" else -1], **{option: column}) as events:
            answer = events.start()
        assert answer["result"] == "refused" and f"`{option}`" in answer["error"], answer
        assert f'"public"."{table}_more" has no column {column}' in answer["error"] and answer["error"].endswith(": id") or \
            version(server) >= 18, answer
    assert server.psql(things).stdout == ""


def test_a_table_that_came_by_a_pattern_may_lack_a_column(server, table):
    server.psql(f"CREATE TABLE {table}_more (id int PRIMARY KEY)")
    server.psql(f"CREATE PUBLICATION telex_{table} FOR TABLE {table}, {table}_more WITH (publish = 'insert')")
    named = {"tables": [], "publication": f"telex_{table}", "create_publication": False, "key_column": "body"}
    with source(server, table, **named) as events:
        answer = events.start()
        assert answer["result"] == "refused" and "no column body" in answer["error"], answer
    server.psql(f"DROP PUBLICATION telex_{table}")
    server.psql(f"CREATE PUBLICATION telex_{table} FOR ALL TABLES WITH (publish = 'insert')")
    with source(server, table, **named) as events:
        events.begin()
        insert(server, table, "with")
        assert bodies(events.read(1)) == ["with"]
    server.psql(f"DROP PUBLICATION telex_{table}")


def test_a_publication_that_has_other_tables(server, table):
    server.psql(f"CREATE TABLE {table}_more (id int PRIMARY KEY)")
    server.psql(f"CREATE PUBLICATION telex_{table} FOR TABLE {table} WITH (publish = 'insert')")
    with source(server, table, tables=[table, f"{table}_more"]) as events:
        answer = events.start()
        assert answer["result"] == "refused" and "ADD TABLE" in answer["error"]
    with source(server, table, operations=["insert", "update"]) as events:
        answer = events.start()
        assert answer["result"] == "refused" and "SET (publish" in answer["error"]


def test_a_publication_is_older_than_its_slot(server, table):
    server.psql(f"SELECT pg_create_logical_replication_slot('telex_{table}', 'pgoutput')")
    with source(server, table) as events:
        answer = events.start()
        assert answer["result"] == "refused" and "pg_drop_replication_slot" in answer["error"]
        server.psql(f"SELECT pg_drop_replication_slot('telex_{table}')")
        begun = events.begin()
        insert(server, table, "one")
        at = events.read(1)[0]["position"]
        insert(server, table, "two")
        server.psql(f"DROP PUBLICATION telex_{table}")
        events.ask("close")
        deadline = time.monotonic() + 10
        while (answer := events.start(at, begun["identity"]))["result"] == "again" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert answer["result"] == "lost" and "was dropped" in answer["error"]


def remake_publication(server, table):
    """Changes are written while there is no publication: nobody can decode them."""
    server.psql(f"DROP PUBLICATION telex_{table}")
    insert(server, table, "unseen")
    server.psql(f"CREATE PUBLICATION telex_{table} FOR TABLE {table} WITH (publish = 'insert')")


def until_free(server, slot):
    deadline = time.monotonic() + 30
    while server.psql(f"SELECT 1 FROM pg_replication_slots WHERE slot_name = '{slot}' AND active").stdout:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_publication_that_is_made_again(server, table):
    with source(server, table) as events:
        begun = events.begin()
        insert(server, table, "one")
        at = events.read(1)[0]["position"]
        events.ask("close")
        until_free(server, f"telex_{table}")
        remake_publication(server, table)
        events.begin(at, begun["identity"])
        deadline = time.monotonic() + 30
        while (lost := events.ask("next", 10, 1000))["result"] == "ok" and time.monotonic() < deadline:
            pass
        assert lost["result"] == "lost" and "telex events reset" in lost["error"] and "events skip" in lost["error"], lost
        events.ask("close")
        until_free(server, f"telex_{table}")
        # As behind `telex events reset` or `skip`.
        anew = events.begin()
        insert(server, table, "anew")
        assert bodies(events.read(1)) == ["anew"]
        assert anew["position"] != at


def test_a_slot_that_is_given_and_older_than_its_publication(server, table):
    slot = f"telex_{table}_given"
    server.psql(f"CREATE PUBLICATION telex_{table} FOR TABLE {table} WITH (publish = 'insert')")
    server.psql(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    remake_publication(server, table)
    with source(server, table, slot=slot, create_slot=False) as events:
        begun = events.start()
        assert begun["result"] == "refused" and f"pg_drop_replication_slot('{slot}')" in begun["error"], begun


def test_a_slot_that_can_be_decoded_stays(server, table):
    """Its publication is younger, and nothing was written before."""
    server.psql(f"SELECT pg_create_logical_replication_slot('telex_{table}', 'pgoutput')")
    server.psql(f"CREATE PUBLICATION telex_{table} FOR TABLE {table} WITH (publish = 'insert')")
    insert(server, table, "kept")
    with source(server, table) as events:
        events.begin()
        assert bodies(events.read(1)) == ["kept"]


def test_it_is_patient_and_keeps_alive(server, table):
    with source(server, table) as events:
        events.begin()
        server.psql(f"INSERT INTO {table} (body) SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
        read = len(events.ask("next", 100, 5000)["changes"])
        for _ in range(3):
            time.sleep(2)  # the server drops who says nothing for three seconds
            assert events.ask("tend")["result"] == "ok"
        behind = events.ask("measure")
        assert behind["behind"] == -1 and abs(behind["head_ns"] / 1e9 - time.time()) < 5
        assert len(events.read(20000 - read, limit=5000)) == 20000 - read
        assert events.ask("measure")["behind"] == 0


def test_a_server_that_is_silent(server, table):
    with source(server, table, silence_timeout="3s") as events:
        begun = events.begin()
        began = time.monotonic()
        while time.monotonic() - began < 6:  # quiet, and not silent: it answers
            assert events.ask("next", 10, 500)["result"] == "ok"
        pid = int(server.psql("SELECT active_pid FROM pg_replication_slots WHERE slot_name = "
                              f"'telex_{table}'").stdout)
        os.kill(pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            while (answer := events.ask("next", 10, 500))["result"] == "ok" and time.monotonic() - began < 20:
                pass
            assert answer["result"] == "again" and "said nothing" in answer["error"]
            assert events.start(begun["position"], begun["identity"])["result"] == "again"
        finally:
            os.kill(pid, signal.SIGCONT)


def test_forget_drops_what_was_made(server, table):
    with source(server, table) as events:
        events.begin()
        events.ask("close")
        deadline = time.monotonic() + 10
        while (answer := events.ask("forget"))["result"] != "ok" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert answer["result"] == "ok", answer
    slots = server.psql(f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'telex_{table}'").stdout
    assert slots.strip() == "0"
    assert server.psql(f"SELECT count(*) FROM pg_publication WHERE pubname = 'telex_{table}'").stdout.strip() == "0"


def test_a_server_that_is_not_logical(tmp_path):
    server = postgres.Postgres(tmp_path, ())
    try:
        server.start()
        server.psql("CREATE TABLE events (id int PRIMARY KEY)")
        with source(server, "events") as events:
            answer = events.start()
            assert answer["result"] == "refused" and "ALTER SYSTEM SET wal_level" in answer["error"]
    finally:
        server.stop()


def test_a_failover(tmp_path):
    """The server's own data, promoted as a standby's would be: another timeline, with the slot and all of the log."""
    server = postgres.Postgres(tmp_path, ("wal_level=logical",))
    try:
        server.start()
        server.psql("CREATE TABLE events (id serial PRIMARY KEY, body text)")
        with source(server, "events") as events:
            begun = events.begin()
            insert(server, "events", "one", "two")
            first = events.read(2)
            server.crash()
            (server.data / "db" / "standby.signal").touch()
            server.restart()
            server.psql("SELECT pg_promote()")
            deadline = time.monotonic() + 30
            while server.psql("INSERT INTO events (body) VALUES ('three')", check=False).returncode != 0 and time.monotonic() < deadline:
                time.sleep(0.2)
            again = events.begin(first[0]["position"], begun["identity"])
            assert again["position"].endswith("@2") and first[0]["position"].endswith("@1")
            changes = events.read(2)
            assert bodies(changes) == ["two", "three"] and changes[0]["id"] == first[1]["id"]
            assert changes[0]["sequence"] == first[1]["sequence"]
            # The same place of the old timeline, had the old server gone on there: what it delivered is not in this one's log.
            events.ask("close")
            lost = events.start(changes[1]["position"].replace("@2", "@1"), begun["identity"])
            assert lost["result"] == "lost" and "failed over" in lost["error"], lost
    finally:
        server.stop()
