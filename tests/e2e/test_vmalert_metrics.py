"""Our metrics under vmalert's names: the seed's alert about failing exports fires in the Prometheus that scrapes us."""

import json
import shutil
import subprocess
import urllib.parse

import pytest

import fakes
import net
from telex import alerting, group, recording

SEED_RULE = {
    "alert": "ExportFailure",
    "expr": "increase(vmalert_remotewrite_errors_total[5m]) > 0",
    "annotations": {"summary": "Data export to external datastore is failing"},
}


def scraping_prometheus(folder, target):
    """Debian's Prometheus with the seed's rule, which scrapes <target>."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (apt-get install prometheus)")
    port = net.free_port()
    (folder / "seed.yaml").write_text(json.dumps({"groups": [{"name": "seed", "interval": "1s", "rules": [SEED_RULE]}]}))
    (folder / "prometheus.yml").write_text(json.dumps({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["seed.yaml"],
        "scrape_configs": [{"job_name": "telex", "static_configs": [{"targets": [target]}]}]}))
    child = subprocess.Popen(
        ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
         f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return child, f"http://127.0.0.1:{port}"


def ask(url, path, **params):
    try:
        answer = net.get(url + path + "?" + urllib.parse.urlencode(params), timeout=5)
        return json.loads(answer.body)["data"] if answer.status == 200 else None
    except (OSError, ValueError):
        return None


def test_the_seeds_export_failure_fires(scene, start_telex, tmp_path):
    """A backend that stopped is seen by who watches vmalert's metric."""
    scene.vectors["x"] = [({"instance": "a"}, 1)]
    dead = net.free_port()
    config = scene.config(
        exporters={"store": {"type": "remote_write", "url": f"http://127.0.0.1:{dead}/api/v1/write",
                             "retry": {"initial_delay": "300ms", "max_delay": "1s"}}},
        routes=[{"to": ["store"]}])
    program = start_telex(config, {"rules.yaml": [group("g", [recording("copy", "x")])]})
    folder = tmp_path / "prometheus"
    folder.mkdir()
    child, url = scraping_prometheus(folder, f"127.0.0.1:{program.port}")
    try:
        found = net.wait_until("ExportFailure to fire", lambda: [
            alert for alert in (ask(url, "/api/v1/alerts") or {"alerts": []})["alerts"]
            if alert["labels"]["alertname"] == "ExportFailure" and alert["state"] == "firing"], deadline=60)
        assert found[0]["labels"]["exporter"] == "store"
    finally:
        child.kill()
        child.wait()


def test_names_of_vmalert(scene, start_telex):
    scene.vectors["x"] = [({"instance": "a"}, 1)]
    program = start_telex(scene.config(), {"rules.yaml": [
        group('g "q"', [alerting("High", "x"), alerting("Waits", "x", for_="1h"), recording("copy", "x")])]})
    net.wait_until("both alerts", lambda: len(program.alerts()) == 2)
    text = program.get("/metrics").body.decode()
    for name in ("vmalert_remotewrite_requests_total", "vmalert_remotewrite_errors_total",
                 "vmalert_notification_requests_total", "vmalert_notification_errors_total",
                 "vmalert_iteration_total", "vmalert_iteration_missed_total", "vmalert_execution_total",
                 "vmalert_execution_errors_total", "vmalert_alerts_sent_total",
                 "vmalert_config_last_reload_successful", "vmalert_config_last_reload_total",
                 "vmalert_iteration_reset_total", "vmalert_alerts_fired_total",
                 "vmalert_alerts_send_duration_seconds", "vmalert_remotewrite_sent_bytes_total",
                 "vmalert_remotewrite_send_duration_seconds_total"):
        assert f"# TYPE {name} " in text, name
    lines = text.splitlines()
    assert "vmalert_alerts_fired_total 1" in lines
    firing, = [line for line in lines if line.startswith('vmalert_alerts_firing{alertname="High"')]
    pending, = [line for line in lines if line.startswith('vmalert_alerts_pending{alertname="Waits"')]
    assert firing.endswith(" 1") and pending.endswith(" 1") and r'group="g \"q\""' in firing
    assert any(line.startswith('vmalert_recording_rules_last_evaluation_samples{recording="copy"') for line in lines)
    assert any(line.startswith('vmalert_notification_errors_total{exporter="hook"} 0') for line in lines)
    if shutil.which("promtool") is not None:
        check = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True, timeout=30)
        assert not [line for line in check.stderr.decode().splitlines() if "error" in line.lower()], check.stderr


def test_they_can_be_left_out(scene, start_telex):
    program = start_telex(scene.config(vmalert_metrics=False), {"rules.yaml": [group("g", [alerting("High", "x")])]})
    assert "vmalert_" not in program.get("/metrics").body.decode()


def test_errors_are_a_share_of_requests(scene, start_telex, start_webhook, start_alertmanager, tmp_path):
    """A destination that refuses every row has failed as often as it was asked, not once for each row."""
    store, manager = start_webhook(), start_alertmanager()
    store.answer = lambda request: fakes.Answer(400, "no")
    scene.vectors["x"] = [({"instance": str(i)}, 1) for i in range(20)]
    config = scene.config(
        exporters={"store": {"type": "remote_write", "url": store.url + "/api/v1/write"},
                   "am": {"type": "alertmanager", "static_configs": [{"targets": [manager.address]}]}},
        routes=[{"match": 'kind == "alert"', "to": ["am"]}, {"to": ["store"]}])
    program = start_telex(config, {"rules.yaml": [group("g", [recording("copy", "x"), alerting("High", "x")])]})

    def value(name, label):
        return sum(value for labels, value in program.metrics().get(name, {}).items() if label in str(labels))
    net.wait_until("dead letters", lambda: value("vmalert_remotewrite_dropped_rows_total", "store") >= 20)
    requests = value("vmalert_remotewrite_requests_total", "store")
    errors = value("vmalert_remotewrite_errors_total", "store")
    assert 0 < errors <= requests, (errors, requests)
    assert value("vmalert_remotewrite_sent_bytes_total", "store") > 0
    net.wait_until("a request", lambda: value("vmalert_alerts_send_duration_seconds_count", manager.address) >= 1)
