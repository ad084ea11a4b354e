"""Who writes what a stream reads: transactions into PostgreSQL over libpq itself, and requests to Telex's own table.

Each keeps a book: when it began a transaction, and when it was told that it is committed.
"""

import ctypes
import ctypes.util
import itertools
import json
import random
import threading
import time

import net
from event_oracle import Row, Txn
from faulty_sink import POISON

KEYS = 12
TABLE = ("CREATE TABLE events (id bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp(), key int, txn int, n int, body text, "
         "xid xid8 NOT NULL DEFAULT pg_current_xact_id()); CREATE INDEX ON events (xid, id)")
# What was committed, also of rows that the stream deletes.
TRUTH = ("CREATE TABLE truth (id bigint PRIMARY KEY, key int, txn int, n int, body text); "
         "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
         "INSERT INTO truth VALUES (new.id, new.key, new.txn, new.n, new.body); RETURN new; END $$; "
         "CREATE TRIGGER keep AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION keep()")


class Connection:
    """A connection of libpq; OSError whenever it or a statement fails."""

    _pq = None

    def __init__(self, url):
        if Connection._pq is None:
            Connection._pq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
            for name in ("PQconnectdb", "PQexec"):
                getattr(self._pq, name).restype = ctypes.c_void_p
            self._pq.PQerrorMessage.restype = ctypes.c_char_p
        self._conn = ctypes.c_void_p(self._pq.PQconnectdb(f"{url}?connect_timeout=5".encode()))
        if self._pq.PQstatus(self._conn) != 0:
            self.close()
            raise OSError("no connection")

    def run(self, sql):
        result = ctypes.c_void_p(self._pq.PQexec(self._conn, sql.encode()))
        status = self._pq.PQresultStatus(result)
        self._pq.PQclear(result)
        if status not in (1, 2):
            raise OSError(self._pq.PQerrorMessage(self._conn).decode())

    def close(self):
        if self._conn is not None:
            self._pq.PQfinish(self._conn)
            self._conn = None


class Writers:
    """Threads that write until stop(); `txns` is the book. Subclasses say how to write one transaction."""

    def __init__(self, seed, count, pause):
        self.txns, self.pause = {}, pause
        self.numbers = itertools.count(1)
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(random.Random(seed * 100 + number), number))
                        for number in range(count)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.ends.set()
        for thread in self.threads:
            thread.join()

    def _run(self, rng, writer):
        hands = None
        while not self.ends.is_set():
            try:
                hands = hands or self.open()
                number = next(self.numbers)
                txn = self.txns[number] = Txn(time.monotonic(), writer=writer)
                if self.write(hands, rng, writer, number):
                    txn.acked = time.monotonic()
            except OSError:
                if hands is not None:
                    hands.close()
                hands = None
                self.ends.wait(0.1)
            self.ends.wait(rng.random() * 2 * self.pause)
        if hands is not None:
            hands.close()


class Transactions(Writers):
    """Into the table of PostgreSQL: small and large ones, slow ones that commit late, and some that are rolled back."""

    def __init__(self, server, seed, pause, large_rows):
        super().__init__(seed, 4, pause)
        self.large_rows = large_rows
        self.url = server.url
        self.rolled_back = self.large = 0

    def open(self):
        return Connection(self.url)

    def write(self, hands, rng, writer, number):
        hands.run("BEGIN")
        is_large = rng.random() < 0.01
        self.large += is_large
        rows = self.large_rows if is_large else rng.choice((1, 1, 2, 5, 20))
        hands.run(insert(rng, number, 0, rows))
        if rng.random() < 0.1:
            hands.run("SAVEPOINT s")
            hands.run(insert(rng, number, rows, rows + 3))
            hands.run("ROLLBACK TO s")
        if rng.random() < 0.15:
            self.ends.wait(rng.random() * 1.5)
            hands.run(insert(rng, number, rows, rows + 2))
        if rng.random() < 0.15:
            hands.run("ROLLBACK")
            self.rolled_back += 1
            return False
        hands.run("COMMIT")
        return True


def insert(rng, txn, begin, end):
    return (f"INSERT INTO events (key, txn, n, body) SELECT (i * 7 + {rng.randrange(KEYS)}) % {KEYS}, {txn}, i, "
            f"CASE WHEN (i + {rng.randrange(100)}) % 100 = 0 THEN '{POISON}' ELSE 'row' END "
            f"FROM generate_series({begin}, {end - 1}) i")


def old_rows(server, count):
    """What is there before the stream: transaction 0, keys of its own."""
    server.psql(f"INSERT INTO events (key, txn, n, body) SELECT 100 + i % 5, 0, i, "
                f"CASE WHEN i % 100 = 3 THEN '{POISON}' ELSE 'row' END FROM generate_series(1, {count}) i")


def committed(server):
    return {str(row["id"]): Row(str(row["key"]), row["txn"], row["n"], row["body"] == POISON)
            for row in server.rows("SELECT id, key, txn, n, body FROM truth")}


class Posts(Writers):
    """To Telex's own table: a request is sent again until it is acknowledged, or the writer stops."""

    BATCHED = "application/cloudevents-batch+json"

    def __init__(self, url, seed, pause):
        super().__init__(seed, 3, pause)
        self.url = url
        self.rows = {}  # id: Row

    def open(self):
        return self

    def close(self):
        """There is nothing to be closed."""

    def write(self, hands, rng, writer, number):
        events = []
        for n in range(rng.choice((1, 1, 3, 30))):
            row = Row(f"{writer}-{rng.randrange(4)}", number, n, rng.random() < 0.01)
            self.rows[f"{number}/{n}"] = row
            events.append({"specversion": "1.0", "id": f"{number}/{n}", "source": "/writers", "type": "t", "partitionkey": row.key,
                           "data": {"txn": number, "n": n, "key": row.key, "body": POISON if row.poison else "row"}})
        body = json.dumps(events).encode()
        while True:
            try:
                answer = net.post(self.url + "/api/v1/events", body, headers={"Content-Type": self.BATCHED}, timeout=5)
                if answer.status == 202:
                    return True
            except OSError:
                pass
            if self.ends.wait(0.1):
                return False

    def owed_and_unsure(self):
        owed = {number: row for number, row in self.rows.items() if self.txns[row.txn].acked is not None}
        return owed, {number: row for number, row in self.rows.items() if number not in owed}
