"""PostgreSQL and SQLite: rows read back and compared; bad rows found; refusals explained; each record once."""

import json
import socket
import sqlite3
import subprocess
import threading
import time

import pytest
import snappy

import database_kills
import net
import remote_write
from telex import BINARY, alerting, postgresql_exporter, sqlite_exporter

PROFILE = {"timestamp": "2026-11-21T10:00:00.123456Z", "name": "web", "messages_per_second": 14000, "avg_latency_ms": 120.5,
           "total_messages": 9007199254740993, "up": True, "host": "a", "labels": {"service": "api", "quote": 'say "hi" größe'}}
SPAN = {"kind": "span", "timestamp": "2026-11-21T10:00:01Z", "function_name": "outer", "execution_time_ms": 12.5,
        "memory_usage_mb": 8, "status": "error", "trace_id": "0123456789abcdef0123456789abcdef", "span_id": "0123456789abcdef",
        "labels": {"service": "api"}}
WRITE_HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
SEED_MAPPING = {"timestamp": "recorded_at", "messages_per_second": "throughput", "avg_latency_ms": "avg_latency",
                "emoji_overhead_percent": "emoji_overhead", "total_messages": "message_count bigint"}


def push(program, records):
    answer = net.post(program.url + "/api/v1/profile", json.dumps(records).encode(),
                      headers={"Content-Type": "application/json"})
    assert answer.status == 204, answer.body


def push_samples(program, name, count, start=0, value=float):
    """`count` series of one sample each: a sequence number is value and label."""
    series = [([("__name__", name), ("n", str(i))], [(value(i), 1_700_000_000_000 + i)]) for i in range(start, start + count)]
    answer = net.post(program.url + "/api/v1/write", snappy.compress(remote_write.encode(series)), headers=WRITE_HEADERS)
    assert answer.status == 204, answer.body


def config(exporter, **sections):
    return {"receive": {"profiles": True, "remote_write": True}, "exporters": {"db": exporter}, **sections}


def test_profiles_and_spans_as_the_seed_maps_them(start_postgres, start_telex):
    server = start_postgres()
    program = start_telex(config(postgresql_exporter(server.url, table_name="profiling_metrics", column_mapping=SEED_MAPPING)))
    push(program, [PROFILE, SPAN])
    net.wait_until("both rows", lambda: server.count("profiling_metrics") == 1 and server.count("profiling_metrics_spans") == 1)
    row = server.rows("SELECT *, recorded_at AT TIME ZONE 'UTC' AS utc FROM profiling_metrics")[0]
    assert row["utc"] == "2026-11-21T10:00:00.123456" and row["name"] == "web" and row["throughput"] == 14000
    assert row["avg_latency"] == 120.5 and row["emoji_overhead"] is None and row["message_count"] == 9007199254740993
    assert row["labels"] == PROFILE["labels"] and row["fields"] == {"up": True, "host": "a"}
    span = server.rows("SELECT * FROM profiling_metrics_spans")[0]
    assert span["name"] == "outer" and span["duration_ms"] == 12.5 and span["status"] == "error"
    assert span["trace_id"] == SPAN["trace_id"] and span["parent_id"] is None and span["fields"] == {"memory_usage_mb": 8}


def test_samples_read_back(start_postgres, start_telex):
    server = start_postgres()
    program = start_telex(config(postgresql_exporter(server.url, column_mapping={"labels.n": "n text"})))
    values = [1.5, float("nan"), float("inf"), float("-inf"), -0.0, 1e-300]
    push_samples(program, "some", 5000)
    push_samples(program, "odd", len(values), value=lambda i: values[i])
    net.wait_until("the rows", lambda: server.count("telex_samples") == 5000 + len(values))
    assert server.rows("SELECT count(*) FROM telex_samples WHERE metric = 'some' AND value = n::int AND labels->>'n' = n AND "
                       "time = to_timestamp((1700000000000 + n::bigint) / 1000.0)")[0]["count"] == 5000
    odd = server.rows("SELECT value::text AS v FROM telex_samples WHERE metric = 'odd' ORDER BY n::int")
    assert [row["v"] for row in odd] == ["1.5", "NaN", "Infinity", "-Infinity", "-0", "1e-300"]
    # What has landed is known there, and a restart sends nothing again.
    assert program.sigterm() == 0
    assert server.rows("SELECT log, next_row > 0 AS has FROM telex_positions WHERE log = 'bulk'") == [{"log": "bulk", "has": True}]


def test_alerts_have_a_table(scene, start_postgres):
    server = start_postgres()
    scene.vectors["up"] = [({"instance": "a"}, 3.0)]
    program = scene.play(alerting("Down", "up", labels={"severity": "critical"}, annotations={"summary": "it is {{ $value }}"}),
                         exporters={"db": postgresql_exporter(server.url)}, routes=[{"to": ["db"]}])
    net.wait_until("a firing row", lambda: server.count("telex_alerts") > 0)
    row = server.rows("SELECT * FROM telex_alerts WHERE state = 'alerting'")[0]
    assert row["alert_name"] == "Down" and row["severity"] == "critical" and row["value"] == 3
    assert row["annotations"] == {"summary": "it is 3"} and row["labels"]["instance"] == "a" and row["resolved_at"] is None
    assert program.sigterm() == 0


