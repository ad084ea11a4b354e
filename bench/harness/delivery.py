"""The delivery benchmark: remote write in, held on disk, remote write out, measured from outside."""

import json
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field

from harness import process
from harness.peer import Peer
from harness.process import BenchError, Child, free_port

POLL_S = 0.05
READY_S = 60
ARRIVE_S = 300
REST_S = 1.5

RELABEL = """\
- target_label: dc
  replacement: north
"""


class Telex:
    """fsync always: every write that is acknowledged is synced."""
    name = "telex"
    ready_path = "/-/ready"

    def __init__(self, program):
        self.program = program

    def version(self):
        text = subprocess.run([self.program, "version"], capture_output=True, text=True, check=False).stdout
        return text.split()[1] if len(text.split()) > 1 else text.strip()

    def start(self, folder, backend, relabel=False, fsync="always"):
        self.port = free_port()
        out = {"type": "remote_write", "url": backend + "/api/v1/write",
               "buffer": {"fsync": fsync}}
        exporters = {"out": out}
        if relabel:
            exporters = {"out": {"type": "relabel", "exporter": out, "relabel_configs": [
                {"target_label": "dc", "replacement": "north"}]}}
        config = {"server": {"listen": f"127.0.0.1:{self.port}", "max_connections": 5000,
                             "max_connections_per_address": 5000},
                  "state": {"path": str(folder / "state")},
                  "receive": {"remote_write": True}, "exporters": exporters,
                  "shutdown_timeout": "1s"}
        (folder / "telex.yaml").write_text(json.dumps(config))
        return Child([self.program, "run", "-c", str(folder / "telex.yaml")], folder / "telex.log", folder)



class Vmagent:
    """Debian's, with its defaults: it syncs nothing."""
    name = "vmagent"
    ready_path = "/health"

    def __init__(self, program="vmagent"):
        self.program = shutil.which(program)
        if not self.program:
            raise BenchError("vmagent is missing: apt-get install victoria-metrics")

    def version(self):
        return "1.79.5"

    def start(self, folder, backend, relabel=False):
        self.port = free_port()
        argv = [self.program, f"-httpListenAddr=127.0.0.1:{self.port}", "-loggerLevel=WARN",
                f"-remoteWrite.url={backend}/api/v1/write",
                f"-remoteWrite.tmpDataPath={folder}/queue"]
        if relabel:
            (folder / "relabel.yaml").write_text(RELABEL)
            argv.append(f"-remoteWrite.urlRelabelConfig={folder}/relabel.yaml")
        return Child(argv, folder / "vmagent.log", folder)


@dataclass
class Figures:
    engine: str
    version: str
    pass_rate: float = 0     # samples per CPU-second
    relabel_rate: float = 0
    held_rss: int = 0        # bytes, with 10,000 samples held and the backend down
    base_rss: int = 0
    writes: dict = field(default_factory=dict)  # connections -> durable one-sample writes per second
    start_s: float = 0
    held_bytes: int = 0      # on disk at that start
    problems: list = field(default_factory=list)


def wait_ready(child, engine):
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        child.check()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{engine.port}{engine.ready_path}", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.01)
    raise BenchError(f"{engine.name} is not ready after {READY_S} s:\n{child.log_tail()}")


class Load:
    def __init__(self, program):
        self.program = program

    def push(self, engine, connections, bodies, samples, stored=False):
        """What was acknowledged, as bench-load says it."""
        done = subprocess.run([self.program, "--port", str(engine.port), "--connections", str(connections),
                               "--bodies", str(bodies), "--samples", str(samples)] + (["--stored"] if stored else []),
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"bench-load against {engine.name}: {done.stderr}")
        return json.loads(done.stdout)


def arrived(peer):
    return peer.stats()["sink"]["recorded"]


def wait_arrived(peer, child, samples):
    until = time.monotonic() + ARRIVE_S
    while arrived(peer)["samples"] < samples:
        child.check()
        if time.monotonic() > until:
            raise BenchError(f"{arrived(peer)['samples']:,} of {samples:,} samples arrived")
        time.sleep(POLL_S)


def same_work(peer, pushes):
    """What did not arrive exactly once, as a text; "" when all did."""
    got = arrived(peer)
    for name in ("samples", "whole_sum", "time_sum_ms"):
        want = sum(push[name] for push in pushes)
        if got[name] != want:
            return f"{name}: {want} were acknowledged, {got[name]} arrived"
    return ""


