#!/usr/bin/env python3
"""bench/run events: change streams to an HTTPS sink, beside pg_recvlogical (docs/bench.md).

NVSentinel's health events of some 400 bytes from PostgreSQL's log, our own table, SQLite and a file, many and one to a request.
Each case begins with a stream that is at the end, then the events are put there, and what is measured begins with the start of
the program and ends when the sink has all of them. Exit status: 0 each event arrived; 1 some did not, or something failed.
"""

import argparse
import json
import os
import pathlib
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "e2e")]

import net  # noqa: E402
import postgres  # noqa: E402
import telex  # noqa: E402
from harness import process  # noqa: E402
from postgresql import server_cpu  # noqa: E402

CASES = ("batched", "single", "embedded", "sqlite", "file", "lag")
SETTINGS = ("wal_level=logical", "shared_buffers=256MB", "max_wal_size=8GB", "autovacuum=off", "max_replication_slots=40",
            "max_wal_senders=10", "wal_keep_size=0")
NODES = 1000
WAIT_S = 600
LAG_RATE, LAG_S = 1000, 10
BATCHED = {"mode": "batched", "batch_size": 1000}

DOCUMENT = """jsonb_build_object('version', 'v1', 'agent', 'gpu-health-monitor', 'componentClass', 'GPU',
 'checkName', 'GpuXidError', 'nodeName', 'gpu-node-' || lpad(({n} % {nodes})::text, 4, '0'),
 'message', '#' || {n} || {more} || ' XID error 48: double bit ECC error', 'isFatal', {n} % 7 = 0, 'isHealthy', false,
 'recommendedAction', 2, 'errorCode', jsonb_build_array('48'),
 'entitiesImpacted', jsonb_build_array(jsonb_build_object('entityType', 'GPU', 'entityValue', ({n} % 8)::text)),
 'generatedTimestamp', '2025-11-27T10:30:00Z')"""


def document(n):
    """The same as text."""
    return json.dumps({"version": "v1", "agent": "gpu-health-monitor", "componentClass": "GPU", "checkName": "GpuXidError",
                       "nodeName": f"gpu-node-{n % NODES:04}", "message": f"#{n} XID error 48: double bit ECC error",
                       "isFatal": n % 7 == 0, "isHealthy": False, "recommendedAction": 2, "errorCode": ["48"],
                       "entitiesImpacted": [{"entityType": "GPU", "entityValue": str(n % 8)}],
                       "generatedTimestamp": "2025-11-27T10:30:00Z"})


def parse_args(argv):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build folder")
    p.add_argument("--events", type=int, default=1_000_000, help="events of each case; a fifth of them one to a request")
    p.add_argument("--transaction", type=int, default=100, help="rows of a transaction in PostgreSQL")
    p.add_argument("--rounds", type=int, default=2, help="of each case; the fastest counts")
    p.add_argument("--cases", default=",".join(CASES), help="some of them")
    p.add_argument("--stream", default="{}", help="options of the streams, as JSON")
    args = p.parse_args(argv)
    args.build = args.build.resolve()
    return args


# ---- the sink ----