def test_bad_rows_are_buried_and_the_others_land(start_postgres, start_telex):
    server = start_postgres()
    server.psql("CREATE TABLE narrow (time timestamptz, value float8 CHECK (value < 100 OR value > 110), n varchar(4))")
    program = start_telex(config(postgresql_exporter(
        server.url, table_name="{kind}", column_mapping={"labels.n": "n text"})))
    server.psql("ALTER TABLE narrow RENAME TO samples")
    push_samples(program, "some", 300)
    push_samples(program, "long", 2, start=10_000)
    net.wait_until("the good rows", lambda: server.count("samples") == 300 - 11)
    net.wait_until("dead letters", lambda: sum(program.metrics()["telex_exporter_dead_letters_total"].values()) == 13)
    log = program.process.log()
    assert "labels" in log, "columns that the table lacks are told of"


def dead_letters(program):
    return sum(program.metrics()["telex_exporter_dead_letters_total"].values())


@pytest.mark.parametrize("method", ["copy", "insert"])
def test_rows_that_a_unique_key_has(start_postgres, start_telex, method):
    """With COPY they are dead letters, with INSERT they are there already; what a check refuses is a dead letter with both."""
    server = start_postgres()
    server.psql("CREATE TABLE samples (id bigserial, time timestamptz, metric text, value float8 CHECK (value < 295), n text, "
                "UNIQUE (metric, n)); INSERT INTO samples (metric, n) SELECT 'some', i::text FROM generate_series(100, 109) i")
    program = start_telex(config(postgresql_exporter(
        server.url, table_name="{kind}", column_mapping={"labels.n": "n text"}, insert_method=method)))
    push_samples(program, "some", 300)
    net.wait_until("all rows", lambda: server.count("samples") == 295)
    net.wait_until("dead letters", lambda: dead_letters(program) == (15 if method == "copy" else 5))
    push_samples(program, "more", 10)
    net.wait_until("all rows", lambda: server.count("samples") == 305)
    assert server.rows("SELECT count(*) FROM samples WHERE value IS NULL")[0]["count"] == 10, "what was there stays"
    assert program.sigterm() == 0


def test_insert_writes_to_a_view(start_postgres, start_telex):
    server = start_postgres()
    server.psql("CREATE TABLE kept (time timestamptz, value float8, n text, UNIQUE (n)); CREATE VIEW samples AS SELECT * FROM kept")
    program = start_telex(config(postgresql_exporter(
        server.url, table_name="{kind}", column_mapping={"labels.n": "n text"}, insert_method="insert")))
    for _ in range(2):
        push_samples(program, "some", 50)
        net.wait_until("the rows", lambda: server.count("kept") == 50)
    server.psql("ALTER TABLE kept ADD COLUMN more text")  # and the connection goes on
    push_samples(program, "more", 60)
    net.wait_until("the rows", lambda: server.count("kept") == 60)
    assert dead_letters(program) == 0


def test_a_wrong_password_halts_and_is_not_shown(start_postgres, start_telex):
    server = start_postgres()
    program = start_telex(config(postgresql_exporter(server.url.replace("pg-s3cret", "wr0ng-one"))))
    push(program, [PROFILE])
    net.wait_until("it halts", lambda: "authentication failed" in program.process.log())
    assert "wr0ng-one" not in program.process.log()
    push_again = json.dumps([PROFILE]).encode()
    assert net.post(program.url + "/api/v1/profile", push_again, headers={"Content-Type": "application/json"}).status == 204


def test_nul_and_bad_bytes(start_postgres, start_telex):
    server = start_postgres()
    program = start_telex(config(postgresql_exporter(server.url, column_mapping={"host": "host text"})))
    push(program, [{**PROFILE, "host": "a\u0000b", "more": "c\u0000d\\u0000", "labels": {"x": "\u0000"}}])
    net.wait_until("the row", lambda: server.count("telex_profiles") == 1)
    row = server.rows("SELECT host, fields, labels FROM telex_profiles")[0]
    assert row["host"] == "a\ufffdb" and row["fields"]["more"] == "c\ufffdd\\u0000" and row["labels"] == {"x": "\ufffd"}
    assert program.metrics()["telex_exporter_mended_texts_total"][("exporter=db",)] >= 3


