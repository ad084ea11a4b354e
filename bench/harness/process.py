"""Children that cannot outlive us, and what the kernel says about them."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1


class BenchError(Exception):
    """The run cannot give a figure that means anything."""


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Child:
    """One started program; always stop() it."""

    def __init__(self, argv, log_path, cwd, stdout=None):
        self.argv = argv
        self.log_path = log_path
        self._log = open(log_path, "wb")
        self.process = subprocess.Popen(
            argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stdout or self._log,
            stderr=self._log, preexec_fn=_die_with_parent)
        self.pid = self.process.pid

    def check(self):
        """Raises when the program has ended by itself."""
        status = self.process.poll()
        if status is not None:
            raise BenchError(f"{self.argv[0]} ended with status {status}:\n{self.log_tail()}")

    def log_tail(self, lines=8):
        with open(self.log_path, "rb") as log:
            return b"\n".join(log.read()[-8192:].splitlines()[-lines:]).decode(errors="replace")

    def stop(self, grace_s=40):
        """SIGTERM, then SIGKILL when that is not heard within the grace."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()


@dataclass
class Memory:
    """Bytes; pss is 0 where it was not asked for."""
    rss: int = 0
    hwm: int = 0
    anon: int = 0
    pss: int = 0


def cpu_seconds(pid):
    """User and system time of all threads, ended ones too."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _kib_fields(path):
    with open(path, encoding="ascii") as text:
        for line in text:
            parts = line.split()
            if len(parts) == 3 and parts[2] == "kB":
                yield parts[0].rstrip(":"), int(parts[1]) * 1024


def memory(pid, with_pss=False):
    status = dict(_kib_fields(f"/proc/{pid}/status"))
    rollup = dict(_kib_fields(f"/proc/{pid}/smaps_rollup")) if with_pss else {}
    return Memory(rss=status["VmRSS"], hwm=status["VmHWM"], anon=status["RssAnon"],
                  pss=rollup.get("Pss", 0))


def reset_peak(pid):
    """Starts VmHWM again from the present RSS; where that is refused the peak covers the whole run."""
    try:
        with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as control:
            control.write("5")
        return True
    except OSError:
        return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def loop_ms():
    """CPU time of a fixed piece of work now: it grows when others share the core and its caches."""
    started = time.thread_time_ns()
    total = 0
    for i in range(40000):
        total += i ^ total & 0xff
    return (time.thread_time_ns() - started) / 1e6
