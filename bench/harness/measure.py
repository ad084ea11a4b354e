"""One engine through one kind of rule: empty pass, warm passes, measured passes.

The peer lets exactly the planned number of queries through and holds the next one, so at every
reading the engine is at rest, between two passes, with everything it decided delivered.
"""

import statistics
import time
from dataclasses import asdict, dataclass, field

from harness import process, rulefiles
from harness.peer import Peer
from harness.process import BenchError, Memory

POLL_S = 0.2
REST_WINDOW_S = 2.0
REST_CPU_SHARE = 0.03
REST_WAIT_MAX_S = 20


@dataclass
class Plan:
    kind: str
    rules: int
    series: int
    interval_s: int
    warm: int
    passes: int
    step_max_s: int
    rotate: bool = False

    @property
    def units(self):
        """Series or active alerts."""
        return self.rules * self.series


@dataclass
class Result:
    engine: str
    version: str
    plan: Plan
    cpu_s: float = 0.0
    wall_s: float = 0.0
    units_done: int = 0
    base: Memory = field(default_factory=Memory)
    rest: Memory = field(default_factory=Memory)
    busy_rss: int = 0
    peak_rss: int = 0
    loop_ms: float = 0.0
    stats: dict = field(default_factory=dict)
    notes: dict = field(default_factory=dict)
    problems: list = field(default_factory=list)

    def as_dict(self):
        return asdict(self)


@dataclass
class Watched:
    """What was seen while waiting."""
    rss: list
    loop_ms: list
    at_rest: float


class Session:
    """One engine and its peer, running."""

    def __init__(self, engine, plan, peer_program, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.plan = plan
        self.passes_asked = 0
        self.full_passes = 0
        rules = rulefiles.write(folder / "rules.yaml", plan.kind, plan.rules, plan.interval_s)
        self.peer = Peer(peer_program, plan.series, 12 * plan.step_max_s, plan.rotate, folder)
        try:
            self.peer.control(on=0, quota=plan.rules)
            self.child = engine.start(plan, rules, self.peer.url, folder)
        except BaseException:
            self.peer.stop()
            raise

    def stop(self):
        self.child.stop()
        self.peer.stop()

    def allow(self, passes, full=True):
        self.passes_asked += passes
        self.full_passes += passes if full else 0
        self.peer.control(on=int(full), quota=self.passes_asked * self.plan.rules)

    def wait_done(self):
        """Until every allowed query is answered, every sample is in, and the engine rests."""
        rss, loops = [], []
        until = time.monotonic() + self.plan.step_max_s
        while not done(self.plan, self.full_passes, self.passes_asked, self.peer.stats()):
            self.child.check()
            rss.append(process.memory(self.child.pid).rss)
            loops.append(process.loop_ms())
            if time.monotonic() > until:
                self._give_up()
            time.sleep(POLL_S)
        at_rest = time.monotonic()
        self._wait_rest()
        return Watched(rss or [process.memory(self.child.pid).rss], loops or [process.loop_ms()], at_rest)

    def _wait_rest(self):
        until = time.monotonic() + REST_WAIT_MAX_S
        while time.monotonic() < until:
            before = process.cpu_seconds(self.child.pid)
            time.sleep(REST_WINDOW_S)
            if process.cpu_seconds(self.child.pid) - before <= REST_WINDOW_S * REST_CPU_SHARE:
                return

    def _give_up(self):
        stats = self.peer.stats()
        raise BenchError(f"not done within {self.plan.step_max_s} s; expected after "
                         f"{self.passes_asked} passes: {expected(self.plan, self.full_passes)}, "
                         f"got {stats}\n{self.child.log_tail()}")


def expected(plan, full_passes):
    """Samples per class of series that both engines must have delivered."""
    samples = full_passes * plan.units
    if plan.kind == "record":
        return {"recorded": samples, "ALERTS": 0, "ALERTS_FOR_STATE": 0}
    return {"recorded": 0, "ALERTS": samples, "ALERTS_FOR_STATE": samples}


def done(plan, full_passes, passes, stats):
    return (stats[plan.kind]["queries"] >= passes * plan.rules
            and all(stats["sink"][name]["samples"] >= samples
                    for name, samples in expected(plan, full_passes).items()))


def differences(plan, full_passes, passes, stats):
    """Everything in which the work done is not exactly the work asked for.

    Each alert is pending in one pass and fires from the next on: two ALERTS series, and a stale
    marker that ends the first of them.
    """
    kind, sink = stats[plan.kind], stats["sink"]
    main = sink["recorded" if plan.kind == "record" else "ALERTS"]
    checks = [("queries answered", kind["queries"], passes * plan.rules),
              ("answers abandoned", stats["abandoned"], 0),
              ("bad write requests", sink["bad"], 0),
              ("sum of sample times", main["time_sum_ms"], kind["time_sum_ms"])]
    if plan.kind == "record":
        checks.append(("sum of whole values", main["whole_sum"], kind["whole_sum"]))
    else:
        checks.append(("sum of ALERTS values", main["whole_sum"], main["samples"]))
    for name, samples in expected(plan, full_passes).items():
        pending = plan.units if name == "ALERTS" and samples else 0
        checks += [(f"{name} samples", sink[name]["samples"], samples),
                   (f"{name} series", sink[name]["series"], pending + (plan.units if samples else 0)),
                   (f"{name} stale markers", sink[name]["stale"], pending)]
    return [f"{what}: {got}, expected {want}" for what, got, want in checks if got != want]


def _measured_passes(session, result):
    plan, pid = session.plan, session.child.pid
    process.reset_peak(pid)
    cpu_before, started = process.cpu_seconds(pid), time.monotonic()
    session.allow(plan.passes)
    seen = session.wait_done()
    result.cpu_s = process.cpu_seconds(pid) - cpu_before
    result.wall_s = seen.at_rest - started
    result.units_done = plan.passes * plan.units
    result.rest = process.memory(pid, with_pss=True)
    result.busy_rss = int(statistics.median(seen.rss))
    result.loop_ms = statistics.median(seen.loop_ms)
    result.peak_rss = result.rest.hwm


def run(engine, plan, peer_program, folder):
    """Measures one engine on one kind of rule."""
    result = Result(engine.name, engine.version(), plan)
    session = Session(engine, plan, peer_program, folder)
    try:
        session.allow(1, full=False)
        session.wait_done()
        result.base = process.memory(session.child.pid, with_pss=True)
        session.allow(plan.warm)
        session.wait_done()
        _measured_passes(session, result)
        result.stats = session.peer.stats()
        result.problems = differences(plan, session.full_passes, session.passes_asked, result.stats)
        result.notes = engine.notes()
    finally:
        session.stop()
    return result
