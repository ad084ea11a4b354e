"""`telex check --connect`: says of each stream what `run` would say, and leaves datastores as they are."""

import json
import sqlite3
import subprocess

import pytest
import yaml

import net
import postgres
from fakes import Answer, Fake
from telex import BINARY
from test_events_local import state, stream

THINGS = """SELECT 'slot', slot_name::text, confirmed_flush_lsn::text FROM pg_replication_slots UNION ALL
            SELECT 'publication', pubname::text, '' FROM pg_publication UNION ALL
            SELECT 'lock', locktype, objid::text FROM pg_locks WHERE locktype = 'advisory' ORDER BY 1, 2"""


class Nobody:
    url = "http://127.0.0.1:9"


class TokenServer(Fake):
    refuses = False

    def answer(self, request):
        if self.refuses:
            return Answer(401, json.dumps({"error": "invalid_client"}).encode())
        return Answer(200, json.dumps({"access_token": "s3cret-token", "token_type": "Bearer"}).encode(),
                      headers={"Content-Type": "application/json"})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = postgres.Postgres(tmp_path_factory.mktemp("server"), ("wal_level=logical", "max_replication_slots=3"))
    yield server.start()
    server.stop()


@pytest.fixture
def table(server):
    server.psql("CREATE TABLE events (id bigserial PRIMARY KEY, n int, xid xid8 NOT NULL DEFAULT pg_current_xact_id())")
    server.psql("CREATE ROLE other LOGIN REPLICATION PASSWORD 'x'")
    yield "events"
    server.psql("DROP PUBLICATION IF EXISTS telex_s")
    server.psql("DROP TABLE events")
    server.psql("DROP OWNED BY other")
    server.psql("DROP ROLE other")


