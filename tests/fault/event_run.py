"""The history runs: streams from a source to a sink of CloudEvents while everything around them is killed.

Writers keep a book of what they wrote; in the end the oracle (event_oracle.py) compares it with what the sink took, the
dead letters, and what was kept of the position. A case is a function (folder, options) -> (violations, figures).
"""

import random
import time

import event_oracle as oracle
import event_writers
import net
import postgres
from event_station import NAME, EventStation

SETTINGS = ("wal_level=logical",)
# A change that the stream and its backfill both saw comes once with its place in the log and once without.
LIVE_ONLY = ("sequence", "recordedtime", "traceparent")


def row_of(event):
    record = event["data"]["record"]
    return str(record["key"]), record["txn"], record["n"]


def row_of_posted(event):
    return event["data"]["key"], event["data"]["txn"], event["data"]["n"]


# ---- trouble -----------------------------------------------------------------------------------------------

def kill_telex(station, server):
    station.kill_telex()


def kill_sink(station, server):
    station.kill_sink()


def restart_telex(station, server):
    station.stop_telex()
    station.start()


def kill_server(station, server):
    station.counts["kills of the server"] += 1
    server.crash()
    time.sleep(station.rng.random() * 0.5)
    server.restart()


def kill_both(station, server):
    station.counts["kills of telex"] += 1
    station.program.sigkill()
    kill_server(station, server)
    station.start()


def cut_connections(station, server):
    station.counts["cut connections"] += 1
    server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'telex%'", check=False)


LOCAL = (kill_telex, kill_telex, kill_sink, restart_telex)
REMOTE = (kill_telex, kill_telex, kill_server, kill_sink, kill_both, cut_connections, restart_telex)


def play(station, server, hows, seconds, pause):
    """Each kind of trouble in turn, in an order of chance. How often it came into a backfill is counted."""
    end, interrupted = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for how in station.rng.sample(hows, len(hows)):
            time.sleep(station.rng.uniform(0.3, 1.7) * pause)
            if time.monotonic() > end:
                break
            backfill = backfill_phase(station)
            how(station, server)
            interrupted += backfill == "running" and how is not kill_sink
    return interrupted


def backfill_phase(station):
    try:
        return station.status()["backfill"]["phase"]
    except (OSError, KeyError, ValueError):
        return ""


# ---- PostgreSQL --------------------------------------------------------------------------------------------

def new_server(folder, settings=()):
    server = postgres.Postgres(folder, (*SETTINGS, *settings)).start()
    server.psql(event_writers.TABLE)
    server.psql(event_writers.TRUTH)
    return server


def source_of(server, kind, **more):
    source = {"type": kind, "connection_string": server.url, "table": "events", "key_column": "key", "time_column": "at", **more}
    return {**source, "poll_interval": "50ms"} if kind == "outbox" else source


def database_run(folder, options, kind, seconds, mode="batched", **more):
    if postgres.programs() is None:
        return [], {"skipped": "PostgreSQL is not installed"}
    server = new_server(folder)
    try:
        return database_history(folder, options, server, source_of(server, kind, **more), seconds, mode)
    finally:
        server.stop()


def database_history(folder, options, server, source, seconds, mode):
    old, rate = (20 * seconds, 40) if options.long else (300, 60)
    event_writers.old_rows(server, old)
    backfill = {"enabled": True, "batchSize": 50, "rateLimit": rate}
    # With one event in a request the sink takes far less.
    pause = 0.2 if options.long and mode == "structured" else 0.06
    writers = event_writers.Transactions(server, options.seed, pause, 3000 if options.long else 500).start()
    try:
        with EventStation(folder, random.Random(options.seed), source, guarded=True, backfill=backfill,
                          sink={"mode": mode, "batch_size": 50}) as station:
            station.start_sink()
            station.start()
            station.wait_state("running")
            running = time.monotonic()
            station.places.start()
            interrupted = play(station, server, REMOTE, seconds, 3.0 if options.long else 0.6)
            writers.stop()
            return database_end(station, server, writers, running, interrupted)
    finally:
        writers.stop()


