#!/usr/bin/python3
"""faulty_sink.py PORT FOLDER SEED CERTIFICATES [guarded]: a sink of CloudEvents over HTTPS, a process of its own, in moods of
trouble, made to be killed.

What it takes is a line of FOLDER/taken.jsonl and synced before it answers. `guarded` asks for a token that has not ended
(`MILLISECONDS.NUMBER`). While FOLDER/calm is there, all is well but poison, which is refused for good.
"""

import json
import os
import pathlib
import random
import sys
import time
import typing

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import faulty_tls  # noqa: E402
from event_sink import EventSink  # noqa: E402
from fakes import Answer  # noqa: E402

MOOD_SECONDS = 0.2, 1.2
POISON = "poison"


def well(rng, take):
    return take()


def storm(rng, take):
    return Answer(rng.choice((500, 502, 503, 504, 408, 425)))


def patchy(rng, take):
    return storm(rng, take) if rng.random() < 0.3 else take()


def retry_after(rng, take):
    return Answer(rng.choice((429, 503)), headers={"Retry-After": "1"})


def cuts(rng, take):
    return Answer(drop=True)


def takes_and_cuts(rng, take):
    """What was taken is not told: all of it comes again."""
    answer = take()
    return Answer(drop=True) if rng.random() < 0.3 else answer


def takes_and_hangs(rng, take):
    answer = take()
    answer.delay = 1.5 if rng.random() < 0.2 else 0
    return answer


def takes_and_breaks_off(rng, take):
    """What was taken is told by an answer whose end is missing."""
    answer = take()
    return Answer(200, b"taken" * 100, truncate=rng.randrange(500)) if answer.status == 204 and rng.random() < 0.3 else answer


def slow(rng, take):
    answer = take()
    answer.delay = rng.random() * 0.3
    return answer


def large(rng, take):
    """Takes no batch of more than a few."""
    return take(at_most=3)


class Mood(typing.NamedTuple):
    """What becomes of requests, of new connections, and (now and then) of requests while they are sent."""
    answer: typing.Callable
    welcome: typing.Callable = faulty_tls.welcome
    trouble: typing.Callable = None


WELL = Mood(well)
# Where connections are in trouble those that are there are cut, so that new ones are made.
MOODS = (*map(Mood, (storm, patchy, retry_after, cuts, takes_and_cuts, takes_and_hangs, takes_and_breaks_off, slow, large)),
         *(Mood(cuts, how) for how in (faulty_tls.hang_up, faulty_tls.reset, faulty_tls.cut_handshake, faulty_tls.no_tls,
                                       faulty_tls.stranger)),
         Mood(takes_and_cuts, faulty_tls.slow_handshake), Mood(well, trouble=faulty_tls.reset_in_request),
         Mood(slow, trouble=faulty_tls.reads_late))
# What is counted by name and is no answer.
BELOW_HTTP = {how.__name__ for mood in MOODS for how in (mood.welcome, mood.trouble) if how not in (None, faulty_tls.welcome)}


def is_poison(event):
    data = event["data"]
    return isinstance(data, dict) and data.get("record", data).get("body") == POISON


class Taken:
    """The events that were taken, in order, read on from where we were; what a kill tore was never answered for."""

    def __init__(self, folder):
        self.path, self.offset, self.events = folder / "taken.jsonl", 0, []

    def read(self):
        if self.path.exists():
            with open(self.path, "rb") as log:
                log.seek(self.offset)
                text = log.read()
            whole = text[:text.rfind(b"\n") + 1]
            self.offset += len(whole)
            for line in whole.splitlines():
                self.events += json.loads(line)
        return self.events


class FaultySink(faulty_tls.OverTls, EventSink):
    def __init__(self, port, folder, seed, certificates, guarded):
        super().__init__(port)
        self.use_certificates(certificates)
        self.folder, self.guarded = folder, guarded
        self.rng = random.Random(seed)
        self._mood, self.mood_ends = WELL, 0.0
        (folder / "answers").touch()
        path = folder / "taken.jsonl"
        whole = path.read_bytes() if path.exists() else b""
        self.log = open(path, "r+b" if path.exists() else "wb")
        self.log.truncate(whole.rfind(b"\n") + 1)
        self.log.seek(0, os.SEEK_END)
        self.counts = open(folder / "answers", "a")

    def receive(self, request):
        with self.lock:
            answer = self._receive(request)
            self._count("drop" if answer.drop else "broken" if answer.truncate is not None else answer.status)
            return answer

    def mood(self):
        if (self.folder / "calm").exists():
            return WELL
        if time.monotonic() > self.mood_ends:
            self._mood = self.rng.choice(MOODS) if self.rng.random() < 0.55 else WELL
            self.mood_ends = time.monotonic() + self.rng.uniform(*MOOD_SECONDS)
        return self._mood

    def welcome(self):
        with self.lock:
            chosen = self.mood().welcome
            if chosen is not faulty_tls.welcome:
                self._count(chosen.__name__)
            return chosen

    def trouble(self):
        with self.lock:
            chosen = self.mood().trouble
            if chosen is None or self.rng.random() < 0.7:
                return None
            self._count(chosen.__name__)
            return chosen

    def ends_badly(self):
        return self.rng.random() < 0.5

    def violation(self, message):
        (self.folder / "violations").open("a").write(f"{message}\n")
        return Answer(400)

    def _count(self, what):
        self.counts.write(f"{what}\n")
        self.counts.flush()

    def _receive(self, request):
        if self.guarded and not self._is_let_in(request):
            return Answer(401)
        return self.mood().answer(self.rng, lambda at_most=10**6: self._judge(request, at_most))

    @staticmethod
    def _is_let_in(request):
        end = (request.headers.get("Authorization") or "").removeprefix("Bearer ").partition(".")[0]
        return end.isdigit() and int(end) > time.time() * 1000

    def _judge(self, request, at_most):
        try:
            events = self._events(request)
            for event in events:
                self._check(event)
        except (ValueError, KeyError, TypeError) as problem:
            return self.violation(f"{type(problem).__name__}: {problem}")
        if len(events) > at_most:
            return Answer(413)
        if any(map(is_poison, events)):
            return Answer(self.rng.choice((400, 422)))
        self.log.write(json.dumps(events).encode() + b"\n")
        self.log.flush()
        os.fdatasync(self.log.fileno())
        return Answer(204)


def main():
    port, folder, seed = int(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    FaultySink(port, folder, seed, sys.argv[4], "guarded" in sys.argv[5:]).start()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
