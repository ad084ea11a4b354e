#!/usr/bin/env python3
"""Rules that find nothing, every second: the CPU of vmalert, of Telex, and of Telex with query_batch.

All ask the same bench-peer, which answers each query with an empty vector. Engines run one after the other. Last comes the
floor: a client that does nothing but send such a request and read the answer, with connections for as many threads.
Exit status 1 when an engine did not do the evaluations.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from harness import engines  # noqa: E402
from harness.peer import Peer  # noqa: E402
from harness.process import TICKS_PER_S, BenchError  # noqa: E402


class Plan:
    interval_s = 1


class Batching(engines.Telex):
    name = "telex, query_batch"

    def start(self, plan, rules, peer, folder):
        config = engines.TELEX_CONFIG
        engines.TELEX_CONFIG = config.replace("  url: {peer}\nrules", "  url: {peer}\n  query_batch: true\nrules")
        try:
            return super().start(plan, rules, peer, folder)
        finally:
            engines.TELEX_CONFIG = config


def write_rules(path, groups, rules):
    text = "groups:\n"
    for g in range(groups):
        text += f"  - name: g{g}\n    interval: 1s\n    rules:\n"
        for r in range(rules // groups):
            text += f"      - alert: A{r}\n        expr: bench_metric_{g}_{r}{{env=\"production\"}} > 90\n"
    path.write_text(text, encoding="utf-8")
    return path


def cpu_s(child):
    with open(f"/proc/{child.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def rss_mib(child):
    with open(f"/proc/{child.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) // 1024


def measure(engine, args, folder):
    folder.mkdir()
    peer = Peer(str(args.build / "bench" / "bench-peer"), 1, 600, False, folder)
    child = engine.start(Plan, write_rules(folder / "rules.yaml", args.groups, args.rules), peer.url, folder)
    try:
        time.sleep(args.warm)
        child.check()
        before, start, asked = cpu_s(child), time.monotonic(), peer.stats()["other_queries"]
        time.sleep(args.seconds)
        wall = time.monotonic() - start
        share = (cpu_s(child) - before) / wall
        queries = (peer.stats()["other_queries"] - asked) / wall
        print(f"{engine.name:20} {share:6.3f} core {rss_mib(child):5} MiB {queries:8.0f} requests/s "
              f"{share / max(queries, 1) * 1e6:6.1f} us each", flush=True)
        return queries
    finally:
        child.stop(5)
        peer.stop()


def measure_floor(args, folder):
    """Core for as many requests a second as there are rules."""
    folder.mkdir()
    peer = Peer(str(args.build / "bench" / "bench-peer"), 1, 600, False, folder)
    try:
        for threads in (1, 32):
            out = subprocess.run([args.build / "bench" / "bench-floor", peer.url.rsplit(":", 1)[1], str(threads),
                                  "50000"], capture_output=True, text=True, check=True)
            user, system = (float(us) * args.rules / 1e6 for us in out.stdout.split())
            print(f"floor, {threads:2} threads    {user + system:6.3f} core: user {user:.3f}, system {system:.3f}",
                  flush=True)
    finally:
        peer.stop()


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    p.add_argument("--rules", type=int, default=10000)
    p.add_argument("--groups", type=int, default=100)
    p.add_argument("--seconds", type=int, default=15)
    p.add_argument("--warm", type=int, default=6)
    args = p.parse_args()
    args.build = args.build.resolve()
    program = str(args.build / "telex")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="telex-bench-empty-"))
    try:
        done = [measure(engine, args, folder / str(i))
                for i, engine in enumerate((engines.Vmalert(), engines.Telex(program), Batching(program)))]
        measure_floor(args, folder / "floor")
    except (BenchError, subprocess.CalledProcessError) as e:
        sys.exit(f"bench: {e}")
    finally:
        shutil.rmtree(folder)
    sys.exit(0 if min(done) > 0 else 1)


if __name__ == "__main__":
    main()
