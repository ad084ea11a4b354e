"""`telex vmalert`: vmalert's own command line, beside Debian's vmalert on the same stores."""

import json
import subprocess
import time

import pytest
import yaml

import net
import remote_write
import servers
import snappy
import telex
from process import Process

RULES = {"groups": [{"name": "drop-in", "interval": "1s", "rules": [
    {"record": "load:sum", "expr": "sum(load)", "labels": {"by": "rule"}},
    {"record": "load:by_i", "expr": "load * 2"},
    {"alert": "Loaded", "expr": "load > 5", "for": "2s", "labels": {"severity": "page", "at": "{{ $value }}"},
     "annotations": {"summary": "{{ $labels.i }} is at {{ $value | humanize }}"}},
    {"alert": "Never", "expr": "load > 1000"}]}]}


def flags(*arguments, status=0):
    done = subprocess.run([telex.BINARY, "vmalert", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    return done


def start(argv, folder, name, port):
    process = Process(name, argv, folder).start()
    net.wait_until(f"{name} to answer", lambda: net.get(f"http://127.0.0.1:{port}/metrics", timeout=2).status == 200)
    return process


@pytest.fixture
def engines(tmp_path):
    """Telex and vmalert, each with the same flags, writing to a store of its own; both ask the first one."""
    running = [servers.VictoriaMetrics(tmp_path / "store").start()]
    store, found = running[0], {}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULES))
    for name, program in (("telex", [telex.BINARY, "vmalert"]), ("vmalert", ["vmalert"])):
        folder = tmp_path / name
        folder.mkdir()
        target, manager = servers.VictoriaMetrics(folder).start(), servers.Alertmanager(folder).start()
        running += [target, manager]
        port = net.free_port()
        argv = [*program, f"-rule={tmp_path}/rules.yaml", f"-datasource.url={store.url}",
                f"-remoteWrite.url={target.url}", f"-notifier.url={manager.url}", "-external.label=dc=north",
                f"-httpListenAddr=127.0.0.1:{port}", "-evaluationInterval=1s", "-remoteWrite.flushInterval=200ms"]
        if name == "telex":
            argv += ["-rule.evalDelay=0s", f"-telex.state={folder}/state"]
        running.append(start(argv, folder, name, port))
        found[name] = (target, manager, port)
    yield store, found
    for process in reversed(running):
        process.stop()


def load(store, seconds):
    now = int(time.time() * 1000)
    body = snappy.compress(remote_write.encode([([("__name__", "load"), ("i", name)], [(value, now)])
                                                for name, value in (("a", 2.0), ("b", 7.5))]))
    answer = net.post(store.write_url, body, headers={"Content-Encoding": "snappy"})
    assert answer.status == 204, answer.text
    store.flush()


def test_both_engines_find_the_same(engines):
    store, found = engines
    load(store, 10)

    def series(name):
        target, _, _ = found[name]
        rows = {}
        for key, samples in target.export('{__name__=~"load:.*|ALERTS.*"}').items():
            values = {value for _, value in samples if value is not None}
            rows[key] = "a time" if ("__name__", "ALERTS_FOR_STATE") in key else values
        return rows
    net.wait_until("both recorded", lambda: len(series("telex")) == len(series("vmalert")) == 6, deadline=40)
    assert series("telex") == series("vmalert")

    def alerts(name):
        _, manager, _ = found[name]
        return [(alert["labels"], alert["annotations"]) for alert in manager.alerts()]
    net.wait_until("both told", lambda: alerts("telex") and alerts("vmalert"), deadline=40)
    assert alerts("telex") == alerts("vmalert")
    (labels, annotations), = alerts("telex")
    assert labels == {"alertname": "Loaded", "alertgroup": "drop-in", "i": "b", "severity": "page", "at": "7.5",
                      "dc": "north"}
    assert annotations == {"summary": "b is at 7.5"}


def test_the_seeds_influxdb_line(tmp_path, start_fake_prom, start_influx):
    prom, influx = start_fake_prom(lambda text, at: [({"instance": "a"}, 1.5)]), start_influx()
    influx.query("CREATE DATABASE alerts_db", method="POST")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULES))
    port = net.free_port()
    process = start([telex.BINARY, "vmalert", f"-rule.file={tmp_path}/rules.yaml", f"-datasource.url={prom.url}",
                     f"-remoteWrite.url={influx.url}/api/v1/prom/write?db=alerts_db", f"-httpListenAddr=127.0.0.1:{port}",
                     f"-telex.state={tmp_path}/state"], tmp_path, "telex", port)
    try:
        net.wait_until("rows", lambda: influx.query('SELECT * FROM "load:sum"', "alerts_db"), deadline=30)
    finally:
        process.stop()


