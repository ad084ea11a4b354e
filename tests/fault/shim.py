"""Puts tests/fault/shim.c under a program: counts its write-path calls, kills it at one of them, makes some fail.

One `Shim` is one control page, shared with the process while it runs; what is written here takes effect at the next call.
"""

import ctypes
import errno
import mmap
import os
import pathlib
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
LIBRARY = "tests/fault/libfault_shim.so"

KINDS = ("create", "write", "sync", "truncate", "rename", "unlink", "mkdir")
BEFORE, AFTER, HALF = range(3)
ALWAYS = 2**63
_building = threading.Lock()


class Control(ctypes.Structure):
    """struct control of shim.c."""

    _fields_ = [(name, ctypes.c_uint64) for name in (
        "calls", "kill_at", "kill_how", "fail_errno", "fail_kinds", "fail_from", "fail_count", "fail_half",
        "matched", "failed", "skip_sync", "journal")] + [("by_kind", ctypes.c_uint64 * len(KINDS))]


def library():
    """The built library; builds it when it is not there or older than its source."""
    built, source = BUILD / LIBRARY, pathlib.Path(__file__).with_name("shim.c")
    with _building:
        if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
            subprocess.run(["ninja", "-C", BUILD, LIBRARY], check=True, stdout=subprocess.DEVNULL)
    return built


class Shim:
    def __init__(self, folder, under):
        """Control files go to `folder`; calls are watched below the folder `under`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "control"
        self.under = pathlib.Path(os.path.realpath(under))
        self.path.write_bytes(bytes(4096))
        with open(self.path, "r+b") as file:
            self._page = mmap.mmap(file.fileno(), 4096)
        self.control = Control.from_buffer(self._page)

    def environment(self):
        return {"LD_PRELOAD": str(library()), "FAULT_CONTROL": str(self.path), "FAULT_UNDER": str(self.under)}

    @property
    def calls(self):
        return self.control.calls

    def by_kind(self):
        return {kind: self.control.by_kind[number] for number, kind in enumerate(KINDS)}

    def reset(self):
        """All counts to 0, nothing is killed, nothing fails."""
        journal, skip_sync = self.control.journal, self.control.skip_sync
        ctypes.memset(ctypes.byref(self.control), 0, ctypes.sizeof(Control))
        self.control.journal, self.control.skip_sync = journal, skip_sync

    def kill_at(self, call, how=BEFORE):
        """SIGKILL at call number `call` since the last reset: before it, after it, or with half of its bytes written."""
        self.control.kill_how = how
        self.control.kill_at = call

    def fail(self, number=errno.ENOSPC, kinds=KINDS, first=1, count=ALWAYS, half=False):
        """Calls of these kinds fail from the `first` one from now on, `count` times."""
        control = self.control
        control.fail_errno = 0
        control.matched = 0
        control.fail_kinds = sum(1 << KINDS.index(kind) for kind in kinds)
        control.fail_from, control.fail_count, control.fail_half = first, count, int(half)
        control.fail_errno = number

    def heal(self):
        self.control.fail_errno = 0

    def keep_journal(self):
        """From now on what is overwritten is kept, for powercut.cut(); syncs are noted and not made."""
        self.control.skip_sync = 1
        self.control.journal = 1
