"""Samples into PostgreSQL while Telex and the server are killed: what was acknowledged is in the table exactly once.

A sample's number is its value. A push that was answered is owed; one that was cut off in the middle may be there or not, and
is not pushed again. Each 50th number is one that the table refuses: it must become a dead letter and hold up nobody.
"""

import random
import threading
import time

import snappy

import net
import remote_write
from telex import postgresql_exporter

ROWS_PER_PUSH = 40
REFUSED_EVERY = 50
HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
DRAIN = 60.0


def config(server):
    exporter = postgresql_exporter(server.url, table_name="kills_{kind}", batch_size=100, column_mapping={"labels": "", "rule": ""},
                                   buffer={"lanes": 2})
    return {"receive": {"remote_write": True}, "exporters": {"db": exporter}, "shutdown_timeout": "5s"}


def make_table(server):
    server.psql(f"CREATE TABLE kills_samples (time timestamptz, metric text, value float8 "
                f"CHECK (value::bigint % {REFUSED_EVERY} <> 7))")


class Pusher:
    """Pushes numbers, each once, whether somebody answers or not."""

    def __init__(self, program):
        self.program = program
        self.owed, self.unsure, self.next = set(), set(), 0
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.ends.is_set():
            numbers = range(self.next, self.next + ROWS_PER_PUSH)
            self.next += ROWS_PER_PUSH
            (self.owed if self._push(numbers) else self.unsure).update(numbers)
            time.sleep(0.01)

    def _push(self, numbers):
        series = [([("__name__", "n"), ("series", str(number % 13))], [(float(number), 1_700_000_000_000 + number)])
                  for number in numbers]
        try:
            return net.post(self.program.url + "/api/v1/write", snappy.compress(remote_write.encode(series)), headers=HEADERS,
                            timeout=5).status == 204
        except OSError:
            return False

    def stop(self):
        self.ends.set()
        self.thread.join()


def is_refused(number):
    return number % REFUSED_EVERY == 7


def kill_telex(program, server, rng):
    program.sigkill()
    program.start()
    program.wait_ready()


def kill_server(program, server, rng):
    server.crash()
    time.sleep(rng.random() * 0.5)
    server.restart()


def kill_both(program, server, rng):
    program.sigkill()
    kill_server(program, server, rng)
    program.start()
    program.wait_ready()


def cut_connections(program, server, rng):
    server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'telex%'", check=False)


HOWS = (kill_telex, kill_server, kill_both, cut_connections)


def counts(server):
    """{number: how often it is in the table}."""
    return {int(row["v"]): row["n"] for row in
            server.rows("SELECT value::bigint AS v, count(*) AS n FROM kills_samples GROUP BY 1")}


def run(program, server, kills, seed):
    """(violations, figures): `program` has config(server), the table is there."""
    rng = random.Random(seed)
    pusher = Pusher(program)
    try:
        for kill in range(kills):
            time.sleep(rng.random() * 0.8 + 0.1)
            HOWS[kill % len(HOWS)](program, server, rng)
    finally:
        pusher.stop()
    wanted = {number for number in pusher.owed if not is_refused(number)}
    end = time.monotonic() + DRAIN
    while time.monotonic() < end and not wanted <= counts(server).keys():
        time.sleep(0.2)
    return judge(pusher, wanted, counts(server)), {"kills": kills, "owed": len(pusher.owed), "unsure": len(pusher.unsure)}


def judge(pusher, wanted, found):
    problems = []
    lost = sorted(wanted - found.keys())
    twice = sorted(number for number, count in found.items() if count > 1)
    strange = sorted(found.keys() - wanted - pusher.unsure)
    for what, numbers in (("lost", lost), ("there more than once", twice), ("there though never pushed", strange)):
        if numbers:
            problems.append(f"{len(numbers)} are {what}: {numbers[:10]}")
    if len(wanted) < 100:
        problems.append(f"only {len(wanted)} were acknowledged: nothing was tried")
    return problems
