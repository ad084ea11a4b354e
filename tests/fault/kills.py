"""Delivery runs that kill: at each write-path call, at random moments, with the power cut, and beside vmagent.

A case is a function (folder, options) -> (violations, figures).
"""

import base64
import contextlib
import errno
import random
import signal
import time

import custody
import powercut
import shim
import writer
from backend import Flapping, answers, cuts_after_storing, is_bad, refuses_bad
from station import Station, VmagentProgram

HOWS = {shim.BEFORE: "before", shim.AFTER: "after", shim.HALF: "half"}
WRITES = 50
BACKEND_UP_AT, RESTART_AT = 20, 40


def short_scenario(station):
    """Start; writes, the first with the backend down; a stop and a start in between. Starts again whenever the shim
    killed."""
    station.receiver.down()
    if not station.start_or_die():
        restart(station)
    ours = station.writer()
    for number in range(WRITES):
        if number == BACKEND_UP_AT:
            station.receiver.up()
        if number == RESTART_AT:
            stop(station)
            restart(station, is_kill=False)
        ours.write(1 + number % 3, stop=lambda: not station.program.process.running())
        if not station.program.process.running():
            restart(station)
    ours.close()


def restart(station, is_kill=True):
    """Starts again; after a kill the shim does not kill any more."""
    station.program.process.wait()
    if is_kill or station.program.process.child.returncode == -signal.SIGKILL:
        station.kills += 1
        station.shim.control.kill_at = 0
    if not station.start_or_die():
        restart(station)


def stop(station):
    """Asks the program to end; the shim may kill it meanwhile."""
    if station.program.process.running():
        station.program.process.signal(signal.SIGTERM)
        station.program.process.wait(20)


def end_of(station):
    """Drains; the shim may kill meanwhile, and in the stop too."""
    with contextlib.suppress(OSError):
        station.drain()
    stop(station)
    restart(station, is_kill=False)
    return station.finish(must_die=station.book.sent_if(is_bad))


