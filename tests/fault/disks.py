"""Delivery runs on disks that are damaged, full, failing or read-only.

A case is a function (folder, options) -> (violations, figures).
"""

import concurrent.futures
import errno
import time

import custody
import logfile
import net
import writer
from combinators import told
from station import Station

# A push that is not on disk by then is refused.
HELD_S = 20.0
FAILING = (
    ("ENOSPC", errno.ENOSPC, ("create", "write", "mkdir"), False),
    ("ENOSPC in the middle of a write", errno.ENOSPC, ("create", "write", "mkdir"), True),
    ("EIO from writes", errno.EIO, ("write",), False),
    ("EIO from syncs", errno.EIO, ("sync",), False),
    ("EROFS", errno.EROFS, ("create", "write", "truncate", "rename", "unlink", "mkdir"), False),
)


def failing_windows(folder, options):
    """Each failure for a while: nothing is acknowledged meanwhile, the program lives, and goes on afterwards."""
    problems, figures = [], {"windows": 0, "refused": 0, "calls failed": 0}
    with Station(folder, seed=options.seed) as station:
        station.start()
        crew = writer.Crew(station.program.port, station.book, give_up=0.3)
        for name, number, kinds, half, seconds in windows(options):
            found, refused = judge_window(crew, *fail_for(station, number, kinds, half, seconds))
            problems += [f"{name}: {text}" for text in found]
            problems += [f"{name}: nobody was refused"] * (seconds > HELD_S and not refused)
            figures["windows"] += 1
            figures["refused"] += refused
            figures["calls failed"] += station.shim.control.failed
            station.program.check_running()
            await_ack(crew, f"an acknowledgement after {name}")
        crew.stop()
        problems += station.finish()
        return problems, {**figures, **station.figures()}


def windows(options):
    """What fails, how, and for how long: one second, and in the long form longer than a push waits."""
    for window in FAILING * options.rounds:
        yield *window, 1.0
    if options.long:
        for window in FAILING:
            yield *window, HELD_S + 2.0


def fail_for(station, number, kinds, half, seconds):
    """(begin, end) of a time in which every such call failed."""
    station.shim.control.failed = 0
    station.shim.fail(number, kinds, half=half)
    begin = time.monotonic()
    time.sleep(seconds)
    end = time.monotonic()
    station.shim.heal()
    return begin, end


def judge_window(crew, begin, end):
    """No request that was sent and answered within the window may have been acknowledged. Also how many were refused."""
    inside = [attempt for attempt in crew.attempts() if attempt.sent > begin and attempt.answered < end]
    acked = [attempt for attempt in inside if 200 <= attempt.status < 300]
    wrong = [attempt for attempt in inside if attempt.status not in (429, 503) and attempt not in acked]
    found = [f"{len(acked)} requests acknowledged that are on no disk"] if acked else []
    found += [f"answered {sorted({attempt.status for attempt in wrong})} instead of 429 or 503"] if wrong else []
    return found, len(inside) - len(acked)


def await_ack(crew, what):
    since = time.monotonic()
    net.wait_until(what, lambda: any(attempt.sent > since and attempt.status == 204 or
                                     attempt.sent > since and attempt.status == 200
                                     for attempt in crew.attempts()), 20)


# ---- damage between stop and start ---------------------------------------------------------------

def flip_bits(data, rng):
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def overwrite(data, rng):
    at = rng.randrange(len(data))
    length = min(rng.randint(1, 4096), len(data) - at)
    data[at:at + length] = rng.choice((bytes(length), rng.randbytes(length), bytes([255]) * length))


def tear(data, rng):
    del data[rng.randint(logfile.DATA_START, len(data)):]


DAMAGES = (flip_bits, overwrite, tear)


def damaged(folder, options):
    """Files of the log damaged and torn between stop and start: what is whole is delivered, what is not is counted or set
    aside."""
    problems, figures = [], {"runs": 0, "acknowledged": 0, "damaged": 0, "delivered": 0, "copies": 0}
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(damage_one, folder / str(number), options.seed, number)
                for number in range(options.damages)]
        for run in runs:
            found, counts = told(run)
            problems += found
            figures["runs"] += 1
            for name, count in counts.items():
                figures[name] += count
    return problems, figures


def damage_one(folder, seed, number):
    """(violations, counts) of one damage: of a segment, now and then of the files that say who and how far."""
    how = DAMAGES[number % len(DAMAGES)]
    name = ("*.segment", "*.segment", "*.segment", "cursors", "consumers")[number // len(DAMAGES) % 5]
    with Station(folder, seed=seed + number) as station:
        found, lost = damage_once(station, how, name)
        return [f"{how.__name__} {name} {number}: {text}" for text in found], {
            "acknowledged": len(station.book.acked), "delivered": len(station.book.acked), "damaged": len(lost),
            "copies": custody.repeated(station.receiver.arrived)}


def damage_once(station, how, name):
    """(violations, records that were damaged)."""
    fill(station, delivers=not name.endswith(".segment"))
    path = station.rng.choice(sorted((station.program.data / "bulk").glob(name)))
    data = bytearray(path.read_bytes())
    how(data, station.rng)
    path.write_bytes(data)
    silent = how is tear and path.suffix == ".segment" and ends_between_frames(data)
    lost = station.book.acked - station.program.written() - {delivery.record for delivery in station.receiver.arrived}
    differ = station.program.readers_differ()
    station.receiver.up()
    station.start()
    metrics = dict(station.program.metrics())
    station.book.acked -= lost
    found = differ + station.finish()
    if lost and not silent and not is_told(station, metrics):
        found.append(f"{len(lost)} records damaged, and neither metric nor quarantine nor log says so")
    return found, lost


def ends_between_frames(data):
    """Whether nobody could see that something was behind this: at most padding is missing."""
    frames = logfile.file_frames(data)
    return len(data) - (frames[-1].end if frames else logfile.DATA_START) in range(-7, 1)


def fill(station, delivers, kill_share=0.75):
    """Two runs of the program, killed or stopped, the second one with the backend down; the first one `delivers` or not."""
    for life in range(2):
        if life == 1 or not delivers:
            station.receiver.down()
        station.start()
        ours = station.writer()
        ours.next = station.book.sent.get(ours.series, 0) + 1
        for number in range(30):
            ours.write(1 + number % 7)
        ours.close()
        if station.rng.random() < kill_share:
            station.kill()
        else:
            station.program.process.stop()


def is_told(station, metrics):
    counted = any(value > 0 for name, values in metrics.items() if name.startswith("telex_log_")
                  and any(word in name for word in ("damaged", "torn", "quarantine")) for value in values.values())
    aside = station.program.data / "bulk" / "quarantine"
    return counted or (aside.is_dir() and any(aside.iterdir()))


CASES = {
    "failing-disk": failing_windows,
    "damaged-segments": damaged,
}
