"""The real servers that Telex talks to, each on its own loopback port with its own data folder.

They are Debian's packages: prometheus, prometheus-node-exporter, prometheus-alertmanager, victoria-metrics,
influxdb and graphite-web. `start` returns a server that answers; `stop` ends it by its process id. A server whose program is
not installed makes the test skip with the package's name.
"""

import json
import pathlib
import re
import shutil
import socket
import subprocess
import time

import pytest
import yaml

import net
from process import Process

START_DEADLINE = 40.0
# The machines are small and shared: one Go scheduler thread per server is plenty for these loads.
GO_ENV = {"GOMAXPROCS": "1"}
# As VictoriaMetrics exports it, outside of texts.
INFINITY = re.compile(r"(?<=[\[,])\+?(-?)Inf(?:inity)?(?=[\],])")


class Server:
    """A real server: subclasses give name, program, package, argv() and the path that answers when ready."""

    name = program = package = None
    ready_path = "/-/ready"
    ready_status = (200, 204)

    def __init__(self, folder):
        self.folder = folder / self.name
        self.port = net.free_port()
        self.process = None

    @property
    def url(self):
        return f"http://{net.HOST}:{self.port}"

    @property
    def address(self):
        return f"{net.HOST}:{self.port}"

    def argv(self):
        raise NotImplementedError

    def prepare(self):
        """Writes the server's configuration before each start."""

    def start(self):
        if shutil.which(self.program) is None:
            pytest.skip(f"{self.program} is not installed (apt-get install {self.package})")
        self.folder.mkdir(parents=True, exist_ok=True)
        for attempt in range(3):
            self.prepare()
            self.process = Process(self.name, [self.program, *self.argv()], self.folder, GO_ENV).start()
            try:
                net.wait_until(f"{self.name} to be ready", self._answers, START_DEADLINE)
                return self
            except TimeoutError:
                died = not self.process.running()
                self.process.stop()
                if not died or attempt == 2:
                    raise
                self.port = net.free_port()
        return self

    def _answers(self):
        if not self.process.running():
            raise TimeoutError(f"{self.name} exited: {self.process.log_tail(10)}")
        return net.get(self.url + self.ready_path, timeout=2).status in self.ready_status

    def stop(self):
        if self.process is not None:
            self.process.stop()

    def restart(self):
        """Starts again on the same port and data after stop()."""
        self.process.start()
        net.wait_until(f"{self.name} to be ready again", self._answers, START_DEADLINE)


class NodeExporter(Server):
    name, program, package = "node_exporter", "prometheus-node-exporter", "prometheus-node-exporter"
    ready_path = "/"

    def argv(self):
        collectors = ("cpu", "meminfo", "loadavg", "filesystem", "uname", "time")
        return [f"--web.listen-address={self.address}", "--collector.disable-defaults",
                "--log.level=warn", *(f"--collector.{name}" for name in collectors)]


class Prometheus(Server):
    """Scrapes `targets` ({job: [host:port]}) every second, with what `scrape` ({job: settings}) says; accepts remote
    write."""

    name, program, package = "prometheus", "prometheus", "prometheus"

    def __init__(self, folder, targets=None, scrape=None):
        super().__init__(folder)
        self.targets, self.scrape = targets or {}, scrape or {}

    def prepare(self):
        jobs = [{"job_name": job, "static_configs": [{"targets": addresses}], **self.scrape.get(job, {})}
                for job, addresses in self.targets.items()]
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def argv(self):
        return ["--config.file=prometheus.yml", "--storage.tsdb.path=data",
                f"--web.listen-address={self.address}", "--web.enable-remote-write-receiver",
                "--storage.tsdb.retention.time=6h", "--log.level=warn"]

    def query(self, expr, time=None):
        """The result of an instant query: a list of {metric, value}."""
        params = {"query": expr}
        if time is not None:
            params["time"] = time
        return _prometheus_data(self.url, "/api/v1/query", params)["result"]

    def samples(self, selector, window="1h"):
        """All raw samples of a selector in the window: {labels as sorted tuple: [(seconds, text)]}."""
        return {tuple(sorted(row["metric"].items())): [tuple(pair) for pair in row["values"]]
                for row in self.query(f"{selector}[{window}]")}


