#!/usr/bin/env python3
"""bench/run kafka: the same records into one real Kafka broker by `telex export` and by kcat (docs/bench.md).

Both send JSON objects with keys, acks=all, idempotent. Telex reads them as records, makes them again and waits for
every acknowledgement before it says how many were delivered; kcat sends lines as they are. Exit status: 0 all
records are there, 1 they are not.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def parse_args(argv):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build folder")
    p.add_argument("--records", type=int, default=500_000, help="samples, of 1,000 series")
    args = p.parse_args(argv)
    args.build = args.build.resolve()
    return args


def write_records(path, count):
    """Lines of JSON for Telex, and "key<TAB>json" beside them for kcat."""
    with open(path, "w") as plain, open(f"{path}.keyed", "w") as keyed:
        for n in range(count):
            series = n % 1000
            line = json.dumps({"kind": "sample", "timestamp": f"2026-01-02T03:{n // 60000 % 60:02}:{n // 1000 % 60:02}Z",
                               "name": "bench_requests_total", "value": n + 0.5,
                               "labels": {"instance": f"host-{series}", "job": "bench", "zone": "eu-1"}})
            plain.write(line + "\n")
            keyed.write(f"host-{series}\t{line}\n")


def timed(argv, **kwargs):
    """(wall seconds, CPU seconds) of a command that must succeed."""
    before, began = os.times(), time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **kwargs)
    wall, after = time.monotonic() - began, os.times()
    if done.returncode != 0:
        raise SystemExit(f"{argv[0]}: {done.stderr[-500:]}")
    return wall, (after.children_user - before.children_user) + (after.children_system - before.children_system)


def run(args, broker, folder):
    import kafka_servers
    records = folder / "records.jsonl"
    write_records(records, args.records)
    config = folder / "telex.yaml"
    config.write_text(json.dumps({"state": {"path": str(folder / "data")}, "exporters": {
        "out": {"type": "kafka", "brokers": [broker.plain], "topic": "telex"}}}))
    found = {
        "kcat": timed(["kcat", "-P", "-b", broker.plain, "-t", "kcat", "-K", "\t", "-l", f"{records}.keyed",
                       "-X", "enable.idempotence=true", "-X", "acks=all", "-X", "partitioner=murmur2_random"]),
        "telex": timed([args.build / "telex", "export", "-c", config, "--to", "out", records]),
    }
    for name, (wall, cpu) in found.items():
        rows = len(kafka_servers.read(broker, name))
        if rows != args.records:
            raise SystemExit(f"{name}: {rows} records are there, not {args.records}")
        print(f"{name}: {args.records / wall:,.0f} records/s, {args.records / cpu:,.0f} per CPU-second")


def main(argv):
    args = parse_args(argv)
    os.environ.setdefault("TELEX_BIN", str(args.build / "telex"))
    sys.path.insert(0, str(ROOT / "tests" / "e2e"))
    import kafka_servers
    with tempfile.TemporaryDirectory(prefix="telex-bench-kafka-") as name:
        folder = pathlib.Path(name)
        broker = kafka_servers.Broker(folder)
        try:
            run(args, broker.start(), folder)
        finally:
            broker.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