def at_each_call(folder, options):
    """SIGKILL at each write-path call of a short scenario: before it, after it, or in the middle of a write. Some samples
    are refused for good, so dead letters are written too."""
    problems, figures, hows = [], {"runs": 0, "acknowledged": 0, "copies": 0, "dead": 0, "kinds": {}}, tuple(HOWS)
    total = count_calls(folder / "count", figures)
    step = max(1, total // options.runs)
    for index, number in enumerate(range(1, total + 1, step)):
        for how in hows if options.long else hows[index % 3:][:1]:
            found = killed_at(folder / f"call-{number}-{how}", number, how, figures)
            problems += [f"killed at call {number}, {HOWS[how]}: {text}" for text in found]
            if len(problems) > 10:
                return problems, figures
    return problems, figures


def killed_at(folder, number, how, figures):
    with Station(folder, seed=number, mode=refuses_bad) as station:
        station.shim.control.skip_sync = 1
        station.shim.kill_at(number, how)
        short_scenario(station)
        found = end_of(station)
        figures["runs"] += 1
        for name in ("acknowledged", "copies", "dead"):
            figures[name] += station.figures()[name]
    return found


def count_calls(folder, figures):
    """How many calls the scenario makes when nobody interferes."""
    with Station(folder, mode=refuses_bad) as station:
        station.shim.control.skip_sync = 1
        short_scenario(station)
        station.drain()
        station.program.sigterm()
        figures["kinds"] = station.shim.by_kind()
        figures["calls"] = station.shim.calls
    return figures["calls"]


def at_random(folder, options):
    """SIGKILL at random moments while two writers write and the backend flaps, refuses and breaks connections. One end in
    eight is asked for instead, in the middle of the writing."""
    with Station(folder, seed=options.seed, mode=mixed_trouble(), fsync="interval") as station:
        station.start()
        crew = writer.Crew(station.program.port, station.book)
        flapping = Flapping(station.receiver)
        for number in range(options.kills * 8 // 7):
            time.sleep(station.rng.choice((0.02, 0.1, 0.3)) * station.rng.uniform(0.2, 2))
            station.program.check_running()
            if number % 8 == 7:
                stop(station)
            else:
                station.kill()
            station.start(wait=station.rng.random() < 0.8)
        station.program.wait_ready()
        crew.stop()
        flapping.stop()
        station.receiver.mode = None
        return station.finish(), station.figures()


def mixed_trouble():
    cut, busy = cuts_after_storing(0.05), answers(503, 0.1)
    return lambda *args: cut(*args) or busy(*args)


def power_cuts(folder, options):
    """SIGKILL at random moments; then what was not synced is lost, or arrives torn and in any order. In some lives syncs
    fail for a while, and what they were asked for is forgotten."""
    undone, problems = 0, sees_no_loss(folder / "control")
    with Station(folder / "run", seed=options.seed) as station:
        station.shim.keep_journal()
        station.start()
        crew = writer.Crew(station.program.port, station.book)
        for number in range(options.cuts):
            if number % 3 == 2:
                station.receiver.down()
            time.sleep(station.rng.uniform(0.05, 0.4))
            if number % 4 == 3:
                fail_syncs(station)
            station.program.check_running()
            station.kill()
            how = powercut.LOSE_ALL if number % 2 else powercut.BY_CHANCE
            station.shim.heal()
            undone += powercut.cut(station.shim.path, how, station.rng)
            problems += [f"cut {number}, {how}: {text}" for text in lost_already(station)]
            station.start()
            if station.receiver._server is None:
                station.receiver.up()
        crew.stop()
        return problems + station.finish(), {**station.figures(), "calls undone": undone}


def sees_no_loss(folder):
    """With `fsync: interval` a power cut may take what was acknowledged within the last second: if it does not, it is no
    power cut."""
    with Station(folder, fsync="interval") as station:
        station.shim.keep_journal()
        station.receiver.down()
        station.start()
        ours = station.writer()
        for _ in range(50):
            ours.write()
        station.kill()
        ours.close()
        powercut.cut(station.shim.path, powercut.LOSE_ALL, station.rng)
        return [] if lost_already(station) else ["nothing is lost where something must be: the power cut is none"]


def fail_syncs(station):
    """Some syncs fail; sometimes the disk is well again before the kill."""
    station.shim.fail(errno.EIO, ["sync"], first=station.rng.randint(1, 3), count=station.rng.randint(1, 4))
    time.sleep(station.rng.uniform(0.0, 0.6))


def lost_already(station):
    """What is neither delivered nor in the files, for the independent reader, before the program has touched them."""
    acked = station.book.acked_now()
    delivered = {delivery.record for delivery in list(station.receiver.arrived)}
    gone = acked - delivered - station.program.written()
    return [f"{len(gone)} acknowledged records are not in the log, first {min(gone)}"] if gone else []


def segments(folder, options):
    """Kills and power cuts while segments are filled, sealed and removed: each request is near a megabyte."""
    problems, most = [], 0
    padding = base64.b64encode(random.Random(options.seed).randbytes(720 * 1024)).decode()
    with Station(folder, seed=options.seed) as station:
        station.shim.keep_journal()
        station.start()
        crew = writer.Crew(station.program.port, station.book, pause=0.01, most=2, padding=padding)
        for number in range(options.rotations):
            if number % 4 == 1:
                station.receiver.down()
            time.sleep(station.rng.uniform(0.3, 1.2))
            most = max(most, count_segments(station))
            station.program.check_running()
            station.kill()
            powercut.cut(station.shim.path, powercut.LOSE_ALL if number % 2 else powercut.BY_CHANCE, station.rng)
            problems += [f"cut {number}: {text}" for text in lost_already(station)]
            if number % 4 == 3:
                station.receiver.up()
            station.start()
        crew.stop()
        with contextlib.suppress(OSError):
            station.receiver.up()
        problems += station.finish()
        left = count_segments(station)
        problems += [f"{left} segments are left"] * (left > 2) + ["segments did not pile up"] * (most < 3)
        return problems, {**station.figures(), "most segments": most}


def count_segments(station):
    return len(list((station.program.data / "bulk").glob("*.segment")))


# ---- what is left after a kill -------------------------------------------------------------------

def left_after_a_kill(program, folder, writes, per_second):
    """(acknowledged, delivered, lost, copies) of a program killed right after its last acknowledged write, backend down."""
    with Station(folder, program=program, strict=program is None, fsync="interval") as station:
        station.receiver.down()
        station.start()
        ours = station.writer()
        begun = time.monotonic()
        for number in range(writes):
            ours.write()
            if per_second:
                time.sleep(max(0.0, begun + (number + 1) / per_second - time.monotonic()))
        station.kill()
        ours.close()
        station.receiver.up()
        station.start()
        await_quiet(station)
        delivered = {delivery.record for delivery in station.receiver.arrived}
        return {"acknowledged": len(station.book.acked), "delivered": len(delivered & station.book.acked),
                "lost": len(station.book.acked - delivered), "copies": custody.repeated(station.receiver.arrived)}


def await_quiet(station, quiet=6.0, deadline=40.0):
    """Until everything has arrived, or nothing has come for some seconds."""
    end, begun = time.monotonic() + deadline, time.monotonic()
    while time.monotonic() < end and station.book.acked - {d.record for d in station.receiver.arrived}:
        if time.monotonic() - max(begun, station.receiver.latest) > quiet:
            return
        time.sleep(0.1)


def beside_vmagent(folder, options):
    """The same kill for Telex and for Debian's vmagent. Telex must lose nothing; vmagent's figures are only told (in the long form)."""
    figures, problems = {}, []
    programs = [("telex", None)] + [("vmagent", VmagentProgram)] * (options.long and VmagentProgram.available())
    for name, program in programs:
        for rate in (100, 0):
            key = f"{name}, {f'{rate} writes/s' if rate else 'burst'}"
            figures[key] = left_after_a_kill(program, folder / f"{name}-{rate}", options.peer_writes, rate)
            if name == "telex" and figures[key]["lost"]:
                problems.append(f"{key}: lost {figures[key]['lost']} acknowledged records")
    return problems, figures


CASES = {
    "at-each-call": at_each_call,
    "at-random": at_random,
    "power-cuts": power_cuts,
    "segments": segments,
    "beside-vmagent": beside_vmagent,
}