def test_flags_become_a_config_that_check_takes(tmp_path):
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULES))
    said = flags(f"--rule={tmp_path}/rules.yaml", "--datasource.url", "http://vm:8428", "--remoteWrite.url=http://vm:8428/",
                 "-remoteRead.url=http://vm:8428", "-notifier.url=http://a:9093,http://b:9093",
                 "-notifier.tlsInsecureSkipVerify=true,false", "-datasource.headers=X-A: 1^^X-B: 2",
                 "-telex.printConfig").stdout
    values = [line for line in said.splitlines() if not line.endswith(":")]
    assert [line for line in values if "  # " not in line] == [], "each value says where it comes from"
    config = yaml.safe_load(said)
    assert config["exporters"]["remote_write"]["url"] == "http://vm:8428/api/v1/write"
    assert (config["eval_alignment"], config["query_offset"]) == (True, "30s")
    assert config["restore"] == {"datasource": "remote_read"}
    assert config["datasource"]["headers"] == {"X-A": "1", "X-B": "2"}
    assert [config["exporters"][f"alertmanager_{n}"]["tls"]["insecure_skip_verify"] for n in (1, 2)] == [True, False]
    path = tmp_path / "telex.yaml"
    path.write_text(said)
    done = subprocess.run([telex.BINARY, "check", "-c", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_older_names_of_times():
    said = yaml.safe_load(flags("-rule=x", "-datasource.url=http://a", "-datasource.lookback=5s",
                                "-datasource.queryTimeAlignment=false", "-telex.printConfig").stdout)
    assert (said["eval_alignment"], said["query_offset"]) == (False, "5s")


def test_a_cluster_with_tenants_needs_no_licence():
    said = yaml.safe_load(flags("-rule=x", "-datasource.url=http://select:8481", "-remoteWrite.url=http://insert:8480",
                                "-clusterMode", "-defaultTenant.prometheus=3:4", "-telex.printConfig").stdout)
    assert (said["datasource"]["cluster"], said["datasource"]["tenant"]) == (True, "3:4")
    written = said["exporters"]["remote_write"]
    assert (written["url"], written["cluster"], written["tenant"]) == ("http://insert:8480", True, "3:4")


@pytest.mark.parametrize("argument, message", [
    ("-rulez=x", "did you mean -rule?"), ("-replay.timeFrom=x", "telex replay --from"),
    ("-rule.evalConcurrency=5", "write `concurrency:` in the groups"), ("stray", "'stray' is no flag"),
    ("-datasource.url", "-datasource.url needs a value"), ("-external.label=x", "expected name=value, not 'x'"),
    ("-rule.templates=x", "-datasource.url says who answers"), ("-loggerLevel=LOUD", "none of INFO")])
def test_a_flag_that_cannot_be_says_why(argument, message):
    rest = [] if argument.startswith("-rule.t") else ["-datasource.url=http://x"]
    said = flags(*rest, "-rule=x", argument, status=2).stderr
    assert message in said


def test_a_mistake_in_a_value_names_its_flag(tmp_path):
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULES))
    said = flags(f"-rule={tmp_path}/rules.yaml", "-dryRun", "-evaluationInterval=5x", status=1).stderr
    assert "unknown unit 'x'" in said and "# -evaluationInterval" in said
    checked = flags(f"-rule={tmp_path}/rules.yaml", "-dryRun")
    assert "OK" in checked.stdout and "-datasource.url was not given" in checked.stderr


def test_a_file_of_notifiers(tmp_path, start_fake_prom, start_alertmanager):
    prom, manager = start_fake_prom(lambda text, at: [({"i": "a"}, 9.0)]), start_alertmanager()
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULES))
    (tmp_path / "notifiers.yaml").write_text(yaml.safe_dump({"static_configs": [{"targets": [manager.address]}]}))
    port = net.free_port()
    process = start([telex.BINARY, "vmalert", f"-rule={tmp_path}/rules.yaml", f"-datasource.url={prom.url}",
                     f"-notifier.config={tmp_path}/notifiers.yaml", f"-httpListenAddr=127.0.0.1:{port}",
                     f"-telex.state={tmp_path}/state"], tmp_path, "telex", port)
    try:
        net.wait_until("the alert", lambda: manager.alerts(alertname="Loaded"), deadline=30)
    finally:
        process.stop()
    (tmp_path / "notifiers.yaml").write_text("static_configs:\n- target: [x]\n")
    said = flags(f"-rule={tmp_path}/rules.yaml", f"-notifier.config={tmp_path}/notifiers.yaml", "-dryRun", status=1).stderr
    assert "notifiers.yaml:2:" in said, said


