"""Records to Kafka, read back with other programs: nothing that was acknowledged is lost, keys stay in order, and
transactions are seen once. Over a real broker, and over librdkafka's mock cluster."""

import json
import subprocess
import threading
import time

import pytest

import kafka_servers
import kafka_via
import net
from telex import BINARY, FAST_RETRY

KEYS = 5


@pytest.fixture(scope="module")
def real_broker(tmp_path_factory):
    broker = kafka_servers.Broker(tmp_path_factory.mktemp("kafka"))
    try:
        yield broker.start()
    finally:
        broker.stop()


@pytest.fixture
def mock_broker(tmp_path):
    broker = kafka_servers.Mock(tmp_path)
    yield broker.start()
    broker.stop()


@pytest.fixture(params=["real", "mock"])
def broker(request):
    return request.getfixturevalue(f"{request.param}_broker")


def topic_of(broker, name):
    """A test's own on a broker that tests share; the mock has one, of three partitions."""
    return name if broker.is_real else "records"


def exporter(address, topic, **options):
    return {"type": "kafka", "brokers": [address], "topic": topic, "linger_ms": 1, **FAST_RETRY, **options}


def config(address, topic, **options):
    return {"receive": {"profiles": True}, "exporters": {"kafka": exporter(address, topic, **options)}}


def record(number, **fields):
    return {"name": "work", "number": number, "labels": {"series": f"s{number % KEYS}"}, **fields}


def push(program, records):
    return net.post(program.url + "/api/v1/profile", json.dumps(records).encode(),
                    headers={"Content-Type": "application/json"})


def push_until_acknowledged(program, records):
    """Returns when they are: a program that was killed meanwhile gets them again."""
    def accepted():
        return push(program, records).status == 204
    net.wait_until("records to be acknowledged", accepted, 30)


def numbers(rows):
    return [json.loads(value)["number"] for _, _, _, value in rows]


def wait_for(broker, topic, count, deadline=40.0):
    """The records of the topic once each of <count> numbers is there."""
    def complete():
        rows = kafka_servers.read(broker, topic)
        assert len(set(numbers(rows))) == count, f"{len(set(numbers(rows)))} of {count}"
        return rows
    return net.wait_until("all records", complete, deadline, every=0.3)


def assert_keys_in_order(rows):
    """A key is in one partition, and the first copies of its records came in order."""
    partitions, last, seen = {}, {}, set()
    for partition, _, key, value in sorted(rows, key=lambda row: row[:2]):
        number = json.loads(value)["number"]
        assert partitions.setdefault(key, partition) == partition, f"{key} is in two partitions"
        if number not in seen:
            assert last.get(key, -1) < number, f"{number} came behind {last[key]}"
            last[key] = number
            seen.add(number)


def test_rows_are_read_back(broker, start_telex):
    topic = topic_of(broker, "back")
    program = start_telex(config(broker.plain, topic, compression="zstd", headers={"origin": "test"}))
    for first in range(0, 500, 50):
        assert push(program, [record(number) for number in range(first, first + 50)]).status == 204
    rows = wait_for(broker, topic, 500)
    assert len(rows) == 500
    assert_keys_in_order(rows)
    keys = {key for _, _, key, _ in rows}
    assert keys == {f'work{{series="s{number}"}}' for number in range(KEYS)}
    example = json.loads(rows[0][3])
    assert example["kind"] == "profile" and example["labels"] == {"series": f"s{example['number'] % KEYS}"}