def test_sqlite_has_the_same(tmp_path, start_telex):
    path = tmp_path / "out" / "metrics.db"
    program = start_telex(config(sqlite_exporter(path, table_name="profiling_metrics", column_mapping=SEED_MAPPING)))
    push(program, [PROFILE, SPAN])
    push_samples(program, "some", 3000)
    push_samples(program, "odd", 2, value=lambda i: [float("nan"), float("-inf")][i])

    def count(table):
        try:
            with sqlite3.connect(path) as db:
                return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        except sqlite3.OperationalError:
            return 0

    net.wait_until("all rows", lambda: count("profiling_metrics_samples") == 3002 and count("profiling_metrics") == 1
                   and count("profiling_metrics_spans") == 1)
    with sqlite3.connect(path) as db:
        db.row_factory = sqlite3.Row
        row = db.execute("SELECT * FROM profiling_metrics").fetchone()
        assert row["recorded_at"] == "2026-11-21T10:00:00.123456000Z" and row["throughput"] == 14000
        assert row["message_count"] == 9007199254740993 and json.loads(row["labels"]) == PROFILE["labels"]
        assert json.loads(row["fields"]) == {"up": True, "host": "a"}
        odd = db.execute("SELECT value FROM profiling_metrics_samples WHERE metric = 'odd' ORDER BY recorded_at").fetchall()
        assert [value[0] for value in odd] == [None, float("-inf")]
        assert db.execute("SELECT count(DISTINCT value) FROM profiling_metrics_samples WHERE metric = 'some'").fetchone()[0] == 3000


def test_kills_lose_nothing_and_double_nothing(start_postgres, start_telex):
    server = start_postgres()
    database_kills.make_table(server)
    program = start_telex(database_kills.config(server))
    problems, figures = database_kills.run(program, server, kills=8, seed=5)
    assert problems == [], (problems, figures)


def test_check_tells_of_traps(tmp_path):
    def said(url):
        path = tmp_path / "telex.yaml"
        path.write_text(f"exporters:\n  db:\n    type: database\n    connection_string: '{url}'\n")
        done = subprocess.run([BINARY, "check", "-c", path], capture_output=True, text=True, timeout=30)
        assert "s3cret" not in done.stdout + done.stderr
        return done.stdout + done.stderr
    both = said("postgresql://me:s3cret@db.example.com/x")
    assert "the password stands in the config" in both and "sslmode=verify-full" in both
    assert "who the server is" in said("postgresql://me@db.example.com/x?sslmode=require")
    assert "not a connection string" in said("mysql://me:s3cret@h/x")
    for quiet in ("postgresql://me@db.example.com/x?sslmode=verify-full", "postgresql://me@localhost/x", "dbname=x"):
        assert "sslmode" not in said(quiet) and "password" not in said(quiet), quiet


# ---- addresses


def forward(address, port, to_port):
    """Passes connections to `address` and `port` on to another port of this host, as long as the process lives."""
    listener = socket.create_server((address, port))

    def copy(source, target):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    def serve():
        while True:
            client = listener.accept()[0]
            server = socket.create_connection((net.HOST, to_port))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def black_hole(address):
    """A listener whose backlog is full: who connects hears nothing at all. (sockets to be kept, port)."""
    listener = socket.socket()
    listener.bind((address, 0))
    listener.listen(0)
    port, waiting = listener.getsockname()[1], []
    for _ in range(8):
        waiting.append(socket.socket())
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex((address, port))
    return [listener, *waiting], port


def with_hosts(text, folder, argv):
    """Runs a program where the file of hosts says that."""
    hosts = folder / "hosts"
    hosts.write_text(text)
    mount = 'mount --bind "$1" /etc/hosts || exit 77; shift; exec "$@"'
    done = subprocess.run(["unshare", "-m", "sh", "-c", mount, "sh", str(hosts), *argv], capture_output=True, text=True,
                          timeout=60, check=False)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("only root has hosts of his own")
    return done


def test_a_silent_address_of_a_name_is_not_waited_for(start_postgres, tmp_path):
    """A server's name has two addresses: one takes connections and says nothing. Each has its part of the time."""
    server = start_postgres()
    kept, port = black_hole("127.0.0.1")  # what the system's resolver puts first
    forward("127.0.0.2", port, server.port)
    url = server.url.replace(f"{net.HOST}:{server.port}", f"db.test:{port}")
    (tmp_path / "telex.yaml").write_text(json.dumps({"exporters": {"db": postgresql_exporter(url, connect_timeout="4s")}}))
    (tmp_path / "records.jsonl").write_text(json.dumps({"kind": "sample", "name": "x", "value": 1, "timestamp": 1.7e9}) + "\n")
    began = time.monotonic()
    done = with_hosts("127.0.0.1 db.test\n127.0.0.2 db.test\n", tmp_path,
                      [str(BINARY), "export", "-c", str(tmp_path / "telex.yaml"), "--to", "db", "--patience", "20s",
                       str(tmp_path / "records.jsonl")])
    took = time.monotonic() - began
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.count("telex_samples") == 1 and 1.9 < took < 4
    for one in kept:
        one.close()
