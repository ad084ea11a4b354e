"""Logins to a real Kafka broker with tickets of a real KDC (SASL GSSAPI)."""

import pytest

import kafka_servers
import kerberos
import net
from kafka_servers import numbers, push
from telex import FAST_RETRY, Telex


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    server = kerberos.Kdc(tmp_path_factory.mktemp("kerberos"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def broker(kdc, tmp_path_factory):
    service = f"kafka/{net.HOST}"
    keytab = kdc.add(service)
    login = "listener.name.login."
    server = kafka_servers.Broker(
        tmp_path_factory.mktemp("kafka"), java=[f"-Djava.security.krb5.conf={kdc.folder / 'krb5.conf'}"],
        **{login + "sasl.enabled.mechanisms": "GSSAPI", login + "sasl.kerberos.service.name": "kafka",
           login + "gssapi.sasl.jaas.config":
               "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true "
               f'keyTab="{keytab}" principal="{service}@{kerberos.REALM}";'})
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def start_in_realm(kdc, tmp_path):
    running = []

    def start(config):
        program = Telex(tmp_path / f"telex{len(running)}", config)
        running.append(program)
        program.start(environment=kdc.environment).wait_ready()
        return program

    yield start
    for program in running:
        program.stop()
        program.check_log()


def config(broker, topic, keytab, principal="telex", **options):
    return {"receive": {"profiles": True}, "exporters": {"kafka": {
        "type": "kafka", "brokers": [broker.login], "topic": topic, "linger_ms": 1, "sasl_mechanism": "GSSAPI",
        "sasl_kerberos_principal": f"{principal}@{kerberos.REALM}", "sasl_kerberos_keytab": str(keytab), **FAST_RETRY,
        **options}}}


def test_records_arrive(kdc, broker, start_in_realm):
    program = start_in_realm(config(broker, "tickets", kdc.add("telex")))
    for number in range(5):
        push(program, number)
    net.wait_until("the records", lambda: numbers(broker, "tickets") == list(range(5)), 40)


def test_who_is_not_known_does_not_arrive(kdc, broker, start_in_realm):
    """Its keytab is of another: it is told in the log, and the record waits."""
    keytab = kdc.add("other")
    kdc.forget_tickets()
    program = start_in_realm(config(broker, "unknown", keytab, principal="nobody", message_timeout="2s"))
    push(program, 0)
    net.wait_until("the refusal in the log", lambda: "Kerberos ticket refresh failed" in program.process.log(), 30)
    program.write_config(config(broker, "unknown", keytab, principal="other"))
    assert program.reload().status == 200
    net.wait_until("the record", lambda: numbers(broker, "unknown") == [0], 60)