def test_flags_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("VMA_datasource_url", "http://vm:8428")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/telex")
    config = yaml.safe_load(flags("-rule=x", "-envflag.enable", "-envflag.prefix=VMA_", "-telex.printConfig").stdout)
    assert config["datasource"]["url"] == "http://vm:8428" and config["state"]["path"] == "/var/lib/telex"


def test_every_flag_of_debians_vmalert_is_known():
    done = subprocess.run(["vmalert", "-help"], capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    names = [line.split()[0].lstrip("-") for line in text.splitlines() if line.startswith("  -")]
    assert len(names) > 100
    table = flags("--help").stdout
    known = [line.split("`")[1].lstrip("-") for line in table.splitlines() if line.startswith("| `-")]
    unknown = [name for name in names if not any(
        name == row or (row.endswith("*") and name.startswith(row[:-1])) for row in known)]
    assert unknown == []


def test_displaced_labels_go_on_as_exported(tmp_path, start_fake_prom, start_rw_sink):
    """As in later versions of vmalert than Debian's; the label of an alert's name too."""
    series = {"i": "a", "severity": "low", "dc": "south", "same": "s", "alertname": "Other"}
    prom, sink = start_fake_prom(lambda text, at: [(series, 9.0)]), start_rw_sink()
    labels = {"severity": "page", "same": "s", "new": "n"}
    rules = [{"alert": "Loaded", "expr": "load > 5", "labels": labels}, {"record": "load:copy", "expr": "load", "labels": labels}]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "interval": "1s", "rules": rules}]}))
    port = net.free_port()
    process = start([telex.BINARY, "vmalert", f"-rule={tmp_path}/rules.yaml", f"-datasource.url={prom.url}",
                     f"-remoteWrite.url={sink.url}", "-external.label=dc=north", f"-httpListenAddr=127.0.0.1:{port}",
                     f"-telex.state={tmp_path}/state"], tmp_path, "telex", port)
    want = {"i": "a", "severity": "page", "exported_severity": "low", "dc": "north", "exported_dc": "south", "same": "s",
            "new": "n"}
    try:
        found = net.wait_until("the alert", lambda: net.get(f"http://127.0.0.1:{port}/api/v1/alerts").json()["data"]["alerts"])
        assert found[0]["labels"] == {**want, "alertname": "Loaded", "exported_alertname": "Other", "alertgroup": "g"}
        copies = net.wait_until("the copy", lambda: [dict(key) for key in sink.samples if ("__name__", "load:copy") in key])
        assert copies == [{**want, "__name__": "load:copy", "alertname": "Other"}]
    finally:
        process.stop()


def test_what_alerts_link_to(tmp_path, start_fake_prom, start_alertmanager):
    prom, manager = start_fake_prom(lambda text, at: [({"i": "a b"}, 9.0)]), start_alertmanager()
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULES))
    port = net.free_port()
    source = 'explore?left=["now-1h",{"expr":{{$expr|jsonEscape|queryEscape}} },"{{ $labels.i | pathEscape }}"]'
    arguments = [f"-rule={tmp_path}/rules.yaml", f"-datasource.url={prom.url}", f"-notifier.url={manager.url}",
                 "-external.url=http://grafana.test/", f"-httpListenAddr=127.0.0.1:{port}", f"-telex.state={tmp_path}/state"]
    want = 'http://grafana.test/explore?left=["now-1h",{"expr":%22load+%3E+5%22 },"a%20b"]'
    process = start([telex.BINARY, "vmalert", *arguments, f"-external.alert.source={source}"], tmp_path, "telex", port)
    try:
        held = net.wait_until("the alert", lambda: manager.alerts(alertname="Loaded"), deadline=30)
        assert held[0]["generatorURL"] == want
        shown = net.get(f"http://127.0.0.1:{port}/api/v1/alerts").json()["data"]["alerts"]
        assert {alert["source"] for alert in shown if alert["name"] == "Loaded"} == {want}
    finally:
        process.stop()
    for wrong, said in (("{{ $expr", "alert_source"), ("{{ query `up` }}", "cannot `query`")):
        assert said in flags(*arguments, f"-external.alert.source={wrong}", "-dryRun", status=1).stderr
