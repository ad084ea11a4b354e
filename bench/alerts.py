#!/usr/bin/env python3
"""Rules with many alerts each: CPU and memory at rest, /api/v1/rules, restart and reload (docs/bench.md).

Telex and vmalert ask bench-peer; Prometheus asks itself for series that it scraped before. The peer is Alertmanager and
remote storage of all. Engines run one after the other, each with its default resend delay.
Exit status 1 when an engine had not all alerts firing.
"""

import argparse
import http.server
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from harness import engines, process  # noqa: E402
from harness.peer import Peer  # noqa: E402
from harness.process import BenchError, Child, free_port  # noqa: E402

ALERT = """\
      - alert: BenchAlert{n:05d}
        expr: bench_alert_{n:03d}{{env="production"}} > 0
        labels: {{ severity: critical }}
        annotations:
          summary: "Saturation on {{{{ $labels.instance }}}}"
          description: "{{{{ $labels.job }}}} on {{{{ $labels.instance }}}} ({{{{ $labels.mode }}}}) is at {{{{ $value | humanize }}}}"
          dashboard: "https://grafana.example.net/d/nodes?var-instance={{{{ $labels.instance }}}}&var-cluster={{{{ $labels.cluster }}}}"
"""

PROMETHEUS = """\
global: {{ scrape_interval: 60s, scrape_timeout: 50s, evaluation_interval: {interval}s }}
rule_files: [ {rules} ]
alerting: {{ alertmanagers: [ {{ static_configs: [ {{ targets: [ "{peer}" ] }} ] }} ] }}
scrape_configs:
  - {{ job_name: node-exporter, honor_labels: true, static_configs: [ {{ targets: [ "127.0.0.1:{metrics}" ] }} ] }}
"""

MODES = ("idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user")
ALERTMANAGER = "exporters:\n  am:\n    type: alertmanager\n    url: {peer}\n"


def write_rules(path, args, mark=""):
    each = args.rules // args.groups
    with open(path, "w", encoding="utf-8") as out:
        out.write("groups:\n")
        for g in range(args.groups):
            out.write(f"  - name: g{g}{mark if g == 0 else ''}\n    interval: {args.interval}s\n    rules:\n")
            out.writelines(ALERT.format(n=g * each + r) for r in range(each))
    return path


# ---- engines ----

class Vmalert(engines.Vmalert):
    def start(self, plan, rules, peer, folder):
        self.url = f"http://127.0.0.1:{free_port()}"
        return Child([self.program, f"-rule={rules}", f"-datasource.url={peer}", f"-remoteWrite.url={peer}",
                      f"-notifier.url={peer}", f"-httpListenAddr={self.url[7:]}",
                      f"-evaluationInterval={plan.interval}s", "-remoteWrite.maxQueueSize=400000",
                      "-loggerLevel=WARN"], folder / "vmalert.log", folder)


class Telex(engines.Telex):
    def start(self, plan, rules, peer, folder):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        text = engines.TELEX_CONFIG.format(port=port, folder=folder, peer=peer, rules=rules)
        text = text.replace("exporters:\n", ALERTMANAGER.format(peer=peer)).replace("[sink]", "[am, sink]")
        config = folder / "telex.yaml"
        config.write_text(text, encoding="utf-8")
        self.argv = [self.program, "run", "-c", str(config)]
        return Child(self.argv, folder / "telex.log", folder)


class Prometheus:
    name = "prometheus"

    def __init__(self):
        self.program = shutil.which("prometheus")
        if not self.program:
            raise BenchError("prometheus is missing: apt-get install prometheus")

    def version(self):
        out = subprocess.run([self.program, "--version"], capture_output=True, text=True, check=False)
        return (out.stdout + out.stderr).split()[2]

    def start(self, plan, rules, peer, folder):
        self.url = f"http://127.0.0.1:{free_port()}"
        config = folder / "prometheus.yml"
        config.write_text(PROMETHEUS.format(interval=plan.interval, rules=rules, peer=peer[7:],
                                            metrics=serve_metrics(plan)), encoding="utf-8")
        return Child([self.program, f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
                      f"--web.listen-address={self.url[7:]}", "--log.level=error"], folder / "prometheus.log", folder)


def serve_metrics(plan):
    """The series that bench-peer answers with, as a target to be scraped; the port."""
    lines = []
    for n in range(plan.rules):
        for i in range(plan.alerts):
            node = i // len(MODES)
            lines.append(f'bench_alert_{n:03d}{{cluster="payments-eu-{node % 7 + 1}",datacenter="fra{node % 3 + 1}-b",'
                         f'env="production",instance="node-{node:05d}.fra.example.net:9100",job="node-exporter",'
                         f'mode="{MODES[i % len(MODES)]}"}} {i + 1}\n')
    body = "".join(lines).encode()

    class Target(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):  # pylint: disable=redefined-builtin
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


# ---- what is measured ----

def get(url, method="GET"):
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=300) as answer:
        size = 0
        while piece := answer.read(1 << 20):
            size += len(piece)
    return size


def count_alerts(engine):
    with urllib.request.urlopen(engine.url + "/api/v1/alerts", timeout=300) as answer:
        return sum(a["state"] == "firing" for a in json.load(answer)["data"]["alerts"] or ())


def wait_for(child, what, limit_s, check, pause_s=0.1):
    until = time.monotonic() + limit_s
    while True:
        child.check()
        try:
            if check():
                return
        except (OSError, ValueError):
            pass
        if time.monotonic() > until:
            raise BenchError(f"{what}: not within {limit_s} s\n{child.log_tail()}")
        time.sleep(pause_s)


def wait_rest(child, share=0.02, limit_s=60):
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        before = process.cpu_seconds(child.pid)
        time.sleep(2)
        if process.cpu_seconds(child.pid) - before <= 2 * share:
            return


