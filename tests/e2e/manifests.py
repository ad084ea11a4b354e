"""Manifests of Kubernetes as a test has them: parts found by name, a pod's mounts laid out in a folder, its probes asked."""

import json
import os
import subprocess

import yaml

import pypi
import telex

POD_KINDS = ("Deployment", "StatefulSet")
VALIDATE = """
import json, sys, kubernetes_validate
for document in json.load(sys.stdin):
    kubernetes_validate.validate(document, sys.argv[1], strict=True)
"""


def documents(path):
    return parsed(path.read_text())


def parsed(text):
    return [d for d in yaml.safe_load_all(text) if d is not None]


def named(all_documents, kind):
    return {d["metadata"]["name"]: d for d in all_documents if d["kind"] == kind}


def pods(all_documents):
    return [d for d in all_documents if d["kind"] in POD_KINDS]


def telex_container(pod):
    container, = [c for c in pod["spec"]["template"]["spec"]["containers"] if c["image"].startswith("telex:")]
    return container


class Unpacked:
    """The mounts of a container as folders below one of the test's, and what it runs with there."""

    def __init__(self, folder, all_documents, pod, secrets=None):
        self.folder, self.container = folder, telex_container(pod)
        self.secrets = {**{n: s["stringData"] for n, s in named(all_documents, "Secret").items()}, **(secrets or {})}
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
            return self.secrets[volume["secret"]["secretName"]]
        if "projected" in volume:
            return {item["path"]: self.secrets[s["secret"]["name"]][item["key"]]
                    for s in volume["projected"]["sources"] for item in s["secret"]["items"]}
        if "persistentVolumeClaim" not in volume:
            assert "emptyDir" in volume, volume
        return {}

    @property
    def config(self):
        arguments = self.container["args"]
        return self.path(arguments[arguments.index("-c") + 1])

    @property
    def environment(self):
        return {v["name"]: self.moved(v["value"]) for v in self.container.get("env", [])}

    @property
    def probes(self):
        return [self.container[k] for k in ("startupProbe", "readinessProbe", "livenessProbe") if k in self.container]


def check(config, environment):
    return subprocess.run([telex.BINARY, "check", "-c", config], capture_output=True, text=True, timeout=20,
                          env={**os.environ, **environment})


def probe(program, pod, probe_of):
    """As the kubelet does; an exec probe runs the program beside the one that it asks."""
    if "httpGet" in probe_of:
        ports = {p["name"]: p["containerPort"] for p in pod.container["ports"]}
        assert ports[probe_of["httpGet"]["port"]] == 8420
        assert program.get(probe_of["httpGet"]["path"]).status == 200
        return
    command = probe_of["exec"]["command"]
    assert command[:3] == ["telex", "health", "-c"] and pod.path(command[3]) == pod.config
    done = subprocess.run([telex.BINARY, "health", "-c", program.config_path, *command[4:]], capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr


def validate(all_documents):
    """As Kubernetes takes them, by its own schemas."""
    python = pypi.interpreter("kubernetes-validate==1.37.0")
    done = subprocess.run([python, "-c", VALIDATE, "1.31"], input=json.dumps(all_documents), text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]


def check_meets(everything):
    """Selectors choose pods that there are, and services ports that these have."""
    for pod in pods(everything):
        labels = pod["spec"]["template"]["metadata"]["labels"]
        assert pod["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for service in named(everything, "Service").values():
        chosen = [p for p in pods(everything)
                  if service["spec"]["selector"].items() <= p["spec"]["template"]["metadata"]["labels"].items()]
        names = {p["name"] for pod in chosen for p in telex_container(pod)["ports"]}
        assert {p["targetPort"] for p in service["spec"]["ports"]} <= names, "a port that no container has"