def check(folder, source, *words, **more):
    folder.mkdir(exist_ok=True)
    config = {"receive": {"events": True}, "state": {"path": str(folder / "data")}, "server": {"listen": "127.0.0.1:0"},
              "events": {"s": {**stream(Nobody, source), **more}}}
    (folder / "telex.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run([BINARY, "check", "--connect", *words], cwd=folder, capture_output=True, text=True, timeout=90, check=False)
    return done.returncode, done.stdout + done.stderr


def logical(server, **more):
    return {"type": "postgresql", "connection_string": server.url, "table": "events", **more}


def outbox(server, **more):
    return {"type": "outbox", "connection_string": server.url, "table": "events", **more}


def other(server):
    return server.url.replace(f"telex:{postgres.PASSWORD}", "other:x")


def test_a_first_start_is_told_and_not_done(tmp_path, server, table):
    before = server.psql(THINGS).stdout
    status, said = check(tmp_path / "a", logical(server))
    assert status == 0, said
    assert "stream 's': postgresql answers; a start would make publication telex_s, make slot telex_s\n" in said
    assert server.psql(THINGS).stdout == before == ""
    status, said = check(tmp_path / "b", outbox(server))
    assert status == 0 and "stream 's': outbox answers\n" in said
    assert server.psql(THINGS).stdout == ""


@pytest.mark.parametrize("make, more, expected", [
    (outbox, {"table": "nowhere"}, ["nowhere"]),
    (logical, {"table": "nowhere"}, ["nowhere"]),
    (logical, {"create_publication": False}, ["there is no publication telex_s", "CREATE PUBLICATION"]),
    (logical, {"create_slot": False}, ["there is no slot telex_s"]),
    (outbox, {"xid_column": "other"}, ["no column", "ADD COLUMN"]),
    *((make, {option: "nodename"}, ['table "public"."events" has no column nodename', f"`{option}`", "id, n, xid"])
      for make in (logical, outbox) for option in ("id_column", "key_column", "time_column")),
])
def test_what_is_missing(tmp_path, server, table, make, more, expected):
    status, said = check(tmp_path / "a", make(server, **more))
    assert status == 1 and "stream 's' would be refused: " in said and "1 error" in said
    assert all(word in said for word in expected), said
    assert postgres.PASSWORD not in said and server.psql(THINGS).stdout == ""


def test_rights(tmp_path, server, table):
    for make in (logical, outbox):
        status, said = check(tmp_path / "a", {**make(server), "connection_string": other(server)})
        assert status == 1 and "would be refused" in said, said
    server.psql("GRANT SELECT ON events TO other")
    status, said = check(tmp_path / "a", {**logical(server), "connection_string": other(server)})
    assert status == 1 and "may not make it" in said and "CREATE PUBLICATION" in said, said
    status, said = check(tmp_path / "a", {**outbox(server), "connection_string": other(server)})
    assert status == 0, said
    status, said = check(tmp_path / "a", {**outbox(server, on_ack="delete"), "connection_string": other(server)})
    assert status == 1 and "GRANT DELETE" in said, said
    server.psql("ALTER ROLE other NOREPLICATION")
    status, said = check(tmp_path / "a", {**logical(server), "connection_string": other(server)})
    assert status == 1 and "may not replicate" in said, said
    assert server.psql(THINGS).stdout == ""


def test_no_room_for_a_slot(tmp_path, server, table):
    for number in range(3):
        server.psql(f"SELECT pg_create_physical_replication_slot('full{number}')")
    status, said = check(tmp_path / "a", logical(server))
    for number in range(3):
        server.psql(f"SELECT pg_drop_replication_slot('full{number}')")
    assert status == 1 and "max_replication_slots is 3" in said, said


def test_a_server_without_logical_replication(tmp_path):
    server = postgres.Postgres(tmp_path)
    server.start()
    try:
        server.psql("CREATE TABLE events (id bigserial PRIMARY KEY)")
        status, said = check(tmp_path / "a", logical(server))
        assert status == 1 and "wal_level is replica and must be logical" in said, said
    finally:
        server.stop()
    status, said = check(tmp_path / "a", logical(server))
    assert status == 1 and "stream 's' would wait: " in said, said


@pytest.mark.parametrize("make", [logical, outbox])
def test_while_it_runs_and_when_it_is_lost(tmp_path, start_webhook, start_telex, server, table, make):
    sink = start_webhook()
    program = start_telex({"events": {"s": stream(sink, make(server))}})
    net.wait_until("the stream to run", lambda: state(program)["state"] == "running", 30)

    def asked():
        done = subprocess.run([BINARY, "check", "--connect", "-c", str(program.config_path)], capture_output=True, text=True, timeout=90,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    status, said = asked()
    assert status == 0 and "warning" in said and "a Telex runs with this state folder" in said, said
    status, said = check(tmp_path / "elsewhere", make(server))
    assert status == 1 and "stream 's' would wait: " in said and "another telex exports" in said, said
    assert state(program)["state"] == "running"
    assert program.sigterm() == 0
    net.wait_until("nobody to hold it", lambda: asked()[0] == 0, 30)
    assert f"stream 's': {make(server)['type']} answers\n" in asked()[1]
    if make is logical:
        server.psql("DROP PUBLICATION telex_s")
        server.psql("INSERT INTO events (n) VALUES (1)")
        server.psql("CREATE PUBLICATION telex_s FOR TABLE events WITH (publish = 'insert')")
        status, said = asked()
        assert status == 1 and "stream 's' would be lost: publication telex_s was dropped and made again" in said, said
        server.psql("SELECT pg_drop_replication_slot('telex_s')")
        status, said = asked()
        assert status == 1 and "stream 's' would be lost: the replication slot is gone" in said, said


def test_a_database_that_is_away_is_no_lock_of_ours(tmp_path, start_webhook, start_telex):
    source = {"type": "outbox", "connection_string": "postgresql://u:p@127.0.0.1:9/db", "table": "events"}
    program = start_telex({"events": {"s": stream(start_webhook(), source)}}, wait=False)
    net.wait_until("the stream to wait", lambda: state(program)["state"] == "waiting", 30)
    done = subprocess.run([BINARY, "check", "--connect", "-c", str(program.config_path)], capture_output=True, text=True, timeout=90,
                          check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "stream 's' would wait: " in said and "a Telex runs" not in said, said


@pytest.mark.parametrize("url", ["//bob:Hunter@ter2xyz@127.0.0.1:1/db", "//bob:Hunter/ter2xyz@127.0.0.1:1/db"])
@pytest.mark.parametrize("source", [{"type": "postgresql", "table": "t"}, {"type": "outbox", "table": "t"},
                                    {"type": "mongodb", "database": "d", "collection": "c"}])
def test_a_password_that_nobody_escaped_is_refused_unseen(tmp_path, source, url):
    scheme = "mongodb:" if source["type"] == "mongodb" else "postgresql:"
    for name in ("connection_string", "url"):
        status, said = check(tmp_path / "a", {**source, name: scheme + url})
        if "built without" in said:
            pytest.skip("no such datastore in this build")
        assert status == 1 and "%40" in said and "telex.yaml:" in said, said
        assert not any(piece in said for piece in ("Hunter", "unter", "ter2")), said


def test_sources_of_files(tmp_path):
    path = tmp_path / "app.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, n INT)")
    before = sorted(tmp_path.iterdir())
    status, said = check(tmp_path / "a", {"type": "sqlite", "path": str(path), "table": "events"})
    assert status == 0 and "stream 's': sqlite answers\n" in said, said
    status, said = check(tmp_path / "a", {"type": "sqlite", "path": str(path), "table": "nowhere"})
    assert status == 1 and "would be refused" in said and "nowhere" in said, said
    status, said = check(tmp_path / "a", {"type": "file", "path": str(tmp_path / "none.jsonl"), "follow": False})
    assert status == 1 and "there is no file" in said, said
    status, said = check(tmp_path / "a", {"type": "embedded"})
    assert status == 0 and "answers" not in said, said
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "a"])
    assert not (tmp_path / "a" / "data").exists() or not list((tmp_path / "a" / "data").iterdir())


def http_sink(tokens):
    return {"oidc": {"tokenUrl": tokens.url + "/token", "clientId": "me", "client_secret": "s3cret-client"}}


def kafka_sink(tokens):
    oauth2 = {"token_url": tokens.url + "/token", "client_id": "me", "client_secret": "s3cret-client"}
    return {"sink": {"type": "kafka", "brokers": ["127.0.0.1:9"], "topic": "t", "sasl_mechanism": "OAUTHBEARER", "oauth2": oauth2}}


@pytest.mark.parametrize("sink", [http_sink, kafka_sink])
def test_the_token_server_is_asked(tmp_path, sink):
    """One that refuses us is for a person; one that is away, or busy, is waited for."""
    tokens = TokenServer().up()
    more = sink(tokens)
    try:
        status, said = check(tmp_path / "a", {"type": "embedded"}, **more)
        assert status == 0 and "stream 's': its token server gave a token\n" in said, said
        tokens.refuses = True
        status, said = check(tmp_path / "a", {"type": "embedded"}, **more)
        assert status == 1 and "would be refused" in said and "invalid_client" in said and "s3cret" not in said, said
    finally:
        tokens.down()
    status, said = check(tmp_path / "a", {"type": "embedded"}, **more)
    assert status == 1 and "would wait" in said and "refused: " not in said and "s3cret" not in said, said
