"""Public rule files in two engines each: what they take and refuse, Telex takes and refuses, differences by name."""

import subprocess

import pytest

import telex

FOLDERS = ("rules", "promtool", "vmalert-tool")
# Fields of VictoriaMetrics, which Prometheus refuses and Telex takes.
MORE_THAN_PROMETHEUS = {"victoriametrics-alerts-cluster.yml", "victoriametrics-alerts-single-node.yml",
                        "victoriametrics-alerts-vmagent.yml"}


def takes(*argv):
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=120, check=False).returncode == 0


@pytest.fixture(scope="session")
def corpus(shared_data):
    files = sorted(path for folder in FOLDERS for path in (shared_data / folder).rglob("*.y*ml"))
    assert len(files) >= 20
    return files


def test_as_vmalert(corpus):
    """telex vmalert -dryRun beside vmalert -dryRun: no differences."""
    verdicts = {path.name: (takes(telex.BINARY, "vmalert", "-dryRun", f"-rule={path}"), takes("vmalert", "-dryRun", f"-rule={path}"))
                for path in corpus}
    assert {name for name, (ours, theirs) in verdicts.items() if ours != theirs} == set()
    assert {ours for ours, _ in verdicts.values()} == {True, False}, "some must be refused"


def test_as_prometheus(corpus):
    """telex check beside promtool check rules."""
    verdicts = {path.name: (takes(telex.BINARY, "check", path), takes("promtool", "check", "rules", path)) for path in corpus}
    assert {name for name, (ours, theirs) in verdicts.items() if theirs and not ours} == set()
    assert {name for name, (ours, theirs) in verdicts.items() if ours and not theirs} == MORE_THAN_PROMETHEUS