def database_end(station, server, writers, running, interrupted):
    station.calm()
    owed = event_writers.committed(server)
    station.wait_for(owed)
    problems = station.again_after_a_clean_stop()
    station.places.stop()
    # The order is the stream's own; what was begun before it ran may have come by the backfill.
    txns = {number: txn for number, txn in writers.txns.items() if txn.begun > running}
    judged = len(txns.keys() & {row.txn for row in owed.values()})
    if judged < 20:
        problems.append(f"only {judged} transactions are in the order that was judged: nothing was tried")
    found, figures = station.judge(owed, {}, txns, row_of, LIVE_ONLY)
    return problems + found, {**figures, "transactions in order": judged, "transactions": len(writers.txns), "rolled back": writers.rolled_back,
                              "large": writers.large, "backfill interrupted": interrupted}


def events_postgresql(folder, options):
    """Logical replication, with a backfill and tokens that end: kills of Telex, the server and the sink lose no committed row."""
    return database_run(folder, options, "postgresql", 600 if options.long else 5)


def events_outbox(folder, options):
    """An outbox, one event in a request: kills of Telex, the server and the sink lose no committed row."""
    return database_run(folder, options, "outbox", 180 if options.long else 5, mode="structured")


def events_outbox_delete(folder, options):
    """An outbox whose rows are deleted when they are delivered: none is deleted before, none stays."""
    if postgres.programs() is None:
        return [], {"skipped": "PostgreSQL is not installed"}
    server = new_server(folder)
    try:
        problems, figures = database_history(folder, options, server, source_of(server, "outbox", on_ack="delete"),
                                             180 if options.long else 5, "batched")
        left = server.count("events")
        return problems + ([f"{left} rows that were delivered are still there"] if left else []), figures
    finally:
        server.stop()


def events_cheated(folder, options):
    """An outbox read by the id alone, in which order these writers do not commit: rows must be missing, or the runs cannot say no."""
    if postgres.programs() is None:
        return [], {"skipped": "PostgreSQL is not installed"}
    server = new_server(folder)
    try:
        with EventStation(folder, random.Random(options.seed), source_of(server, "outbox", serialized=True),
                          sink={"mode": "batched"}) as station:
            station.calm()
            station.start_sink()
            station.start()
            station.wait_state("running")
            writers = event_writers.Transactions(server, options.seed, 0.03, 100).start()
            time.sleep(4)
            writers.stop()
            owed = event_writers.committed(server)
            station.wait_for(owed, 3)
            lost = oracle.custody(owed, {}, station.taken(), station.dead())
            return [] if lost else ["no row is missing"], {"rows owed": len(owed), "said": "; ".join(lost)}
    finally:
        server.stop()


# ---- our own table -----------------------------------------------------------------------------------------

def events_embedded(folder, options):
    """A stream of what was posted to Telex: every event that was acknowledged comes; kills of Telex and the sink."""
    with EventStation(folder, random.Random(options.seed), {"type": "embedded"}, guarded=True,
                      sink={"mode": "batched", "batch_size": 20}) as station:
        station.start_sink()
        station.start()
        station.wait_state("running")
        station.places.start()
        writers = event_writers.Posts(station.program.url, options.seed, 0.03).start()
        try:
            play(station, None, LOCAL, 180 if options.long else 5, 2.0 if options.long else 0.6)
        finally:
            writers.stop()
        station.calm()
        owed, unsure = writers.owed_and_unsure()
        station.wait_for(owed)
        problems = station.again_after_a_clean_stop()
        station.places.stop()
        found, figures = station.judge(owed, unsure, writers.txns, row_of_posted)
        return problems + found, {**figures, "requests to us": len(writers.txns)}


# ---- a slot that is lost -----------------------------------------------------------------------------------

SLOT = f"telex_{NAME}"


def drop_slot(server):
    server.psql(f"SELECT pg_drop_replication_slot('{SLOT}')")