def test_an_independent_client_agrees(real_broker, start_telex):
    """kafka-python reads the same bytes, headers and times, and would have chosen the same partitions."""
    client = pytest.importorskip("kafka", reason="python3-kafka is not installed")
    from kafka.partitioner.default import DefaultPartitioner
    program = start_telex(config(real_broker.plain, "python", headers={"origin": "test"}, compression="gzip"))
    assert push(program, [record(n, timestamp="2026-01-02T03:04:05.678Z") for n in range(100)]).status == 204
    wait_for(real_broker, "python", 100)
    consumer = client.KafkaConsumer("python", bootstrap_servers=real_broker.plain, auto_offset_reset="earliest",
                                    consumer_timeout_ms=3000, group_id=None)
    found = []
    for message in consumer:
        found.append(message)
        if len(found) == 100:
            break
    consumer.close()
    assert {json.loads(m.value)["number"] for m in found} == set(range(100))
    assert {tuple(m.headers) for m in found} == {(("origin", b"test"),)}
    assert {m.timestamp for m in found} == {1767323045678}
    for message in found:
        assert DefaultPartitioner()(message.key, [0, 1, 2], [0, 1, 2]) == message.partition


def test_too_large_for_the_topic(real_broker, start_telex):
    """A batch that the topic does not take is halved; a record that it does not take alone is a dead letter."""
    large = {3, 20, 21, 39}
    real_broker.create("small", **{"max.message.bytes": "3000"})
    program = start_telex(config(real_broker.plain, "small", buffer={"flush_interval": "1s"}))
    records = [record(n, text="x" * (5000 if n in large else 300)) for n in range(40)]
    assert push(program, records).status == 204
    rows = wait_for(real_broker, "small", 40 - len(large))
    assert not large & set(numbers(rows))
    assert_keys_in_order(rows)
    net.wait_until("the dead letter", lambda: any(
        value == len(large) for name, values in program.metrics().items() if "dead" in name for value in values.values()))


def test_a_wrong_password_halts(real_broker, start_telex):
    login = {"sasl_mechanism": "PLAIN", "sasl_username": "telex"}
    program = start_telex(config(real_broker.login, "login", sasl_password="mistaken", **login))
    assert push(program, [record(n) for n in range(10)]).status == 204
    net.wait_until("the refusal in the log", lambda: "uthentication" in program.process.log())
    assert "mistaken" not in program.process.log()
    program.write_config(config(real_broker.login, "login", sasl_password="right", **login))
    assert program.reload().status == 200
    assert len(wait_for(real_broker, "login", 10)) == 10


