"""How each engine is started so that it does the same work and loses none of it."""

import re
import shutil
import subprocess
import urllib.request

from harness.process import BenchError, Child, free_port

# Never full here, and small beside the state: Go counts its room in the heap (48 bytes each).
VMALERT_QUEUE = 400000

TELEX_CONFIG = """\
server:
  listen: 127.0.0.1:{port}
state:
  path: {folder}/state
datasource:
  url: {peer}
rules:
  - {rules}
exporters:
  sink:
    type: remote_write
    url: {peer}/api/v1/write
routes:
  - to: [sink]
"""


class Vmalert:
    """A queue that holds, large batches, no repeated notifications: all in its favour."""
    name = "vmalert"

    def __init__(self, program="vmalert"):
        self.program = shutil.which(program)
        if not self.program:
            raise BenchError("vmalert is missing: apt-get install victoria-metrics")

    def version(self):
        text = subprocess.run([self.program, "-version"], capture_output=True, text=True, check=False)
        found = re.search(r"\d+\.\d+\.\d+", text.stdout + _package_version("victoria-metrics"))
        return found.group(0) if found else "?"

    def start(self, plan, rules, peer, folder):
        port = free_port()
        self.metrics_url = f"http://127.0.0.1:{port}/metrics"
        return Child([
            self.program, f"-rule={rules}", f"-datasource.url={peer}", f"-remoteWrite.url={peer}",
            f"-notifier.url={peer}", f"-httpListenAddr=127.0.0.1:{port}",
            f"-evaluationInterval={plan.interval_s}s", "-rule.resendDelay=24h",
            "-datasource.queryTimeAlignment=false",
            f"-remoteWrite.maxQueueSize={VMALERT_QUEUE}",
            "-remoteWrite.maxBatchSize=10000", "-remoteWrite.concurrency=2",
            "-remoteWrite.flushInterval=1s", "-loggerLevel=WARN",
        ], folder / "vmalert.log", folder)

    def notes(self):
        """What the Go runtime says of its heap; asked for after everything is measured."""
        with urllib.request.urlopen(self.metrics_url, timeout=120) as answer:
            text = answer.read().decode()
        names = {"Go heap in use, bytes": "go_memstats_heap_inuse_bytes",
                 "rows dropped": "vmalert_remotewrite_dropped_rows_total"}
        found = {what: re.search(rf"^{name} (\S+)$", text, re.M) for what, name in names.items()}
        return {what: float(value.group(1)) for what, value in found.items() if value}


class Telex:
    name = "telex"

    def __init__(self, program):
        self.program = shutil.which(program)
        if not self.program:
            raise BenchError(f"{program} is missing: make build")

    def version(self):
        text = subprocess.run([self.program, "version"], capture_output=True, text=True, check=False)
        found = re.search(r"\d+\.\d+\.\d+\S*", text.stdout)
        return found.group(0) if found else "?"

    def start(self, plan, rules, peer, folder):
        config = folder / "telex.yaml"
        config.write_text(TELEX_CONFIG.format(port=free_port(), folder=folder, peer=peer, rules=rules),
                          encoding="utf-8")
        return Child([self.program, "run", "-c", str(config)], folder / "telex.log", folder)

    def notes(self):
        return {}


def _package_version(package):
    text = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True,
                          text=True, check=False)
    return text.stdout
