"""An event source on its own, driven by hand through build/tests/fake/telex-source: no exporter around it."""

import ctypes
import json
import signal
import subprocess

import pytest

from telex import BINARY

PROBE = BINARY.parent / "tests" / "fake" / "telex-source"
_libc = ctypes.CDLL(None)


class EventSource:
    def __init__(self, stream, **config):
        if not PROBE.exists():
            pytest.skip(f"{PROBE} was not built")
        self.child = subprocess.Popen([str(PROBE), stream, json.dumps(config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True, preexec_fn=lambda: _libc.prctl(1, signal.SIGKILL))

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        """Ends it in order, so that a build with sanitizers says what it leaves behind."""
        try:
            self.child.stdin.close()
            status = self.child.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            self.kill()
            raise
        assert failure is not None or status in (0, -signal.SIGKILL), status

    def kill(self):
        self.child.kill()
        self.child.wait()

    def ask(self, *words):
        self.child.stdin.write("\t".join(str(word) for word in words) + "\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def start(self, position="", identity=""):
        return self.ask("start", position, identity)

    def begin(self, position="", identity=""):
        """A start that must come off."""
        begun = self.start(position, identity)
        assert begun["result"] == "ok", begun
        return begun

    def read(self, count, limit=100, tries=1000):
        """As many changes as are expected, and then none for a while."""
        changes = []
        for _ in range(tries):
            batch = self.ask("next", limit, 1000)
            assert batch["result"] == "ok", batch
            changes += batch["changes"]
            if not batch["changes"] and (len(changes) >= count or not batch["position"]):
                break
        return changes

    def backfill(self, end, page, cursor="", from_ns=0, newest=0):
        changes = []
        for _ in range(1000):
            batch = self.ask("backfill", page, end, cursor, from_ns, newest)
            assert batch["result"] == "ok", batch
            changes += batch["changes"]
            if batch["done"]:
                return changes
            cursor = batch["position"] or batch["changes"][-1]["position"]
        raise AssertionError("a backfill without an end")


def ids(changes):
    return [change["id"] for change in changes]
