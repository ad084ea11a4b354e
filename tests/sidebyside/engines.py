"""Telex and vmalert with the same flags, reading one Prometheus, each writing to its own store."""

import time

import net
import servers
import telex
from process import Process

FNV_OFFSET, FNV_PRIME, WORD = 0xCBF29CE484222325, 0x100000001B3, 1 << 64
# vmalert's tick must not fall where its time, taken back to a multiple of the interval, is one or the other by chance.
GOOD = (0.15, 0.8)


def fnv64a(text):
    """The hash that vmalert spreads its groups by."""
    value = FNV_OFFSET
    for byte in text:
        value = (value ^ byte) * FNV_PRIME % WORD
    return value


def group_id(path, name):
    return fnv64a(f"{path}".encode() + b"\xff" + name.encode() + b"prometheus")


def is_good(path, name, _interval):
    """Whether vmalert's ticks of this group stay clear of the multiples of its interval."""
    return GOOD[0] <= group_id(path, name) / WORD <= GOOD[1]


class Engine:
    """One engine with the VictoriaMetrics that it writes to: Prometheus refuses what vmalert 1.79.5 writes (compare.py)."""

    def __init__(self, name, folder, argv):
        self.name, self.folder, self.argv = name, folder, argv
        self.store = servers.VictoriaMetrics(folder)
        self.port, self.process = net.free_port(), None

    def start(self, rules, source, delay, managers=()):
        self.store.start()
        flags = [f"-rule={rules}", f"-datasource.url={source.url}", f"-remoteWrite.url={self.store.url}",
                 f"-notifier.url={managers[0] if managers else 'http://127.0.0.1:9'}", "-external.label=dc=east",
                 f"-httpListenAddr={net.HOST}:{self.port}", f"-datasource.lookback={delay}s",
                 "-remoteWrite.flushInterval=500ms"]
        self.process = Process(self.name, [*self.argv, *flags], self.folder, servers.GO_ENV).start()
        net.wait_until(f"{self.name} to answer", lambda: net.get(self.url + "/metrics", timeout=2).status == 200)
        return self

    @property
    def url(self):
        return f"http://{net.HOST}:{self.port}"

    def group_ids(self):
        groups = net.get(self.url + "/api/v1/rules", timeout=30).json()["data"]["groups"]
        return {group["name"]: int(group["id"]) for group in groups}

    def missed(self):
        """Evaluations that it says it missed."""
        lines = net.get(self.url + "/metrics", timeout=30).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines
                   if line.startswith(("vmalert_iteration_missed_total", "telex_rule_group_iterations_missed_total")))

    def samples(self):
        """Everything that it wrote: {labels: [(milliseconds, value)]}; a stale marker is None."""
        return self.store.export('{dc="east"}')

    def stop(self):
        for process in (self.process, self.store):
            if process is not None:
                process.stop()


def both(folder):
    """(telex, vmalert), not started."""
    return (Engine("telex", folder / "telex", [telex.BINARY, "vmalert", f"-telex.state={folder}/telex/state"]),
            Engine("vmalert", folder / "vmalert", ["vmalert"]))


def wait_past(moment):
    time.sleep(max(0.0, moment - time.time()))