def timed(child, what, work):
    """CPU of the child and wall time of <work>, in milliseconds."""
    before, start = process.cpu_seconds(child.pid), time.monotonic()
    result = work()
    wall = (time.monotonic() - start) * 1e3
    cpu = (process.cpu_seconds(child.pid) - before) * 1e3
    print(f"  {what:24} {cpu:8.0f} ms CPU {wall:8.0f} ms wall", flush=True)
    return result


def measure_rules_page(engine, child, times):
    """The mean of some: the kernel counts CPU in steps of 10 ms."""
    before, start = process.cpu_seconds(child.pid), time.monotonic()
    for _ in range(times):
        size = get(engine.url + "/api/v1/rules")
    wall = (time.monotonic() - start) * 1e3 / times
    cpu = (process.cpu_seconds(child.pid) - before) * 1e3 / times
    print(f"  /api/v1/rules            {cpu:8.0f} ms CPU {wall:8.0f} ms wall {size / 1e6:8.1f} MB", flush=True)


def measure_restart(engine, child, peer, args, folder):
    """Stop, start, first answer; what Alertmanager is told because of it."""
    told = peer.stats()["notified_alerts"]
    start = time.monotonic()
    child.stop(120)
    print(f"  stop                              {(time.monotonic() - start) * 1e3:16.0f} ms wall", flush=True)
    state = sum(f.stat().st_size for f in (folder / "state").rglob("*") if f.is_file())
    start = time.monotonic()
    child = Child(engine.argv, folder / "telex2.log", folder)
    wait_for(child, "ready", 120, lambda: get(engine.url + "/-/ready"))
    print(f"  start until ready        {process.cpu_seconds(child.pid) * 1e3:8.0f} ms CPU "
          f"{(time.monotonic() - start) * 1e3:8.0f} ms wall, {state / 2**20:.0f} MiB of state, "
          f"RSS {process.memory(child.pid).rss / 2**20:.0f} MiB", flush=True)
    try:
        firing = count_alerts(engine)
        print(f"  firing after the start   {firing:8}, told since the stop {peer.stats()['notified_alerts'] - told}", flush=True)
        if firing != args.rules * args.alerts:
            raise BenchError("alerts were lost in the restart")
        wait_rest(child)
        timed(child, "reload, as it is", lambda: get(engine.url + "/-/reload", "POST"))
        write_rules(folder / "rules.yaml", args, mark="-renamed")
        timed(child, "reload, a group renamed", lambda: get(engine.url + "/-/reload", "POST"))
    finally:
        child.stop(120)


def measure(engine, args, folder):
    folder.mkdir()
    peer = Peer(str(args.build / "bench" / "bench-peer"), args.alerts, 3600, False, folder)
    peer.control(on=1, quota=10**9)
    child = None
    try:
        child = engine.start(args, write_rules(folder / "rules.yaml", args), peer.url, folder)
        print(f"{engine.name} {engine.version()}: {args.rules:,} rules x {args.alerts} alerts every {args.interval} s",
              flush=True)
        wait_for(child, "all alerts", args.limit, lambda: count_alerts(engine) >= args.rules * args.alerts,
                 pause_s=args.interval)
        time.sleep(args.warm)
        before, start, told = process.cpu_seconds(child.pid), time.monotonic(), peer.stats()["notified_alerts"]
        time.sleep(args.seconds)
        wall = time.monotonic() - start
        memory = process.memory(child.pid)
        print(f"  {(process.cpu_seconds(child.pid) - before) / wall:.4f} core, RSS {memory.rss / 2**20:.0f} MiB, "
              f"peak {memory.hwm / 2**20:.0f} MiB, {memory.rss / args.rules / args.alerts:.0f} B per alert; "
              f"{(peer.stats()['notified_alerts'] - told) / wall:.0f} alerts/s told", flush=True)
        measure_rules_page(engine, child, args.pages)
        if args.restart and engine.name == "telex":
            measure_restart(engine, child, peer, args, folder)
    finally:
        if child is not None:
            child.stop(30)
        peer.stop()


def parse_args():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    p.add_argument("--engines", default="vmalert,prometheus,telex")
    p.add_argument("--rules", type=int, default=600)
    p.add_argument("--groups", type=int, default=20)
    p.add_argument("--alerts", type=int, default=100, help="of each rule")
    p.add_argument("--interval", type=int, default=30)
    p.add_argument("--warm", type=int, default=35, help="seconds before the measured ones, all alerts firing")
    p.add_argument("--seconds", type=int, default=60, help="measured; a multiple of the interval and of a minute")
    p.add_argument("--pages", type=int, default=5, help="how often /api/v1/rules is asked for")
    p.add_argument("--limit", type=int, default=300, help="seconds until all alerts must fire")
    p.add_argument("--restart", action="store_true", help="of Telex also restart and reload")
    p.add_argument("--large", action="store_true", help="50,000 rules in 5,000 groups, 1,000,000 alerts, Telex alone")
    args = p.parse_args()
    if args.large:
        args.engines, args.rules, args.groups, args.alerts, args.restart = "telex", 50000, 5000, 20, True
        args.interval, args.warm, args.pages = 60, 60, 1
    args.build = args.build.resolve()
    return args


def main():
    args = parse_args()
    known = {"vmalert": Vmalert, "prometheus": Prometheus, "telex": lambda: Telex(str(args.build / "telex"))}
    folder = pathlib.Path(tempfile.mkdtemp(prefix="telex-bench-alerts-"))
    try:
        for i, name in enumerate(args.engines.split(",")):
            measure(known[name](), args, folder / str(i))
    except BenchError as e:
        sys.exit(f"bench: {e}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
