"""The seed's own rules, unchanged, on this machine's real CPU: Prometheus scrapes node_exporter, a real load makes the
alert fire, and InfluxDB, VictoriaMetrics, Prometheus and Alertmanager hold what the archive file says was sent."""

import math
import os
import pathlib

import pytest

import net
from process import burn_cpu
from telex import (alertmanager_exporter, decided_ns, file_exporter, influx_exporter, is_final_edge, is_sample,
                   remote_write_exporter)

RULES = pathlib.Path(__file__).parent / "rules"
EXPORT_QUERY = 'avg by(instance) (100 - (irate(node_cpu_seconds_total{mode="idle"}[5m]) * 100))'
RECORDS = {"node_cpu_usage_percent", "high_cpu_threshold_data", "multi_threshold_cpu_data", "hourly_avg_cpu_export"}


def seed_rules():
    return {path.name: path.read_text() for path in sorted(RULES.glob("seed_000_*.yaml"))}


class Stage:
    """All real servers around one Telex."""

    def __init__(self, tmp_path, start):
        self.out = tmp_path / "out"
        self.tmp_path = tmp_path
        self.node = start["node_exporter"]()
        self.prometheus = start["prometheus"](targets={"node": [self.node.address]})
        self.influx, self.victoria = start["influx"](), start["victoria"]()
        self.manager = start["alertmanager"]()
        self.start_telex = start["telex"]
        self.program = None
        self.burners = []

    def play(self, rules):
        config = {
            "datasource": {"url": self.prometheus.url},
            "exporters": {
                "influx": influx_exporter(self.influx.url), "vm": remote_write_exporter(self.victoria.write_url),
                "prom": remote_write_exporter(self.prometheus.url + "/api/v1/write"),
                "am": alertmanager_exporter(self.manager.url), "archive": file_exporter(self.out)},
            "routes": [{"match": 'kind == "alert"', "to": ["am", "archive"]},
                       {"match": 'kind == "sample"', "to": ["vm", "prom", "archive"]}]}
        self.program = self.start_telex(config, rules)
        net.wait_until("the CPU's rate", lambda: self.prometheus.query(EXPORT_QUERY), 20)

    def load(self, seconds):
        self.burners = burn_cpu(self.tmp_path / "load", seconds, len(os.sched_getaffinity(0)))

    def unload(self):
        for burner in self.burners:
            burner.kill()

    def records(self):
        return self.program.jsonl(self.out)

    def edges(self):
        return [record for record in self.records() if is_final_edge(record)]

    # -- what each side holds

    def check_influx(self):
        """A row per series of the export query per firing, at the time and with the value of the firing."""
        firings = [edge for edge in self.edges() if edge["state"] == "firing"]
        rows = self.influx.rows("HighCPUUsage")
        assert len(rows) == len(firings) >= 1
        assert sorted(row["time"] for row in rows) == sorted(decided_ns(edge) for edge in firings)
        for row in rows:
            assert row["instance"] == self.node.address and row["export_to_datastore"] == "true"
            at_firing, = self.prometheus.query(EXPORT_QUERY, row["time"] / 1e9)
            assert math.isclose(row["value"], float(at_firing["value"][1]), rel_tol=1e-9)

    def check_victoria(self):
        """The same samples as in the archive: series, times and values."""
        archived = {}
        for record in self.records():
            if is_sample(record) and isinstance(record["value"], (int, float)):
                key = tuple(sorted({"__name__": record["name"], **record["labels"]}.items()))
                archived.setdefault(key, {})[net.parse_rfc3339(record["timestamp"]) // 10**6] = record["value"]
        assert RECORDS | {"ALERTS", "ALERTS_FOR_STATE"} == {dict(key)["__name__"] for key in archived}
        stored = self.victoria.export('{__name__!=""}')
        assert set(stored) == set(archived)
        for key, samples in stored.items():
            there = {when: value for when, value in samples if value is not None}
            assert there.keys() == archived[key].keys(), key
            for when, value in there.items():
                assert math.isclose(value, archived[key][when], rel_tol=1e-12), (key, when)


@pytest.fixture
def stage(tmp_path, start_node_exporter, start_prometheus, start_influx, start_victoria, start_alertmanager, start_telex):
    stage = Stage(tmp_path, {
        "node_exporter": start_node_exporter, "prometheus": start_prometheus, "influx": start_influx,
        "victoria": start_victoria, "alertmanager": start_alertmanager, "telex": start_telex})
    yield stage
    stage.unload()


def fire_and_resolve(stage, rules, seconds):
    stage.play(rules)
    stage.load(seconds + 60)
    firing, = net.wait_until("the alert to fire", stage.edges, seconds + 40, every=0.5)
    assert firing["state"] == "firing" and firing["value"] > 80
    assert firing["alert_name"] == "HighCPUUsage" and firing["instance"] == stage.node.address
    held, = net.wait_until("Alertmanager to have it", lambda: stage.manager.alerts(alertname="HighCPUUsage"))
    assert held["labels"] == firing["labels"]
    net.wait_until("the threshold rules", lambda: RECORDS <= {record["name"] for record in stage.records()
                                                              if is_sample(record)}, 20, every=0.5)
    stage.unload()
    net.wait_until("it to resolve", lambda: stage.edges()[-1]["state"] == "resolved", 60, every=0.5)
    net.wait_until("Alertmanager to know", lambda: not stage.manager.alerts(alertname="HighCPUUsage"), 20)
    assert stage.program.sigterm() == 0
    assert [edge["state"] for edge in stage.edges()] == ["firing", "resolved"] * (len(stage.edges()) // 2)
    stage.check_influx()
    stage.check_victoria()


def test_seed_rules_with_a_short_for(stage):
    """The same rules, but the alert waits 2 s instead of 2 m."""
    rules = {name: text.replace("for: 2m", "for: 2s") for name, text in seed_rules().items()}
    fire_and_resolve(stage, rules, 5)


def test_seed_rules_unchanged(stage):
    fire_and_resolve(stage, seed_rules(), 125)
