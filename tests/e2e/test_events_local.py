"""Streams from the sources that need no server: our own table, a file, a table in SQLite. All comes, in order, also over kills."""

import json
import sqlite3

import net


def stream(sink, source, **more):
    return {"source": source, "metadata": {"cluster": "c"}, "sink": {"endpoint": sink.url + "/events"},
            "failureHandling": {"initialBackoff": "100ms", "maxBackoff": "300ms"}, **more}


def ids(sink):
    return [body["id"] for body in sink.accepted()]


def once(values):
    return list(dict.fromkeys(values))


def state(program):
    answer = net.get(program.url + "/api/v1/streams").json()["data"]
    return (answer["streams"] if isinstance(answer, dict) else answer)[0]


def post(program, number):
    event = {"specversion": "1.0", "id": f"e{number}", "source": "/s", "type": "t", "subject": "one", "data": number}
    return net.post(program.url + "/api/v1/events", json.dumps(event).encode(),
                    headers={"Content-Type": "application/cloudevents+json"}).status


def test_the_own_table_delivers_all_that_was_acknowledged(start_webhook, start_telex):
    sink = start_webhook()
    config = {"receive": {"events": True}, "events": {"mine": stream(sink, {"type": "embedded"})}}
    program = start_telex(config)
    for number in range(20):
        assert post(program, number) == 202
    net.wait_until("the first events", lambda: len(ids(sink)) >= 20)
    sink.down()
    for number in range(20, 40):
        assert post(program, number) == 202
    program.sigkill()
    program.start()
    program.wait_ready()
    sink.up()
    assert post(program, 40) == 202
    net.wait_until("all events", lambda: len(set(ids(sink))) == 41)
    assert once(ids(sink)) == [f"e{number}" for number in range(41)]
    assert all(body["source"] == "/s" and body["data"] == int(body["id"][1:]) for body in sink.accepted())


def test_what_was_in_the_table_before_is_a_backfill(start_webhook, start_telex):
    sink = start_webhook()
    program = start_telex({"receive": {"events": True}})
    for number in range(10):
        assert post(program, number) == 202
    assert program.sigterm() == 0
    backfill = {"enabled": True, "maxEvents": 4}
    program.write_config({"receive": {"events": True},
                          "events": {"mine": stream(sink, {"type": "embedded"}, backfill=backfill)}})
    program.start()
    program.wait_ready()
    net.wait_until("the backfill", lambda: len(ids(sink)) >= 4)
    assert post(program, 10) == 202
    net.wait_until("the new one", lambda: "e10" in ids(sink))
    assert sorted(once(ids(sink))) == ["e10", "e6", "e7", "e8", "e9"]


def test_what_is_left_of_a_backfill_goes_down_with_what_is_done(tmp_path, start_webhook, start_telex):
    """The source is asked every ten seconds; what was done since is not left any more."""
    with sqlite3.connect(tmp_path / "app.db") as db:
        db.execute("CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, n INT)")
        db.executemany("INSERT INTO events (n) VALUES (?)", [(n,) for n in range(300)])
    program = start_telex({"events": {"s": stream(start_webhook(), {"type": "sqlite", "path": str(tmp_path / "app.db"), "table": "events"},
                                                  backfill={"enabled": True, "batchSize": 10, "rateLimit": 60})}})
    seen = []

    def is_done():
        seen.append(state(program)["backfill"])
        return seen[-1]["phase"] == "done"

    net.wait_until("the backfill", is_done, 60)
    known = [b for b in seen if b["phase"] == "running" and b["left"] is not None]
    assert any(b["done"] > 0 for b in known)
    assert all(b["left"] + b["done"] <= 300 for b in known), known


def test_a_table_full_of_what_is_owed_takes_no_more(start_webhook, start_telex):
    sink = start_webhook()
    sink.down()
    program = start_telex({"receive": {"events": True}, "event_table": {"max_rows": 10},
                           "events": {"mine": stream(sink, {"type": "embedded"})}})
    for number in range(20):
        assert post(program, number) == 202
    net.wait_until("the table to be full", lambda: post(program, 0) == 503)
    refused = net.post(program.url + "/api/v1/events", b"{}", headers={"Content-Type": "application/json"})
    assert int(refused.headers["Retry-After"]) > 0 and b"'mine' has still 20 of 20" in refused.body
    assert program.metrics()["telex_events_table_needed_rows"][()] == 20
    sink.up()
    net.wait_until("what was owed", lambda: len(set(ids(sink))) == 20)
    net.wait_until("room", lambda: post(program, 20) == 202)
    net.wait_until("the one behind", lambda: "e20" in ids(sink))
    assert program.metrics()["telex_events_table_removed_total"][("reason=rows",)] >= 10


def test_a_file_that_is_rotated(start_webhook, start_telex, tmp_path):
    sink = start_webhook()
    log = tmp_path / "app.log"
    log.write_text("")
    source = {"type": "file", "path": str(log), "key_field": "k", "start_at": "beginning"}
    program = start_telex({"events": {"lines": stream(sink, source)}})
    written = 0

    def write(count, text=None):
        nonlocal written
        with log.open("a") as file:
            for _ in range(count):
                file.write(json.dumps({"k": "one", "n": written}) + "\n")
                written += 1
            file.write(text or "")

    def numbers():
        return [body["data"]["record"]["n"] for body in sink.accepted()]

    write(100, "this is no JSON\n")
    net.wait_until("the first lines", lambda: len(set(numbers())) == 100)
    program.sigkill()
    write(50)
    log.rename(tmp_path / "app.log.2")
    write(50)
    log.rename(tmp_path / "app.log.1")
    write(50)
    program.start()
    program.wait_ready()
    net.wait_until("all lines", lambda: len(set(numbers())) == 250)
    write(10)
    net.wait_until("the last lines", lambda: len(set(numbers())) == 260)
    assert once(numbers()) == list(range(260))
    assert len(set(ids(sink))) == 260
    assert len(list((program.folder / "data" / "dead").glob("*"))) == 1


def test_a_table_of_another_program(start_webhook, start_telex, tmp_path):
    sink = start_webhook()
    path = tmp_path / "app.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE health_events (nodeName TEXT, checkName TEXT, isFatal BOOLEAN, document JSON)")

    def insert(*nodes):
        db.executemany("INSERT INTO health_events VALUES (?, 'XID', 1, ?)", ((node, '{"a": [1]}') for node in nodes))
        db.commit()

    insert("before")
    source = {"type": "sqlite", "path": str(path), "table": "health_events", "key_column": "nodeName"}
    program = start_telex({"events": {"rows": stream(sink, source, event={"shape": "plain"},
                                                     backfill={"enabled": True})}})
    net.wait_until("the backfill", lambda: len(ids(sink)) == 1)
    insert("n1", "n2")
    net.wait_until("the rows", lambda: len(ids(sink)) == 3)
    program.sigkill()
    insert("n3")
    program.start()
    program.wait_ready()
    net.wait_until("the row of meanwhile", lambda: len(set(ids(sink))) == 4)
    assert once(ids(sink)) == ["1", "2", "3", "4"]
    record = sink.accepted()[1]["data"]["record"]
    assert record == {"nodeName": "n1", "checkName": "XID", "isFatal": True, "document": {"a": [1]}}
    db.execute("DELETE FROM health_events")
    db.commit()
    net.wait_until("the stream to stop", lambda: state(program)["state"] == "lost")
    assert net.get(program.url + "/-/ready").status == 503
