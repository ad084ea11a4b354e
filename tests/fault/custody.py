"""Decides whether all that was acknowledged is somewhere, once it should be, and means the same everywhere.

A record is (series, number). A `Book` says what writers sent and what was acknowledged; `judge` compares it with what
destinations got, what lies among the dead letters and what the log still holds. The promise:

    acknowledged is a subset of delivered, dead letters and held together

and beside it: nothing was delivered that nobody sent, copies have one value, first deliveries of a series come in order.
"""

import threading

SHOWN = 8


class Book:
    """What writers know. Threads: any; a series belongs to one writer."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent = {}
        self.acked = set()

    def sending(self, series, numbers):
        """Noted before the first byte goes out: from here on these records may exist."""
        with self.lock:
            self.sent[series] = max(self.sent.get(series, 0), max(numbers))

    def acknowledged(self, series, numbers):
        with self.lock:
            self.acked.update((series, number) for number in numbers)

    def acked_now(self):
        """A copy, for while writers go on."""
        with self.lock:
            return set(self.acked)

    def sent_if(self, predicate):
        """The records that were sent, acknowledged or not, for which the predicate holds."""
        return {(series, number) for series, most in self.sent.items() for number in range(1, most + 1)
                if predicate((series, number))}

    def was_sent(self, record):
        series, number = record
        return 0 < number <= self.sent.get(series, 0)


class Delivery:
    """One sample as a destination stored it. `number` comes from its time, `value` should be the same."""

    def __init__(self, series, number, value):
        self.record = (series, number)
        self.value = value


def judge(book, destinations, dead=(), held=(), must_hold_nothing=True, must_die=None):
    """All violations, as texts.

    `destinations` is a list of lists of Delivery, in order of arrival; together they must have everything (for a
    fallback). `dead` and `held` are records. With `must_die`, exactly those acknowledged records are dead letters.
    """
    delivered = {delivery.record for arrived in destinations for delivery in arrived}
    dead, held = set(dead), set(held)
    found = _lost(book, delivered | dead | held)
    found += _listed("delivered, but nobody sent", [r for r in delivered | dead | held if not book.was_sent(r)])
    for arrived in destinations:
        found += _changed(arrived) + _disorder(arrived)
    if must_hold_nothing:
        found += _listed("still held after the drain", held - delivered - dead)
    if must_die is not None:
        found += _listed("a dead letter without reason", dead - must_die)
        found += _listed("should be a dead letter", (must_die & book.acked) - dead)
    return found


def _lost(book, accounted):
    return _listed("acknowledged and lost", book.acked - accounted)


def _listed(what, records):
    records = sorted(records)
    if not records:
        return []
    more = f" and {len(records) - SHOWN} more" if len(records) > SHOWN else ""
    return [f"{what}: {', '.join(f'{series}/{number}' for series, number in records[:SHOWN])}{more}"]


def _changed(arrived):
    return _listed("delivered with a value that was never sent",
                   {delivery.record for delivery in arrived if delivery.value != delivery.record[1]})


def _disorder(arrived):
    latest, seen, wrong = {}, set(), set()
    for delivery in arrived:
        series, number = delivery.record
        if delivery.record in seen:
            continue
        seen.add(delivery.record)
        if number < latest.get(series, 0):
            wrong.add(delivery.record)
        latest[series] = max(number, latest.get(series, 0))
    return _listed("delivered for the first time after a later one", wrong)


def repeated(arrived):
    """How many deliveries were copies."""
    return len(arrived) - len({delivery.record for delivery in arrived})
