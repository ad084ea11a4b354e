"""Delivery runs through trees of exporters: two receivers, a tree above them, trouble with the first one, and kills.

A case is a function (folder, options) -> (violations, figures).
"""

import concurrent.futures
import time

import backend
import telex
import writer
from station import EACH, FAST, FIRST, TOGETHER, Station

SECONDS = 2.5
RETRY = {"retry": {"initial_delay": "50ms", "max_delay": "200ms"}}
GIVES_UP = {"retry": {"initial_delay": "20ms", "max_delay": "50ms", "max_retries": 3}}
BREAKER = {"circuit_breaker": {"failure_threshold": 3, "recovery_timeout": "300ms", "half_open_max_calls": 1}}


class Tree:
    """`top` is the exporter that gets everything; `a` and `b` are the leaves that it may name."""

    def __init__(self, name, top, duty, mode=None, flaps=False, buries=None):
        self.name = name
        self.top = top
        self.duty = duty
        self.mode = mode
        self.flaps = flaps
        self.buries = buries

    def sections(self, urls):
        leaves = {name: telex.remote_write_exporter(url, **FAST) for name, url in zip("ab", urls)}
        return {"exporters": {**leaves, "top": self.top}, "routes": [{"to": ["top"]}]}


def multi(strategy, *children, **options):
    return {"type": "multi", "strategy": strategy, "exporters": list(children), **options}


def resilient(child, **options):
    return {"type": "resilient", "exporter": child, **RETRY, **options}


def gathered(child, **options):
    return {"type": "buffer", "exporter": child, "flush_interval": "100ms", "fsync": "always", **options}


def busy():
    return backend.answers(503, 0.6)


TREES = (
    Tree("parallel", multi("parallel", "a", "b"), EACH, flaps=True),
    Tree("sequential", multi("sequential", "a", "b"), EACH, flaps=True),
    Tree("failover", multi("failover", "a", "b"), TOGETHER, flaps=True),
    Tree("failover that is refused", multi("failover", "a", "b"), TOGETHER, mode=busy),
    Tree("buffer", gathered("a"), FIRST, flaps=True),
    Tree("buffer above parallel", gathered(multi("parallel", "a", "b")), EACH, flaps=True),
    Tree("buffer with lanes", gathered("a", lanes=3), FIRST, mode=busy),
    Tree("breaker, holds", resilient("a", **BREAKER), FIRST, flaps=True),
    Tree("breaker, diverts", resilient("a", **BREAKER, **GIVES_UP, fallback_exporter="b", fallback_mode="divert"),
         TOGETHER, mode=busy),
    Tree("breaker, copies", resilient("a", **BREAKER, fallback_exporter="b", fallback_mode="copy"), FIRST, flaps=True),
    Tree("dead letters elsewhere", resilient("a", dlq_exporter="b"), TOGETHER,
         mode=lambda: backend.refuses_bad, buries=backend.is_bad),
    Tree("by condition", {"type": "conditional", "conditions": [{"condition": 'writer == "w0"', "exporter": "a"}],
                          "default": "b"}, TOGETHER, flaps=True),
)


def play(tree, folder, seed):
    """(violations, figures) of one run."""
    first, second = (backend.Receiver(tree.mode() if tree.mode else None), backend.Receiver())
    urls = [receiver.url + "/api/v1/write" for receiver in (first, second)]
    with Station(folder, seed, receiver=first, others=[second.up()], **tree.sections(urls)) as station:
        station.duty = tree.duty
        trouble(station, tree)
        must_die = station.book.sent_if(tree.buries) if tree.buries else set()
        return station.finish(must_die=must_die), {**station.figures(), "second": len({d.record for d in second.arrived})}


def trouble(station, tree):
    """Writers for a while, the first receiver in trouble, two kills; well again in the end."""
    station.start()
    crew = writer.Crew(station.program.port, station.book, pause=0.01)
    flapping = backend.Flapping(station.receiver) if tree.flaps else None
    for _ in range(2):
        time.sleep(SECONDS / 3)
        station.program.check_running()
        station.kill()
        station.start()
    time.sleep(SECONDS / 3)
    crew.stop()
    if flapping:
        flapping.stop()
    if not tree.buries:
        station.receiver.mode = None


def told(run):
    """(violations, figures) of a run that may have come to a halt."""
    try:
        return run.result()
    except (OSError, RuntimeError, TimeoutError, AssertionError, ValueError, KeyError) as error:
        return [f"{type(error).__name__}: {error}"], {}


def trees(folder, options):
    """Trees of exporters with a destination in trouble, and kills."""
    problems, figures = [], {}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = {tree.name: pool.submit(play, tree, folder / tree.name.replace(" ", "-"), options.seed)
                for tree in TREES}
        for name, run in runs.items():
            found, figures[name] = told(run)
            problems += [f"{name}: {text}" for text in found]
    return problems, figures


CASES = {"trees": trees}
