"""telex prometheus-rules: the rules of a prometheus.yml, beside the Prometheus that goes on."""

import json
import subprocess

import pytest
import yaml

import net
import telex
from telex import alerting, group, recording

WHOLE = {
    "global": {"scrape_interval": "15s", "evaluation_interval": "20s", "external_labels": {"cluster": "c1"},
               "rule_query_offset": "5s"},
    "rule_files": ["rules/*.yaml"],
    "scrape_configs": [{"job_name": "node", "static_configs": [{"targets": ["localhost:9100"]}]}],
    "alerting": {
        "alert_relabel_configs": [{"action": "labeldrop", "regex": "replica"}],
        "alertmanagers": [{"scheme": "https", "path_prefix": "/am", "static_configs": [{"targets": ["am:9093"]}],
                           "basic_auth": {"username": "u", "password": "p"},
                           "alert_relabel_configs": [{"action": "labeldrop", "regex": "pod"}]}]},
    "remote_write": [{"url": "http://vm:8428/api/v1/write", "queue_config": {"max_samples_per_send": 500,
                                                                               "min_backoff": "2s"}},
                     {"url": "http://other:8428/api/v1/write",
                      "write_relabel_configs": [{"action": "drop", "source_labels": ["__name__"], "regex": "x"}]}],
    "remote_read": [{"url": "http://vm:8428/api/v1/read"}],
}


def write(folder, config, rules):
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "a.yaml").write_text(json.dumps({"groups": rules}))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    return folder / "prometheus.yml"


def call(path, *flags):
    return subprocess.run([str(telex.BINARY), "prometheus-rules", f"--config.file={path}", *flags],
                          capture_output=True, text=True, timeout=30)


def test_the_whole_file_becomes_a_config(tmp_path):
    path = write(tmp_path, WHOLE, [group("g", [alerting("A", "x")])])
    done = call(path, "--datasource.url=http://127.0.0.1:9", "--telex.printConfig")
    assert done.returncode == 0, done.stderr
    made = yaml.safe_load(done.stdout)
    assert made["evaluation_interval"] == "20s" and made["query_offset"] == "5s"
    assert made["external_labels"] == {"cluster": "c1"} and made["rules"] == ["rules/*.yaml"]
    manager = made["exporters"]["alertmanager_1"]
    assert manager["scheme"] == "https" and manager["basic_auth"] == {"username": "u", "password": "p"}
    assert [rule["regex"] for rule in manager["alert_relabel_configs"]] == ["replica", "pod"]
    first, second = made["exporters"]["remote_write_1"], made["exporters"]["remote_write_2"]
    assert first["buffer"]["buffer_size"] == 500 and first["retry"]["initial_delay"] == "2s"
    assert second["type"] == "relabel" and second["exporter"]["url"] == "http://other:8428/api/v1/write"
    assert made["datasources"]["remote_read_1"]["url"] == "http://vm:8428"
    assert made["restore"]["datasource"] == "remote_read_1" and made["server"]["listen"] == ":9090"
    checked = call(path, "--datasource.url=http://127.0.0.1:9", "--dryRun")
    assert checked.returncode == 0, checked.stderr
    assert "scrape_configs is passed over" in checked.stderr


WRONG = [
    ({"alerting": {"managers": []}}, "managers"),
    ({"remote_write": [{"url": "http://a", "sigv4": {}}]}, "signs"),
    ({"remote_write": [{"url": "http://a", "nonsense": 1}]}, "nonsense"),
    ({"scrape": []}, "no section"),
    ({"remote_write": [{"url": "http://a:1/w", "remote_timeout": "soon"}]}, "prometheus.yml:"),
]


@pytest.mark.parametrize("config,word", WRONG, ids=[word for _, word in WRONG])
def test_what_is_wrong_is_said(tmp_path, config, word):
    path = write(tmp_path, {"rule_files": ["rules/*.yaml"], **config}, [group("g", [alerting("A", "x")])])
    done = call(path, "--datasource.url=http://a", "--dryRun")
    assert done.returncode != 0 and word in done.stderr, done.stderr


@pytest.mark.parametrize("flags,word", [((), "--datasource.url"), (("--dryRun",), "--datasource.url"),
                                        (("--datasource.url=http://a", "--agent"), "agent"),
                                        (("--datasource.url=http://a", "--nonsense"), "nonsense")])
def test_flags_that_are_wrong(tmp_path, flags, word):
    done = call(write(tmp_path, {}, []), *flags)
    assert done.returncode == 2 and word in done.stderr


def test_it_runs(scene, tmp_path):
    scene.vectors["x"] = [({"instance": "a"}, 1)]
    path = write(tmp_path, {"global": {"evaluation_interval": "200ms", "external_labels": {"cluster": "c1"}},
                            "rule_files": ["rules/*.yaml"]}, [group("g", [alerting("A", "x"), recording("r", "x")])])
    port = net.free_port()
    child = subprocess.Popen([str(telex.BINARY), "prometheus-rules", f"--config.file={path}",
                              f"--datasource.url={scene.prom.url}", f"--web.listen-address=127.0.0.1:{port}"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def firing():
        try:
            answer = net.get(f"http://127.0.0.1:{port}/api/v1/alerts")
            return [alert for alert in json.loads(answer.body)["data"]["alerts"] if alert["state"] == "firing"]
        except (OSError, ValueError, KeyError):
            return []

    try:
        alert, = net.wait_until("the alert", firing)
        assert alert["labels"] == {"alertname": "A", "instance": "a", "cluster": "c1"}
    finally:
        child.terminate()
        assert child.wait(timeout=20) == 0