class Pushgateway(Server):
    """Keeps groups of pushed metrics in memory, and refuses what is inconsistent."""

    name, program, package = "pushgateway", "prometheus-pushgateway", "prometheus-pushgateway"

    def argv(self):
        return [f"--web.listen-address={self.address}", "--persistence.file=", "--log.level=warn"]

    def groups(self):
        """What was pushed: {group as sorted tuple of pairs: {metric: {"type", "help", "series": {labels: text}}}}."""
        found = {}
        for group in json.loads(net.get(self.url + "/api/v1/metrics").body)["data"]:
            metrics = {}
            for name, family in group.items():
                if isinstance(family, dict) and "metrics" in family and not name.startswith("push_"):
                    series = {tuple(sorted((k, v) for k, v in row.get("labels", {}).items()
                                           if group["labels"].get(k) != v and v != "")): row["value"]
                              for row in family["metrics"]}
                    metrics[name] = {"type": family["type"], "help": family.get("help", ""), "series": series}
            found[tuple(sorted(group["labels"].items()))] = metrics
        return found


class Alertmanager(Server):
    """Alertmanager without a cluster; nothing is notified, alerts are only held."""

    name, program, package = "alertmanager", "prometheus-alertmanager", "prometheus-alertmanager"

    def __init__(self, folder, resolve_timeout="5m", name="alertmanager"):
        self.name = name
        super().__init__(folder)
        self.resolve_timeout = resolve_timeout

    def prepare(self):
        config = {"global": {"resolve_timeout": self.resolve_timeout},
                  "route": {"receiver": "none"}, "receivers": [{"name": "none"}]}
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump(config))

    def argv(self):
        return ["--config.file=alertmanager.yml", "--storage.path=data", "--log.level=warn",
                f"--web.listen-address={self.address}", "--cluster.listen-address="]

    def alerts(self, **matchers):
        """The active alerts (API v2 objects) whose labels have these values."""
        params = [("filter", f'{name}="{value}"') for name, value in matchers.items()]
        answer = net.get(net.with_query(self.url + "/api/v2/alerts", params))
        assert answer.status == 200, answer
        return answer.json()


class Dnsmasq(Server):
    """A DNS server for names below .test: `srv` is {name: [(host, port)]}, `hosts` {name: address}."""

    name, program, package = "dnsmasq", "dnsmasq", "dnsmasq-base"

    def __init__(self, folder, srv=None, hosts=None):
        super().__init__(folder)
        self.srv, self.hosts = srv or {}, hosts or {}

    def argv(self):
        services = [f"--srv-host={name},{host},{port}" for name, targets in self.srv.items() for host, port in targets]
        return ["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file",
                "--user=root", "--bind-interfaces", f"--listen-address={net.HOST}", f"--port={self.port}",
                "--local=/test/", "--log-facility=-", "--local-ttl=0", *services,
                *(f"--host-record={name},{address}" for name, address in self.hosts.items())]

    def _answers(self):
        """An answer of any kind: it listens."""
        if not self.process.running():
            raise TimeoutError(f"{self.name} exited: {self.process.log_tail(10)}")
        question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x04test\x00\x00\x01\x00\x01"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            client.sendto(question, (net.HOST, self.port))
            try:
                return client.recv(512)[:2] == question[:2]
            except OSError:
                return False

    def change(self, **records):
        """Goes on with other records."""
        self.stop()
        self.__dict__.update(records)
        self.process.argv = [self.program, *self.argv()]
        self.restart()