def drop_slot_in_use(server):
    """Telex is thrown out, and is back soon: the slot may have to be taken more than once."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        server.psql(f"SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = '{SLOT}' AND active")
        if server.psql(f"SELECT pg_drop_replication_slot('{SLOT}')", check=False).returncode == 0:
            return
    raise TimeoutError("the slot could not be dropped")


def make_slot_again(server):
    drop_slot(server)
    server.psql("INSERT INTO events (key, txn, n, body) VALUES (1, 0, 0, 'row')")
    server.psql(f"SELECT pg_create_logical_replication_slot('{SLOT}', 'pgoutput')")


def invalidate_slot(server):
    """The log grows beyond max_slot_wal_keep_size."""
    for _ in range(8):
        server.psql("SELECT pg_logical_emit_message(false, 'x', 'x'); SELECT pg_switch_wal()")
    server.psql("CHECKPOINT")
    status = server.psql(f"SELECT wal_status FROM pg_replication_slots WHERE slot_name = '{SLOT}'").stdout.strip()
    assert status == "lost", f"the slot is {status}"


LOSSES = {"dropped in use": drop_slot_in_use, "dropped": drop_slot, "made again": make_slot_again, "invalidated": invalidate_slot}


def events_slot_lost(folder, options):
    """A slot that is dropped, made again or invalidated: the stream says so and stands; a reset delivers every committed row."""
    if postgres.programs() is None:
        return [], {"skipped": "PostgreSQL is not installed"}
    server = new_server(folder, ("max_slot_wal_keep_size=32MB", "min_wal_size=32MB", "max_wal_size=64MB"))
    problems, figures = [], {"losses": 0, "rows": 0, "events taken": 0, "copies": 0}
    try:
        with EventStation(folder, random.Random(options.seed), source_of(server, "postgresql"), sink={"mode": "batched"},
                          backfill={"enabled": True, "rateLimit": 0}) as station:
            station.calm()
            station.start_sink()
            station.start()
            for name in LOSSES if options.long else station.rng.sample(sorted(LOSSES), 2):
                problems += [f"{name}: {text}" for text in lose_and_reset(station, server, LOSSES[name])]
                figures["losses"] += 1
            taken = station.taken()
            owed = event_writers.committed(server)
            problems += oracle.custody(owed, {}, taken, station.dead()) + oracle.copies(taken, LIVE_ONLY)
            figures.update({"rows": len(owed), "events taken": len(taken), "copies": oracle.count_copies(taken)})
            return problems, figures
    finally:
        server.stop()


def lose_and_reset(station, server, lose):
    """The texts of what went wrong."""
    station.wait_state("running")
    event_writers.old_rows(server, 100)
    station.wait_for(event_writers.committed(server))
    if lose is drop_slot_in_use:
        lose(server)
        event_writers.old_rows(server, 50)
    else:
        station.stop_telex()
        event_writers.old_rows(server, 50)
        lose(server)
        event_writers.old_rows(server, 50)
        station.start()
    before = len(station.taken())
    station.wait_state("lost")
    event_writers.old_rows(server, 10)
    time.sleep(0.5)
    status, problems = station.status(), []
    if len(station.taken()) != before:
        problems.append(f"{len(station.taken()) - before} events came from a stream that is lost")
    if status["state"] != "lost" or station.program.get("/-/ready").status != 503:
        problems.append(f"lost, and then it is {status['state']}, ready {station.program.get('/-/ready').status}")
    said = status["reason"] or ""
    if f"telex events reset {NAME}" not in said or not ("miss" in said or "cannot be had" in said) or not status["position"]:
        problems.append(f"the state does not say what is missed and what to do: {status}")
    done = station.command("reset", NAME, "--drop-source")
    if done.returncode != 0:
        return [*problems, f"reset: {done.stderr}"]
    net.wait_until("the stream to run again", lambda: station.status()["state"] == "running", 60)
    station.wait_for(event_writers.committed(server))
    return problems


CASES = {"events-postgresql": events_postgresql, "events-outbox": events_outbox, "events-outbox-delete": events_outbox_delete,
         "events-cheated": events_cheated,
         "events-embedded": events_embedded, "events-slot-lost": events_slot_lost}
