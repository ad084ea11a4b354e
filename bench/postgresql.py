#!/usr/bin/env python3
"""bench/run postgresql: the exporter postgresql beside psql's \\copy of the same rows (docs/bench.md).

Samples are pushed while the exporter is paused; then it is resumed, and what it needs until the table has all of them is
measured: wall time, and CPU time of Telex and of the server. The rows are written to a file in both formats of COPY, and psql
copies them into a table of the same columns. Exit status: 0 the tables are the same; 1 they are not, or something failed.
"""

import argparse
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "e2e")]

import net  # noqa: E402
import telex  # noqa: E402
from harness import delivery, process  # noqa: E402
from postgres import Postgres  # noqa: E402

SETTINGS = ("fsync=on", "shared_buffers=256MB", "max_wal_size=4GB", "autovacuum=off")
DELIVERED = "telex_exporter_delivered_total"
CONNECTIONS = 2


def parse_args(argv):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build folder")
    p.add_argument("--bodies", type=int, default=50, help="bodies on each of 2 connections")
    p.add_argument("--samples", type=int, default=5000, help="samples in each body")
    p.add_argument("--transactions", default="default,1000,10000",
                   help="rows of a transaction at most, each measured; default: the exporter with no option but its URL")
    p.add_argument("--rounds", type=int, default=3, help="the best counts")
    return p.parse_args(argv)


def ticks(pid):
    """(CPU seconds of a process, of its children that ended, its parent)."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own, ended = (sum(map(int, fields[at:at + 2])) / process.TICKS_PER_S for at in (11, 13))
    return own, ended, int(fields[1])


def server_cpu(server):
    """CPU seconds of the server's processes so far, those that ended too."""
    own, ended, _ = ticks(server.process.pid)
    total = own + ended
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                own, _, parent = ticks(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                continue
            total += own if parent == server.process.pid else 0
    return total


class Figure:
    def __init__(self, name, wall, client, server):
        self.name, self.wall, self.client, self.server = name, wall, client, server

    @property
    def cpu(self):
        return self.client + self.server


def best(figures):
    return min(figures, key=lambda figure: figure.cpu)


def measure_telex(args, server, folder, transaction):
    server.psql("DROP TABLE IF EXISTS telex_samples, telex_positions")
    options = {} if transaction == "default" else {"batch_size": int(transaction), "transaction_rows": int(transaction)}
    exporter = {"type": "postgresql", "connection_string": server.url, **options}
    config = {"receive": {"remote_write": True}, "exporters": {"db": exporter}}
    program = telex.Telex(folder, config)
    program.write_config({"server": telex.server_section(program.port, "t"), **config})
    program.start()
    try:
        program.wait_ready()
        control = {"headers": telex.admin_headers("t")}
        assert net.post(program.url + "/api/v1/exporters/db/pause", b"", **control).status in (200, 204)
        load = delivery.Load(str(args.build / "bench" / "bench-load"))
        rows = load.push(program, CONNECTIONS, args.bodies, args.samples)["samples"]
        cpu, server_before = process.cpu_seconds(program.process.pid), server_cpu(server)
        began = time.monotonic()
        assert net.post(program.url + "/api/v1/exporters/db/resume", b"", **control).status in (200, 204)
        while program_delivered(program) < rows:
            time.sleep(0.05)
        wall = time.monotonic() - began
        figure = Figure(f"telex, {transaction} rows a transaction", wall,
                        process.cpu_seconds(program.process.pid) - cpu, server_cpu(server) - server_before)
        assert server.count("telex_samples") == rows, "rows are missing or there twice"
        return figure, rows
    finally:
        program.sigkill()


def program_delivered(program):
    return sum(value for pairs, value in program.metrics().get(DELIVERED, {}).items() if "exporter=db" in pairs)


def measure_psql(server, path, options):
    server.psql("DROP TABLE IF EXISTS copied; ")
    server.psql("CREATE TABLE copied (LIKE telex_samples)")
    before, server_before = resource.getrusage(resource.RUSAGE_CHILDREN), server_cpu(server)
    began = time.monotonic()
    subprocess.run(["psql", "-X", "-q", "-d", server.url, "-c", f"\\copy copied FROM '{path}' {options}"], check=True)
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    client = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    time.sleep(0.2)
    return Figure(f"psql, {options or 'text'}", wall, client, server_cpu(server) - server_before)


def differences(server):
    """Rows that one table has and the other has not."""
    one, two = "SELECT * FROM telex_samples", "SELECT * FROM copied"
    return int(server.psql(f"SELECT count(*) FROM (({one} EXCEPT ALL {two}) UNION ALL ({two} EXCEPT ALL {one})) d").stdout)


def measure(args, server, folder):
    figures, rows = [], 0
    for size in args.transactions.split(","):
        rounds = []
        for number in range(args.rounds):
            figure, rows = measure_telex(args, server, folder / f"telex-{size}-{number}", size)
            rounds.append(figure)
        figures.append(best(rounds))
    for options in ("(FORMAT binary)", ""):
        path = folder / "rows"
        server.psql(f"\\copy telex_samples TO '{path}' {options}")
        figures.append(best([measure_psql(server, path, options) for _ in range(args.rounds)]))
    return figures, rows


def main():
    args = parse_args(sys.argv[1:])
    telex.BINARY = args.build.resolve() / "telex"
    with tempfile.TemporaryDirectory(prefix="telex-bench-") as name:
        folder = pathlib.Path(name)
        server = Postgres(folder, settings=SETTINGS).start()
        try:
            figures, rows = measure(args, server, folder)
            differ = differences(server)
        finally:
            server.stop()
    print(f"{rows:,} rows, load average {os.getloadavg()[0]:.1f}\n| | wall s | CPU s: client | server | together | rows/s |\n|---|---|---|---|---|---|")
    for f in figures:
        print(f"| {f.name} | {f.wall:.2f} | {f.client:.2f} | {f.server:.2f} | {f.cpu:.2f} | {rows / f.wall:,.0f} |")
    print(f"{differ} rows differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