def test_a_dry_run_shows_messages(tmp_path):
    config_path = tmp_path / "telex.yaml"
    config_path.write_text(json.dumps({"state": {"path": str(tmp_path / "data")}, "exporters": {
        "kafka": exporter("127.0.0.1:1", "t-{kind}-{label.job}", headers={"origin": "test"})}}))
    done = subprocess.run([BINARY, "export", "-c", config_path, "--to", "kafka", "--dry-run", "--format", "prometheus", "-"],
                          input='up{job="a"} 1 1700000000000\n', capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    for part in ("topic: t-sample-a\n", 'key: up{job="a"}\n', "origin: test\n", '"value":1'):
        assert part in done.stdout


def headers_of(broker, topic, count):
    """The first <count> messages as kcat sees them: [(key, {header: value}, value)]."""
    done = kafka_servers.kcat("-C", "-q", "-b", broker.plain, "-t", topic, "-o", "beginning", "-c", str(count),
                              "-f", "%k\\t%h\\t%s\\n")
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    return [(key, dict(header.split("=", 1) for header in headers.split(",") if header), value)
            for key, headers, value in rows]


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_cloudevents(real_broker, start_telex, mode):
    topic = f"events-{mode}"
    program = start_telex(config(real_broker.plain, topic, format="cloudevents", mode=mode, source="/here",
                                 extensions={"stage": "prod"}, headers={"team": "x"}))
    assert push(program, [record(number) for number in range(3)]).status == 204
    found = net.wait_until("three events", lambda: (rows := headers_of(real_broker, topic, 3)) and len(rows) == 3 and rows, 40)
    for key, headers, value in found:
        assert headers.pop("team") == "x"
        if mode == "structured":
            assert headers == {"content-type": "application/cloudevents+json; charset=UTF-8"}
            event = json.loads(value)
            data = event.pop("data")
        else:
            assert headers.pop("content-type") == "application/json"
            assert all(name.startswith("ce_") for name in headers)
            event, data = {name[3:]: text for name, text in headers.items()}, json.loads(value)
        assert key == event["partitionkey"] and event["stage"] == "prod" and event["id"]
        assert (event["specversion"], event["source"], event["type"]) == ("1.0", "/here", "dev.telex.profile")
        assert data["number"] in range(3) and data["labels"]["series"] == f"s{data['number']}"


class Stream(threading.Thread):
    """Pushes records until it is told to stop; counts those that were acknowledged."""

    def __init__(self, program, step=20):
        super().__init__()
        self.program, self.step = program, step
        self.acknowledged, self.failed, self.ends = 0, None, threading.Event()

    def run(self):
        try:
            while not self.ends.is_set():
                first = self.acknowledged
                push_until_acknowledged(self.program, [record(n) for n in range(first, first + self.step)])
                self.acknowledged += self.step
                time.sleep(0.01)
        except Exception as error:  # told by the test
            self.failed = error

    def finish(self):
        self.ends.set()
        self.join(40)
        assert self.failed is None, self.failed
        return self.acknowledged

    def wait_for(self, count):
        net.wait_until(f"{count} acknowledged", lambda: self.acknowledged >= count or self.failed, 40)


def test_the_broker_is_killed(real_broker, start_telex):
    program = start_telex(config(real_broker.plain, "killed"))
    stream = Stream(program)
    stream.start()
    for round_number in range(2):
        stream.wait_for(stream.acknowledged + 200)
        real_broker.kill()
        time.sleep(0.5)
        real_broker.restart()
    stream.wait_for(stream.acknowledged + 100)
    count = stream.finish()
    rows = wait_for(real_broker, "killed", count)
    assert_keys_in_order(rows)
    assert len(rows) == count, "an idempotent producer repeats nothing in so short an outage"


def test_telex_is_killed(broker, start_telex):
    topic = topic_of(broker, "kills")
    program = start_telex(config(broker.plain, topic))
    stream = Stream(program)
    stream.start()
    for _ in range(3):
        stream.wait_for(stream.acknowledged + 100)
        program.sigkill()
        program.start().wait_ready()
    stream.wait_for(stream.acknowledged + 100)
    count = stream.finish()
    rows = wait_for(broker, topic, count)
    assert set(numbers(rows)) == set(range(count))
    assert_keys_in_order(rows)


def test_transactions_are_seen_once(broker, start_telex):
    topic = topic_of(broker, "txn")
    program = start_telex(config(broker.plain, topic, transactions=True, transactional_id="telex-e2e"))
    stream = Stream(program)
    stream.start()
    stream.wait_for(200)
    if broker.is_real:
        broker.kill()
        broker.restart()
    stream.wait_for(stream.acknowledged + 200)
    count = stream.finish()
    rows = wait_for(broker, topic, count)
    assert sorted(numbers(rows)) == list(range(count))
    assert_keys_in_order(rows)


@pytest.fixture
def cut_broker(tmp_path):
    """A broker, and the way to it on which answers to commits can be kept back."""
    port = net.free_port()
    via = kafka_via.Via(port)
    broker = kafka_servers.Broker(tmp_path)
    plain, _, control = broker.ports
    broker.more = {
        "listeners": f"PLAIN://{net.HOST}:{plain},VIA://{net.HOST}:{port},CONTROLLER://{net.HOST}:{control}",
        "advertised.listeners": f"PLAIN://{net.HOST}:{plain},VIA://{net.HOST}:{via.port}",
        "listener.security.protocol.map": "PLAIN:PLAINTEXT,VIA:PLAINTEXT,CONTROLLER:PLAINTEXT"}
    broker.login = f"{net.HOST}:{via.port}"
    try:
        yield broker.start(), via
    finally:
        broker.stop()
        via.close()


def test_a_kill_behind_a_commit(cut_broker, start_telex):
    """The broker has committed, and Telex never heard of it: each record is there once all the same."""
    broker, via = cut_broker
    program = start_telex(config(broker.login, "cut", transactions=True, transactional_id="telex-cut"))
    count = 0
    for _ in range(4):
        via.holds.clear()
        via.held.clear()
        assert push(program, [record(n) for n in range(count, count + 20)]).status == 204
        count += 20
        wait_for(broker, "cut", count)
        via.holds.set()
        assert push(program, [record(n) for n in range(count, count + 20)]).status == 204
        count += 20
        assert via.held.wait(30), "no commit"
        program.sigkill()
        via.holds.clear()
        program.start().wait_ready()
        assert push(program, [record(count)]).status == 204
        count += 1
        rows = wait_for(broker, "cut", count)
        assert sorted(numbers(rows)) == list(range(count))
    assert_keys_in_order(rows)
    assert sum(program.metrics()["telex_exporter_already_there_total"].values()) == 20
    # Who has lost its state begins its log anew: what was kept for the old one covers nothing of it.
    program.sigterm()
    program = start_telex(config(broker.login, "cut", transactions=True, transactional_id="telex-cut"))
    for _ in range(5):
        assert push(program, [record(n) for n in range(count, count + 20)]).status == 204
        count += 20
        rows = wait_for(broker, "cut", count)
    assert sorted(numbers(rows)) == list(range(count))
    assert sum(program.metrics()["telex_exporter_already_there_total"].values()) == 0


def test_both_logs_have_transactions(real_broker, start_telex):
    """Alerts and all else come out of two logs side by side: neither shuts the other out."""
    options = config(real_broker.plain, "both", transactions=True, transactional_id="telex-both")
    options["receive"]["alerts"] = True
    program = start_telex(options)
    for number in range(10):
        alert = {"labels": {"alertname": f"a{number}"}, "annotations": {}}
        assert net.post(program.url + "/api/v2/alerts", json.dumps([alert]).encode(),
                        headers={"Content-Type": "application/json"}).status == 200
        assert push(program, [record(number)]).status == 204

        def there(count=number + 1):
            values = [json.loads(value) for _, _, _, value in kafka_servers.read(real_broker, "both")]
            kinds = [value["kind"] for value in values]
            return kinds.count("profile") == count and kinds.count("alert") >= count

        net.wait_until("both", there, 40, every=0.2)
    assert "fenced" not in program.process.log()


def test_a_newer_producer_shuts_out_the_older(real_broker, start_telex):
    options = {"transactions": True, "transactional_id": "telex-fenced"}
    older = start_telex(config(real_broker.plain, "fenced", **options))
    assert push(older, [record(0)]).status == 204
    wait_for(real_broker, "fenced", 1)
    newer = start_telex(config(real_broker.plain, "fenced", **options))
    assert push(newer, [record(1)]).status == 204
    wait_for(real_broker, "fenced", 2)
    assert push(older, [record(2)]).status == 204
    net.wait_until("the older to halt", lambda: any(word in older.process.log() for word in ("fenced", "newer")))
    assert sorted(numbers(kafka_servers.read(real_broker, "fenced"))) == [0, 1]


def test_an_unreachable_broker_is_told(start_telex):
    address = f"{net.HOST}:{net.free_port()}"
    program = start_telex(config(address, "t"))
    assert push(program, [record(1)]).status == 204

    def status():
        return next(found for found in program.get("/api/v1/status/exporters").json()["data"]["exporters"]
                    if found["name"] == "kafka")

    net.wait_until("an error in the status", lambda: status().get("lastError"), 15)
    assert status()["state"] == "retrying" and "Connection refused" in status().get("lastError")
