"""A remote-write destination that misbehaves as told, and remembers every sample that it stored.

A *mode* is a function (receiver, request, records) -> Answer, or None for "store it and say 204". Modes are below; each
makes one kind of trouble. The receiver counts a sample as stored when it says so or when it means to have stored it
before it breaks the connection.
"""

import email.utils
import random
import socket
import struct
import threading
import time

import snappy

import fakes
import remote_write
from custody import Delivery

METRIC = "fault_sequence"
# A record's number is its time in ms behind this.
BASE_MS = 1_700_000_000_000


class Handler(fakes.Handler):
    """Breaks some connections in the middle of the body."""

    def _serve(self):
        if self.server.fake.breaks_now():
            self.rfile.read(min(20, int(self.headers.get("Content-Length") or 0)))
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        super()._serve()

    do_GET = do_POST = _serve


class Receiver(fakes.Fake):
    handler = Handler

    def __init__(self, mode=None, strict=True, port=None):
        super().__init__(port)
        self.mode = mode
        self.strict = strict
        self.arrived = []
        self.refused = 0
        self.broken = 0
        self.break_share = 0.0
        self.waits = []
        self.rng = random.Random(7)
        self.latest = 0.0

    def breaks_now(self):
        if self.break_share and self.rng.random() < self.break_share:
            self.broken += 1
            return True
        return False

    def answer(self, request):
        self.requests.clear()
        if request.method == "GET":
            return fakes.Answer(404)  # a health check: nothing is known of it here
        self.latest = time.monotonic()
        try:
            if self.strict:
                self.check_headers(request)
            records = self.read(request)
        except (remote_write.WireError, snappy.UncompressError) as error:
            return self.violation(str(error))
        answer = self.mode(self, request, records) if self.mode else None
        if answer is None:
            return self.store(records)
        self.refused += answer.status >= 300 or answer.hang
        return answer

    def store(self, records, **how):
        self.arrived += records
        return fakes.Answer(204, **how)

    @staticmethod
    def check_headers(request):
        for name, wanted in fakes.RemoteWriteSink.HEADERS:
            if request.headers.get(name) != wanted:
                raise remote_write.WireError(f"{name}: {request.headers.get(name)!r}, not {wanted!r}")

    def read(self, request):
        records = []
        for series in remote_write.decode(snappy.uncompress(request.raw)):
            if self.strict:
                remote_write.check_series(series)
            records += deliveries(series)
        return records


def deliveries(series):
    """The samples of one series as Delivery."""
    labels = dict(series.labels)
    if labels.get("__name__") != METRIC:
        return []
    return [Delivery(labels["writer"], sample.time_ms - BASE_MS, sample.value) for sample in series.samples]


# ---- modes ---------------------------------------------------------------------------------------

def slow(seconds):
    return lambda receiver, request, records: receiver.store(records, delay=seconds)


def cuts_after_storing(share):
    """Stores, and breaks the connection instead of answering: the sender cannot know."""
    def mode(receiver, _, records):
        if receiver.rng.random() < share:
            return receiver.store(records, drop=True)
        return None
    return mode


def hangs(share):
    """Never answers some requests."""
    return lambda receiver, *_: fakes.Answer(hang=True) if receiver.rng.random() < share else None


def answers(status, share=0.5, **headers):
    """Some requests get this status and nothing of them is stored."""
    return lambda receiver, *_: fakes.Answer(status, f"scripted {status}", headers) \
        if receiver.rng.random() < share else None


def always(status):
    return lambda *_: fakes.Answer(status, f"scripted {status}")


def is_bad(record):
    """The records that `refuses_bad` takes offence at."""
    return record[1] % 13 == 5


def refuses_bad(_, __, records):
    """400 for a request with a bad sample in it, as long as it is there: nothing of the request is stored."""
    if any(is_bad(delivery.record) for delivery in records):
        return fakes.Answer(400, "bad sample")
    return None


def takes_at_most(count):
    """413 for more samples than that."""
    return lambda _, __, records: fakes.Answer(413, "too large") if len(records) > count else None


class RetryAfter:
    """Refuses some requests with Retry-After, and notes who comes back before the time is over."""

    def __init__(self, status, seconds, as_date=False, share=0.3, most=4):
        self.status = status
        self.seconds = seconds
        self.as_date = as_date
        self.share = share
        self.left = most
        self.not_before = 0.0
        self.early = []

    def __call__(self, receiver, request, _):
        if request.when < self.not_before - 0.05:
            self.early.append(self.not_before - request.when)
        if self.left == 0 or receiver.rng.random() >= self.share:
            return None
        self.left -= 1
        if self.as_date:
            when = int(request.when) + self.seconds + 1
            self.not_before, text = when, email.utils.formatdate(when, usegmt=True)
        else:
            self.not_before, text = request.when + self.seconds, str(self.seconds)
        return fakes.Answer(self.status, "later", {"Retry-After": text})


class Flapping:
    """Takes a receiver down and up until told to stop; it is up then."""

    def __init__(self, receiver, up=(0.05, 0.4), down=(0.05, 0.3)):
        self.receiver, self.up, self.down = receiver, up, down
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        rng = random.Random(11)
        while not self._stop.wait(rng.uniform(*self.up)):
            self.receiver.down()
            self._stop.wait(rng.uniform(*self.down))
            self.receiver.up()

    def stop(self):
        self._stop.set()
        self._thread.join()
