#!/usr/bin/python3
"""How fast OTLP over gRPC is received and held: Google's client (python3-grpcio) sends requests of 2,000 points of ten
attributes, as made by an encoder of the tests, to a Telex whose one exporter writes to a log on disk.

usage: grpc_receive.py [SECONDS [SENDERS]]
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import grpc

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import net  # noqa: E402
import otlp  # noqa: E402
import otlp_grpc  # noqa: E402

POINTS, IN_FLIGHT = 2000, 4
NAMES = ["cluster", "code", "env", "handler", "instance", "job", "method", "region", "zone", "pod"]

CONFIG = """
server: {{ listen: 127.0.0.1:{port} }}
state: {{ path: {folder}/data }}
receive: {{ otlp_grpc: {{ listen: 127.0.0.1:{grpc_port} }} }}
exporters:
  nowhere: {{ type: remote_write, url: http://127.0.0.1:9, buffer: {{ overflow: drop_oldest }} }}
"""


def request():
    def attributes(i):
        return [{"key": name, "value": {"stringValue": f"server-{i:05d}" if name == "instance" else "production-1"}}
                for name in NAMES]
    points = [{"attributes": attributes(i), "timeUnixNano": 1705314600123000000, "asDouble": i + 0.5} for i in range(POINTS)]
    return otlp.encode("MetricsRequest", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "http_request_duration_seconds", "gauge": {"dataPoints": points}}]}]}]})


def send(port, seconds):
    """Calls that were answered OK within that time, IN_FLIGHT at a time."""
    message, done, end = request(), 0, time.monotonic() + seconds
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = otlp_grpc.client(channel, "metrics")
        flying = [export.future(message, timeout=30) for _ in range(IN_FLIGHT)]
        while time.monotonic() < end:
            flying.pop(0).result()
            done += 1
            flying.append(export.future(message, timeout=30))
        for call in flying:
            call.result()
    print(done, flush=True)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ready(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2) as answer:
        return answer.status == 200


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    senders = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    port, grpc_port = net.free_port(), net.free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "telex.yaml"
        config.write_text(CONFIG.format(port=port, grpc_port=grpc_port, folder=folder))
        telex = subprocess.Popen([os.environ.get("TELEX_BIN", ROOT / "build" / "telex"), "run", "-c", config],
                                 stderr=subprocess.DEVNULL)
        try:
            net.wait_until("telex", lambda: ready(port))
            before = cpu_seconds(telex.pid)
            children = [subprocess.Popen([sys.executable, __file__, "send", str(grpc_port), str(seconds)],
                                         stdout=subprocess.PIPE) for _ in range(senders)]
            points = POINTS * sum(int(child.communicate()[0]) for child in children)
            cpu = cpu_seconds(telex.pid) - before
        finally:
            telex.terminate()
            telex.wait()
    print(f"{points / seconds * 1e-6:.2f} M points/s held, {points / cpu * 1e-6:.2f} M points per CPU second of telex")


if __name__ == "__main__":
    if sys.argv[1:2] == ["send"]:
        send(int(sys.argv[2]), float(sys.argv[3]))
    else:
        main()
