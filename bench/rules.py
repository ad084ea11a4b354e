#!/usr/bin/env python3
"""make bench: Telex and vmalert side by side on the same rules (docs/bench.md).

Exit status: 0 both did the same work; 1 they did not, or something failed; 3 with --strict when a
target is missed.
"""

import argparse
import datetime
import json
import pathlib
import shutil
import signal
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from harness import engines, measure, report  # noqa: E402
from harness.process import BenchError  # noqa: E402


def parse_args(argv):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build folder")
    p.add_argument("--engines", default="vmalert,telex", help="which to run, in order")
    p.add_argument("--kinds", default="record,alert", help="which kinds of rule")
    p.add_argument("--rules", type=int, default=100, help="rules of each kind")
    p.add_argument("--series", type=int, default=10000, help="series in each answer")
    p.add_argument("--vmalert-alert-rules", type=int, default=10, metavar="N",
                   help="fewer alerting rules for vmalert (0: as many as for Telex, takes most of an hour)")
    p.add_argument("--interval", type=int, default=15, help="evaluation interval in seconds")
    p.add_argument("--warm", type=int, default=2, help="passes before the measured ones, at least 2")
    p.add_argument("--passes", type=int, default=2, help="measured passes")
    p.add_argument("--repeat", type=int, default=1, help="runs of each, in turn; the cheapest counts")
    p.add_argument("--step-max", type=int, default=1200, help="limit for each step in seconds")
    p.add_argument("--rotate", action="store_true", help="series come in another order at each call")
    p.add_argument("--quick", action="store_true", help="10 rules x 1,000 series, interval 5 s")
    p.add_argument("--strict", action="store_true", help="a missed target is a failure")
    args = p.parse_args(argv)
    args.build = args.build.resolve()  # children run in folders of their own
    args.warm = max(args.warm, 2)  # an alert is pending in its first pass
    if args.quick:
        args.rules, args.series, args.interval = 10, 1000, 5
    return args


def plan_for(args, kind, engine):
    rules = args.rules
    if engine == "vmalert" and kind == "alert" and args.vmalert_alert_rules:
        rules = min(rules, args.vmalert_alert_rules)
    return measure.Plan(kind, rules, args.series, args.interval, args.warm, args.passes,
                        args.step_max, args.rotate)


def make_engine(name, args):
    known = {"vmalert": engines.Vmalert, "telex": lambda: engines.Telex(str(args.build / "telex"))}
    if name not in known:
        raise BenchError(f"unknown engine '{name}': one of {', '.join(known)}")
    return known[name]()


def run_all(args, folder):
    results = []
    peer = args.build / "bench" / "bench-peer"
    if not peer.exists():
        raise BenchError(f"{peer} is missing: make build")
    chosen = [make_engine(name, args) for name in args.engines.split(",")]
    for kind in args.kinds.split(","):
        for turn in range(args.repeat):
            for engine in chosen:
                plan = plan_for(args, kind, engine.name)
                results.append(run_one(engine, plan, peer, folder / f"{engine.name}-{kind}-{turn}"))
    return results


def run_one(engine, plan, peer, folder):
    print(f"{engine.name} {engine.version()}: {plan.rules} {plan.kind} rules x {plan.series:,} "
          f"series ...", flush=True)
    result = measure.run(engine, plan, str(peer), folder)
    shutil.rmtree(folder / "state", ignore_errors=True)
    print(f"  {result.cpu_s:.2f} CPU-seconds, {result.rest.rss / report.MIB:.0f} MiB", flush=True)
    return result


def save(results, out):
    date = datetime.date.today().isoformat()
    text = report.page(results, date)
    (out / f"results-{date}.md").write_text(text, encoding="utf-8")
    raw = json.dumps([r.as_dict() for r in results], indent=1)
    (out / f"results-{date}.json").write_text(raw, encoding="utf-8")
    print("\n" + text + f"\nWritten to {out}/results-{date}.md and .json")


def main(argv):
    args = parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: stopped"))
    out = args.build / "bench"
    folder = out / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        results = run_all(args, folder.resolve())
    except BenchError as e:
        print(f"bench: {e}", file=sys.stderr)
        return 1
    save(results, out)
    broken = [f"{r.engine}, {r.plan.kind}: {p}" for r in results for p in r.problems]
    for line in broken:
        print(f"bench: not the same work: {line}", file=sys.stderr)
    if broken:
        return 1
    return 3 if args.strict and report.missed(results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
