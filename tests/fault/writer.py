"""Writes numbered samples over remote write and keeps the book of what was acknowledged.

A writer has one series and one connection. It sends a request until it is acknowledged, as senders do; now and then it
gives a request up after an answer that says no, and goes on with the next number.
"""

import http.client
import random
import socket
import threading
import time

import snappy

import net
import remote_write
from backend import BASE_MS, METRIC

# Longer than Telex lets a push wait for the disk.
TIMEOUT = 30.0
HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
           "X-Prometheus-Remote-Write-Version": "0.1.0", "User-Agent": "fault-writer/1"}


def request_body(series, numbers, padding=""):
    labels = [("__name__", METRIC), *([("padding", padding)] if padding else []), ("writer", series)]
    samples = [(float(number), BASE_MS + number) for number in numbers]
    return snappy.compress(remote_write.encode([(labels, samples)]))


class Attempt:
    """One request: when it was sent and answered (monotonic seconds), and the status; 0 when there was no answer."""

    def __init__(self, sent, answered, status):
        self.sent = sent
        self.answered = answered
        self.status = status


class Writer:
    def __init__(self, port, book, series, seed=0, padding=""):
        self.port = port
        self.book = book
        self.series = series
        self.rng = random.Random(f"{series}{seed}")
        self.next = 1
        self.padding = padding
        self.attempts = []
        self.retries = 0
        self._connection = None

    def post(self, numbers):
        """One attempt; the status, or 0 when no answer came."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(net.HOST, self.port, timeout=TIMEOUT)
        self.book.sending(self.series, numbers)
        sent, status = time.monotonic(), 0
        try:
            if self._connection.sock is None:
                self._connection.connect()
                self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connection.request("POST", "/api/v1/write", request_body(self.series, numbers, self.padding), HEADERS)
            answer = self._connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
        self.attempts.append(Attempt(sent, time.monotonic(), status))
        if 200 <= status < 300:
            self.book.acknowledged(self.series, numbers)
        return status

    def write(self, samples=1, give_up=0.0, stop=None):
        """The next numbers, until they are acknowledged, given up, or `stop` is set. Returns the last status."""
        numbers = range(self.next, self.next + samples)
        while True:
            status = self.post(numbers)
            if 200 <= status < 300:
                break
            if status == 400 or status and self.rng.random() < give_up:
                break
            if stop is not None and stop():
                break
            self.retries += 1
            time.sleep(0.005 if status == 0 else 0.02)
        self.next += samples
        return status

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Crew:
    """Writers on threads of their own, until stopped."""

    def __init__(self, port, book, count=2, pause=0.002, most=30, give_up=0.2, padding=""):
        self.writers = [Writer(port, book, f"w{number}", padding=padding) for number in range(count)]
        self.pause, self.most, self.give_up = pause, most, give_up
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(writer,), daemon=True) for writer in self.writers]
        for thread in self._threads:
            thread.start()

    def _run(self, writer):
        while not self._stop.is_set():
            samples = writer.rng.choice((1, 1, 1, 5, self.most))
            writer.write(samples, self.give_up, self._stop.is_set)
            self._stop.wait(writer.rng.uniform(0, 2 * self.pause))

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for writer in self.writers:
            writer.close()

    def attempts(self):
        return [attempt for writer in self.writers for attempt in list(writer.attempts)]
