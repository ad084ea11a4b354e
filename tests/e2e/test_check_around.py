"""What `telex check` says of what stands around a config: addresses that are in use, variables that nothing reads."""

import socket
import subprocess

import pytest
import telex
import net
from telex import file_exporter


def check(path, **environment):
    done = subprocess.run([telex.BINARY, "check", "-c", path], capture_output=True, text=True, timeout=30,
                          env={"PATH": "/usr/bin:/bin", **environment})
    return done.returncode, done.stderr


@pytest.fixture
def listener():
    """listener(kind) -> the port of a socket of that kind on which somebody listens."""
    held = []

    def listen(kind=socket.SOCK_STREAM):
        made = socket.socket(socket.AF_INET, kind)
        made.bind((net.HOST, 0))
        if kind == socket.SOCK_STREAM:
            made.listen()
        held.append(made)
        return made.getsockname()[1]

    yield listen
    for made in held:
        made.close()


PLACES = {
    "server": ("server: {{ listen: 127.0.0.1:{port} }}\n", socket.SOCK_STREAM, "1:19"),
    "receive.otlp_grpc": ("server: {{ listen: 127.0.0.1:0 }}\nreceive:\n  otlp_grpc: {{ listen: 127.0.0.1:{port} }}\n",
                          socket.SOCK_STREAM, "3:24"),
    "receive.statsd": ("server: {{ listen: 127.0.0.1:0 }}\nreceive:\n  statsd: {{ listen: 127.0.0.1:{port} }}\n",
                       socket.SOCK_DGRAM, "3:21"),
    "exporter 'p'": ("server: {{ listen: 127.0.0.1:0 }}\nexporters:\n  p: {{ type: prometheus, metrics_port: {port} }}\n",
                     socket.SOCK_STREAM, "3:6"),
}


@pytest.mark.parametrize("place", PLACES)
def test_an_address_in_use(tmp_path, listener, place):
    text, kind, where = PLACES[place]
    path = tmp_path / "telex.yaml"
    for port, is_used in ((listener(kind), True), (net.free_port(), False)):
        path.write_text("state: { path: " + str(tmp_path / "data") + " }\n" + text.format(port=port))
        status, said = check(path)
        line, column = map(int, where.split(":"))
        told = f"telex.yaml:{line + 1}:{column}: warning: {place}: cannot listen on '127.0.0.1:{port}': Address already in use"
        assert status == 0 and (told in said) == is_used, said
        assert not is_used or "unless it is a Telex with this config" in said


def test_a_port_is_free_again_at_once(tmp_path):
    """Connections that a server closed keep its port for a minute, which nobody who listens notices."""
    server = socket.create_server((net.HOST, 0))
    port = server.getsockname()[1]
    client = socket.create_connection((net.HOST, port))
    server.accept()[0].close()
    server.close()
    client.close()
    path = tmp_path / "telex.yaml"
    path.write_text(f"server: {{ listen: 127.0.0.1:{port} }}\nstate: {{ path: {tmp_path}/data }}\n")
    assert "warning: server" not in check(path)[1]


def test_the_running_telex_is_no_stranger(tmp_path, start_telex):
    program = start_telex({"exporters": {"f": file_exporter(tmp_path / "out")}, "routes": [{"to": ["f"]}]})
    assert "cannot listen" not in check(program.config_path)[1]
    program.stop()
    assert "cannot listen" not in check(program.config_path)[1]


@pytest.mark.parametrize("listen", ["8125", "127.0.0.1:x", "127.0.0.1:70000", "host"])
def test_statsd_needs_an_address(tmp_path, listen):
    path = tmp_path / "telex.yaml"
    path.write_text(f"state: {{ path: {tmp_path}/data }}\nreceive: {{ statsd: {{ listen: '{listen}' }} }}\n")
    status, said = check(path)
    assert status == 1 and f"telex.yaml:2:30: error: cannot listen on '{listen}'" in said
    status, said = check(path, TELEX_RECEIVE_STATSD_LISTEN="127.0.0.1:0")
    assert status == 0, said


def test_a_variable_that_nothing_reads(tmp_path, start_telex):
    program = start_telex({"exporters": {"f": file_exporter(tmp_path / "out")}, "routes": [{"to": ["f"]}]})
    program.stop()
    wrong = {"PROFILING_PROMETHEUS_PUSHGATWAY_URL": "http://hush:1", "TELEX_EXPORTER_F_FILE_FORMT": "hush"}
    status, said = check(program.config_path, TELEX_SERVER_THREADS="2", **wrong)
    assert status == 0 and "hush" not in said and said.count("nothing reads the variable") == 2, said
    assert "PUSHGATWAY_URL: did you mean PROFILING_PROMETHEUS_PUSHGATEWAY_URL?" in said
    assert "did you mean TELEX_EXPORTER_F_FILE_FORMAT?" in said
    program.start(wrong).wait_ready()
    assert program.reload().status == 200
    log = program.process.log()
    assert log.count("nothing reads the variable TELEX_EXPORTER_F_FILE_FORMT") == 1 and "hush" not in log
