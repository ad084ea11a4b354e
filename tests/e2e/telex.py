"""Runs Telex for a test: writes its config and rules, starts it, reads its API, stops it, checks its log.

The names that other parts of the project decide (option names, record fields, paths) stand here once, so that a
change of the interface is a change of this file.
"""

import json
import os
import pathlib
import signal

import yaml

import net
from process import Process

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("TELEX_BIN", ROOT / "build" / "telex")).resolve()

READY_DEADLINE = 20.0
STOP_GRACE = 20.0

# What a sanitizer prints; any of these in the log fails the test.
SANITIZER_MARKS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer",
                   "runtime error:", "SUMMARY: UndefinedBehaviorSanitizer", "Assertion", "SIGSEGV")

# ---- names of the configuration ------------------------------------------------------------------

# Retry soon, so that a test of an outage does not wait for production back-off.
FAST_RETRY = {"retry_config": {"initial_delay_seconds": 0.1, "max_delay_seconds": 0.5}}


def webhook_exporter(url, **options):
    return {"type": "webhook", "url": url, **FAST_RETRY, **options}


def file_exporter(folder, **options):
    return {"type": "file", "output_directory": str(folder), "file_format": "jsonl", **options}


def influx_exporter(url, database="alerts_db", **options):
    return {"type": "influxdb", "url": url, "database": database, **FAST_RETRY, **options}


def influx_v2_exporter(url, org, bucket, token, **options):
    return {"type": "influxdb", "url": url, "org": org, "bucket": bucket, "token": token,
            **FAST_RETRY, **options}


def remote_write_exporter(url, **options):
    return {"type": "remote_write", "url": url, **FAST_RETRY, **options}


def postgresql_exporter(url, **options):
    return {"type": "postgresql", "connection_string": url, "batch_timeout_seconds": 0.2, **FAST_RETRY, **options}


def sqlite_exporter(path, **options):
    return {"type": "sqlite", "path": str(path), "batch_timeout_seconds": 0.2, **FAST_RETRY, **options}


def alertmanager_exporter(url, **options):
    return {"type": "alertmanager", "url": url, **FAST_RETRY, **options}


def server_section(port, admin_token=None):
    section = {"listen": f"{net.HOST}:{port}"}
    if admin_token is not None:
        section["admin_token"] = admin_token
    return section


def admin_headers(token):
    return {"Authorization": f"Bearer {token}"}


# ---- records as exporters write them -------------------------------------------------------------

def is_edge(record):
    return record.get("kind") == "alert"


def is_final_edge(record):
    """An edge that somebody is told of: firing or resolved, not pending."""
    return is_edge(record) and record["state"] in ("firing", "resolved")


def decided_ns(edge):
    """The evaluation time (ns) at which an edge was decided."""
    return net.parse_rfc3339(edge["timestamp"])


def is_sample(record):
    return record.get("kind") == "sample"


def edge_key(edge):
    """The alert an edge belongs to: its rule and its complete labels."""
    return (edge["group"], edge["rule"], tuple(sorted(edge["labels"].items())))


