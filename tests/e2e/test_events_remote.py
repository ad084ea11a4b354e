"""Streams from Kafka and MongoDB to a sink behind a real OpenID provider: all comes, in order per key, over kills of Telex and of
the broker, with tokens that end in mid-stream."""

import json
import threading
import time

import pytest

import kafka_servers
import mongo_servers
import net
import openid_provider

KEYS = 5


@pytest.fixture
def provider(tmp_path):
    """Tokens live two seconds."""
    server = openid_provider.Provider(tmp_path, [openid_provider.client("me", "client_secret_basic", client_secret="p%+ s")],
                                      token_seconds=2)
    yield server.start()
    server.stop()


@pytest.fixture
def broker(tmp_path):
    server = kafka_servers.Broker(tmp_path)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def mongo(tmp_path):
    server = mongo_servers.Mongo(tmp_path)
    try:
        yield server.start()
    finally:
        server.stop()


def config(provider, source, **more):
    """As seed 002 spells it."""
    return {"events": {"far": {
        "source": source, "metadata": {"cluster": "c"},
        "sink": {"endpoint": provider.api + "/events", "timeout": "5s", "insecureSkipVerify": False},
        "oidc": {"tokenUrl": provider.token_url, "clientId": "me", "client_secret": "p%+ s", "scope": "events:write",
                 "insecureSkipVerify": False},
        "failureHandling": {"initialBackoff": "100ms", "maxBackoff": "500ms"}, **more}}}


def events(provider):
    return [json.loads(event["body"]) for event in provider.events()]


def numbers(provider):
    return [event["data"]["record"]["n"] for event in events(provider)]


def wait_for(provider, count, deadline=60.0):
    def complete():
        assert len(set(numbers(provider))) == count, f"{len(set(numbers(provider)))} of {count}"
        return True
    net.wait_until(f"{count} events at the sink", complete, deadline, every=0.3)


def first_copies(provider):
    copies = {}
    for event in events(provider):
        copies.setdefault((event["source"], event["id"]), event)
    return list(copies.values())


def assert_keys_in_order(provider, first):
    """Of the stream; a backfill goes its own way."""
    last = {}
    for event in first_copies(provider):
        key, number = event["partitionkey"], event["data"]["record"]["n"]
        if number >= first:
            assert last.get(key, -1) < number, f"{number} of {key} came behind {last[key]}"
            last[key] = number


class Writer(threading.Thread):
    """Gives numbers to `put` until it is told to stop."""

    def __init__(self, put, first=0):
        super().__init__()
        self.put, self.count, self.failed, self.ends = put, first, None, threading.Event()

    def run(self):
        try:
            while not self.ends.is_set():
                self.put(self.count)
                self.count += 1
                time.sleep(0.01)
        except Exception as error:  # told by the test
            self.failed = error

    def finish(self):
        self.ends.set()
        self.join(60)
        assert self.failed is None, self.failed
        return self.count


def test_kafka(broker, provider, start_telex):
    kafka = pytest.importorskip("kafka", reason="python3-kafka is not installed")
    broker.create("health")
    producer = kafka.KafkaProducer(bootstrap_servers=broker.plain, acks="all", retries=1000)

    def put(number):
        producer.send("health", json.dumps({"n": number}).encode(), key=f"k{number % KEYS}".encode())

    for number in range(100):
        put(number)
    producer.flush()
    source = {"type": "kafka", "brokers": [broker.plain], "topic": "health"}
    program = start_telex(config(provider, source, backfill={"enabled": True, "batchSize": 20}))
    wait_for(provider, 100)
    writer = Writer(put, 100)
    writer.start()
    for _ in range(3):
        time.sleep(1.5)
        program.sigkill()
        program.start()
        program.wait_ready()
    broker.kill()
    broker.restart()
    time.sleep(2)
    count = writer.finish()
    producer.flush()
    producer.close()
    wait_for(provider, count)
    assert_keys_in_order(provider, 100)
    assert len(first_copies(provider)) == count
    assert len(provider.tokens()) >= 3
    assert not any(token in program.process.log() for token in provider.tokens())


def test_mongodb(mongo, provider, start_telex):
    rows = mongo.collection("HealthEvents")
    event = {"version": "v1", "agent": "a", "checkName": "XIDError", "nodeName": "n1", "isFatal": True, "recommendedAction": 2}
    ids = [str(rows.insert_one({"createdAt": number, "healthevent": {**event, "message": str(number)}}).inserted_id)
           for number in range(100)]
    source = {"type": "mongodb", "connection_string": mongo.url, "collection": "HealthEvents"}
    program = start_telex(config(provider, source, backfill={"enabled": True, "batchSize": 7, "maxAge": "720h"}))
    net.wait_until("the backfill", lambda: len(provider.events()) >= 100)
    for number in range(100, 400):
        ids.append(str(rows.insert_one({"healthevent": {**event, "message": str(number)}}).inserted_id))
        if number % 100 == 50:
            program.sigkill()
            program.start()
            program.wait_ready()

    def complete():
        found = {event["id"] for event in events(provider)}
        assert found == set(ids), f"{len(found)} of {len(ids)}"
        return True

    net.wait_until("all events", complete, 60, every=0.3)
    one = events(provider)[0]
    assert (one["type"], one["source"]) == ("com.nvidia.nvsentinel.health.v1", "nvsentinel://c/healthevents")
    assert one["data"]["healthEvent"]["checkName"] == "XIDError" and one["data"]["metadata"] == {"cluster": "c"}
    messages = [int(event["data"]["healthEvent"]["message"]) for event in first_copies(provider)]
    assert sorted(messages) == list(range(400))
    assert [n for n in messages if n >= 100] == list(range(100, 400)), "one node: in order"
