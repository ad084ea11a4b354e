"""The change streams of examples/ run, each with its servers in the place of those that it names."""

import json
import sqlite3

import pytest
import yaml

import net
import postgres
from event_sink import EventSink
from fakes import Answer
from telex import ROOT
from test_events_postgresql import SETTINGS


def example(name, **places):
    """An example's config, with other places than it names."""
    text = (ROOT / "examples" / f"events-{name}.yaml").read_text()
    for place, other in places.items():
        assert PLACES[place] in text
        text = text.replace(PLACES[place], str(other))
    return yaml.safe_load(text)


def comments(name):
    """What stands in the comments at the top, SQL among it."""
    text = (ROOT / "examples" / f"events-{name}.yaml").read_text()
    return "\n".join(line[1:] for line in text.splitlines() if line.startswith("#"))


def sql(name, first):
    """The statements of the comments from that one on, to the last semicolon."""
    found = comments(name)
    return found[found.index(first):found.rindex(";") + 1]


PLACES = {"sink": "http://127.0.0.1:8080", "issuer": "http://127.0.0.1:8081", "file": "events.jsonl", "table": "app.db",
          "nvsentinel": "postgresql://telex:${DATABASE_PASSWORD:-none}@127.0.0.1:5432/nvsentinel",
          "shop": "postgresql://telex:${DATABASE_PASSWORD:-none}@127.0.0.1:5432/shop"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = postgres.Postgres(tmp_path_factory.mktemp("server"), SETTINGS)
    yield server.start()
    server.stop()


@pytest.fixture
def sink():
    sink = EventSink().start()
    yield sink
    sink.stop()
    assert sink.violations == []


def test_postgresql(server, sink, start_webhook, start_telex):
    issuer = start_webhook()
    issuer.answer = lambda request: Answer(200, '{"access_token":"t0k","token_type":"Bearer","expires_in":300}',
                                           {"Content-Type": "application/json"})
    sink.token = "t0k"
    server.psql("CREATE TABLE health_events (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), created_at timestamptz DEFAULT now(),"
                " document jsonb)")
    insert = """INSERT INTO health_events (document) VALUES ('{"nodeName": "%s", "checkName": "x", "isFatal": true}')"""
    server.psql(insert % "before")
    program = start_telex(example("postgresql", nvsentinel=server.url, sink=sink.url, issuer=issuer.url))
    net.wait_until("the backfill", lambda: len(sink.taken) == 1)
    server.psql(insert % "after")
    net.wait_until("the stream", lambda: len(sink.taken) == 2)
    assert [e["data"]["healthEvent"]["nodeName"] for e in sink.taken] == ["before", "after"]
    assert program.get("/-/ready").status == 200


def test_outbox(server, sink, start_telex):
    for statement in sql("outbox", "CREATE TABLE").split(";")[:-1]:
        server.psql(statement)
    server.psql("""INSERT INTO outbox (customer, body) VALUES ('a', '{"n": 1}'), ('a', '{"n": 2}')""")
    start_telex(example("outbox", shop=server.url, sink=sink.url))
    net.wait_until("the rows", lambda: len(sink.taken) == 2)
    assert [(e["source"], e["type"], e["partitionkey"], e["data"]["record"]) for e in sink.taken] == [
        ("/shop/orders", "com.example.order", "a", {"n": n}) for n in (1, 2)]
    net.wait_until("them to be gone", lambda: server.psql("SELECT count(*) FROM outbox").stdout.strip() == "0")


def test_sqlite(sink, start_telex, tmp_path):
    database = sqlite3.connect(tmp_path / "app.db", isolation_level=None)
    database.execute(sql("sqlite", "CREATE TABLE"))
    insert = "INSERT INTO health_events (nodename, checkname, isfatal) VALUES (?, 'x', ?)"
    database.execute(insert, ("before", True))
    start_telex(example("sqlite", table=tmp_path / "app.db", sink=sink.url))
    net.wait_until("the backfill", lambda: len(sink.taken) == 1)
    database.execute(insert, ("harmless", False))
    database.execute(insert, ("after", True))
    net.wait_until("the stream", lambda: len(sink.taken) == 2)
    assert [e["data"]["healthEvent"]["nodeName"] for e in sink.taken] == ["before", "after"]
    database.close()


def test_a_file(sink, start_telex, tmp_path):
    lines = tmp_path / "events.jsonl"
    lines.write_text('{"job": "a", "at": "2025-11-27T10:30:00Z"}\n')
    start_telex(example("file", file=lines, sink=sink.url))
    with open(lines, "a", encoding="utf-8") as more:
        more.write('{"job": "b", "at": "2025-11-27T10:30:01Z"}\n')
    net.wait_until("both lines", lambda: len(sink.taken) == 2)
    assert sorted((e["subject"], e["source"], e["time"]) for e in sink.taken) == [
        ("a", "/batch/jobs", "2025-11-27T10:30:00Z"), ("b", "/batch/jobs", "2025-11-27T10:30:01Z")]


def test_our_own_table(sink, start_telex):
    program = start_telex(example("table", sink=sink.url))
    said = comments("table")
    event = said[said.index("-d '") + 4:said.rindex("'")]
    answer = net.post(program.url + "/api/v1/events", event.encode(),
                      headers={"Content-Type": "application/cloudevents+json"})
    assert answer.status == 202
    net.wait_until("the event", lambda: sink.ids() == ["1"])
    assert sink.taken[0]["data"] == json.loads(event)["data"]
