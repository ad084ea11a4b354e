"""One event source against a real datastore, a fresh process for each run: what a restart finds is what the run before left."""

import json
import subprocess
import time

import pytest

from event_source import PROBE

PATIENCE = 20.0


class Tap:
    """A run carries out commands in order, each with its words:

        start POSITION IDENTITY     next COUNT SECONDS     backfill END CURSOR COUNT     measure     ack POSITION
        from NS, newest N           for the backfills behind them

    "@" is the position of the last answer. `answers` are those of the run, `changes` what it gave, `last` the last answer,
    `log` what all runs logged."""

    def __init__(self, folder, section):
        if not PROBE.exists():
            pytest.skip(f"{PROBE} was not built")
        self.section, self.log_path = json.dumps(section), folder / "tap.log"
        self.answers, self.changes, self.range, self.child = [], [], ["0", "0"], None

    @property
    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    @property
    def last(self):
        return self.answers[-1]

    def documents(self):
        return [json.loads(change["document"]) for change in self.changes]

    def run(self, *words):
        self.answers, self.changes, self.range = [], [], ["0", "0"]
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen([PROBE, "tap", self.section], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                          stderr=log, text=True)
        try:
            rest = [str(word) for word in words]
            while rest:
                rest = getattr(self, "_" + rest[0])(*rest[1:])
            self.child.stdin.close()
            assert self.child.wait(PATIENCE) == 0, self.log
        finally:
            self.child.kill()
            self.child.wait()
        for mark in ("Sanitizer", "runtime error"):
            assert mark not in self.log, self.log
        return self.answers

    def _ask(self, *words):
        self.child.stdin.write("\t".join(words) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        assert line, self.log
        answer = json.loads(line)
        self.changes += answer.pop("changes", [])
        return answer

    def _at(self, position):
        return self.answers[-1]["position"] if position == "@" else position

    def _start(self, position, identity, *rest):
        self.answers.append(self._ask("start", position, identity))
        return rest

    def _next(self, count, seconds, *rest):
        place, end, wanted = self.last.get("position", ""), time.monotonic() + float(seconds), len(self.changes) + int(count)
        answer = {"result": "ok"}
        while answer["result"] == "ok" and len(self.changes) < wanted and time.monotonic() < end:
            before = len(self.changes)
            answer = self._ask("next", str(min(100, wanted - before)), "500")
            news = self.changes[before:]
            place = answer["position"] or (news[-1]["position"] if news else place)
        self.answers.append({**answer, "position": place})
        return rest

    def _backfill(self, end, cursor, count, *rest):
        wanted, answer = len(self.changes) + int(count), {"result": "ok", "done": False}
        deadline = time.monotonic() + PATIENCE
        while answer["result"] == "ok" and not answer["done"] and len(self.changes) < wanted:
            assert time.monotonic() < deadline, "a backfill that does not go on"
            before = len(self.changes)
            answer = self._ask("backfill", str(min(100, wanted - before)), end, cursor, *self.range)
            news = self.changes[before:]
            cursor = answer["position"] or (news[-1]["position"] if news else cursor)
        self.answers.append({**answer, "position": cursor})
        return rest

    def _from(self, nanoseconds, *rest):
        self.range[0] = nanoseconds
        return rest

    def _newest(self, count, *rest):
        self.range[1] = count
        return rest

    def _ack(self, position, *rest):
        place = self._at(position)
        self.answers.append({**self._ask("ack", place), "position": place})
        return rest

    def _measure(self, *rest):
        self.answers.append(self._ask("measure"))
        return rest
