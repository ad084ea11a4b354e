"""Compares what two engines recorded, sample by sample, stale markers too.

Debian's vmalert 1.79.5 stamps two things with the moment at which it evaluated, not with the time that it asked for: the
series of alerts (and the value of ALERTS_FOR_STATE), and stale markers. Later versions and Telex stamp all with the time
asked for. Stamps brings such a moment back to it: less the delay, down to a multiple of the interval. All
else must be the same as it stands.

Such a stale marker may fall upon a later sample of its series; Prometheus refuses that, and the whole request with it.
"""

import math

ALERTS, STATES = "ALERTS", "ALERTS_FOR_STATE"
# VictoriaMetrics keeps a block of values with one exponent: the last digits may differ from store to store.
TOLERANCE = 1e-11


def is_alert(labels):
    return labels["__name__"] in (ALERTS, STATES)


class Stamps:
    """The times of an engine's samples; with `delay` and `intervals` ({name of the rule: seconds}) of one that stamps
    with moments."""

    def __init__(self, delay=None, intervals=None):
        self.delay, self.intervals = delay, intervals

    def asked(self, labels, moment):
        """The time that was asked for at a moment (seconds)."""
        if self.delay is None:
            return moment
        interval = self.intervals[labels["alertname"] if is_alert(labels) else labels["__name__"]]
        return (int(moment) - self.delay) // interval * interval

    def place(self, labels, moment, value):
        """(time asked for, value) of a sample at a moment."""
        if value is None or is_alert(labels):
            moment = self.asked(labels, moment)
        if value is not None and labels["__name__"] == STATES:
            value = self.asked(labels, value)
        return moment, value


def by_slot(samples, stamps, window):
    """{series: {(time, is it a stale marker): value}} within the window (from, to)."""
    found = {}
    for key, values in samples.items():
        labels = dict(key)
        placed = (stamps.place(labels, moment / 1000, value) for moment, value in values)
        rows = {(slot, value is None): value for slot, value in placed if window[0] <= slot <= window[1]}
        if rows:
            found[key] = rows
    return found


def show(key):
    labels = dict(key)
    name = labels.pop("__name__")
    return name + "{" + ", ".join(f"{name}={value!r}" for name, value in sorted(labels.items())) + "}"


def is_same(one, two):
    if isinstance(one, float) and isinstance(two, float):
        return one == two or math.isclose(one, two, rel_tol=TOLERANCE)
    return one == two


def tell(rows, at):
    if at not in rows:
        return "nothing"
    return "a stale marker" if at[1] else repr(rows[at])


def differences(names, ours, theirs):
    """Lines that say which series, which times and which values differ."""
    said = []
    for key in sorted({*ours, *theirs}):
        one, two = ours.get(key, {}), theirs.get(key, {})
        for at in sorted({*one, *two}):
            if at not in one or at not in two or not is_same(one[at], two[at]):
                said.append(f"{show(key)} at {at[0]:.10g}: {names[0]} {tell(one, at)}, {names[1]} {tell(two, at)}")
    return said


WITHOUT_FOR = "ALERTS_FOR_STATE of rules without `for`: Telex writes it, as Prometheus does; vmalert 1.79.5 does not"


EXPORTED = "labels displaced by those of a rule: kept as exported_NAME by Telex and later versions, lost in vmalert 1.79.5"


def bare(key):
    """Without what was displaced."""
    return tuple(pair for pair in key if not pair[0].startswith("exported_"))


def explained(ours, theirs, without_for):
    """{reason: series} of what differs for a reason; it is taken out of `ours`, or made as theirs is."""
    only = [key for key in ours if key not in theirs and dict(key)["__name__"] == STATES
            and dict(key)["alertname"] in without_for]
    for key in only:
        del ours[key]
    displaced = [key for key in ours if bare(key) != key and key not in theirs and bare(key) in theirs]
    for key in displaced:
        ours[bare(key)] = ours.pop(key)
    return {WITHOUT_FOR: len(only), EXPORTED: len(displaced)}


def count(samples):
    """(series, samples, stale markers) of recorded series, and the same of alerts."""
    counted = []
    for wanted in (False, True):
        rows = [values for key, values in samples.items() if is_alert(dict(key)) == wanted]
        stale = sum(is_stale for values in rows for _, is_stale in values)
        counted.append((len(rows), sum(map(len, rows)) - stale, stale))
    return counted
