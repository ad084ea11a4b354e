"""Delivery runs with a quota on disk and a destination that is away for too long.

A case is a function (folder, options) -> (violations, figures).
"""

import concurrent.futures
import time

import telex
import writer
from combinators import told
from station import FAST, Station

QUOTA = "32KiB"
DROPPED = "telex_exporter_dropped_total"


def play(policy, folder, seed):
    """(violations, figures): writes far more than fits while the destination is down, then drains."""
    with Station(folder, seed) as station:
        url = station.receiver.url + "/api/v1/write"
        out = telex.remote_write_exporter(url, **{**FAST, "buffer": {"fsync": "always", "max_disk_bytes": QUOTA,
                                                                     "overflow": policy}})
        station.program.write_config({"exporters": {"out": out}, "receive": {"remote_write": True},
                                      "shutdown_timeout": "3s"})
        station.receiver.down()
        station.start()
        crew = writer.Crew(station.program.port, station.book, pause=0.001, give_up=1.0)
        time.sleep(4.0)
        crew.stop()
        station.receiver.up()
        found, dropped = judge(station, crew, policy)
        return found, {**station.figures(), "dropped": dropped,
                       "refused": sum(attempt.status in (429, 503) for attempt in crew.attempts())}


def judge(station, crew, policy):
    """Under `block` somebody was refused and nothing is lost; else what is lost is what was counted."""
    if policy == "block":
        refused = any(attempt.status in (429, 503) for attempt in crew.attempts())
        return station.finish() + ([] if refused else ["nobody was refused"]), 0
    time.sleep(1.0)
    station.drain(deadline=3.0)
    dropped = int(sum(station.program.metrics().get(DROPPED, {}).values()))
    lost = station.book.acked_now() - {delivery.record for delivery in station.receiver.arrived}
    station.book.acked -= lost
    found = station.finish()
    found += [] if lost else ["nothing was dropped: the quota is none"]
    if len(lost) != dropped:
        found.append(f"{len(lost)} records are missing, {dropped} were counted as dropped")
    return found, dropped


def quotas(folder, options):
    """More than may be held: refused under `block`, dropped and counted under the others."""
    problems, figures = [], {}
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        runs = {policy: pool.submit(play, policy, folder / policy, options.seed)
                for policy in ("block", "drop_oldest", "drop_newest")}
        for policy, run in runs.items():
            found, figures[policy] = told(run)
            problems += [f"{policy}: {text}" for text in found]
    return problems, figures


CASES = {"quotas": quotas}