def samples_by_series(records):
    """Sample records as {sorted label pairs with __name__: {milliseconds: value}}."""
    series = {}
    for record in filter(is_sample, records):
        key = tuple(sorted({"__name__": record["name"], **record["labels"]}.items()))
        series.setdefault(key, {})[net.parse_rfc3339(record["timestamp"]) // 10**6] = record["value"]
    return series


# ---- the program ---------------------------------------------------------------------------------

class Telex:
    """One Telex in its own folder. `config` is the config as a dict without `server`, `state` and `rules`,
    which are filled in where absent; `rules` maps file names to a list of groups or to a text."""

    def __init__(self, folder, config, rules=None):
        self.folder = folder
        self.port = net.free_port()
        self.config_path = folder / "telex.yaml"
        self.process = None
        self.expect_failure = False
        self.killed = False
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rules").mkdir(exist_ok=True)
        self.write_config(config)
        self.write_rules(rules or {})

    # -- files

    def write_config(self, config):
        full = {"server": server_section(self.port), "state": {"path": str(self.folder / "data")},
                "rules": [str(self.folder / "rules" / "*.yaml")], **config}
        self.config_path.write_text(yaml.safe_dump(full, sort_keys=False))

    def write_rules(self, files):
        """Replaces the rule files; a dict {name: groups or text}."""
        for old in (self.folder / "rules").glob("*.yaml"):
            old.unlink()
        for name, content in files.items():
            text = content if isinstance(content, str) else yaml.safe_dump({"groups": content}, sort_keys=False)
            (self.folder / "rules" / name).write_text(text)

    def jsonl(self, folder):
        """All records of a file exporter's folder, in file order. Once Telex has ended, a torn last line is an error;
        while it runs, such a line is one being written."""
        running = self.process is not None and self.process.running()
        records = []
        for path in sorted(pathlib.Path(folder).glob("*.jsonl")):
            text = path.read_text()
            whole = text[:text.rfind("\n") + 1] if running else text
            records += [json.loads(line) for line in whole.splitlines()]
        return records

    # -- the process

    @property
    def url(self):
        return f"http://{net.HOST}:{self.port}"

    def start(self, environment=None):
        """Starts the program; `environment` is added to ours."""
        sanitizers = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
        environment = {**{name: os.environ.get(name, value) for name, value in sanitizers.items()},
                       **(environment or {})}
        self.process = Process("telex", [BINARY, "run", "-c", self.config_path], self.folder, environment)
        self.process.start()
        return self

    def is_ready(self):
        self.check_running()
        return net.get(self.url + "/-/ready", timeout=2).status == 200

    def check_running(self):
        """Fails when the program ended by itself."""
        if not self.process.running():
            raise RuntimeError(f"telex exited with {self.process.child.returncode}:\n{self.process.log_tail()}")

    def wait_ready(self, deadline=READY_DEADLINE):
        net.wait_until("telex to be ready", self.is_ready, deadline, every=0.02)
        return self

    def sigterm(self, grace=STOP_GRACE):
        """Asks for a clean end and returns the exit status; fails when the grace (seconds) passes."""
        self.process.signal(signal.SIGTERM)
        return self.process.wait(grace)

    def sigkill(self):
        self.killed = True
        self.process.kill()

    def stop(self):
        if self.process is not None and self.process.running():
            status = self.process.stop(STOP_GRACE)
            assert status == 0 or self.expect_failure, \
                f"telex ended with {status}:\n{self.process.log_tail()}"

    def check_log(self):
        """Fails when a sanitizer or an assertion spoke."""
        log = self.process.log() if self.process else ""
        for mark in SANITIZER_MARKS:
            assert mark not in log, f"{mark} in {self.process.log_path}:\n{log[log.index(mark):][:6000]}"

    # -- the API

    def get(self, path, **kwargs):
        return net.get(self.url + path, **kwargs)

    def reload(self, headers=None):
        return net.post(self.url + "/-/reload", headers=headers)

    def sighup(self):
        self.process.signal(signal.SIGHUP)

    def rules(self):
        """The groups of /api/v1/rules."""
        return self._data("/api/v1/rules")["groups"]

    def rule(self, name):
        """The first rule with this name, of any group."""
        for group in self.rules():
            for rule in group["rules"]:
                if rule["name"] == name:
                    return rule
        raise KeyError(name)

    def alerts(self):
        return self._data("/api/v1/alerts")["alerts"]

    def alert_states(self, name):
        """The sorted states of all active alerts of a rule."""
        return sorted(alert["state"] for alert in self.alerts() if alert["labels"]["alertname"] == name)

    def metrics(self):
        """{name: {sorted label pairs: value}} of /metrics."""
        answer = self.get("/metrics")
        assert answer.status == 200, answer
        return parse_metrics(answer.text)

    def _data(self, path):
        answer = self.get(path)
        assert answer.status == 200, answer
        body = answer.json()
        assert body["status"] == "success", body
        return body["data"]


def parse_metrics(text):
    """Prometheus text exposition to {name: {label pairs: value}}; only what our own page writes."""
    metrics = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        series, _, value = line.rpartition(" ")
        name, _, labels = series.partition("{")
        pairs = tuple(sorted(part.split("=", 1)[0] + "=" + part.split("=", 1)[1].strip('"')
                             for part in labels.rstrip("}").split(",") if part)) if labels else ()
        metrics.setdefault(name, {})[pairs] = float(value)
    return metrics


def alerting(name, expr, **fields):
    """An alerting rule as a dict; `for_` and `keep_firing_for` as in rule files."""
    if "for_" in fields:
        fields["for"] = fields.pop("for_")
    return {"alert": name, "expr": expr, **fields}


def recording(name, expr, **fields):
    return {"record": name, "expr": expr, **fields}


def group(name, rules, interval="200ms", **fields):
    return {"name": name, "interval": interval, **fields, "rules": rules}
