"""The oracle of the history runs: what a stream owes to those who wrote, and what came of it.

A Row is what a writer put where the stream reads; `owed` are those that were committed (or acknowledged), `unsure` those
whose writer got no answer. `taken` are the events that the sink took, in order, copies too. Each check returns texts.
"""

import collections

SHOWN = 5

# The partition key of its event, the transaction, its number therein, and whether the sink refuses it for good.
Row = collections.namedtuple("Row", "key txn n poison")


class Txn:
    """A transaction: when its writer began it and got its acknowledgement (None: it never did)."""

    def __init__(self, begun, acked=None, writer=None):
        self.begun, self.acked, self.writer = begun, acked, writer


def _say(what, found):
    found = sorted(found, key=str)
    return [f"{len(found)} {what}, such as {', '.join(map(str, found[:SHOWN]))}"] if found else []


def identity(event):
    return event["source"], event["id"]


def custody(owed, unsure, taken, dead):
    """Every owed row was delivered, or is a dead letter exactly when the sink refuses it; nothing else ever was."""
    delivered = {event["id"] for event in taken}
    known = {**unsure, **owed}
    poison = {number for number, row in known.items() if row.poison}
    return (_say("committed rows are neither delivered nor dead letters", owed.keys() - delivered - dead)
            + _say("events are of rows that were never committed", (delivered | dead) - known.keys())
            + _say("dead letters are of rows that the sink takes", (dead & known.keys()) - poison)
            + _say("events were taken that the sink refuses", delivered & poison))


def copies(taken, apart=()):
    """Copies of an event have one source and id, and are equal but for the attributes `apart`."""
    first, sources, other = {}, {}, set()
    for event in taken:
        plain = {name: value for name, value in event.items() if name not in apart}
        if first.setdefault(identity(event), plain) != plain:
            other.add(event["id"])
        sources.setdefault(event["id"], set()).add(event["source"])
    split = {number for number, names in sources.items() if len(names) > 1}
    return _say("events have copies that differ", other) + _say("ids have several sources", split)


def count_copies(taken):
    return len(taken) - len({identity(event) for event in taken})


def first_deliveries(taken):
    seen, first = set(), []
    for event in taken:
        if identity(event) not in seen:
            seen.add(identity(event))
            first.append(event)
    return first


def order(rows, txns, taken):
    """First deliveries of a key: `sequence` ascends; rows of a transaction stand in their order; and a transaction that was
    acknowledged before another one was begun stands before it. Only of the transactions that are given."""
    found = {"sequence": set(), "row": set(), "transaction": set()}
    by_key = collections.defaultdict(list)
    for event in first_deliveries(taken):
        row = rows.get(event["id"])
        if row is not None and row.txn in txns:
            by_key[row.key].append((event, row))
    for pairs in by_key.values():
        _order_of_key(pairs, txns, found)
    return [text for what, ids in found.items() for text in _say(f"events are out of order by {what}", ids)]


def _order_of_key(pairs, txns, found):
    sequence, latest_begun, last = "", float("-inf"), {}
    for event, row in pairs:
        if "sequence" in event:
            if event["sequence"] <= sequence:
                found["sequence"].add(event["id"])
            sequence = event["sequence"]
        if row.n <= last.get(row.txn, -1):
            found["row"].add(event["id"])
        last[row.txn] = row.n
        txn = txns[row.txn]
        if txn.acked is not None and txn.acked < latest_begun:
            found["transaction"].add(event["id"])
        latest_begun = max(latest_begun, txn.begun)


def contents(rows, taken, row_of):
    """An event says what its row says; row_of(event) is the Row that it tells of, without `poison`."""
    wrong = {event["id"] for event in taken
             if event["id"] in rows and row_of(event) != tuple(rows[event["id"]])[:3]}
    return _say("events say something else than their rows", wrong)


def forward(places, parse):
    """What was kept of the position never went back."""
    wrong = [f"{old} -> {new}" for old, new in zip(places, places[1:]) if parse(new) < parse(old)]
    return _say("times the position went back", wrong)


def parse_place(text):
    """A position of the sources postgresql (16/B37/3@1), outbox (123/45) or embedded (17), as what can be compared."""
    parts = text.partition("@")[0].split("/")
    if len(parts) == 3:
        return (int(parts[0], 16) << 32) + int(parts[1], 16), int(parts[2])
    return tuple(int(part) if part else -1 for part in parts)
