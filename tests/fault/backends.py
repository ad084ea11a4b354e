"""Delivery runs against destinations that misbehave, one kind of trouble each.

A case is a function (folder, options) -> (violations, figures).
"""

import concurrent.futures
import time

import backend
import writer
from combinators import told
from station import Station

SECONDS = 2.0


class Trouble:
    """One run: the receiver's mode, how it is set up, and what becomes of the records: those that it `buries` and no
    other are dead letters in the end, or `may_die`: remote write has senders give up on any 4xx but 429."""

    def __init__(self, name, mode=None, breaks=0.0, flaps=False, down=False, heals=True, buries=None, may_die=False,
                 pause=0.01):
        self.name = name
        self.mode = mode or (lambda: None)
        self.breaks = breaks
        self.flaps = flaps
        self.down = down
        self.heals = heals
        self.buries = buries
        self.may_die = may_die
        self.pause = pause


def shares(status):
    return lambda: backend.answers(status, 0.4)


TROUBLES = (
    Trouble("healthy"),
    Trouble("down", down=True),
    Trouble("slow", lambda: backend.slow(0.05), heals=False),
    Trouble("flapping", flaps=True),
    Trouble("breaks in mid-body", breaks=0.4),
    Trouble("stores and breaks", lambda: backend.cuts_after_storing(0.3)),
    Trouble("hangs", lambda: backend.hangs(0.2)),
    Trouble("400 for some samples", lambda: backend.refuses_bad, heals=False, buries=backend.is_bad),
    Trouble("408", shares(408), may_die=True),
    Trouble("413", lambda: backend.takes_at_most(7), heals=False),
    Trouble("429", shares(429)),
    Trouble("500", shares(500)),
    Trouble("503", shares(503)),
    Trouble("429 with seconds", lambda: backend.RetryAfter(429, 1)),
    Trouble("503 with a date", lambda: backend.RetryAfter(503, 1, as_date=True)),
)

# Telex stops and asks again every 30 s: too long for every change.
HALTS = (
    Trouble("401", lambda: backend.always(401)),
    Trouble("403", lambda: backend.always(403)),
)


def play(trouble, folder, seed):
    """(violations, figures) of one run."""
    mode = trouble.mode()
    with Station(folder, seed=seed, mode=mode) as station:
        station.receiver.break_share = trouble.breaks
        station.start()
        crew = writer.Crew(station.program.port, station.book, pause=trouble.pause)
        end = time.monotonic() + SECONDS
        flapping = backend.Flapping(station.receiver) if trouble.flaps else None
        if trouble.down:
            station.receiver.down()
        time.sleep(max(0.0, end - time.monotonic()))
        crew.stop()
        heal(station, trouble, flapping)
        found = station.finish(must_die=buried(station, trouble))
        found += [f"came back {early:.2f} s early" for early in getattr(mode, "early", [])]
        return found, {**station.figures(), "refused": station.receiver.refused + station.receiver.broken}


def heal(station, trouble, flapping):
    if flapping:
        flapping.stop()
    if trouble.down:
        station.receiver.up()
    station.receiver.break_share = 0.0
    if trouble.heals:
        station.receiver.mode = None
    station.receiver.closing.set()
    station.receiver.closing.clear()


def buried(station, trouble):
    if trouble.may_die:
        return None
    return station.book.sent_if(trouble.buries) if trouble.buries else set()


def each(folder, options):
    """Every trouble in turn, some at a time."""
    troubles = TROUBLES + (HALTS if options.long else ())
    problems, figures = [], {}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = {trouble.name: pool.submit(play, trouble, folder / trouble.name.replace(" ", "-"), options.seed)
                for trouble in troubles}
        for name, run in runs.items():
            found, figures[name] = told(run)
            problems += [f"{name}: {text}" for text in found]
    return problems, figures


CASES = {"misbehaving-backends": each}
