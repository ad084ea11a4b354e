"""The scripts and examples that a newcomer meets first do what the README says."""

import json
import os
import pathlib
import re
import signal
import subprocess

import net
import pytest
import telex
from process import Process

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN_DEADLINE = 120.0
ROWS_DEADLINE = 60.0


def children_of(folder):
    """Command lines of processes that have to do with a folder."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if int(path.parent.name) != os.getpid() and any(str(folder) in word for word in words):
            found.append(" ".join(words))
    return found


def rows(folder):
    """All whole lines of the result files."""
    return [json.loads(line) for path in folder.glob("*.jsonl")
            for line in path.read_text().split("\n")[:-1]]


@pytest.fixture
def run_script(tmp_path):
    script = Process("run", [ROOT / "run"], tmp_path, {"TELEX_OUT": str(tmp_path)}).start()
    yield script
    script.stop(40)


def test_run_delivers_within_a_minute_and_leaves_nothing(run_script, tmp_path):
    page = re.compile(r"status page +(http://\S+)")
    net.wait_until("run to say where to look", lambda: page.search(run_script.log()), RUN_DEADLINE)
    assert net.get(page.search(run_script.log()).group(1)).status == 200

    def text():
        return json.dumps(rows(tmp_path / "run" / "results"))
    for name in ("node_cpu_usage_percent", "node_memory_used_percent", "MemoryInUse"):
        net.wait_until(f"rows of {name}", lambda name=name: name in text(), ROWS_DEADLINE)

    run_script.signal(signal.SIGTERM)
    assert run_script.wait(60) == 143
    assert children_of(tmp_path) == []


def test_examples_pass_their_check():
    files = sorted((ROOT / "examples").rglob("*.yaml"))
    assert files
    for path in files:
        how = ["-c", path] if path.parent.name == "examples" else [path]
        done = subprocess.run([telex.BINARY, "check", *how], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{path}: {done.stdout}{done.stderr}"
        assert "warning" not in done.stdout + done.stderr, f"{path}: {done.stderr}"


def test_the_example_of_prometheus_passes_its_dry_run():
    done = subprocess.run([telex.BINARY, "prometheus-rules", f"--config.file={ROOT}/examples/prometheus.yml",
                           "--datasource.url=http://127.0.0.1:9090", "--dryRun"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "OK" in done.stdout and "warning" not in done.stdout + done.stderr, done.stderr


def test_the_example_templates_can_be_called(scene):
    scene.vectors["x"] = [({"instance": "h:9100", "dc": "north"}, 0.5)]
    scene.play(telex.alerting("Full", "x", annotations={"summary": '{{ template "load" . }}'}),
               rule_templates=[str(ROOT / "examples" / "templates" / "*.tmpl")])
    edge, = scene.wait_states("firing")
    assert edge["annotations"]["summary"] == "h in north: 50%"
