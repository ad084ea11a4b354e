"""The series that the rules read: functions of time, written each second over remote write.

Before `begin` (a Unix time) all stands still and no alert is active, so that it does not
matter when an engine made its first evaluation; then waves, saws, counters that begin anew, and series that come and go.
"""

import math
import threading
import time

import net
import remote_write
import snappy
from corpus import HOSTS

# The wave before it begins: a temperature that is neither hot nor cold.
QUIET = 0.275
BOUNDS = ("0.1", "0.5", "1", "5", "+Inf")


def site(number):
    return ("north", "south", "west")[number % 3]


def wave(seconds, number, period):
    """0..1, from QUIET on."""
    angle = 2 * math.pi * max(seconds, 0) / (period * (1 + number / 7))
    return 0.5 - 0.5 * math.cos(angle + math.acos(1 - 2 * QUIET))


def saw(seconds, number, period):
    length = period * (0.8 + number / 5)
    return (seconds % length) / length if seconds > 0 else 0.0


def series(moment, begin, period):
    """[(labels, value or the bits of a stale marker)] of one second."""
    seconds, found = moment - begin, []
    for number, host in enumerate(HOSTS):
        labels = {"host": host, "site": site(number)}
        up, level = wave(seconds, number, period), saw(seconds, number, period)

        def add(name, value, **more):
            found.append(({"__name__": name, **labels, **more}, value))
        add("temperature", 10 + 80 * up + number / 3)
        add("queue", round(100 * level, 3))
        add("up_now", 0.0 if level > 0.7 else 1.0)
        add("alarm", float(up > 0.5), level="of the series")
        add("place", 1.0, rack=f"r{number % 2}")
        add("fleeting", 20 + 40 * up if seconds <= 0 or level < 0.6 else remote_write.STALE_BITS)
        since = max(seconds, 0) % (period * 3)
        add("requests_total", float(int(since * (3 + number))), code="200")
        add("requests_total", float(int(since * since / 50 * (number % 2 + 1))), code="500")
        for rank, bound in enumerate(BOUNDS):
            share = min(1.0, (rank + 1) / len(BOUNDS) + 0.3 * up)
            add("latency_bucket", float(int(max(0, seconds + 1000) * 5 * share)), le=bound)
    return found


class Writer(threading.Thread):
    """Writes until stop(); `failures` holds what went wrong, `latest` how late (seconds) a second was taken at worst."""

    def __init__(self, url, begin, period):
        super().__init__(daemon=True)
        self.url, self.begin, self.period = url, begin, period
        self.ended, self.failures, self.latest = threading.Event(), [], 0.0
        self.gone = set()

    def body(self, moment):
        rows = []
        for labels, value in series(moment, self.begin, self.period):
            key = tuple(sorted(labels.items()))
            is_stale = value == remote_write.STALE_BITS
            if is_stale and key in self.gone:
                continue
            (self.gone.add if is_stale else self.gone.discard)(key)
            rows.append((key, [(value, moment * 1000)]))
        return snappy.compress(remote_write.encode(rows))

    def write(self, moment):
        try:
            answer = net.post(self.url, self.body(moment), headers={
                "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
                "X-Prometheus-Remote-Write-Version": "0.1.0"})
            if answer.status // 100 != 2:
                self.failures.append(answer.text)
        except OSError as error:
            self.failures.append(str(error))

    def run(self):
        moment = int(time.time())
        while not self.ended.wait(max(0.0, moment - time.time())):
            self.write(moment)
            self.latest = max(self.latest, time.time() - moment)
            moment += 1

    def stop(self):
        self.ended.set()
        self.join()
