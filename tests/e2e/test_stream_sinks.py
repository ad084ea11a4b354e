"""What a stream's sink costs and says: one token for all workers, attempts by status, the token's age."""

import itertools
import json
import time

import pytest

import net
from event_sink import EventSink
from fakes import Answer, Fake
from test_streams import command, give, health, restart_with, status, stream, wait_done

WORKERS = 10


class Issuer(Fake):
    """Gives a new token to each request, slowly enough that all workers want one meanwhile."""

    def __init__(self, seconds=300):
        super().__init__()
        self.seconds = seconds
        self.given = []

    def answer(self, request):
        self.given.append(f"token-{len(self.given) + 1}")
        return Answer(200, json.dumps({"access_token": self.given[-1], "token_type": "Bearer",
                                       "expires_in": self.seconds}),
                      {"Content-Type": "application/json"}, delay=0.3)


@pytest.fixture
def issuer():
    fake = Issuer().start()
    yield fake
    fake.stop()


@pytest.fixture
def sink():
    fake = EventSink().start()
    yield fake
    fake.stop()
    assert fake.violations == []


def authorized(sink, issuer, **options):
    sink.token = "token-1"
    return stream(sink, workers=WORKERS, **options,
                  oidc={"tokenUrl": issuer.url + "/token", "clientId": "me", "client_secret": "s"})


def spread(numbers):
    """Events of so many keys that each worker has some."""
    return [health(i, node=f"n{i}") for i in numbers]


def test_all_workers_have_one_token(start_telex, sink, issuer):
    program = start_telex(authorized(sink, issuer))
    give(program, spread(range(200)))
    net.wait_until("all events", lambda: len(sink.ids()) == 200, 30)
    wait_done(program, 200)
    assert issuer.given == ["token-1"]
    state = status(program)["sink"]
    assert state["attempts"] == {"204": 200}
    assert 0 <= state["token_age_seconds"] < 60

    sink.token = "token-2"  # the first is refused from now on, to ten workers at once
    give(program, spread(range(200, 400)))
    net.wait_until("the rest", lambda: len(sink.ids()) == 400, 30)
    wait_done(program, 400)
    assert issuer.given == ["token-1", "token-2"]
    attempts = status(program)["sink"]["attempts"]
    assert attempts["204"] == 400 and 1 <= attempts["401"] <= 2 * WORKERS, attempts
    text = command(program, "status", "health").stdout
    assert "204: 400" in text and "s old" in text, text


def test_refusals_say_what_was_tried(start_telex, sink, issuer):
    program = start_telex(authorized(sink, issuer))
    sink.token = "another's"
    give(program, [health(1)])
    net.wait_until("the refusal", lambda: "answered 401 (also with a fresh token)" in (status(program)["reason"] or ""), 30)
    assert len(issuer.given) >= 2


def test_a_redirect_says_where_to(start_telex, sink):
    program = start_telex(stream(sink, workers=1))
    sink.refuse = lambda event: Answer(302, b"moved", {"Location": "https://elsewhere.example.com/events"})
    give(program, [health(1)])
    told = "answered 302 (redirects are not followed; it points to https://elsewhere.example.com/events): moved"
    net.wait_until("the refusal", lambda: told in (status(program)["reason"] or ""), 30)


def test_a_renewal_is_one_request(start_telex, sink, issuer):
    issuer.seconds = 2
    program = start_telex(authorized(sink, issuer))
    sink.token = None
    count = itertools.count()
    end = time.monotonic() + 7
    while time.monotonic() < end:
        give(program, spread(itertools.islice(count, 20)))
        time.sleep(0.1)
    given = next(count)
    net.wait_until("all events", lambda: len(sink.ids()) == given, 30)
    # tokens of two seconds, renewed after 1.6: one request for each, whoever of the ten asks
    assert 4 <= len(issuer.given) <= 7, issuer.given


def test_attempts_by_status(start_telex, sink):
    program = start_telex(stream(sink, workers=1))
    sink.script = [Answer(drop=True), Answer(503), Answer(429), Answer(598), Answer(599)]
    give(program, [health(1)])
    net.wait_until("the event", lambda: sink.ids() == ["1"], 30)
    wait_done(program, 1)
    want = {"204": 1, "429": 1, "503": 1, "5xx": 2, "broken": 1}
    assert status(program)["sink"]["attempts"] == want

    def counted():
        samples = program.metrics()["telex_stream_attempts_total"]
        assert {labels for labels in samples if "stream=health" in labels}
        return sum(samples.values()) == 6
    net.wait_until("the metric", counted, 10)
    sink.down()
    give(program, [health(2)])
    net.wait_until("no connection", lambda: status(program)["sink"]["attempts"].get("connect", 0) > 0, 10)
    sink.up()
    net.wait_until("the event", lambda: sink.ids() == ["1", "2"], 30)


def test_a_replay_shares_the_token_and_is_counted(start_telex, sink, issuer):
    config = authorized(sink, issuer)
    program = start_telex(config)
    restart_with(program, config)
    sink.refuse = lambda event: 422
    give(program, [health(1)])
    wait_done(program, 1)
    sink.refuse = lambda event: None
    given = len(issuer.given)
    assert command(program, "replay", "health", "--all").returncode == 0
    assert sink.ids() == ["1"] and len(issuer.given) == given == 1
    assert status(program)["sink"]["attempts"] == {"204": 1, "422": 1}
