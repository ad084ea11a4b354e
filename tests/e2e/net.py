"""Plain HTTP, free ports, deadlines and exact times for the end-to-end tests.

Only the standard library, no proxies and no redirects: a test sees exactly the bytes that were exchanged.
Every wait has a deadline and says what it was waiting for when that passes.
"""

import datetime
import http.client
import json
import random
import socket
import time
import urllib.parse

HOST = "127.0.0.1"
# Below Linux's ephemeral range (32768 and up), so that no outgoing connection takes a port we chose.
PORT_RANGE = (14000, 32000)


class Response:
    """Status, headers (case-insensitive message object) and body of one answer."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.text[:300]!r}>"


def request(method, url, body=None, headers=None, timeout=10.0):
    """One HTTP exchange on its own connection. Raises OSError when there is no answer."""
    parts = urllib.parse.urlsplit(url)
    target = parts.path or "/"
    if parts.query:
        target += "?" + parts.query
    if isinstance(body, str):
        body = body.encode()
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request(method, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Response(answer.status, answer.headers, answer.read())
    except http.client.HTTPException as error:
        raise OSError(f"{method} {url}: {type(error).__name__}: {error}") from error
    finally:
        connection.close()


def get(url, **kwargs):
    return request("GET", url, **kwargs)


def post(url, body=b"", **kwargs):
    return request("POST", url, body=body, **kwargs)


def with_query(url, params):
    """The URL with params (a dict or a list of pairs) as its query string."""
    return url + "?" + urllib.parse.urlencode(params)


_given = set()


def free_port():
    """A loopback port nobody listens on now, and that was not given to somebody else here who may listen later."""
    for _ in range(200):
        port = random.randint(*PORT_RANGE)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            _given.add(port)
            return port
    raise RuntimeError("no free loopback port found")


def wait_until(what, probe, deadline=20.0, every=0.05):
    """Calls probe until it returns something true and returns that.

    A probe that raises OSError, AssertionError, KeyError or ValueError is "not yet"; the last such
    error is part of the message when the deadline (seconds) passes.
    """
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            result = probe()
            if result:
                return result
            last = f"last result: {result!r}"
        except (OSError, AssertionError, KeyError, ValueError) as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() >= end:
            raise TimeoutError(f"waited {deadline:g} s for {what}; {last}")
        time.sleep(every)


def parse_rfc3339(text):
    """Nanoseconds since the epoch of an RFC 3339 time, exact to the nanosecond."""
    head, _, rest = text.partition("T")
    zone_at = max(rest.find("Z"), rest.find("+"), rest.find("-"))
    assert zone_at > 0, f"no zone in {text!r}"
    clock, zone = rest[:zone_at], rest[zone_at:].replace("Z", "+00:00")
    clock, _, fraction = clock.partition(".")
    whole = datetime.datetime.fromisoformat(f"{head}T{clock}{zone}")
    assert fraction.isdigit() or not fraction, text
    return int(whole.timestamp()) * 10**9 + int((fraction + "000000000")[:9])