class VictoriaMetrics(Server):
    """Single-node VictoriaMetrics. Rows become visible to queries about one second after they were
    accepted (they wait in memory); flush() makes them visible at once. /api/v1/export reads raw samples
    and knows neither the latency offset nor staleness."""

    name, program, package = "victoria_metrics", "victoria-metrics", "victoria-metrics"
    ready_path = "/health"

    def argv(self):
        return ["-storageDataPath=data", f"-httpListenAddr={self.address}", "-retentionPeriod=1d",
                "-search.latencyOffset=1s", "-search.disableCache", "-memory.allowedBytes=96MB",
                "-loggerLevel=WARN", "-selfScrapeInterval=0"]

    @property
    def write_url(self):
        return self.url + "/api/v1/write"

    def flush(self):
        answer = net.get(self.url + "/internal/force_flush")
        assert answer.status == 200, answer

    def query(self, expr, time=None):
        params = {"query": expr}
        if time is not None:
            params["time"] = time
        return _prometheus_data(self.url, "/api/v1/query", params)["result"]

    def export(self, selector):
        """All raw samples: {labels as sorted tuple: [(milliseconds, value)]}; a stale marker is None."""
        self.flush()
        # Without an explicit end the last second is left out.
        params = {"match[]": selector, "end": int(time.time()) + 60}
        answer = net.get(net.with_query(self.url + "/api/v1/export", params))
        assert answer.status == 200, answer
        series = {}
        for line in answer.text.splitlines():
            row = json.loads(INFINITY.sub(r"\1Infinity", line))
            key = tuple(sorted(row["metric"].items()))
            series.setdefault(key, []).extend(zip(row["timestamps"], row["values"]))
        return series


class InfluxDB(Server):
    """InfluxDB 1.6 with the given databases created."""

    name, program, package = "influxdb", "influxd", "influxdb"
    ready_path = "/ping"

    def __init__(self, folder, databases=("alerts_db",)):
        super().__init__(folder)
        self.databases = databases
        self.rpc_port = net.free_port()

    def prepare(self):
        (self.folder / "influxdb.conf").write_text(f"""
reporting-disabled = true
bind-address = "{net.HOST}:{self.rpc_port}"
[meta]
  dir = "{self.folder}/meta"
[data]
  dir = "{self.folder}/data"
  wal-dir = "{self.folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[http]
  enabled = true
  bind-address = "{self.address}"
  log-enabled = false
[continuous_queries]
  enabled = false
""")

    def argv(self):
        return ["run", "-config", "influxdb.conf"]

    def start(self):
        super().start()
        for database in self.databases:
            self.query(f'CREATE DATABASE "{database}"', method="POST")
        return self

    def query(self, influxql, database=None, method="GET"):
        """The rows of one InfluxQL statement as a list of dicts; a grouped answer also gives its tags."""
        params = {"q": influxql, "epoch": "ns"}
        if database is not None:
            params["db"] = database
        answer = net.request(method, net.with_query(self.url + "/query", params))
        assert answer.status == 200, answer
        result = answer.json()["results"][0]
        assert "error" not in result, result
        return [dict(zip(series["columns"], values), **series.get("tags", {}))
                for series in result.get("series", []) for values in series["values"]]

    def rows(self, measurement, database="alerts_db"):
        """Every row of a measurement: time (ns), tags and fields in one dict."""
        return self.query(f'SELECT * FROM "{measurement}"', database)

    def tag_keys(self, measurement, database="alerts_db"):
        return {row["tagKey"] for row in self.query(f'SHOW TAG KEYS FROM "{measurement}"', database)}


class Graphite(Server):
    """Debian's graphite-web over whisper files that the test writes; no carbon."""

    name, program, package = "graphite", "graphite-manage", "graphite-web"
    ready_path = "/render?format=json&target=constantLine(1)"

    def prepare(self):
        for folder in ("whisper", "log"):
            (self.folder / folder).mkdir(exist_ok=True)

    def start(self):
        # The package's program only shows that it is there; what runs is its WSGI application.
        if shutil.which(self.program) is None:
            pytest.skip(f"{self.program} is not installed (apt-get install {self.package})")
        self.program = "/usr/bin/python3"
        return super().start()

    def argv(self):
        return [str(pathlib.Path(__file__).parent / "graphite" / "serve.py"), str(self.port)]

    def write(self, path, value, seconds=60):
        """A series with one point a second, up to now."""
        script = ("import sys, time, whisper; path, value, n = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]);"
                  "whisper.create(path, [(1, 3600)]); now = int(time.time());"
                  "whisper.update_many(path, [(t, value) for t in range(now - n, now + 1)])")
        file = self.folder / "whisper" / (path.replace(".", "/") + ".wsp")
        file.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["/usr/bin/python3", "-c", script, str(file), str(value), str(seconds)], check=True)


def _prometheus_data(base, path, params):
    answer = net.get(net.with_query(base + path, params))
    assert answer.status == 200, answer
    body = answer.json()
    assert body["status"] == "success", body
    return body["data"]
