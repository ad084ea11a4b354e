"""Kafka for the tests: a real broker, librdkafka's mock cluster, and who reads what is kept there.

The broker is Apache's, fetched once with Maven into a cache folder, alone in KRaft mode with a small heap. Where Java or
Maven is missing, or nothing can be fetched, its tests skip and say so; the same tests run over the mock cluster.
"""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

import maven
import net
from process import Process
from telex import BINARY

VERSION = "3.7.2"
MOCK = BINARY.parent / "tests" / "fake" / "kafka-mock"
START_DEADLINE = 60.0


def _find_java():
    """Java 11 or later: kcat's and Maven's machines may have an older one in front."""
    for path in (*sorted(pathlib.Path("/usr/lib/jvm").glob("java-1[17]-openjdk*/bin/java"), reverse=True),
                 shutil.which("java")):
        if path and os.access(path, os.X_OK):
            return str(path)
    return None


def libraries():
    """The folder of the broker's jars; skips where it cannot be had."""
    if _find_java() is None:
        pytest.skip("a real Kafka broker needs Java (apt-get install openjdk-17-jre-headless)")
    return maven.fetched("kafka", ("org.apache.kafka", "kafka_2.13", VERSION)) / "libs"


class Broker:
    """One real broker: `plain` and `login` are its addresses without and with SASL (user telex, password right).

    <more> are settings; a listener LOGIN of another mechanism is said there. <java> are options of the machine."""

    is_real = True

    def __init__(self, folder, java=(), **more):
        self.folder, self.java, self.more = folder / "kafka", java, more
        self.ports = [net.free_port() for _ in range(3)]
        self.plain, self.login = (f"{net.HOST}:{port}" for port in self.ports[:2])
        self.process = None

    def _config(self):
        plain, login, control = self.ports
        user = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_telex="right";'
        return {
            "process.roles": "broker,controller", "node.id": 1, "log.dirs": self.folder / "data",
            "controller.quorum.voters": f"1@{net.HOST}:{control}", "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAIN://{net.HOST}:{plain},LOGIN://{net.HOST}:{login},CONTROLLER://{net.HOST}:{control}",
            "listener.security.protocol.map": "PLAIN:PLAINTEXT,LOGIN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAIN", "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.login.plain.sasl.jaas.config": user, "num.partitions": 3, "log.cleaner.enable": "false",
            "offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1, "group.initial.rebalance.delay.ms": 0,
            "num.network.threads": 1, "num.io.threads": 2, "log.retention.ms": -1, "log.retention.check.interval.ms": 500,
            "log.initial.task.delay.ms": 500,
            "broker.session.timeout.ms": 2000, "broker.heartbeat.interval.ms": 300, **self.more,
        }

    def start(self):
        jars = libraries()
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        meta = self.folder / "data" / "meta.properties"
        if not meta.exists():
            meta.write_text("version=1\ncluster.id=dGVsZXgtdGVzdC1rYWZrYQ\nnode.id=1\n")
        (self.folder / "server.properties").write_text(
            "".join(f"{name}={value}\n" for name, value in self._config().items()))
        self.process = Process("kafka", [
            _find_java(), "-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
            *self.java, "-cp", f"{jars}/*", "kafka.Kafka", "server.properties"], self.folder)
        self.process.start()
        self.wait()
        return self

    def wait(self):
        net.wait_until("the broker", self._answers, START_DEADLINE, every=0.2)

    def _answers(self):
        if not self.process.running():
            raise RuntimeError(f"the broker ended: {self.process.log_tail()}")
        return b"broker 1" in kcat("-L", "-b", self.plain, "-m", "2").stdout

    def create(self, topic, **configs):
        """A topic with other settings than usual."""
        from kafka.admin import KafkaAdminClient, NewTopic
        admin = KafkaAdminClient(bootstrap_servers=self.plain)
        admin.create_topics([NewTopic(topic, 3, 1, topic_configs=configs)])
        admin.close()

    def kill(self):
        self.process.kill()

    def restart(self):
        self.process.start()
        self.wait()

    def stop(self):
        if self.process is not None:
            self.process.stop()


def token_settings(provider, audience, session_ms):
    """Of a listener LOGIN that takes the provider's tokens, as Kafka itself checks them: signature, issuer, audience and end.
    A connection ends with its token, or after <session_ms>."""
    login = "listener.name.login."
    return {
        login + "sasl.enabled.mechanisms": "OAUTHBEARER",
        login + "oauthbearer.sasl.jaas.config":
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
        login + "oauthbearer.sasl.server.callback.handler.class":
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
        login + "oauthbearer.connections.max.reauth.ms": session_ms,
        "sasl.oauthbearer.jwks.endpoint.url": provider.issuer + "/jwks",
        "sasl.oauthbearer.expected.audience": audience, "sasl.oauthbearer.expected.issuer": provider.issuer,
        "sasl.oauthbearer.clock.skew.seconds": 0,
    }


class Mock:
    """Brokers of librdkafka's mock cluster in a process of their own: topics come with the first record."""

    is_real = False

    def __init__(self, folder):
        self.folder, self.child = folder, None

    def start(self, topics=("records:3",)):
        if not MOCK.exists():
            pytest.skip(f"{MOCK} is not built (librdkafka-dev)")
        self.child = subprocess.Popen([MOCK, *topics], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.plain = self.child.stdout.readline().strip()
        return self

    def stop(self):
        if self.child is not None:
            self.child.stdin.close()
            self.child.wait(10)


def kcat(*words, timeout=60):
    if shutil.which("kcat") is None:
        pytest.skip("kcat is not installed (apt-get install kcat)")
    return subprocess.run(["kcat", *words], capture_output=True, timeout=timeout, check=False)


def read(broker, topic, committed=True):
    """All records of a topic as kcat sees them: [(partition, offset, key, value)] in the order of each partition."""
    level = "read_committed" if committed else "read_uncommitted"
    done = kcat("-C", "-q", "-e", "-b", broker.plain, "-t", topic, "-o", "beginning", "-X", f"isolation.level={level}",
                "-f", "%p %o %K %S\n%k%s\n")
    rows, data, at = [], done.stdout, 0
    while at < len(data):
        line_end = data.index(b"\n", at)
        partition, offset, key, value = (int(word) for word in data[at:line_end].split())
        start, middle = line_end + 1, line_end + 1 + max(key, 0)
        at = middle + value + 1
        rows.append((partition, offset, data[start:middle].decode(), data[middle:at - 1].decode()))
    return rows


def push(program, number):
    """A profile with a number, given to a program whose exporter writes to Kafka."""
    body = json.dumps([{"name": "work", "number": number}]).encode()
    answer = net.post(program.url + "/api/v1/profile", body, headers={"Content-Type": "application/json"})
    assert answer.status == 204


def numbers(broker, topic):
    """Those that arrived, in order."""
    return [json.loads(value)["number"] for _, _, _, value in read(broker, topic)]
