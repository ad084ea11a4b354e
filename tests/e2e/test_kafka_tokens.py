"""Logins to a real Kafka broker with tokens of a real OpenID provider, which the broker checks itself: expiry in mid-stream, a
provider that is away, secrets that are wrong. Exporter and event source."""

import json
import threading
import time

import pytest

import kafka_servers
import net
import openid_provider
from kafka_servers import numbers, push
from openid_provider import client
from source_tap import Tap
from telex import FAST_RETRY

AUDIENCE, TOKEN_SECONDS = "urn:kafka", 6


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    clients = [client("telex", "client_secret_basic", client_secret="right")]
    server = openid_provider.Provider(tmp_path_factory.mktemp("openid"), clients, token_seconds=TOKEN_SECONDS)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def broker(provider, tmp_path_factory):
    settings = kafka_servers.token_settings(provider, AUDIENCE, session_ms=TOKEN_SECONDS * 1000)
    server = kafka_servers.Broker(tmp_path_factory.mktemp("kafka"), **settings)
    try:
        yield server.start()
    finally:
        server.stop()


def login(provider, secret="right", **more):
    return {"sasl_mechanism": "OAUTHBEARER", "oauth2": {
        "issuer": provider.issuer, "client_id": "telex", "client_secret": secret, "scope": "events:write",
        "resource": [AUDIENCE], **more}}


def config(broker, provider, topic, secret="right", **options):
    return {"receive": {"profiles": True}, "exporters": {"kafka": {
        "type": "kafka", "brokers": [broker.login], "topic": topic, "linger_ms": 1, **login(provider, secret),
        **FAST_RETRY, **options}}}


def wait_for(broker, topic, count, deadline=40.0):
    def complete():
        assert len(set(numbers(broker, topic))) == count, f"{len(set(numbers(broker, topic)))} of {count}"
        return True
    net.wait_until("all records", complete, deadline, every=0.3)


def tokens(program, result="ok"):
    requests = program.metrics().get("telex_oauth2_token_requests_total", {})
    return sum(value for labels, value in requests.items() if f"result={result}" in labels)


def status(program):
    return next(found for found in program.get("/api/v1/status/exporters").json()["data"]["exporters"]
                if found["name"] == "kafka")


@pytest.mark.parametrize("more", [{}, {"transactions": True, "transactional_id": "tokens"}])
def test_tokens_end_in_mid_stream(broker, provider, start_telex, more):
    """The broker cuts each connection as its token ends; records go on, once and in order."""
    topic = "txn" if more else "expiry"
    program = start_telex(config(broker, provider, topic, **more))
    count = 0
    begin = time.monotonic()
    while tokens(program) < 4:
        assert time.monotonic() - begin < 60, "tokens are not renewed"
        push(program, count)
        count += 1
        time.sleep(0.05)
    wait_for(broker, topic, count)
    assert numbers(broker, topic) == list(range(count))
    assert '"eyJ' not in program.process.log() and "=eyJ" not in program.process.log()


def test_an_idle_exporter_has_a_good_token(broker, provider, start_telex):
    program = start_telex(config(broker, provider, "idle"))
    push(program, 0)
    wait_for(broker, "idle", 1)
    net.wait_until("renewals without a record", lambda: tokens(program) >= 3, 40)
    push(program, 1)
    wait_for(broker, "idle", 2)


def test_the_provider_is_away(broker, provider, start_telex):
    """Nothing is halted for it, and nothing lost or doubled: records wait until it is there again."""
    program = start_telex(config(broker, provider, "away"))
    push(program, 0)
    wait_for(broker, "away", 1)
    provider.process.kill()
    try:
        net.wait_until("a request that fails", lambda: tokens(program, "unreachable") > 0, 30)
        time.sleep(TOKEN_SECONDS)  # the last token has ended
        push(program, 1)
        net.wait_until("it to be told", lambda: status(program)["state"] == "retrying", 60)
        assert "refused" in status(program)["lastError"] or "token" in status(program)["lastError"]
    finally:
        provider.process.start()
    wait_for(broker, "away", 2, 60)
    assert numbers(broker, "away") == [0, 1]


def test_a_wrong_secret_halts(broker, provider, start_telex):
    program = start_telex(config(broker, provider, "secret", secret="mistaken"))
    push(program, 0)
    net.wait_until("the exporter to halt", lambda: status(program)["state"] == "halted", 30)
    assert "invalid_client" in status(program)["lastError"]
    assert "mistaken" not in program.process.log()
    program.write_config(config(broker, provider, "secret"))
    assert program.reload().status == 200
    wait_for(broker, "secret", 1)


def test_tokens_for_somebody_else_halt(broker, provider, start_telex):
    """The broker refuses them: a new one is asked for once."""
    options = config(broker, provider, "other")
    options["exporters"]["kafka"]["oauth2"]["resource"] = ["urn:other"]
    program = start_telex(options)
    push(program, 0)
    net.wait_until("the exporter to halt", lambda: status(program)["state"] == "halted", 40)
    assert 1 < tokens(program) < 10


def test_a_source_reads_with_tokens(broker, provider, start_telex, tmp_path):
    kafka = pytest.importorskip("kafka", reason="python3-kafka is not installed")
    producer = kafka.KafkaProducer(bootstrap_servers=broker.plain, acks="all")
    broker.create("read")
    tap = Tap(tmp_path, {"type": "kafka", "brokers": [broker.login], "topic": "read", **login(provider)})
    begun = tap.run("start", "", "")[0]
    assert begun["result"] == "ok", begun
    stop = threading.Event()

    def produce():
        for number in range(40):
            producer.send("read", json.dumps({"n": number}).encode(), key=b"k")
            producer.flush()
            stop.wait(0.4)

    thread = threading.Thread(target=produce)
    thread.start()
    position, read, end = begun["position"], [], time.monotonic() + 90
    # A broker that cuts its only connection is one that is away: whoever reads starts again where it was.
    while len(read) < 40 and time.monotonic() < end:
        tap.run("start", position, "", "next", 40 - len(read), 2 * TOKEN_SECONDS)
        assert tap.last["result"] in ("ok", "again"), tap.last
        read += [document["n"] for document in tap.documents()]
        position = next((change["position"] for change in reversed(tap.changes)), position)
    stop.set()
    thread.join()
    assert read == list(range(40))
    wrong = Tap(tmp_path, {"type": "kafka", "brokers": [broker.login], "topic": "read", **login(provider, "mistaken")})
    wrong.run("start", position, "")
    assert wrong.last["result"] == "refused" and "invalid_client" in wrong.last["error"]
    producer.close()


def test_a_source_with_tokens_for_somebody_else_is_refused(broker, provider, start_telex, tmp_path):
    """A source that waits is opened anew each time: what a second token comes to is known within one start."""
    broker.create("closed")
    source = {"type": "kafka", "brokers": [broker.login], "topic": "closed", **login(provider, resource=["urn:other"])}
    tap = Tap(tmp_path, source)
    tap.run("start", "", "")
    assert tap.last["result"] == "refused", tap.last
    program = start_telex({"events": {"s": {"source": source, "metadata": {"cluster": "c"},
                                            "sink": {"endpoint": "http://127.0.0.1:9/events"}}}}, wait=False)

    def stream():
        return program.get("/api/v1/streams").json()["data"]["streams"][0]

    net.wait_until("the stream to be refused", lambda: stream()["state"] == "refused", 40)
