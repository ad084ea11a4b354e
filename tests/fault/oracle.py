"""Decides whether the delivered edges of one alert follow from what the datasource really answered.

A *slot* is one evaluation: the time asked for and whether the series was true. Each slot was either certainly
processed or, when the program was killed before it could show that it had moved on, possibly not. The oracle runs the
plain alert model over the slots, following both branches at each uncertain one, and accepts when some branch yields
exactly the delivered edges, in order. Time in which nothing was evaluated counts for no timer: a slot that is the first
after a start has *credits*, the times that may be added to where a timer began. So a lost edge, an invented one, a second firing while the condition stayed true
and a `for` that began anew after a restart are all refused.
"""

NS = 10**9
# Query times may be cut to milliseconds on the wire while the program keeps nanoseconds.
TOLERANCE_NS = 1_500_000


class Slot:
    def __init__(self, time_ns, true, certain, credits=(0,)):
        self.time_ns = time_ns
        self.true = true
        self.certain = certain
        self.credits = credits

    def __repr__(self):
        return f"{self.time_ns / NS:.3f}{'T' if self.true else 'f'}{'' if self.certain else '?'}"


class Edge:
    """One delivered edge: `state` firing or resolved, `time_ns` of the deciding slot (None: not checked)."""

    def __init__(self, identity, state, time_ns=None):
        self.identity = identity
        self.state = state
        self.time_ns = time_ns

    def __repr__(self):
        when = "" if self.time_ns is None else f"@{self.time_ns / NS:.3f}"
        return f"{self.state}{when}"


class Rule:
    """The times of an alerting rule, in ns."""

    def __init__(self, for_ns=0, keep_ns=0):
        self.for_ns = for_ns
        self.keep_ns = keep_ns


IDLE = ("idle", 0, 0)


def step(rule, state, slot):
    """One evaluation: (state, slot) -> (next state, edge state or None). A state is (name, since, keep since)."""
    name, since, keep = state
    if slot.true:
        if name == "idle":
            name, since = "pending", slot.time_ns
        if name == "pending" and slot.time_ns - since >= rule.for_ns:
            return ("firing", since, 0), "firing"
        return (name, since, 0), None
    if name != "firing":
        return IDLE, None
    keep = keep or slot.time_ns
    if slot.time_ns - keep >= rule.keep_ns:
        return IDLE, "resolved"
    return (name, since, keep), None


def credited(state, slot):
    """The states that the slot may begin with: timers that run are moved by each of its credits, to the slot at most."""
    name, since, keep = state
    for credit in slot.credits:
        yield (name, min(since + credit, slot.time_ns) if name == "pending" else since,
               min(keep + credit, slot.time_ns) if keep else 0)


def near_limit(rule, state, slot):
    """Whether a duration comes out within the tolerance of its limit, so that both outcomes are right."""
    name, since, keep = state
    if slot.true:
        return name == "pending" and rule.for_ns and abs(slot.time_ns - since - rule.for_ns) <= TOLERANCE_NS
    return name == "firing" and keep and rule.keep_ns and abs(slot.time_ns - keep - rule.keep_ns) <= TOLERANCE_NS


def steps(rule, state, slot):
    """All permitted (next state, edge) of one processed slot."""
    outcomes = set()
    for before in credited(state, slot):
        outcomes.add(step(rule, before, slot))
        if near_limit(rule, before, slot):
            for shift in (-2 * TOLERANCE_NS, 2 * TOLERANCE_NS):
                moved = Slot(slot.time_ns + shift, slot.true, slot.certain)
                outcomes.add(step(rule, before, moved))
    return outcomes


def _fits(edge, wanted, slot):
    if edge.state != wanted:
        return False
    return edge.time_ns is None or abs(edge.time_ns - slot.time_ns) <= TOLERANCE_NS


def explain(rule, slots, delivered):
    """None when the delivered edges are right, else a text that says where they stop being so."""
    branches = {(IDLE, 0)}
    for index, slot in enumerate(slots):
        after = set() if slot.certain else set(branches)
        for state, count in branches:
            for following, wanted in steps(rule, state, slot):
                if wanted is None:
                    after.add((following, count))
                elif count < len(delivered) and _fits(delivered[count], wanted, slot):
                    after.add((following, count + 1))
        if not after:
            return _stuck(rule, slots, index, branches, delivered)
        branches = after
    if any(count == len(delivered) for _, count in branches):
        return None
    most = max(count for _, count in branches)
    return f"edge {most} of {delivered} is not explained by any evaluation (last slots {slots[-8:]})"


def _stuck(rule, slots, index, branches, delivered):
    around = slots[max(0, index - 8):index + 3]
    expected = {(state[0], count, wanted) for state, count in branches
                for _, wanted in steps(rule, state, slots[index])}
    lines = [f"at slot {slots[index]}:"]
    for name, count, wanted in sorted(expected, key=str):
        got = delivered[count] if count < len(delivered) else "nothing"
        lines.append(f"  being {name} it must send {wanted} as edge {count}, delivered was {got}")
    return "\n".join(lines) + f"\n  slots around: {around}"


def distinct(edges):
    """The edges in order of first delivery, and the number of repeated deliveries."""
    seen, first = set(), []
    for edge in edges:
        if edge.identity not in seen:
            seen.add(edge.identity)
            first.append(edge)
    return first, len(edges) - len(first)
