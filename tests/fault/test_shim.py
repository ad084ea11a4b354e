"""The shim and the power cut, under a small program that changes files."""

import errno
import os
import random
import signal
import subprocess
import sys
import textwrap

import pytest

import powercut
import shim

PROGRAM = """
import os, sys
os.chdir(sys.argv[1])
root = os.getcwd()
def folder_sync():
    fd = os.open(root + "/d", os.O_RDONLY); os.fsync(fd); os.close(fd)
os.mkdir(root + "/d")
fd = os.open(root + "/d/log", os.O_RDWR | os.O_CREAT)
folder_sync()
for number in range(4):
    data = bytes([65 + number]) * 1000
    assert os.pwrite(fd, data, number * 1000) == 1000
    if number < 2:
        os.fdatasync(fd)
    print(number, flush=True)
other = os.open(root + "/d/new.tmp", os.O_WRONLY | os.O_CREAT)
os.write(other, b"new"); os.fsync(other); os.close(other)
os.rename(root + "/d/new.tmp", root + "/d/old")
os.unlink(root + "/d/gone")
print("end", flush=True)
"""


class Small:
    def __init__(self, folder):
        self.work = folder / "work"
        self.work.mkdir()
        self.shim = shim.Shim(folder / "control", self.work)

    def run(self, program=PROGRAM):
        """(exit status, what was printed)."""
        done = subprocess.run([sys.executable, "-S", "-c", textwrap.dedent(program), self.work], check=False,
                              env={**os.environ, **self.shim.environment()}, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        return done.returncode, done.stdout.decode().split()

    def seed(self):
        (self.work / "d").mkdir()
        (self.work / "d" / "old").write_text("old")
        (self.work / "d" / "gone").write_text("gone")

    def texts(self):
        return {path.name: path.read_bytes() for path in (self.work / "d").iterdir()}


@pytest.fixture(name="small")
def made(tmp_path):
    result = Small(tmp_path)
    result.seed()
    return result


RUNS = PROGRAM.replace('os.mkdir(root + "/d")\n', "")


def test_counts_calls_below_the_folder(small):
    assert small.run(RUNS) == (0, ["0", "1", "2", "3", "end"])
    assert small.shim.by_kind() == {"create": 2, "write": 5, "sync": 4, "truncate": 0, "rename": 1, "unlink": 1,
                                    "mkdir": 0}
    assert small.shim.calls == 13


@pytest.mark.parametrize("how,size", [(shim.BEFORE, 0), (shim.HALF, 500), (shim.AFTER, 1000)])
def test_kills_at_a_call(small, how, size):
    small.shim.kill_at(3, how)
    assert small.run(RUNS) == (-signal.SIGKILL, [])
    assert len(small.texts()["log"]) == size


def test_each_call_can_be_the_last(small):
    for number in range(1, 14):
        small.shim.reset()
        small.shim.kill_at(number)
        (small.work / "d" / "gone").touch()
        assert small.run(RUNS)[0] == -signal.SIGKILL
        assert small.shim.calls == number
    small.shim.reset()
    small.shim.kill_at(14)
    assert small.run(RUNS)[0] == 0


def test_fails_in_a_window(small):
    small.shim.fail(errno.ENOSPC, ["write"], first=2, count=1)
    loop = RUNS.replace("    assert os.pwrite(fd, data, number * 1000) == 1000\n", """
    try:
        os.pwrite(fd, data, number * 1000)
    except OSError as error:
        print(error.errno)
""")
    assert small.run(loop) == (0, ["0", str(errno.ENOSPC), "1", "2", "3", "end"])
    small.shim.heal()
    assert small.run(RUNS.replace('os.unlink(root + "/d/gone")', ""))[0] == 0


def test_a_full_disk_takes_half(small):
    small.shim.fail(errno.ENOSPC, ["write"], first=2, half=True)
    assert small.run(RUNS)[0] == 1
    assert len(small.texts()["log"]) == 1500


def test_power_cut_keeps_what_was_synced(small):
    small.shim.keep_journal()
    assert small.run(RUNS)[0] == 0
    assert small.texts()["log"][2000:] and small.texts()["old"] == b"new" and "gone" not in small.texts()
    assert powercut.cut(small.shim.path, powercut.LOSE_ALL, random.Random(1)) == 5
    assert small.texts() == {"log": b"A" * 1000 + b"B" * 1000, "old": b"old", "gone": b"gone"}


def test_a_failed_sync_forgets(small):
    small.shim.keep_journal()
    small.shim.fail(errno.EIO, ["sync"], first=2, count=1)
    program = RUNS.replace("        os.fdatasync(fd)\n", """
        try:
            os.fdatasync(fd)
        except OSError:
            pass
""")
    assert small.run(program)[0] == 0
    powercut.cut(small.shim.path, powercut.LOSE_ALL, random.Random(1))
    assert small.texts()["log"] == bytes(1000) + b"B" * 1000


def test_power_cut_by_chance(small):
    small.shim.keep_journal()
    seen = set()
    for seed in range(12):
        small.run(RUNS)
        powercut.cut(small.shim.path, powercut.BY_CHANCE, random.Random(seed))
        log = small.texts()["log"]
        assert log[:2000] == b"A" * 1000 + b"B" * 1000
        assert set(log[2000:]) <= {0, ord("C"), ord("D")}
        seen.add((log, *small.texts()))
        for path in small.work.joinpath("d").iterdir():
            path.unlink()
        (small.work / "d" / "old").write_text("old")
        (small.work / "d" / "gone").write_text("gone")
    assert len(seen) > 4


def test_a_new_folder_goes_when_its_parent_was_not_synced(tmp_path):
    small = Small(tmp_path)
    small.shim.keep_journal()
    small.run()
    powercut.cut(small.shim.path, powercut.LOSE_ALL, random.Random(1))
    assert not list(small.work.iterdir())
