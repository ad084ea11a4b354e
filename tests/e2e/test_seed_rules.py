"""The seed's own rules, unchanged, on this machine's real CPU: Prometheus scrapes node_exporter, a real load makes the
alert fire, and InfluxDB, VictoriaMetrics, Prometheus and Alertmanager hold what the archive file says was sent."""

import math
import os
import pathlib

import pytest

import net
from process import burn_cpu
from telex import (alertmanager_exporter, file_exporter, influx_exporter, is_sample, remote_write_exporter,
                   samples_by_series)

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

    def firing(self):
        """Whether Telex says that the alert fires."""
        return self.program.alert_states("HighCPUUsage") == ["firing"]

    def wait_resolved(self):
        """Waits until the alert has ended, here and in Alertmanager, unless something else keeps the CPU busy."""
        try:
            net.wait_until("it to resolve", lambda: not self.program.alerts(), 30, every=0.5)
        except TimeoutError:
            busiest = 'max_over_time((100 - avg(irate(node_cpu_seconds_total{mode="idle"}[5m])) * 100)[20s:1s])'
            assert float(self.prometheus.query(busiest)[0]["value"][1]) > 80, "firing with an idle CPU"
            return
        net.wait_until("Alertmanager to know", lambda: not self.manager.alerts(alertname="HighCPUUsage"), 20)

    def episodes(self):
        """The times (ms) at which the alert began to fire, by the ALERTS series in VictoriaMetrics."""
        began, before = [], None
        for samples in self.victoria.export('ALERTS{alertstate="firing"}').values():
            for when, value in samples:
                if value is not None and before is None:
                    began.append(when)
                before = value
        return began

    def check_influx(self):
        """A row per series of the export query per firing, at the time and with the value of the firing."""
        rows = self.influx.rows("HighCPUUsage")
        assert [row["time"] // 10**6 for row in rows] == self.episodes() != []
        for row in rows:
            assert row["instance"] == self.node.address and row["export_to_datastore"] == "true"
            assert any(math.isclose(row["value"], value, rel_tol=1e-9) for value in self.details(row["time"])), row

    def details(self, time_ns):
        """What the export query can have answered then: a scrape that was under way shows only later."""
        for earlier_ms in (0, 100):
            when = (time_ns // 10**6 - earlier_ms) / 1000
            yield from (float(answer["value"][1]) for answer in self.prometheus.query(EXPORT_QUERY, when))

    def check_victoria(self):
        """The same samples as in the archive: series, times and values; and the alert's own series."""
        archived = samples_by_series(self.records())
        assert {dict(key)["__name__"] for key in archived} == RECORDS
        stored = self.victoria.export('{__name__!=""}')
        alerts = {key for key in stored if dict(key)["__name__"].startswith("ALERTS")}
        assert {(dict(key)["__name__"], dict(key).get("alertstate")) for key in alerts} == {
            ("ALERTS", "pending"), ("ALERTS", "firing"), ("ALERTS_FOR_STATE", None)}
        assert set(stored) - alerts == set(archived)
        for key, wanted in archived.items():
            there = {when: value for when, value in stored[key] if value is not None}
            assert there.keys() == wanted.keys(), key
            assert all(math.isclose(there[when], wanted[when], rel_tol=1e-12) for when in wanted), key


@pytest.fixture
def stage(whole_cpu, tmp_path, start_node_exporter, start_prometheus, start_influx, start_victoria,
          start_alertmanager, start_telex):
    stage = Stage(tmp_path, {
        "node_exporter": start_node_exporter, "prometheus": start_prometheus, "influx": start_influx,
        "victoria": start_victoria, "alertmanager": start_alertmanager, "telex": start_telex})
    yield stage
    stage.unload()


def fire_and_resolve(stage, rules, seconds):
    stage.play(rules)
    stage.load(seconds + 60)
    net.wait_until("the alert to fire", stage.firing, seconds + 40, every=0.5)
    alert, = stage.program.alerts()
    held, = net.wait_until("Alertmanager to have it", lambda: stage.manager.alerts(alertname="HighCPUUsage"))
    assert held["labels"] == alert["labels"] == {
        "alertname": "HighCPUUsage", "instance": stage.node.address, "export_to_datastore": "true"}
    assert float(alert["value"]) > 80
    net.wait_until("all recording rules", lambda: RECORDS <= {record["name"] for record in stage.records()
                                                              if is_sample(record)}, 20, every=0.5)
    stage.unload()
    stage.wait_resolved()
    assert stage.program.sigterm() == 0
    stage.check_influx()
    stage.check_victoria()


def test_seed_rules_with_a_short_for(stage):
    """The same rules, but the alert waits 2 s instead of 2 m."""
    rules = {name: text.replace("for: 2m", "for: 2s") for name, text in seed_rules().items()}
    fire_and_resolve(stage, rules, 5)


def test_seed_rules_unchanged(stage):
    fire_and_resolve(stage, seed_rules(), 125)
