"""Our metrics under vmalert's names: the seed's alert about failing exports fires in the Prometheus that scrapes us."""

import json
import shutil
import subprocess
import urllib.parse

import pytest

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
                 "vmalert_config_last_reload_successful"):
        assert f"# TYPE {name} " in text, name
    lines = text.splitlines()
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
