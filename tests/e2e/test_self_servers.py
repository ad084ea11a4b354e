"""The real servers start, take what we will have Telex write, and give it back the way the tests read it."""

import json
import time

import snappy

import net
import remote_write

HEADERS = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
           "X-Prometheus-Remote-Write-Version": "0.1.0", "User-Agent": "test/1"}


def remote_write_three(url):
    """Writes two samples and a stale marker of one series; returns their times in ms."""
    now = int(time.time() * 1000)
    times = [now - 2000, now - 1000, now]
    labels = (("__name__", "harness_value"), ("job", "a"))
    values = [1.5, 2.5, remote_write.STALE_BITS]
    body = snappy.compress(remote_write.encode([(labels, list(zip(values, times)))]))
    answer = net.post(url + "/api/v1/write", body, headers=HEADERS)
    assert answer.status == 204, answer
    return times


def test_prometheus_scrapes_node_exporter(start_node_exporter, start_prometheus):
    node = start_node_exporter()
    prometheus = start_prometheus(targets={"node": [node.address]})
    idle = 'irate(node_cpu_seconds_total{mode="idle"}[5m])'
    rows = net.wait_until("a rate", lambda: prometheus.query(idle), 20)
    assert {row["metric"]["instance"] for row in rows} == {node.address}
    node.stop()
    net.wait_until("up to be 0", lambda: prometheus.query("up == 0"), 20)
    node.restart()
    net.wait_until("up to be 1", lambda: prometheus.query("up == 1"), 20)


def test_prometheus_remote_write_receiver(start_prometheus):
    prometheus = start_prometheus()
    times = remote_write_three(prometheus.url)
    (labels, samples), = prometheus.samples("harness_value").items()
    assert dict(labels) == {"__name__": "harness_value", "job": "a"}
    assert [(round(when * 1000), float(text)) for when, text in samples] == [(times[0], 1.5), (times[1], 2.5)]
    assert prometheus.query("harness_value") == [], "the stale marker ended the series"
    assert prometheus.query("harness_value", times[1] / 1000)[0]["value"][1] == "2.5"


def test_victoria_export(start_victoria):
    victoria = start_victoria()
    times = remote_write_three(victoria.url)
    (labels, samples), = victoria.export('{__name__="harness_value"}').items()
    assert dict(labels) == {"__name__": "harness_value", "job": "a"}
    assert samples == [(times[0], 1.5), (times[1], 2.5), (times[2], None)]
    assert victoria.export('{__name__="nothing"}') == {}


def test_influx_rows(start_influx):
    influx = start_influx()
    url = net.with_query(influx.url + "/write", {"db": "alerts_db", "precision": "ns"})
    line = 'cpu_alerts,instance=a,job=n value=85.4 1705317000000000001\ncpu_alerts,instance=b value=2,note="x" 1705317000000000002'
    assert net.post(url, line).status == 204
    assert influx.rows("cpu_alerts") == [
        {"time": 1705317000000000001, "instance": "a", "job": "n", "value": 85.4, "note": None},
        {"time": 1705317000000000002, "instance": "b", "job": None, "value": 2, "note": "x"}]
    assert influx.rows("absent") == []
    assert influx.tag_keys("cpu_alerts") == {"instance", "job"}
    refused = net.post(net.with_query(influx.url + "/write", {"db": "absent"}), line)
    assert refused.status == 404
    assert net.post(url, "cpu_alerts value=NaN").status == 400


def test_influx_survives_restart(start_influx):
    influx = start_influx()
    url = net.with_query(influx.url + "/write", {"db": "alerts_db", "precision": "ns"})
    assert net.post(url, "m v=1 5").status == 204
    influx.stop()
    influx.restart()
    assert influx.rows("m") == [{"time": 5, "v": 1}]


def test_alertmanager(start_alertmanager):
    manager = start_alertmanager()
    alert = {"labels": {"alertname": "Harness", "job": "a"}, "annotations": {"summary": "s"},
             "startsAt": "2024-01-15T10:30:00.000Z"}
    headers = {"Content-Type": "application/json"}
    assert net.post(manager.url + "/api/v2/alerts", json.dumps([alert]), headers=headers).status == 200
    held, = net.wait_until("the alert", lambda: manager.alerts(alertname="Harness"))
    assert held["labels"] == alert["labels"] and held["annotations"] == {"summary": "s"}
    assert net.parse_rfc3339(held["startsAt"]) == net.parse_rfc3339(alert["startsAt"])
    assert manager.alerts(alertname="Other") == []
    alert["endsAt"] = "2024-01-15T10:31:00.000Z"
    assert net.post(manager.url + "/api/v2/alerts", json.dumps([alert]), headers=headers).status == 200
    net.wait_until("the alert to end", lambda: not manager.alerts(alertname="Harness"))
