"""The chart of packaging/: what it renders to is what Kubernetes takes, and its config runs.

With a Helm (on the PATH, or in the tests' cache) the chart is rendered here and must be what is kept in tests/golden/helm; without
one the kept renderings are looked at, which must be of this chart. GOLDEN_UPDATE=1 with a Helm renders anew.
"""

import hashlib
import json
import os
import shutil
import subprocess

import pytest
import yaml

import net
import pypi
import telex
from event_sink import EventSink
from fakes import Answer
from manifests import Unpacked, check, check_meets, named, parsed, pods, probe, validate

CHART = telex.ROOT / "packaging" / "helm" / "telex"
GOLDEN = telex.ROOT / "tests" / "golden" / "helm"
NAMES = sorted(p.name.removesuffix(".values.yaml") for p in GOLDEN.glob("*.values.yaml"))
FOREIGN = ("ServiceMonitor",)  # kinds that are not Kubernetes's own
SECRETS = {"event-exporter-oidc-secret": {"client-secret": "hidden"}, "oidc": {"secret": "hidden"},
           "telex-database": {"url": "postgresql://telex@database.example.com/nvsentinel"},
           "telex-admin": {"token": "adm"}}


def helm():
    """The program, or None."""
    cached = pypi.cache() / "helm"
    return shutil.which("helm") or (str(cached) if cached.exists() else None)


def run_helm(*words):
    program = helm()
    if program is None:
        pytest.skip("helm is not installed: the kept renderings alone are looked at (packaging/helm/telex/README.md)")
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60)


def stamp(name):
    """What a rendering was made from: the chart's files and the values."""
    digest = hashlib.sha256()
    files = [p for p in CHART.rglob("*") if p.is_file() and p.name != "README.md"]
    for path in [*sorted(files), GOLDEN / f"{name}.values.yaml"]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"# of {digest.hexdigest()}\n"


def kept(name):
    return (GOLDEN / f"{name}.yaml").read_text()


def rendered(name):
    return parsed(kept(name))


@pytest.mark.parametrize("name", NAMES)
def test_helm_renders_what_is_kept(name):
    done = run_helm("template", "events", str(CHART), "-n", "gpu", "-f", str(GOLDEN / f"{name}.values.yaml"))
    assert done.returncode == 0, done.stderr
    if os.environ.get("GOLDEN_UPDATE"):
        (GOLDEN / f"{name}.yaml").write_text(stamp(name) + done.stdout)
    assert kept(name).partition("\n")[2] == done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_is_of_this_chart(name):
    assert kept(name).startswith(stamp(name)), "the chart changed: render it anew with GOLDEN_UPDATE=1"


def test_helm_finds_nothing_wrong():
    done = run_helm("lint", "--strict", str(CHART), "-f", str(GOLDEN / "seed.values.yaml"))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("values, said", [
    ({"event-exporter": {"enabled": True}}, "exporter"),
    ({"event-exporter": {"enabled": True, "exporter": {"sink": {"endpoint": "http://a"}}}}, "metadata"),
    ({"persistance": {"enabled": True}}, "persistance"),
    ({"secrets": [{"name": "a"}]}, "secretName"),
    ({"terminationGracePeriodSeconds": 5}, "25"),
])
def test_helm_refuses_wrong_values(values, said, tmp_path):
    (tmp_path / "values.yaml").write_text(json.dumps(values))
    done = run_helm("template", "events", str(CHART), "-f", str(tmp_path / "values.yaml"))
    assert done.returncode != 0 and said in done.stderr, done.stdout + done.stderr


def test_kubernetes_takes_it():
    everything = [d for name in NAMES for d in rendered(name)]
    validate([d for d in everything if d["kind"] not in FOREIGN])
    for name in NAMES:
        check_meets(rendered(name))


def test_one_pod_at_a_time_with_its_state_and_no_rights():
    for name in NAMES:
        deployment, = pods(rendered(name))
        spec = deployment["spec"]["template"]["spec"]
        assert deployment["spec"]["replicas"] == 1 and deployment["spec"]["strategy"] == {"type": "Recreate"}
        claim, = [v["persistentVolumeClaim"]["claimName"] for v in spec["volumes"] if "persistentVolumeClaim" in v]
        assert claim in named(rendered(name), "PersistentVolumeClaim")
        container = spec["containers"][0]
        assert container["resources"] == {"requests": {"cpu": "500m", "memory": "512Mi"},
                                          "limits": {"cpu": "1", "memory": "1Gi"}}
        assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                "capabilities": {"drop": ["ALL"]}}
        assert spec["automountServiceAccountToken"] is False


def test_the_monitor_and_the_policy_are_of_the_pod():
    everything = rendered("whole")
    deployment, = pods(everything)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    policy, = named(everything, "NetworkPolicy").values()
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    monitor, = named(everything, "ServiceMonitor").values()
    service, = named(everything, "Service").values()
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] in [p["name"] for p in service["spec"]["ports"]]


@pytest.mark.parametrize("name", NAMES)
def test_check_accepts_the_config(name, tmp_path):
    pod = Unpacked(tmp_path, rendered(name), pods(rendered(name))[0], SECRETS)
    done = check(pod.config, pod.environment)
    assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
    assert done.stdout.count("delivers at least once") == 1, done.stdout


def test_the_section_goes_in_as_it_is(tmp_path):
    for name in NAMES:
        values = yaml.safe_load((GOLDEN / f"{name}.values.yaml").read_text())
        pod = Unpacked(tmp_path / name, rendered(name), pods(rendered(name))[0], SECRETS)
        config = yaml.safe_load(pod.config.read_text())
        assert config["event-exporter"] == values["event-exporter"]
        for section, options in values.get("config", {}).items():
            assert options.items() <= config[section].items()
    assert config["state"]["path"] and config["server"]["listen"] == ":8420", "what the chart says is still there"


def test_the_seeds_values_run(tmp_path, start_telex, start_webhook):
    issuer, sink = start_webhook(), EventSink(token="t0k").start()
    try:
        issuer.answer = lambda request: Answer(200, '{"access_token":"t0k","token_type":"Bearer","expires_in":300}',
                                               {"Content-Type": "application/json"})
        pod = Unpacked(tmp_path / "pod", rendered("seed"), pods(rendered("seed"))[0], SECRETS)
        text = pod.config.read_text().replace("https://events.example.com", sink.url)
        config = yaml.safe_load(text.replace("https://auth.example.com", issuer.url))
        del config["server"]  # its port is the test's
        program = start_telex(config)
        assert len(pod.probes) == 3
        for one in pod.probes:
            probe(program, pod, one)
        event = {"specversion": "1.0", "id": "1", "source": "/agent", "type": "raw",
                 "data": {"checkName": "XIDError", "nodeName": "gpu-node-01", "isFatal": True}}
        assert net.post(program.url + "/api/v1/events", json.dumps(event).encode(),
                        headers={"Content-Type": "application/cloudevents+json"}).status == 202
        net.wait_until("the event", lambda: sink.ids() == ["1"])
        assert sink.taken[0]["source"] == "nvsentinel://production-us-west/healthevents"
        assert "scope=events%3Awrite" in issuer.requests[0].raw.decode()
        assert sink.violations == []
    finally:
        sink.stop()
