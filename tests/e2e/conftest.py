"""Fixtures of the end-to-end tests: real servers, our own strict ones, and Telex itself.

Environment: TELEX_BIN (default build/telex), TELEX_SHARED_DATA (public test data, optional).
When a test fails, the ends of all logs below its folder are added to the report.
"""

import fcntl
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import fakes  # noqa: E402
import postgres  # noqa: E402
import scene as scene_module  # noqa: E402
import servers  # noqa: E402
import telex as telex_module  # noqa: E402
import vendors  # noqa: E402

SHARED_DATA = pathlib.Path(os.environ.get("TELEX_SHARED_DATA", ROOT.parent / "shared" / "data"))


def pytest_configure(config):
    """Our own variables are none of the program's, which warns of those that it does not know. Who only hands tests to
    workers keeps them, for those to read."""
    if hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None):
        for name in [name for name in os.environ if name.startswith("TELEX_")]:
            del os.environ[name]


# The seed's alert waits two minutes: begun first, other tests run beside it. Its short form loads the CPU too, so
# it comes last.
PLACES = {"test_seed_rules_unchanged": -1, "test_seed_rules_with_a_short_for": 1}


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: PLACES.get(item.name, 0))


@pytest.fixture
def whole_cpu(tmp_path_factory, worker_id):
    """Held by one test at a time, also across the workers of a run: who measures the CPU wants it for itself."""
    base = tmp_path_factory.getbasetemp()
    with open((base if worker_id == "master" else base.parent) / "cpu.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    folder = item.funcargs.get("tmp_path") if hasattr(item, "funcargs") else None
    if report.failed and folder is not None:
        for log in sorted(folder.rglob("*.log")):
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-60:])
            if tail:
                report.sections.append((f"end of {log}", tail))


def _started(make):
    """A fixture body: starts what `make` returns, stops all of it after the test."""
    running = []

    def start(*args, **kwargs):
        server = make(*args, **kwargs)
        running.append(server)
        return server.start()

    yield start
    for server in reversed(running):
        server.stop()


def _real(kind):
    @pytest.fixture
    def fixture(tmp_path):
        yield from _started(lambda **kwargs: kind(tmp_path, **kwargs))
    return fixture


def _fake(kind):
    @pytest.fixture
    def fixture():
        yield from _started(kind)
    return fixture


start_node_exporter = _real(servers.NodeExporter)
start_prometheus = _real(servers.Prometheus)
start_pushgateway = _real(servers.Pushgateway)
start_alertmanager = _real(servers.Alertmanager)
start_dnsmasq = _real(servers.Dnsmasq)
start_victoria = _real(servers.VictoriaMetrics)
start_influx = _real(servers.InfluxDB)
start_graphite = _real(servers.Graphite)
start_postgres = _real(postgres.Postgres)
start_webhook = _fake(fakes.Webhook)
start_influx_v2 = _fake(fakes.InfluxV2)
start_influx_v3 = _fake(fakes.InfluxV3)
start_datadog = _fake(vendors.Datadog)
start_datadog_agent = _fake(vendors.DatadogAgent)
start_datadog_otlp = _fake(vendors.DatadogOtlp)
start_newrelic = _fake(vendors.NewRelic)
start_rw_sink = _fake(fakes.RemoteWriteSink)
start_fake_prom = _fake(fakes.FakeProm)


@pytest.fixture
def webhook(start_webhook):
    return start_webhook()


@pytest.fixture
def fake_prom(start_fake_prom):
    return start_fake_prom()


@pytest.fixture
def start_telex(tmp_path):
    """start_telex(config, rules={file name: groups}) -> a ready Telex; all are stopped and checked at the end."""
    running = []

    def start(config, rules=None, wait=True, name=None):
        program = telex_module.Telex(tmp_path / (name or f"telex{len(running)}"), config, rules)
        running.append(program)
        program.start()
        if wait:
            program.wait_ready()
        return program

    yield start
    for program in running:
        program.stop()
    for program in running:
        program.check_log()


@pytest.fixture(scope="session")
def shared_data():
    """The folder of public test data; a test that needs it skips when it is absent."""
    folder = SHARED_DATA
    if not folder.is_dir():
        pytest.skip(f"public test data not found at {folder} (set TELEX_SHARED_DATA)")
    return folder


@pytest.fixture
def scene(fake_prom, webhook, start_telex):
    return scene_module.Scene(fake_prom, webhook, start_telex)
