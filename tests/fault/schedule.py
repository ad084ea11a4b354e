"""What is true when: seeded on/off schedules of many series, as pure functions of the time asked for.

The same query time always gets the same answer, however often and by whichever process it is asked, so the expected
alerts follow from the times that were asked alone.
"""

import bisect
import hashlib
import random

NS = 10**9


class Series:
    """One series of a rule: false at first, then alternating; `toggles` are the times (ns) where it flips."""

    def __init__(self, labels, rng, start_ns, mean_s):
        self.labels = labels
        self._rng = rng
        self._mean_s = mean_s
        self._start = start_ns
        self.toggles = [start_ns + int(rng.uniform(0.1, mean_s) * NS)]

    def true_at(self, time_ns):
        while self.toggles[-1] <= time_ns:
            self.toggles.append(self.toggles[-1] + int(self._rng.uniform(0.2, 2.0) * self._mean_s * NS))
        return bisect.bisect_right(self.toggles, time_ns) % 2 == 1


class Schedule:
    """All series of one rule. From `end_ns` on (None: never) everything is false.

    `error_share` of the query times answer with an error instead of a vector.
    """

    def __init__(self, rule, count, seed, start_ns, mean_s, error_share=0.05):
        self.rule = rule
        self.end_ns = None
        self._seed = f"{seed}/{rule}"
        self._error_share = error_share
        self.series = [Series({"job": rule, "instance": f"host-{number:03d}"},
                              random.Random(f"{self._seed}/{number}"), start_ns, mean_s)
                       for number in range(count)]

    def error_at(self, time_ns):
        if self.end_ns is not None and time_ns >= self.end_ns:
            return False
        digest = hashlib.sha256(f"{self._seed}/{time_ns}".encode()).digest()
        return digest[0] < self._error_share * 256

    def true_at(self, series, time_ns):
        if self.end_ns is not None and time_ns >= self.end_ns:
            return False
        return series.true_at(time_ns)

    def vector(self, time_ns):
        """[(labels, value)] of the series that are true; the value is the schedule's flip count."""
        return [(series.labels, float(bisect.bisect_right(series.toggles, time_ns)))
                for series in self.series if self.true_at(series, time_ns)]
