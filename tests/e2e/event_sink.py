"""A sink of CloudEvents that is strict, remembers what it took in which order, and fails as a script says.

`taken` are the events that were answered 2xx, in order, copies too. What the specification forbids is a violation: an
attribute that is missing or empty, a batch to who wants none, a copy of (source, id) that differs.
"""

import base64
import json
import urllib.parse

from fakes import Answer, Fake

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
REQUIRED = ("specversion", "id", "source", "type")


class EventSink(Fake):
    def __init__(self, port=None, batched=True, token=None):
        super().__init__(port)
        self.batched = batched
        self.token = token  # that is to be sent, or None
        self.taken = []
        self.first = {}  # (source, id): the event as it came first
        self.copies = 0
        self.refuse = lambda event: None  # an event -> a status (or an Answer) for its request, or None

    def answer(self, request):
        if request.method == "OPTIONS":
            return Answer(200, headers={"WebHook-Allowed-Origin": "*"})
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return Answer(401)
        try:
            events = self._events(request)
            for event in events:
                self._check(event)
        except (ValueError, KeyError, TypeError) as problem:
            return self.violation(f"{type(problem).__name__}: {problem}")
        for event in events:
            status = self.refuse(event)
            if status is not None:
                return status if isinstance(status, Answer) else Answer(status)
        for event in events:
            self._take(event)
        return Answer(204)

    def _events(self, request):
        kind = (request.headers.get("Content-Type") or "").split(";")[0]
        if kind == BATCHED:
            if not self.batched:
                raise ValueError("a batch was sent to who asked for none")
            return json.loads(request.body())
        if kind == STRUCTURED:
            return [json.loads(request.body())]
        event = {name[3:].lower(): urllib.parse.unquote(value)
                 for name, value in request.headers.items() if name.lower().startswith("ce-")}
        if not kind or kind.endswith("json"):
            event["data"] = json.loads(request.body())
        else:
            event["data_base64"] = base64.b64encode(request.body()).decode()
        return [event]

    @staticmethod
    def _check(event):
        for name in REQUIRED:
            if not isinstance(event[name], str) or not event[name]:
                raise ValueError(f"{name} of {event}")
        for name, value in event.items():
            if not (name in ("data", "data_base64") or (name.isalnum() and name == name.lower())):
                raise ValueError(f"attribute {name}")
            if value == "" or (isinstance(value, float) and name != "data"):
                raise ValueError(f"{name}: {value!r}")

    def _take(self, event):
        key = (event["source"], event["id"])
        if self.first.setdefault(key, event) != event:
            self.violations.append(f"two events are called {key}: {self.first[key]} and {event}")
        self.copies += self.first[key] is not event
        self.taken.append(event)

    def ids(self):
        """The ids that were taken, each once, in the order in which they came first."""
        return list(dict.fromkeys(event["id"] for event in list(self.taken)))

    def by_key(self):
        """{partitionkey: ids in the order in which they came first}"""
        keys = {}
        for event in list(self.taken):
            ids = keys.setdefault(event.get("partitionkey"), [])
            if event["id"] not in ids:
                ids.append(event["id"])
        return keys
