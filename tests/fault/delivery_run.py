#!/usr/bin/python3
"""delivery_run.py CASE [--long] [--seed N] [--folder DIR]: one case of the delivery runs, judged.

Writers send numbered samples to Telex over remote write and note what was acknowledged; meanwhile the program, its disk
or its destination get into trouble. In the end everything acknowledged must have been delivered or lie among the dead
letters, copies must be the same, and each series must have come in order. Figures go to build/fault/CASE.json.

Exit status 0: all right; 1: a violation (the folder is kept). Without CASE the names are listed.
"""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import backends  # noqa: E402
import combinators  # noqa: E402
import databases  # noqa: E402
import disks  # noqa: E402
import event_run  # noqa: E402
import kills  # noqa: E402
import quotas  # noqa: E402
import shim  # noqa: E402

CASES = {**kills.CASES, **disks.CASES, **backends.CASES, **combinators.CASES, **quotas.CASES,
         **databases.CASES, **event_run.CASES}
RESULTS = shim.BUILD / "fault"
SHOWN = 20


class Options:
    """How much of everything."""

    def __init__(self, long, seed):
        self.long = long
        self.seed = seed
        self.runs = 1000 if long else 16
        self.kills = 500 if long else 20
        self.cuts = 60 if long else 8
        self.rotations = 12 if long else 4
        self.rounds = 3 if long else 1
        self.damages = 48 if long else 8
        self.peer_writes = 1000 if long else 100


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("case", nargs="?", choices=sorted(CASES))
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--seed", type=int, default=None, help="default: from the clock; printed")
    parser.add_argument("--folder", type=pathlib.Path, default=None, help="default: a temporary folder")
    return parser.parse_args()


def write_results(name, seed, long, took, problems, figures):
    RESULTS.mkdir(parents=True, exist_ok=True)
    result = {"case": name, "seed": seed, "long": long, "seconds": round(took, 1), "violations": problems,
              "figures": figures}
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def show(figures, indent=""):
    for name, value in figures.items():
        if isinstance(value, dict):
            print(f"{indent}{name}: " + ", ".join(f"{key} {inner}" for key, inner in value.items()))
        else:
            print(f"{indent}{name}: {value}")


def main():
    arguments = parse_arguments()
    if arguments.case is None:
        for name, case in CASES.items():
            print(f"{name}: {case.__doc__.splitlines()[0]}")
        return 0
    seed = arguments.seed if arguments.seed is not None else time.time_ns() % 10**9
    folder = arguments.folder or pathlib.Path(tempfile.mkdtemp(prefix="telex-fault-"))
    print(f"{arguments.case}: seed {seed}, folder {folder}", flush=True)
    begun, figures = time.monotonic(), {}
    try:
        problems, figures = CASES[arguments.case](folder, Options(arguments.long, seed))
    except (OSError, RuntimeError, TimeoutError, AssertionError, ValueError, KeyError) as error:
        problems = [f"{type(error).__name__}: {error}"]
        traceback.print_exc()
    write_results(arguments.case, seed, arguments.long, time.monotonic() - begun, problems, figures)
    show(figures)
    for problem in problems[:SHOWN]:
        print(f"VIOLATION: {problem}")
    print(f"{arguments.case}: {len(problems)} violations")
    if problems:
        print(f"kept {folder}; again: delivery_run.py {arguments.case} --seed {seed}" + " --long" * arguments.long)
        return 1
    if arguments.folder is None:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