def dead_url():
    """Where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


class Bench:
    def __init__(self, engine, args, folder):
        self.engine = engine
        self.args = args
        self.folder = folder
        self.load = Load(str(args.build / "bench" / "bench-load"))
        self.figures = Figures(engine.name, engine.version())

    def fresh(self, name):
        folder = self.folder / f"{self.engine.name}-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def rate(self, name, relabel):
        """Samples per CPU-second from the first body until all have arrived."""
        folder = self.fresh(name)
        peer = Peer(str(self.args.build / "bench" / "bench-peer"), 1, 3600, False, folder)
        child = self.engine.start(folder, peer.url, relabel)
        try:
            wait_ready(child, self.engine)
            warm = self.load.push(self.engine, 4, 10, self.args.samples)
            wait_arrived(peer, child, warm["samples"])
            before = process.cpu_seconds(child.pid)
            push = self.load.push(self.engine, 4, self.args.bodies, self.args.samples)
            wait_arrived(peer, child, warm["samples"] + push["samples"])
            time.sleep(REST_S)
            cpu = process.cpu_seconds(child.pid) - before
            problem = same_work(peer, [warm, push])
        finally:
            child.stop()
            peer.stop()
        if problem:
            self.figures.problems.append(f"{name}: {problem}")
        return push["samples"] / cpu

    def held(self):
        """RSS with 10,000 samples held while the backend is down."""
        folder = self.fresh("held")
        child = self.engine.start(folder, dead_url())
        try:
            wait_ready(child, self.engine)
            self.figures.base_rss = process.memory(child.pid).rss
            self.load.push(self.engine, 1, 2, 5000)
            time.sleep(3)
            self.figures.held_rss = process.memory(child.pid).rss
        finally:
            child.stop()

    def small(self, connections, bodies):
        folder = self.fresh("small")
        peer = Peer(str(self.args.build / "bench" / "bench-peer"), 1, 3600, False, folder)
        child = self.engine.start(folder, peer.url)
        try:
            wait_ready(child, self.engine)
            push = self.load.push(self.engine, connections, bodies, 1)
            wait_arrived(peer, child, push["samples"])
            problem = same_work(peer, [push])
        finally:
            child.stop()
            peer.stop()
        if problem:
            self.figures.problems.append(f"{connections} connections: {problem}")
        self.figures.writes[connections] = push["bodies"] / push["seconds"]

    def start_time(self):
        """From the start of the program until it is ready, with <held_gb> of frames on disk."""
        folder = self.fresh("start")
        backend = dead_url()
        child = self.engine.start(folder, backend, fsync="never")
        try:
            wait_ready(child, self.engine)
            want = int(self.args.held_gb * 1e9)
            each = self.load.push(self.engine, 1, 1, 5000, stored=True)["bytes"]
            self.load.push(self.engine, 2, max(want // each // 2, 1), 5000, stored=True)
            child.process.send_signal(signal.SIGTERM)
            child.process.wait(60)
        finally:
            child.stop()
        self.figures.held_bytes = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        started = time.monotonic()
        child = self.engine.start(folder, backend)
        try:
            wait_ready(child, self.engine)
            self.figures.start_s = time.monotonic() - started
        finally:
            child.stop()
            shutil.rmtree(folder, ignore_errors=True)

    def run(self):
        f = self.figures
        print(f"{f.engine} {f.version}: passing through ...", flush=True)
        f.pass_rate = self.rate("pass", False)
        print(f"  {f.pass_rate / 1e6:.2f} M samples per CPU-second; relabelled ...", flush=True)
        f.relabel_rate = self.rate("relabel", True)
        print(f"  {f.relabel_rate / 1e6:.2f} M samples per CPU-second; holding ...", flush=True)
        self.held()
        print(f"  {f.held_rss / 2**20:.1f} MiB; small writes ...", flush=True)
        for connections, bodies in ((1, self.args.small), (100, self.args.small // 10),
                                    (1000, self.args.small // 50)):
            self.small(connections, max(bodies, 5))
            print(f"  {f.writes[connections]:,.0f} per second at {connections} connections", flush=True)
        if self.args.held_gb > 0 and self.engine.name == "telex":
            self.start_time()
            print(f"  starts in {f.start_s:.3f} s with {f.held_bytes / 1e9:.1f} GB held", flush=True)
        return f
