"""Topics of a real Kafka broker as an event source."""

import json
import re
import subprocess
import time

import pytest
import yaml

import kafka_servers
import net
import telex
from source_tap import Tap


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    server = kafka_servers.Broker(tmp_path_factory.mktemp("kafka"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def kafka():
    return pytest.importorskip("kafka", reason="python3-kafka is not installed")


@pytest.fixture
def producer(broker, kafka):
    client = kafka.KafkaProducer(bootstrap_servers=broker.plain, acks="all")
    yield client
    client.close()


def section(broker, topic, **options):
    return {"type": "kafka", "brokers": [broker.plain], "topic": topic, **options}


def put(producer, topic, numbers, **more):
    for number in numbers:
        producer.send(topic, json.dumps({"n": number}).encode(), key=f"k{number % 5}".encode(), **more)
    producer.flush()


def numbers(tap):
    return [document["n"] for document in tap.documents()]


def assert_keys_in_order(tap):
    last = {}
    for change, document in zip(tap.changes, tap.documents()):
        assert last.get(change["key"], -1) < document["n"]
        last[change["key"]] = document["n"]


def test_a_stream_goes_on_where_it_was(broker, producer, tmp_path):
    broker.create("orders")
    tap = Tap(tmp_path, section(broker, "orders"))
    begun = tap.run("start", "", "")[0]
    assert begun["result"] == "ok" and begun["oldest"] == "" and "dGVsZXgtdGVzdC1rYWZrYQ" in begun["identity"]
    put(producer, "orders", range(300))
    tap.run("start", begun["position"], begun["identity"], "next", 120, 20)
    first, middle = numbers(tap), tap.last["position"]
    assert len(first) == 120 and {change["name"] for change in tap.changes} == {"orders"}
    assert len({change["id"] for change in tap.changes}) == 120
    broker.kill()
    broker.restart()
    tap.run("start", middle, begun["identity"], "next", 180, 30, "measure")
    assert sorted(first + numbers(tap)) == list(range(300))
    assert_keys_in_order(tap)
    assert tap.last["behind"] == 0
    assert abs(tap.last["head_ns"] / 1e9 - time.time()) < 120


def test_the_broker_is_killed_in_mid_stream(broker, producer, tmp_path):
    """The source says that it is to be started again, and loses nothing by it."""
    broker.create("killed")
    tap = Tap(tmp_path, section(broker, "killed"))
    begun = tap.run("start", "", "")[0]
    put(producer, "killed", range(50))
    tap.run("start", begun["position"], "", "next", 50, 20)
    position = tap.last["position"]
    broker.kill()
    tap.run("start", position, "")
    assert tap.last["result"] == "again" and tap.last["error"]
    broker.restart()
    put(producer, "killed", range(50, 60))
    tap.run("start", position, "", "next", 10, 30)
    assert sorted(numbers(tap)) == list(range(50, 60))


def test_backfill_by_age_and_count(broker, producer, tmp_path):
    """By the times of records; and of each partition its share of the newest."""
    broker.create("past")
    now = int(time.time() * 1000)
    put(producer, "past", range(100), timestamp_ms=now - 3600_000)
    put(producer, "past", range(100, 200), timestamp_ms=now)
    tap = Tap(tmp_path, section(broker, "past"))
    begun = tap.run("start", "", "")[0]
    put(producer, "past", range(200, 220))
    start = ["start", begun["position"], ""]
    tap.run(*start, "backfill", begun["oldest"], "", 1000)
    assert sorted(numbers(tap)) == list(range(200)) and tap.last["done"]
    tap.run(*start, "from", (now - 60_000) * 10**6, "backfill", begun["oldest"], "", 1000)
    assert sorted(numbers(tap)) == list(range(100, 200)) and tap.last["done"]
    tap.run(*start, "newest", 30, "backfill", begun["oldest"], "", 1000)
    assert 29 <= len(numbers(tap)) <= 31 and tap.last["done"]
    # Broken off and gone on with, by another process each time.
    found, cursor, done = [], "", False
    while not done:
        tap.run(*start, "backfill", begun["oldest"], cursor, 60)
        found += numbers(tap)
        cursor, done = tap.last["position"], tap.last["done"]
    assert sorted(found) == list(range(200))
    tap.run(*start, "next", 20, 20)
    assert sorted(numbers(tap)) == list(range(200, 220))


def test_transactions(broker, tmp_path):
    """What was aborted is passed over, and the place moves behind it."""
    broker.create("txn")
    tap = Tap(tmp_path, section(broker, "txn"))
    begun = tap.run("start", "", "")[0]
    for number in range(3):
        subprocess.run(["kcat", "-P", "-b", broker.plain, "-t", "txn", "-p", "0", "-X", f"transactional.id=e2e-{number}"],
                       input=json.dumps({"n": number}), text=True, capture_output=True, timeout=30, check=True)
    tap.run("start", begun["position"], "", "next", 4, 8)
    assert numbers(tap) == [0, 1, 2]
    assert tap.last["position"].startswith("txn=0:6~"), "behind the mark of the last commit"


def test_cloudevents_of_another_library(broker, producer, tmp_path):
    """The binding's two modes, as kafka-python sends them with headers of the specification's example."""
    broker.create("events")
    tap = Tap(tmp_path, section(broker, "events"))
    begun = tap.run("start", "", "")[0]
    attributes = {"specversion": "1.0", "id": "A234-1234", "source": "/mycontext/ä", "type": "com.example.someevent",
                  "time": "2018-04-05T17:31:00Z", "partitionkey": "k"}
    binary = [(f"ce_{name}", value.encode()) for name, value in attributes.items()] + [("content-type", b"application/json")]
    producer.send("events", b'{"x":1}', key=b"k", headers=binary, partition=0)
    structured = {**attributes, "data": {"x": 2}, "datacontenttype": "application/json"}
    producer.send("events", json.dumps(structured).encode(), key=b"k", partition=0,
                  headers=[("content-type", b"application/cloudevents+json; charset=UTF-8")])
    producer.send("events", b"{}", headers=[("content-type", b"application/cloudevents+json")], partition=0)
    producer.flush()
    tap.run("start", begun["position"], "", "next", 3, 20)
    one, two, three = tap.changes
    assert [one["form"], two["form"], three["form"]] == ["event", "event", "broken"]
    assert one["event"]["source"] == "/mycontext/ä" and one["event"]["data"] == {"x": 1} and one["id"] == "A234-1234"
    assert {**one["event"], "data": {"x": 2}} == two["event"]
    assert three["fault"] and three["id"] == "events/0/2"


def test_retention_overtakes_us(broker, producer, tmp_path):
    """Segments of a few records, of which the broker keeps two: what was not read of the others is counted."""
    broker.create("short", **{"segment.bytes": "1000", "retention.bytes": "2000"})
    tap = Tap(tmp_path, section(broker, "short"))
    begun = tap.run("start", "", "")[0]
    for number in range(100):
        producer.send("short", json.dumps({"n": number, "x": "x" * 200}).encode(), partition=1)
        producer.flush()

    def is_lost():
        tap.run("start", begun["position"], begun["identity"])
        return tap.last["result"] == "lost"

    net.wait_until("the retention", is_lost, 90, every=0.5)  # the broker first looks after half a minute
    gone = int(re.search(r"records 0 to (\d+) of short/1 are gone", tap.last["error"])[1]) + 1
    assert f"{gone} were not read" in tap.last["error"] and gone > 10
    tap.run("start", begun["position"].replace("1:0", f"1:{gone}"), "", "next", 100, 5)
    kept = numbers(tap)
    assert kept == list(range(kept[0], 100)) and kept[0] >= gone


def test_a_topic_made_anew(broker, producer, kafka, tmp_path):
    from kafka.admin import KafkaAdminClient
    broker.create("anew")
    tap = Tap(tmp_path, section(broker, "anew"))
    begun = tap.run("start", "", "")[0]
    put(producer, "anew", range(30))
    tap.run("start", begun["position"], "", "next", 30, 20)
    position = tap.last["position"]
    admin = KafkaAdminClient(bootstrap_servers=broker.plain)
    admin.delete_topics(["anew"])
    admin.close()
    net.wait_until("the topic to be gone", lambda: b'"anew"' not in kafka_servers.kcat("-L", "-b", broker.plain).stdout)
    tap.run("start", position, "")
    assert tap.last["result"] == "refused", "a topic that is not there: somebody must make it"
    broker.create("anew")
    tap.run("start", position, "")
    assert tap.last["result"] == "lost" and "made anew" in tap.last["error"]


def recreate(broker, kafka, topic):
    """And puts 60 records, by a producer that knows nothing of the old one."""
    from kafka.admin import KafkaAdminClient
    admin = KafkaAdminClient(bootstrap_servers=broker.plain)
    admin.delete_topics([topic])
    net.wait_until("the topic to be gone", lambda: f'"{topic}"'.encode() not in kafka_servers.kcat("-L", "-b", broker.plain).stdout)
    admin.close()
    broker.create(topic)
    client = kafka.KafkaProducer(bootstrap_servers=broker.plain, acks="all")
    put(client, topic, range(100, 160))
    client.close()
    net.wait_until("the records", lambda: len(kafka_servers.read(broker, topic)) == 60)


def test_a_topic_made_anew_that_is_as_long(broker, producer, kafka, tmp_path):
    """Offsets say nothing then: the record that was read last does."""
    broker.create("twice")
    tap = Tap(tmp_path, section(broker, "twice"))
    begun = tap.run("start", "", "")[0]
    put(producer, "twice", range(30))
    tap.run("start", begun["position"], "", "next", 30, 20)
    position = tap.last["position"]
    tap.run("start", position, "", "next", 10, 3)
    assert tap.last["result"] == "ok" and numbers(tap) == []
    recreate(broker, kafka, "twice")
    answers = tap.run("start", position, "", "next", 100, 20, "next", 100, 20)
    assert answers[0]["result"] == "ok" and answers[-1]["result"] == "lost", answers
    assert "at offset" in answers[-1]["error"] and "was made anew" in answers[-1]["error"], answers


def test_a_topic_made_anew_while_it_is_read(broker, producer, kafka, start_telex, start_webhook):
    sink = start_webhook()
    broker.create("while")
    program = start_telex({"events": {"k": {
        "source": {"type": "kafka", "brokers": [broker.plain], "topics": ["while"]}, "metadata": {"cluster": "c"},
        "sink": {"endpoint": sink.url}}}})
    state = lambda: program.get("/api/v1/streams").json()["data"]["streams"][0]  # noqa: E731
    net.wait_until("the stream to run", lambda: state()["state"] == "running", 30)
    put(producer, "while", range(9))
    net.wait_until("the records", lambda: len(sink.accepted()) == 9, 30)
    recreate(broker, kafka, "while")
    net.wait_until("the stream to be lost", lambda: state()["state"] == "lost", 60)
    assert "made anew" in state()["reason"], state()


def test_new_partitions(broker, producer, kafka, tmp_path):
    """Partitions that came while nobody looked are read from their first record."""
    from kafka.admin import KafkaAdminClient, NewPartitions
    broker.create("grows")
    tap = Tap(tmp_path, section(broker, "grows"))
    begun = tap.run("start", "", "")[0]
    admin = KafkaAdminClient(bootstrap_servers=broker.plain)
    admin.create_partitions({"grows": NewPartitions(5)})
    admin.close()
    net.wait_until("five partitions", lambda: b"with 5 partitions" in kafka_servers.kcat("-L", "-b", broker.plain).stdout)
    for number in range(10):
        producer.send("grows", json.dumps({"n": number}).encode(), partition=number % 5)
    producer.flush()
    tap.run("start", begun["position"], begun["identity"], "next", 10, 20)
    assert sorted(numbers(tap)) == list(range(10))


def test_a_group_is_told(broker, producer, kafka, tmp_path):
    broker.create("told")
    tap = Tap(tmp_path, section(broker, "told", group="lag-watchers"))
    begun = tap.run("start", "", "")[0]
    put(producer, "told", range(30))
    tap.run("start", begun["position"], "", "next", 30, 20, "ack", "@", "next", 1, 2)
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=broker.plain)
    offsets = admin.list_consumer_group_offsets("lag-watchers")
    admin.close()
    assert sum(entry.offset for entry in offsets.values()) == 30


def test_login(broker, producer, tmp_path):
    broker.create("locked")
    login = {"sasl_mechanism": "PLAIN", "sasl_username": "telex"}
    bad = Tap(tmp_path, {**section(broker, "locked", sasl_password="mistaken", **login), "brokers": [broker.login]})
    bad.run("start", "", "")
    assert bad.last["result"] == "refused" and "uthentication" in bad.last["error"]
    assert "mistaken" not in bad.log and "mistaken" not in bad.last["error"]
    good = Tap(tmp_path, {**section(broker, "locked", sasl_password="right", **login), "brokers": [broker.login]})
    assert good.run("start", "", "")[0]["result"] == "ok"


def test_the_example(broker, producer, start_telex, start_webhook):
    hook = start_webhook()
    text = (telex.ROOT / "examples" / "events-kafka.yaml").read_text()
    broker.create("health-events")
    start_telex(yaml.safe_load(text.replace("127.0.0.1:9092", broker.plain).replace("http://127.0.0.1:8080", hook.url)))
    net.wait_until("the stream to have begun", lambda: (put(producer, "health-events", [1]), hook.accepted())[1], every=0.5)
    assert "health-events" in json.dumps(hook.accepted()[0])


def test_check_asks_and_changes_nothing(broker, producer, tmp_path):
    broker.create("asked")
    put(producer, "asked", range(3))
    for topic, status, text in (("asked", 0, "stream 's': kafka answers\n"), ("nowhere", 1, "nowhere")):
        config = {"events": {"s": {"source": section(broker, topic, group="g"), "metadata": {"cluster": "c"},
                                   "sink": {"endpoint": "http://127.0.0.1:9"}}}}
        (tmp_path / "telex.yaml").write_text(yaml.safe_dump(config))
        done = subprocess.run([telex.BINARY, "check", "--connect"], cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == status and text in done.stdout + done.stderr, done.stdout + done.stderr
    status = subprocess.run([telex.BINARY, "check"], cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False)
    assert status.returncode == 0
