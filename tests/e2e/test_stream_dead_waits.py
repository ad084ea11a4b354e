"""Dead letters while a stream is changed or its sink hangs: nobody else waits, and the program stops in time."""

import socket
import threading
import time

import pytest

import net
from fakes import Answer
from telex import admin_headers
from test_stream_dead import ask, give_apart, letters, refuse, start_with_token
from test_streams import start_sink, status, stream  # noqa: F401


@pytest.fixture
def silent():
    """A server that accepts and never answers; gives its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    kept = []

    def accept():
        while True:
            try:
                kept.append(listener.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
    for connection in kept:
        connection.close()


def slow_post(program, path, answers):
    def post():
        began = time.monotonic()
        answer = net.post(f"{program.url}/api/v1/streams/{path}", b"", headers=admin_headers("adm"), timeout=60)
        answers.append((answer.status, time.monotonic() - began))

    thread = threading.Thread(target=post)
    thread.start()
    return thread


def timed(call):
    began = time.monotonic()
    answer = call()
    assert answer.status == 200, answer.text
    return time.monotonic() - began


def hanging_letters(start_telex, sink, **more):
    """Streams with two letters whose sink hangs now, and one whose source does."""
    refuse(sink, range(2))
    config = stream(sink)
    config["events"].update(more)
    program = start_with_token(start_telex, config)
    give_apart(program, 2)
    sink.answer = lambda request: Answer(hang=True)
    return program


@pytest.fixture
def start_ready(start_telex, start_sink, silent, monkeypatch):
    """With a stream of a source that hangs the program is never ready."""
    sink = start_sink()
    source = {"type": "postgresql", "url": f"postgresql://u@127.0.0.1:{silent}/db", "tables": ["t"]}

    def start(with_source=True):
        import test_stream_dead
        import test_streams

        monkeypatch.setattr(test_stream_dead, "restart_with",
                            lambda program, config: test_streams.restart_with(program, config, is_ready=False))
        more = {"stuck": {"metadata": {"cluster": "c1"}, "source": source, "sink": {"endpoint": sink.url}}} if with_source else {}
        return hanging_letters(start_telex, sink, **more)

    return start


def test_nobody_waits_for_a_change_or_a_sink_that_hangs(start_ready):
    program = start_ready()
    answers = []
    change = slow_post(program, "stuck/rewind?position=0/153C330/0@1", answers)
    net.wait_until("the change to be made", lambda: (status(program, "stuck")["change"] or {}).get("phase") == "running", 10)
    looks = []
    threads = [slow_post(program, "health/dead/replay?all=true", replays := [])]
    for _ in range(12):
        looks.append(timed(lambda: program.get("/-/healthy", timeout=30)))
        for name in ("health", "stuck"):
            looks.append(timed(lambda n=name: program.get(f"/api/v1/streams/{n}/dead", headers=admin_headers("adm"), timeout=30)))
        time.sleep(0.2)
    assert (status(program, "stuck")["change"] or {}).get("phase") == "running" or change.is_alive()
    assert max(looks) < 1, looks
    again = ask(program, "replay", "all=true")
    assert again.status == 409 and "already" in again.text
    for thread in (change, *threads):
        thread.join(30)
    code, seconds = answers[0]
    assert code == 202 and seconds < 6.5, answers
    assert replays[0][0] == 200 and replays[0][1] < 9, replays
    assert len(letters(program)["letters"]) == 2


def test_a_replay_ends_when_the_program_stops(start_ready):
    program = start_ready(with_source=False)
    answers = []
    thread = slow_post(program, "health/dead/replay?all=true", answers)
    time.sleep(0.5)
    began = time.monotonic()
    program.sigterm()
    assert time.monotonic() - began < 3
    thread.join(10)


def test_a_replay_ends_for_a_reload(start_ready):
    program = start_ready(with_source=False)
    answers = []
    thread = slow_post(program, "health/dead/replay?all=true", answers)
    time.sleep(0.5)
    began = time.monotonic()
    program.sighup()
    thread.join(20)
    assert answers[0][1] < 3.5 and time.monotonic() - began < 3, answers
    net.wait_until("the letters", lambda: len(letters(program)["letters"]) == 2, 5)
