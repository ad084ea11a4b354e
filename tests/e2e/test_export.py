"""`telex export`: a file of records given once to an exporter of a config."""

import json
import subprocess

import net
import telex
import yaml

ALERT = {"timestamp": "2024-01-15T10:30:00Z", "alert_name": "HighCPUUsage", "instance": "server-01", "value": 85.4,
         "threshold": 80, "severity": "warning", "labels": {"service": "node_exporter"},
         "annotations": {"summary": "High CPU usage detected on server-01"}}


def export(config, *arguments, text=None, status=0):
    done = subprocess.run([telex.BINARY, "export", "-c", config, *map(str, arguments)], input=text,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stderr


def write_config(folder, **exporters):
    path = folder / "telex.yaml"
    path.write_text(yaml.safe_dump({"state": {"path": str(folder / "data")}, "exporters": exporters}))
    return path


def test_a_webhooks_json_reaches_a_webhook(tmp_path, webhook):
    config = write_config(tmp_path, hook=telex.webhook_exporter(webhook.url))
    records = tmp_path / "alerts.jsonl"
    records.write_text(json.dumps(ALERT) + "\n")
    assert "1 record delivered, 0 refused" in export(config, "--to", "hook", records)
    got, = [record for record in webhook.accepted() if record["alert_name"] == "HighCPUUsage"]
    assert {key: got[key] for key in ALERT if key != "labels"} == {key: ALERT[key] for key in ALERT if key != "labels"}
    assert got["labels"] == {**ALERT["labels"], "alertname": "HighCPUUsage", "instance": "server-01",
                             "severity": "warning"}
    assert "1 record delivered" in export(config, "--to", "hook", records)
    assert len({record["id"] for record in webhook.accepted()}) == 1, "given twice, it is the same record"


def test_samples_reach_a_store(tmp_path, start_prometheus):
    prometheus_server = start_prometheus()
    config = write_config(tmp_path, prom=telex.remote_write_exporter(prometheus_server.url))
    said = export(config, "--to", "prom", "--format", "prometheus", "-", text='exported{x="1"} 42\nexported{x="2"} 43\n')
    assert "2 records delivered" in said
    found = net.wait_until("the samples", lambda: prometheus_server.query("exported"))
    assert sorted(row["value"][1] for row in found) == ["42", "43"]


def test_a_mistake_sends_nothing(tmp_path, webhook):
    config = write_config(tmp_path, hook=telex.webhook_exporter(webhook.url))
    records = tmp_path / "alerts.jsonl"
    records.write_text(json.dumps(ALERT) + '\n{"alert_name": "x", "value": high}\n')
    said = export(config, "--to", "hook", records, status=1)
    assert f"{records}:2:30" in said and "nothing was sent" in said and not webhook.accepted()
    assert "is none of jsonl" in export(config, "--to", "hook", "--format", "xml", records, status=1)
    assert "nobody" in export(config, "--to", "nobody", records, status=1)
    export(config, records, status=2)
    assert "1 record of format jsonl" in export(config, "--check", "-", text=json.dumps(ALERT))


def test_what_is_refused_is_kept(tmp_path, start_influx):
    influx_server = start_influx()
    config = write_config(tmp_path, influx=telex.influx_exporter(influx_server.url))
    refused = tmp_path / "refused.jsonl"
    said = export(config, "--to", "influx", "--refused", refused, "-", status=1, text="good 1\nbad NaN\n")
    assert "1 record delivered, 1 refused" in said
    line, = refused.read_text().splitlines()
    assert json.loads(line)["name"] == "bad"


def test_it_goes_on_where_it_stopped(tmp_path):
    config = write_config(tmp_path, hook=telex.webhook_exporter("http://127.0.0.1:9"))
    said = export(config, "--to", "hook", "--patience", "1s", "-", status=1, text=json.dumps(ALERT))
    assert "it goes on with --skip 0" in said
    assert "0 records delivered, 0 refused" in export(config, "--to", "hook", "--skip", 1, "-", text=json.dumps(ALERT))