class Sink:
    """bench-events: counts what it is sent."""
    HEAD = struct.Struct("7Q")
    LATE_MAX = 20000

    def __init__(self, args, folder, known):
        folder.mkdir(parents=True, exist_ok=True)
        self.ca, key, self.counts = folder / "ca.pem", folder / "key.pem", folder / "counts"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-keyout", key, "-out", self.ca, "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True)
        self.child = subprocess.Popen([args.build / "bench" / "bench-events", self.ca, key, self.counts, str(known)],
                                      stdout=subprocess.PIPE, text=True)
        self.url = f"https://127.0.0.1:{self.child.stdout.readline().split()[1]}/events"

    def read(self):
        names = ("events", "distinct", "strange", "requests", "bytes", "first_ns", "last_ns")
        with open(self.counts, "rb") as file:
            return dict(zip(names, self.HEAD.unpack(file.read(self.HEAD.size))))

    def late_ms(self, share):
        """The milliseconds within which that share of the events came."""
        with open(self.counts, "rb") as file:
            file.seek(self.HEAD.size)
            found = struct.unpack(f"{self.LATE_MAX}Q", file.read(8 * self.LATE_MAX))
        left = sum(found) * share
        for ms, count in enumerate(found):
            left -= count
            if left <= 0:
                return ms
        return self.LATE_MAX

    def cpu(self):
        return process.cpu_seconds(self.child.pid)

    def stop(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


# ---- figures ----

class Figure:
    def __init__(self, name, events, wall, client, server=0.0, sink=0.0, rss=(0, 0), requests=0):
        self.name, self.events, self.wall, self.client, self.server, self.sink = name, events, wall, client, server, sink
        self.rss, self.requests = rss, requests

    @property
    def rate(self):
        return self.events / self.wall

    def row(self, beside):
        part = f"{100 * self.rate / beside.rate:.0f} %" if beside else ""
        per = 1e6 / self.events
        rss = " to ".join(f"{value / 2**20:.0f}" for value in self.rss) if self.rss[1] else ""
        size = f"{self.events / self.requests:.0f}" if self.requests else ""
        return (f"| {self.name} | {self.events:,} | {self.wall:.2f} | {self.rate:,.0f} | {self.client * per:.2f} | {self.server * per:.2f} | "
                f"{self.sink * per:.2f} | {size} | {rss} | {part} |")


HEADING = ("| | events | wall s | events/s | CPU s a million: reader | server | sink | events a request | MiB, half way and most | of "
           "pg_recvlogical |\n|---|---|---|---|---|---|---|---|---|---|")


def config_of(args, sink, source, how, port):
    stream = {"source": source, "metadata": {"cluster": "bench"}, **json.loads(args.stream),
              "sink": {"endpoint": sink.url, "timeout": "30s", "tls": {"ca_file": str(sink.ca)}, **how}}
    return {"server": telex.server_section(port), "receive": {"events": True},
            "event_table": {"max_age": "1h"}, "events": {"bench": stream}}


def state_of(program):
    answer = net.get(program.url + "/api/v1/streams").json()["data"]
    return (answer["streams"] if isinstance(answer, dict) else answer)[0]


def prime(program):
    """Starts the stream once, so that it stands at the end."""
    program.start()
    net.wait_until("the stream to run", lambda: state_of(program)["state"] == "running", 30)
    time.sleep(0.5)
    program.stop()


def measure(name, program, sink, events, server=None):
    """From the start of the program until the sink has all."""
    before = server_cpu(server) if server else 0
    began, rss = time.monotonic_ns(), 0
    program.start()
    while sink.read()["distinct"] < events:
        if time.monotonic_ns() - began > WAIT_S * 1e9 or not program.process.running():
            raise SystemExit(f"{name}: {sink.read()} of {events}, {state_of(program)}")
        if rss == 0 and sink.read()["distinct"] > events / 2:
            rss = process.memory(program.process.pid).rss
        time.sleep(0.01)
    cpu, most = process.cpu_seconds(program.process.pid), process.memory(program.process.pid).hwm
    served = server_cpu(server) - before if server else 0
    got = sink.read()
    program.stop()
    if sink.read()["events"] != events or got["strange"]:
        raise SystemExit(f"{name}: not exactly {events} events: {sink.read()}")
    return Figure(name, events, (got["last_ns"] - began) / 1e9, cpu, served, sink.cpu(), (rss, most), got["requests"])


def best(figures):
    return min(figures, key=lambda figure: figure.wall)


# ---- PostgreSQL ----

def prepare_slots(server, names):
    server.psql("CREATE TABLE health_events (id bigserial PRIMARY KEY, created_at timestamptz DEFAULT now(), document jsonb); "
                "CREATE PUBLICATION bench FOR TABLE health_events WITH (publish = 'insert')")
    for name in names:
        server.psql(f"SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')")


def drop_slot(server, name):
    server.psql(f"SELECT pg_drop_replication_slot('{name}')")


def fill_server(server, events, transaction):
    made = DOCUMENT.format(n="n", nodes=NODES, more="''")
    sql = (f"DO $$ BEGIN FOR k IN 0..{(events - 1) // transaction} LOOP "
           f"INSERT INTO health_events (document) SELECT {made} FROM "
           f"generate_series(k * {transaction} + 1, least((k + 1) * {transaction}, {events})) n; COMMIT; END LOOP; END $$")
    subprocess.run(["psql", "-X", "-q", "-d", server.url, "-c", sql], check=True)
    size = server.psql("SELECT avg(length(document::text))::int FROM health_events").stdout.strip()
    print(f"{events:,} rows, documents of {size} bytes, {transaction} rows a transaction", flush=True)
    return server.psql("SELECT pg_current_wal_lsn()").stdout.strip()


def measure_peer(server, slot, end, events):
    """pg_recvlogical reads all of a slot like ours to /dev/null."""
    before, clock = server_cpu(server), os.times()
    began = time.monotonic()
    subprocess.run([postgres.programs() / "pg_recvlogical", "-d", server.url, "--slot", slot, "--start", "--no-loop", "-f", "/dev/null",
                    "--endpos", end, "-o", "proto_version=1", "-o", "publication_names=bench"], check=True, stdin=subprocess.DEVNULL)
    wall, after = time.monotonic() - began, os.times()
    client = after.children_user + after.children_system - clock.children_user - clock.children_system
    time.sleep(0.3)  # until the server has counted its process that ended
    figure = Figure("pg_recvlogical", events, wall, client, server_cpu(server) - before)
    drop_slot(server, slot)
    return figure


def postgresql_source(server, slot):
    return {"type": "postgresql", "connection_string": server.url, "tables": ["health_events"], "time_column": "created_at",
            "slot": slot, "publication": "bench", "create_slot": False, "create_publication": False}


def run_stream(args, server, folder, slot, name, how, events):
    sink = Sink(args, folder, events)
    program = telex.Telex(folder / "telex", {})
    program.write_config(config_of(args, sink, postgresql_source(server, slot), how, program.port))
    try:
        return measure(name, program, sink, events, server)
    finally:
        program.stop()
        sink.stop()
        drop_slot(server, slot)


def case_postgresql(args, folder, name, how, events):
    server = postgres.Postgres(folder, SETTINGS).start()
    peers, ours = [], []
    try:
        slots = [f"{kind}_{round_}" for round_ in range(args.rounds) for kind in ("peer", "ours")]
        prepare_slots(server, slots)
        end = fill_server(server, events, args.transaction)
        for round_ in range(args.rounds):
            peers.append(measure_peer(server, f"peer_{round_}", end, events))
            ours.append(run_stream(args, server, folder / f"{round_}", f"ours_{round_}", name, how, events))
    finally:
        server.stop()
    return [best(peers), best(ours)]


def case_batched(args, folder):
    return case_postgresql(args, folder, "postgresql, batched", BATCHED, args.events)


def case_single(args, folder):
    return case_postgresql(args, folder, "postgresql, one to a request", {}, args.events // 5)


def case_lag(args, folder):
    """Rows one to a transaction at a steady rate: how long until each is delivered."""
    server = postgres.Postgres(folder, SETTINGS).start()
    script, known = folder / "insert.sql", LAG_RATE * LAG_S * 4
    made = DOCUMENT.format(n="n", nodes=NODES, more="'@' || (extract(epoch from clock_timestamp()) * 1000000)::bigint")
    script.write_text("INSERT INTO health_events (id, document) SELECT n, " + made.replace("\n", " ") +
                      " FROM (SELECT nextval('health_events_id_seq') n) s;\n")
    prepare_slots(server, ["lag"])
    sink = Sink(args, folder / "sink", known)
    program = telex.Telex(folder / "telex", {})
    program.write_config(config_of(args, sink, postgresql_source(server, "lag"), {}, program.port))
    try:
        program.start()
        net.wait_until("the stream to run", lambda: state_of(program)["state"] == "running", 30)
        cpu = process.cpu_seconds(program.process.pid)
        subprocess.run([postgres.programs() / "pgbench", "-n", "-f", script, "-R", str(LAG_RATE), "-T", str(LAG_S), "-c", "4", server.url],
                       check=True, capture_output=True)
        rows = server.count("health_events")
        net.wait_until("all rows", lambda: sink.read()["distinct"] >= rows, 60)
        cpu = process.cpu_seconds(program.process.pid) - cpu
        print(f"steady lag at {LAG_RATE}/s, one to a request, {rows:,} rows of a transaction each: from the statement to the sink "
              f"p50 {sink.late_ms(.5)} ms, p99 {sink.late_ms(.99)} ms, most {sink.late_ms(1)} ms; {cpu / LAG_S:.3f} core")
        return []
    finally:
        program.stop()
        sink.stop()
        server.stop()


# ---- without a server ----

def case_local(args, folder, name, source, fill):
    found = []
    for round_ in range(args.rounds):
        place = folder / f"{round_}"
        sink = Sink(args, place, args.events)
        program = telex.Telex(place / "telex", {})
        program.write_config(config_of(args, sink, source(place), BATCHED, program.port))
        try:
            prime(program)
            fill(program, place)
            found.append(measure(f"{name}, batched", program, sink, args.events))
        finally:
            program.stop()
            sink.stop()
    return [best(found)]


def case_file(args, folder):
    def source(place):
        (place / "events.jsonl").write_text("")
        return {"type": "file", "path": str(place / "events.jsonl"), "key_field": "nodeName", "start_at": "beginning"}

    def fill(_, place):
        with open(place / "events.jsonl", "w") as file:
            for n in range(1, args.events + 1):
                file.write(document(n) + "\n")
    return case_local(args, folder, "file", source, fill)


def case_sqlite(args, folder):
    def source(place):
        db = sqlite3.connect(place / "app.db")
        db.execute("CREATE TABLE health_events (id INTEGER PRIMARY KEY AUTOINCREMENT, document JSON)")
        db.close()
        return {"type": "sqlite", "path": str(place / "app.db"), "table": "health_events"}

    def fill(_, place):
        db = sqlite3.connect(place / "app.db")
        db.executemany("INSERT INTO health_events (document) VALUES (?)", ((document(n),) for n in range(1, args.events + 1)))
        db.commit()
        db.close()
    return case_local(args, folder, "sqlite", source, fill)


def case_embedded(args, folder):
    def fill(program, place):
        with open(place / "events.jsonl", "w") as file:
            for n in range(1, args.events + 1):
                file.write(document(n) + "\n")
        subprocess.run([args.build / "telex", "events", "append", "-c", program.config_path, "--source", "/bench", "--type",
                        "com.nvidia.nvsentinel.health.v1", place / "events.jsonl"], check=True, capture_output=True)
    return case_local(args, folder, "embedded", lambda place: {"type": "embedded"}, fill)


def main():
    args = parse_args(sys.argv[1:])
    telex.BINARY = args.build / "telex"
    rows, peer = [], None
    with tempfile.TemporaryDirectory(prefix="telex-bench-events-") as name:
        for case in args.cases.split(","):
            folder = pathlib.Path(name) / case
            folder.mkdir()
            figures = globals()[f"case_{case}"](args, folder)
            for figure in figures:
                peer = figure if figure.name == "pg_recvlogical" else peer
                beside = peer if figure.name.startswith("postgresql") else None
                rows.append(figure.row(beside))
                print(rows[-1], flush=True)
    table = f"\n{HEADING}\n" + "\n".join(rows) + "\n" if rows else ""
    print(f"{table}load average {os.getloadavg()[0]:.1f}, a fixed loop {process.loop_ms():.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
