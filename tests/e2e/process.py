"""One child process with its own log file, stopped by its own id and never by name.

The kernel kills the child if the test run itself dies, so nothing is left running after an interrupted run.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    def __init__(self, name, argv, folder, env=None):
        self.name = name
        self.argv = [str(word) for word in argv]
        self.folder = folder
        self.env = {**os.environ, **(env or {})}
        self.log_path = folder / f"{name}.log"
        self.child = None

    def start(self):
        """Starts the child; its stdout and stderr are appended to the log file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(
                self.argv, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent)
        return self

    @property
    def pid(self):
        return self.child.pid

    def running(self):
        return self.child is not None and self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def stop(self, grace=10.0):
        """SIGTERM, then SIGKILL after the grace (seconds). Returns the exit status, None if never started."""
        if self.child is None:
            return None
        if self.running():
            self.child.terminate()
            try:
                self.child.wait(grace)
            except subprocess.TimeoutExpired:
                self.child.kill()
        return self.child.wait()

    def kill(self):
        """SIGKILL and reap."""
        if self.running():
            self.child.kill()
        return self.child.wait()

    def wait(self, deadline=10.0):
        return self.child.wait(deadline)

    def log(self):
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def rss_bytes(self):
        """Resident memory of the child now."""
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def burn_cpu(folder, seconds, workers):
    """Starts `workers` busy processes of the lowest priority that end by themselves after `seconds`."""
    code = "import os, time\nos.nice(19)\nend = time.monotonic() + %g\nwhile time.monotonic() < end: pass" % seconds
    return [Process(f"burn{number}", [sys.executable, "-S", "-c", code], folder).start()
            for number in range(workers)]


def sleep_until(moment):
    """Sleeps to a time.time() moment; returns at once when it has passed."""
    time.sleep(max(0.0, moment - time.time()))
