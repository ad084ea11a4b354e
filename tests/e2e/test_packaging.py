"""What packaging/ holds: manifests whose parts fit each other, and whose config Telex accepts and runs with."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest
import yaml

import pypi
import telex

PACKAGING = telex.ROOT / "packaging"
MANIFESTS = sorted((PACKAGING / "kubernetes").glob("*.yaml"))
POD_KINDS = ("Deployment", "StatefulSet")
VALIDATE = """
import json, sys, kubernetes_validate
for document in json.load(sys.stdin):
    kubernetes_validate.validate(document, sys.argv[1], strict=True)
"""


def documents(path):
    return list(yaml.safe_load_all(path.read_text()))


def named(all_documents, kind):
    return {d["metadata"]["name"]: d for d in all_documents if d["kind"] == kind}


def pods(all_documents):
    return [d for d in all_documents if d["kind"] in POD_KINDS]


def telex_container(pod):
    container, = [c for c in pod["spec"]["template"]["spec"]["containers"] if c["image"].startswith("telex:")]
    return container


class Unpacked:
    """The mounts of a container as folders below one of the test's, and what it runs with there."""

    def __init__(self, folder, all_documents, pod):
        self.folder, self.container = folder, telex_container(pod)
        self.all, self.spec = all_documents, pod["spec"]["template"]["spec"]
        self.claims = [c["metadata"]["name"] for c in pod["spec"].get("volumeClaimTemplates", [])]
        for mount in self.container["volumeMounts"]:
            self.fill(mount)

    def path(self, inside):
        return self.folder / inside.lstrip("/")

    def moved(self, text):
        for mount in self.container["volumeMounts"]:
            text = text.replace(mount["mountPath"], str(self.path(mount["mountPath"])))
        return text

    def fill(self, mount):
        folder = self.path(mount["mountPath"])
        folder.mkdir(parents=True)
        if mount["name"] in self.claims:
            return
        volume, = [v for v in self.spec["volumes"] if v["name"] == mount["name"]]
        for name, text in self.texts(volume).items():
            (folder / name).write_text(self.moved(text))

    def texts(self, volume):
        if "configMap" in volume:
            return named(self.all, "ConfigMap")[volume["configMap"]["name"]]["data"]
        if "secret" in volume:
            return named(self.all, "Secret")[volume["secret"]["secretName"]]["stringData"]
        assert "emptyDir" in volume, volume
        return {}

    @property
    def config(self):
        arguments = self.container["args"]
        return self.path(arguments[arguments.index("-c") + 1])

    @property
    def environment(self):
        return {v["name"]: self.moved(v["value"]) for v in self.container.get("env", [])}


def every_pod(tmp_path):
    for manifest in MANIFESTS:
        everything = documents(manifest)
        for pod in pods(everything):
            yield Unpacked(tmp_path / manifest.stem / pod["metadata"]["name"], everything, pod)


def check(config, environment):
    return subprocess.run([telex.BINARY, "check", "-c", config], capture_output=True, text=True, timeout=20,
                          env={**os.environ, **environment})


def test_check_accepts_the_config_of_each_pod(tmp_path):
    seen = 0
    for pod in every_pod(tmp_path):
        done = check(pod.config, pod.environment)
        assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
        seen += 1
    assert seen == 2


def probe(program, pod, probe_of):
    """As the kubelet does; an exec probe runs the program beside the one that it asks."""
    if "httpGet" in probe_of:
        ports = {p["name"]: p["containerPort"] for p in pod.container["ports"]}
        assert ports[probe_of["httpGet"]["port"]] == 8420
        assert program.get(probe_of["httpGet"]["path"]).status == 200
        return
    command = probe_of["exec"]["command"]
    assert command[:2] == ["telex", "health"] and pod.path(command[3]) == pod.config
    done = subprocess.run([telex.BINARY, "health", "-c", program.config_path], capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr


def test_each_pod_runs_and_answers_its_probes(tmp_path, start_telex, monkeypatch):
    for pod in every_pod(tmp_path):
        for name, value in pod.environment.items():
            monkeypatch.setenv(name, value)
        config = yaml.safe_load(pod.config.read_text())
        del config["server"]  # its port is the test's
        program = start_telex(config)
        probes = [pod.container[k] for k in ("startupProbe", "readinessProbe", "livenessProbe") if k in pod.container]
        assert probes
        for one in probes:
            probe(program, pod, one)


def test_services_and_selectors_meet_pods():
    for manifest in MANIFESTS:
        everything = documents(manifest)
        for pod in pods(everything):
            labels = pod["spec"]["template"]["metadata"]["labels"]
            assert pod["spec"]["selector"]["matchLabels"].items() <= labels.items()
        for service in named(everything, "Service").values():
            chosen = [p for p in pods(everything)
                      if service["spec"]["selector"].items() <= p["spec"]["template"]["metadata"]["labels"].items()]
            names = {p["name"] for pod in chosen for p in telex_container(pod)["ports"]}
            assert {p["targetPort"] for p in service["spec"]["ports"]} <= names, "a port that no container has"


def test_grace_is_longer_than_a_stop_takes():
    """A pod that is killed before its stop ended loses nothing, but tells it later than it need."""
    for manifest in MANIFESTS:
        for pod in pods(documents(manifest)):
            assert pod["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 25


def test_manifests_are_what_kubernetes_takes():
    python = pypi.interpreter("kubernetes-validate==1.37.0")
    for manifest in MANIFESTS:
        done = subprocess.run([python, "-c", VALIDATE, "1.31"], input=json.dumps(documents(manifest)), text=True,
                              capture_output=True, timeout=60)
        assert done.returncode == 0, (manifest.name, done.stderr[-2000:])


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
