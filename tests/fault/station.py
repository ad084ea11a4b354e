"""What a delivery run is played on: writers, the program under test with the shim below it, a receiver, the oracle.

Two programs can stand in the middle: Telex, and Debian's vmagent for comparison. Every wait has a deadline.
"""

import contextlib
import json
import random
import shutil
import subprocess
import time

import custody
import logfile
import net
import shim
import telex
from backend import BASE_MS, METRIC, Receiver, deliveries
from process import Process
from writer import Writer

DRAIN_DEADLINE = 30.0
FAST = {"retry_config": {"initial_delay_seconds": 0.05, "max_delay_seconds": 0.3}, "timeout": "2s",
        "buffer": {"fsync": "always"}}


class TelexProgram(telex.Telex):
    """Telex receiving remote write and delivering it to one receiver, or as `sections` of the config say."""

    def __init__(self, folder, url, fsync, **sections):
        out = telex.remote_write_exporter(url, **{**FAST, "buffer": {"fsync": fsync}})
        config = {"exporters": {"out": out}, "receive": {"remote_write": True},
                  "shutdown_timeout": "3s"}
        super().__init__(folder, {**config, **sections})
        (folder / "data").mkdir(exist_ok=True)
        self.data = folder / "data"

    def dead(self):
        """{record: reason} of all dead letters."""
        found = {}
        for folder in sorted((self.data / "dead").glob("*")):
            for frame in logfile.frames(folder):
                reason, payload = logfile.letter(frame)
                found.update((record, reason) for record in records_of(payload))
        return found

    def held(self):
        """The records that somebody is still owed."""
        return {record for frame, _ in logfile.owed(self.data / "bulk") for record in records_of(frame.payload)}

    def written(self):
        """All records in the log, owed or not."""
        return {record for frame in logfile.frames(self.data / "bulk") for record in records_of(frame.payload)}

    def exported(self, folder):
        """The records in a log's folder as `telex queue export` says."""
        done = subprocess.run([telex.BINARY, "queue", "export", folder], check=False, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert done.returncode == 0, f"queue export: {done.returncode}: {done.stderr.decode()}"
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return {(line["labels"]["writer"], net.parse_rfc3339(line["timestamp"]) // 10**6 - BASE_MS)
                for line in lines if line["name"] == METRIC}

    def readers_differ(self):
        """Texts: where `telex queue export` and our own reader see different records."""
        found = []
        for folder in [self.data / "bulk", *sorted((self.data / "dead").glob("*"))]:
            ours = {record for frame in logfile.frames(folder) for record in records_of(
                logfile.letter(frame)[1] if folder.parent.name == "dead" else frame.payload)}
            differ = ours ^ self.exported(folder)
            found += [f"{folder.name}: the readers differ in {len(differ)} records, first {min(differ)}"] if differ else []
        return found


def records_of(payload):
    return [delivery.record for series in logfile.samples(payload) for delivery in deliveries(series)]


class VmagentProgram:
    """Debian's vmagent with its default settings, but for the queue's folder."""

    def __init__(self, folder, url):
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(parents=True)
        self.port = net.free_port()
        self.url = f"http://{net.HOST}:{self.port}"
        self.argv = ["vmagent", f"-remoteWrite.url={url}/api/v1/write", f"-remoteWrite.tmpDataPath={self.data}",
                     f"-httpListenAddr={net.HOST}:{self.port}", "-loggerLevel=ERROR"]
        self.process = None

    def start(self, _=None):
        self.process = Process("vmagent", self.argv, self.folder, {"GOMAXPROCS": "2"}).start()
        return self

    def wait_ready(self):
        net.wait_until("vmagent to be ready", lambda: net.get(self.url + "/health", timeout=2).status == 200, every=0.02)
        return self

    def sigkill(self):
        self.process.kill()

    def sigterm(self):
        return self.process.stop()

    def close(self):
        if self.process is not None:
            self.process.kill()

    @staticmethod
    def available():
        return shutil.which("vmagent") is not None


# What destinations owe: all of them together have everything, each has, or the first has.
TOGETHER, EACH, FIRST = "together", "each", "first"


class Station:
    """One run: `station.program`, `station.receiver` and `station.others`, `station.book`, `station.shim`."""

    def __init__(self, folder, seed=0, mode=None, program=None, strict=True, receiver=None, others=(),
                 fsync="always", **sections):
        self.folder = folder
        self.rng = random.Random(seed)
        self.book = custody.Book()
        self.receiver = (receiver or Receiver(mode, strict)).up()
        self.others = list(others)
        self.duty = TOGETHER
        if program is None:
            self.program = TelexProgram(folder / "telex", self.receiver.url + "/api/v1/write", fsync, **sections)
        else:
            self.program = program(folder / "program", self.receiver.url)
        self.shim = shim.Shim(folder / "shim", self.program.data)
        self.kills = 0
        self.shimmed = program is None

    def close(self):
        process = self.program.process
        if process is not None and process.child is not None:
            process.kill()
        for receiver in [self.receiver, *self.others]:
            with contextlib.suppress(OSError):
                receiver.down()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- the program

    def start(self, wait=True):
        self.program.start(self.shim.environment() if self.shimmed else None)
        if wait:
            self.program.wait_ready()

    def start_or_die(self):
        """Starts; true when it is ready, false when the shim killed it before."""
        self.start(wait=False)
        deadline = time.monotonic() + telex.READY_DEADLINE
        while time.monotonic() < deadline:
            if not self.program.process.running():
                return False
            with contextlib.suppress(OSError):
                if net.get(self.program.url + "/-/ready", timeout=2).status == 200:
                    return True
            time.sleep(0.005)
        raise TimeoutError("telex is neither ready nor dead")

    def kill(self):
        self.program.sigkill()
        self.kills += 1

    def writer(self, series="w0"):
        return Writer(self.program.port, self.book, series)

    # -- the end

    def duties(self):
        """Lists of what arrived, each of which must have everything by itself (lists of lists: together)."""
        receivers = [self.receiver, *self.others]
        if self.duty == EACH:
            return [[list(receiver.arrived)] for receiver in receivers]
        if self.duty == FIRST:
            return [[list(self.receiver.arrived)]]
        return [[list(receiver.arrived) for receiver in receivers]]

    def accounted(self):
        missing = set()
        for destinations in self.duties():
            delivered = {delivery.record for arrived in destinations for delivery in arrived}
            missing |= self.book.acked_now() - delivered
        return not missing or not missing - set(self.program.dead())

    def drain(self, deadline=DRAIN_DEADLINE):
        """Until all that was acknowledged is delivered or buried, or the program has ended."""
        running = self.program.process.running
        with contextlib.suppress(TimeoutError):
            net.wait_until("the backlog to drain", lambda: not running() or self.accounted(), deadline)

    def finish(self, **expected):
        """Drains, ends the program on request, and gives all violations."""
        self.drain()
        status = self.program.sigterm()
        found = [f"telex ended with {status} on SIGTERM"] if status != 0 else []
        found += self.program.readers_differ()
        for receiver in [self.receiver, *self.others]:
            found += receiver.violations[:5]
        for destinations in self.duties():
            found += custody.judge(self.book, destinations, self.program.dead(), self.program.held(), **expected)
        try:
            self.program.check_log()
        except AssertionError as error:
            found.append(f"log: {error}")
        return found

    def figures(self):
        arrived = self.receiver.arrived
        return {"kills": self.kills, "acknowledged": len(self.book.acked), "delivered": len(arrived) -
                custody.repeated(arrived), "copies": custody.repeated(arrived), "dead": len(self.program.dead())}
