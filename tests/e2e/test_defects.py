"""Defects of other rule engines that show only in a whole program; the table is in docs/internals/rules.md."""

import re
import subprocess

import yaml

import fakes
import net
import telex
from process import Process
from telex import alerting, group, recording

MANY = [({"instance": f"host-{n}", "job": "node"}, float(n)) for n in range(3000)]


def test_a_stop_while_groups_write_ends_well(scene, start_telex, start_rw_sink):
    """vmalert closes its queue while groups still write to it, and panics. Here the writing ends first, and what was
    given is there after the next start."""
    sink = start_rw_sink()
    scene.prom.respond = lambda text, time_ns: MANY
    program = start_telex(
        scene.config(exporters={"store": telex.remote_write_exporter(sink.url + "/api/v1/write")}, routes=[{"to": ["store"]}]),
        {"scene.yaml": [group(f"g{n}", [alerting(f"A{n}", f"x{n}"), recording(f"r{n}", f"y{n}")]) for n in range(4)]})
    for _ in range(3):
        before = len(sink.requests)
        net.wait_until("writing", lambda: len(sink.requests) > before + 2, deadline=40)
        assert program.sigterm() == 0
        program.check_log()
        assert "panic" not in program.process.log()
        program.start().wait_ready()
    assert not sink.violations, sink.violations[:3]


def test_rules_are_restored_though_one_of_them_fails(scene, start_fake_prom):
    """In vmalert the first rule whose state cannot be read takes the rest of its group with it, and nobody tries again."""
    other = start_fake_prom()
    lost = ["Broken"]

    def respond(text, time_ns):
        if any(f'"{name}"' in text for name in lost):
            return fakes.FakeProm.error("execution", "boom")
        for name in ("Broken", "Sound"):
            selector = f'ALERTS_FOR_STATE{{alertname="{name}"}}'
            if text == selector:
                return [({"__name__": "ALERTS_FOR_STATE", "alertname": name, "instance": "a"}, time_ns // 10**9 - 3600)]
            if selector in text:
                return [({}, time_ns / 1e9)]
        return []
    other.respond = respond
    scene.vectors["waits"] = [({"instance": "a"}, 1.0)]
    program = scene.play(alerting("Broken", "waits", for_="30m"), alerting("Sound", "waits", for_="30m"),
                         datasources={"other": {"url": other.url}}, restore={"datasource": "other"})
    scene.wait_states("firing", rule="Sound")
    assert program.alert_states("Broken") == ["pending"]
    lost.clear()
    scene.wait_states("firing", rule="Broken")


def posted(receiver):
    """The labels of alerts that were told."""
    return [alert["labels"] for request in list(receiver.requests) if request.status == 200
            for alert in request.json()]


def test_relabeling_of_all_alerts_is_read_again(tmp_path, scene, start_webhook):
    """vmalert keeps the alert_relabel_configs of its notifier file as they were at its start."""
    receiver = start_webhook()
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [group("g", [alerting("A", "a"), alerting("B", "b")])]}))

    def write(site):
        (tmp_path / "notifiers.yaml").write_text(yaml.safe_dump({
            "static_configs": [{"targets": [f"127.0.0.1:{receiver.port}"]}],
            "alert_relabel_configs": [{"target_label": "site", "replacement": site}]}))
    write("old")
    port = net.free_port()
    process = Process("telex", [
        telex.BINARY, "vmalert", f"-rule={tmp_path}/rules.yaml", f"-datasource.url={scene.prom.url}",
        f"-notifier.config={tmp_path}/notifiers.yaml", f"-httpListenAddr=127.0.0.1:{port}",
        f"-telex.state={tmp_path}/state"], tmp_path).start()
    try:
        scene.vectors["a"] = [({"instance": "a"}, 1.0)]
        net.wait_until("the first", lambda: any(labels["alertname"] == "A" for labels in posted(receiver)), deadline=30)
        assert {labels["site"] for labels in posted(receiver)} == {"old"}
        write("new")
        assert net.post(f"http://127.0.0.1:{port}/-/reload").status == 200
        scene.vectors["b"] = [({"instance": "a"}, 1.0)]
        net.wait_until("the second", lambda: any(labels["alertname"] == "B" for labels in posted(receiver)), deadline=30)
        assert {labels["site"] for labels in posted(receiver) if labels["alertname"] == "B"} == {"new"}
    finally:
        process.stop()


def test_rules_over_logs_are_refused_by_name(tmp_path):
    """vmalert counts logs at the borders of its intervals twice."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": [group("g", [recording("r", "x")], type="vlogs")]}))
    done = subprocess.run([telex.BINARY, "check", rules], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "groups of type 'vlogs' are not taken" in done.stderr + done.stdout


def test_each_defect_has_its_tests():
    rows = re.findall(r"^\| (?:vmalert|Prometheus) \|.*", (telex.ROOT / "docs/internals/rules.md").read_text(), re.MULTILINE)
    assert len(rows) == 12
    for row in rows:
        named = re.findall(r"`((?:unit|e2e)/\S+): (\w+)`", row)
        assert named, row
        for path, name in named:
            text = (telex.ROOT / "tests" / path).read_text()
            assert re.search(rf"(?:def {name}\(|cmocka_unit_test\({name}\))", text), f"{path} has no {name}"
