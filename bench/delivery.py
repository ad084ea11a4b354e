#!/usr/bin/env python3
"""bench/run delivery: Telex and vmagent side by side, remote write in and out (docs/bench.md).

Exit status: 0 both delivered all that they acknowledged, once; 1 one did not, or something failed; 3
with --strict when a target is missed.
"""

import argparse
import dataclasses
import datetime
import json
import pathlib
import shutil
import signal
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from harness import delivery, report  # noqa: E402
from harness.process import BenchError  # noqa: E402

MIB = 1 << 20
PASS_TARGET = 3e6
RSS_TARGET = 32e6
START_TARGET_S = 1.0


def parse_args(argv):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build folder")
    p.add_argument("--engines", default="vmagent,telex", help="which to run, in order")
    p.add_argument("--bodies", type=int, default=500, help="bodies on each of 4 connections")
    p.add_argument("--samples", type=int, default=5000, help="samples in each body")
    p.add_argument("--small", type=int, default=2000, help="one-sample writes on one connection")
    p.add_argument("--held-gb", type=float, default=10, help="held on disk at the timed start; 0: none")
    p.add_argument("--quick", action="store_true", help="less of everything: a first look")
    p.add_argument("--strict", action="store_true", help="a missed target is a failure")
    args = p.parse_args(argv)
    args.build = args.build.resolve()
    if args.quick:
        args.bodies, args.small, args.held_gb = 100, 500, min(args.held_gb, 1)
    return args


def judged(ok):
    return "met" if ok else "MISSED"


def rows_of(f, pass_through):
    """(what, value, target, verdict) of one engine; vmagent has no targets."""
    own = f.engine == "telex"
    rows = [
        ("samples per CPU-second, passing through", f"{f.pass_rate / 1e6:.2f} M", "3 M",
         judged(pass_through >= PASS_TARGET)),
        ("samples per CPU-second, every batch relabelled", f"{f.relabel_rate / 1e6:.2f} M", "", ""),
        ("RSS after the start", f"{f.base_rss / 1e6:.1f} MB", "", ""),
        ("RSS with 10,000 samples held, backend down", f"{f.held_rss / 1e6:.1f} MB", "32 MB",
         judged(f.held_rss <= RSS_TARGET)),
    ]
    rows += [(f"one-sample writes per second, {n} connections", f"{rate:,.0f}", "", "")
             for n, rate in f.writes.items()]
    if f.held_bytes:
        rows.append((f"start with {f.held_bytes / 1e9:.1f} GB held", f"{f.start_s:.3f} s", "1 s",
                     judged(f.start_s < START_TARGET_S)))
    return rows if own else [(what, value, "", "") for what, value, _, _ in rows]


def page(results, args, date):
    lines = [f"# Delivery benchmark, {date}", "", report.machine(), "",
             f"Bodies of {args.samples:,} samples, 4 connections. Telex syncs every write that it "
             "acknowledges; vmagent syncs none.", ""]
    for f in results:
        lines += [f"## {f.engine} {f.version}", "", "| what | figure | target | |", "|---|---|---|---|"]
        lines += [f"| {what} | {value} | {target} | {verdict} |"
                  for what, value, target, verdict in rows_of(f, f.pass_rate)]
        lines += ["", "Not exactly once: " + "; ".join(f.problems) if f.problems
                  else "Every acknowledged sample arrived exactly once.", ""]
    return "\n".join(lines)


def run_all(args, folder):
    known = {"vmagent": delivery.Vmagent, "telex": lambda: delivery.Telex(str(args.build / "telex"))}
    results = []
    for name in args.engines.split(","):
        if name not in known:
            raise BenchError(f"unknown engine '{name}': one of {', '.join(known)}")
        results.append(delivery.Bench(known[name](), args, folder).run())
    return results


def main(argv):
    args = parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped"))
    out = args.build / "bench"
    folder = out / "run-delivery"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        results = run_all(args, folder.resolve())
    except BenchError as e:
        print(f"bench: {e}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    date = datetime.date.today().isoformat()
    text = page(results, args, date)
    (out / f"delivery-{date}.md").write_text(text, encoding="utf-8")
    (out / f"delivery-{date}.json").write_text(
        json.dumps([dataclasses.asdict(f) for f in results], indent=1), encoding="utf-8")
    print("\n" + text + f"\nWritten to {out}/delivery-{date}.md and .json")
    if any(f.problems for f in results):
        return 1
    return 3 if args.strict and "MISSED" in text else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
