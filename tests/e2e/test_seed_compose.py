"""The environment of seed 001's Compose file makes its three exporters, without a config that names any."""

import os
import subprocess

from telex import BINARY

COMPOSE = {"PROFILING_PROMETHEUS_PUSHGATEWAY_URL": "http://prometheus-pushgateway:9091",
           "PROFILING_DATADOG_API_KEY": "secret-of-compose",
           "PROFILING_OTEL_ENDPOINT": "http://jaeger:14268/api/traces"}


def test_the_environment_is_enough(tmp_path):
    config = tmp_path / "telex.yaml"
    config.write_text("server: { listen: '127.0.0.1:0' }\n")
    done = subprocess.run([BINARY, "check", "--tree", "-c", config], capture_output=True, text=True, timeout=20,
                          env={**os.environ, **COMPOSE})
    assert done.returncode == 0, done.stderr
    for kind in ("datadog", "otlp", "prometheus"):
        assert f"target {kind} ({kind})" in done.stdout, done.stdout
    assert "spans are sent to http://jaeger:4318/v1/traces instead" in done.stderr
    assert "secret-of-compose" not in done.stdout + done.stderr


def test_a_key_that_was_not_given_makes_no_exporter_and_is_told(tmp_path):
    """What Compose makes of ${DATADOG_API_KEY} where nobody set it."""
    config = tmp_path / "telex.yaml"
    config.write_text("server: { listen: '127.0.0.1:0' }\n")
    done = subprocess.run([BINARY, "check", "--tree", "-c", config], capture_output=True, text=True, timeout=20,
                          env={**os.environ, **COMPOSE, "PROFILING_DATADOG_API_KEY": ""})
    assert done.returncode == 0, done.stderr
    assert "target datadog" not in done.stdout and "target prometheus" in done.stdout
    assert "environment variables PROFILING_DATADOG_*:1:1: warning: they are set and have no value" in done.stderr
