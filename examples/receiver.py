#!/usr/bin/env python3
"""A receiver of CloudEvents that has each event once, however often it is delivered.

    receiver.py [PORT] [DATABASE]

An event is known by its source and id. Both are the key of a table, so a copy changes nothing, and the answer is sent when
the row is on disk: what is answered 2xx here is never lost, and what is not answered comes again.
"""
import http.server
import json
import sqlite3
import sys
import threading
import urllib.parse


def events_of(headers, body):
    """The events of a message in structured, batched or binary mode, as dicts."""
    kind = headers.get("Content-Type", "").lower()
    if kind.startswith("application/cloudevents-batch"):
        return json.loads(body)
    if kind.startswith("application/cloudevents"):
        return [json.loads(body)]
    event = {name[3:].lower(): urllib.parse.unquote(value)
             for name, value in headers.items() if name.lower().startswith("ce-")}
    event["data"] = json.loads(body) if "json" in kind or not kind else body.decode("latin-1")
    return [event]


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            rows = [(e["source"], e["id"], json.dumps(e)) for e in events_of(self.headers, body)]
        except (ValueError, KeyError, TypeError) as problem:
            return self.answer(400, str(problem))
        with self.server.lock, self.server.database as database:  # a transaction
            database.executemany("INSERT INTO events VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows)
        return self.answer(204)

    def do_OPTIONS(self):
        """The handshake: whoever asks may send."""
        self.send_response(200)
        self.send_header("WebHook-Allowed-Origin", self.headers.get("WebHook-Request-Origin", "*"))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, status, text=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    server.lock = threading.Lock()
    server.database = sqlite3.connect(sys.argv[2] if len(sys.argv) > 2 else "received.db",
                                      check_same_thread=False)
    server.database.execute("PRAGMA synchronous = FULL")
    server.database.execute(
        "CREATE TABLE IF NOT EXISTS events (source TEXT, id TEXT, event TEXT, PRIMARY KEY (source, id))")
    server.serve_forever()


if __name__ == "__main__":
    main()
