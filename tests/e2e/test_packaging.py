"""What packaging/ holds: manifests whose parts fit each other, and whose config Telex accepts and runs with."""

import pathlib
import shutil
import subprocess

import pytest
import yaml

import telex
from manifests import Unpacked, check, check_meets, documents, pods, probe, validate

PACKAGING = telex.ROOT / "packaging"
MANIFESTS = sorted((PACKAGING / "kubernetes").glob("*.yaml"))
def every_pod(tmp_path):
    for manifest in MANIFESTS:
        everything = documents(manifest)
        for pod in pods(everything):
            yield Unpacked(tmp_path / manifest.stem / pod["metadata"]["name"], everything, pod)


def test_check_accepts_the_config_of_each_pod(tmp_path):
    seen = 0
    for pod in every_pod(tmp_path):
        done = check(pod.config, pod.environment)
        assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
        seen += 1
    assert seen == 3


def test_each_pod_runs_and_answers_its_probes(tmp_path, start_telex, monkeypatch):
    for pod in every_pod(tmp_path):
        for name, value in pod.environment.items():
            monkeypatch.setenv(name, value)
        config = yaml.safe_load(pod.config.read_text())
        del config["server"]  # its port is the test's
        for stream in config.get("events", {}).values():
            del stream["source"]  # its database is not here; our own table is
        program = start_telex(config)
        assert pod.probes
        for one in pod.probes:
            probe(program, pod, one)


def test_services_and_selectors_meet_pods():
    for manifest in MANIFESTS:
        check_meets(documents(manifest))


def test_grace_is_longer_than_a_stop_takes():
    """A pod that is killed before its stop ended loses nothing, but tells it later than it need."""
    for manifest in MANIFESTS:
        for pod in pods(documents(manifest)):
            assert pod["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 25


def test_manifests_are_what_kubernetes_takes():
    for manifest in MANIFESTS:
        validate(documents(manifest))


# ---- Compose -----------------------------------------------------------------------------------------

COMPOSE = PACKAGING / "compose"


def composed():
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text())


def test_compose_takes_its_file():
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed")
    done = subprocess.run(["docker-compose", "-f", COMPOSE / "compose.yaml", "config", "-q"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_check_accepts_the_config_of_compose(tmp_path):
    service = composed()["services"]["telex"]
    folder = tmp_path / "etc"
    for volume in service["volumes"]:
        source, target = volume.split(":")[:2]
        if source.startswith("./"):
            place = folder / pathlib.Path(target).name
            (shutil.copytree if (COMPOSE / source).is_dir() else shutil.copy)(COMPOSE / source, _made(place))
    config = folder / "telex.yaml"
    config.write_text(config.read_text().replace("/var/lib/telex", str(tmp_path / "state")))
    environment = dict(v.split("=", 1) for v in service["environment"])
    done = check(config, {k: "" if v.startswith("${") else v for k, v in environment.items()})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning") == 1 and "PROFILING_DATADOG_*" in done.stderr, "only of the key that is not given"
    assert "3 exporters" in done.stdout and "1 rule" in done.stdout


def _made(place):
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def test_compose_names_services_that_are_there():
    services = composed()["services"]
    assert set(services["telex"]["depends_on"]) <= set(services)
    config = (COMPOSE / "telex.yaml").read_text()
    hosts = {word.split("//")[1].split(":")[0] for word in config.split('"') if word.startswith("http://")}
    assert hosts and hosts <= set(services)
    assert {"telex", "prometheus-pushgateway"} <= set(services), "what prometheus.yml scrapes"


# ---- systemd -----------------------------------------------------------------------------------------


def test_systemd_takes_the_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "telex.service"
    text = (PACKAGING / "systemd" / "telex.service").read_text()
    unit.write_text(text.replace("/usr/bin/telex", str(telex.BINARY)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "telex.service" not in done.stderr, done.stderr
