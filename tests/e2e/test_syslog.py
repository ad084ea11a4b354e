"""Messages to Debian's rsyslog over every transport, and what it wrote of them."""

import json
import os
import pathlib
import subprocess

import net
import process
import pytest
import telex
import yaml

RSYSLOGD = pathlib.Path("/usr/sbin/rsyslogd")
pytestmark = pytest.mark.skipif(not RSYSLOGD.exists(), reason="rsyslog is not installed")

CONFIG = """\
global(workDirectory="{folder}" maxMessageSize="16k"
       defaultNetstreamDriverCAFile="{folder}/cert.pem"
       defaultNetstreamDriverCertFile="{folder}/cert.pem"
       defaultNetstreamDriverKeyFile="{folder}/key.pem")
template(name="parts" type="list") {{
    property(name="pri") constant(value="|") property(name="timereported" dateFormat="rfc3339") constant(value="|")
    property(name="hostname") constant(value="|") property(name="programname") constant(value="|")
    property(name="msgid") constant(value="|") property(name="structured-data") constant(value="|")
    property(name="msg") constant(value="\\n") }}
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="all")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="0" streamDriver.authMode="anon")
input(type="imtcp" address="127.0.0.1" port="{tcp}" ruleset="all" streamDriver.mode="0")
{tls_input}
module(load="imuxsock" sysSock.use="off")
input(type="imuxsock" socket="{folder}/log.sock" ruleset="all" useSpecialParser="off" parseHostname="on"
      ignoreTimestamp="off" useSysTimeStamp="off")
ruleset(name="all") {{ action(type="omfile" file="{folder}/out.log" template="parts") }}
"""

TLS_INPUT = """input(type="imtcp" address="127.0.0.1" port="{tls}" ruleset="all" streamDriver.name="gtls"
      streamDriver.mode="1" streamDriver.authMode="anon")"""


class Rsyslog:
    def __init__(self, folder):
        self.folder = folder
        self.udp, self.tcp, self.tls = net.free_port(), net.free_port(), net.free_port()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout",
                        folder / "key.pem", "-out", folder / "cert.pem", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
        config = folder / "rsyslog.conf"
        config.write_text(CONFIG.format(folder=folder, udp=self.udp, tcp=self.tcp,
                                        tls_input=TLS_INPUT.format(tls=self.tls)))
        self.process = process.Process("rsyslogd", [RSYSLOGD, "-n", "-f", config, "-i", folder / "pid"], folder)
        self.start()

    def start(self):
        self.process.start()
        for port in (self.tcp, self.tls):
            net.wait_until(f"rsyslog on port {port}", lambda port=port: listens(port))

    def lines(self):
        out = self.folder / "out.log"
        return out.read_text().splitlines() if out.exists() else []


def listens(port):
    import socket
    with socket.create_connection((net.HOST, port), 1):
        return True


@pytest.fixture
def rsyslog(tmp_path):
    folder = tmp_path / "rsyslog"
    folder.mkdir()
    server = Rsyslog(folder)
    yield server
    server.process.stop()


ALERT = {"timestamp": "2024-01-15T10:30:00.123456789Z", "alert_name": "HighCPU", "value": 85.4, "severity": "critical",
         "labels": {"path": 'C:\\a "b" ]', "city": "Zürich"}, "annotations": {"summary": "hot\nvery"}}
TEXT = "{{ .alert_name }} is {{ .state }}: {{ .annotations.summary }}"


def send(tmp_path, records, **options):
    config = tmp_path / "telex.yaml"
    config.write_text(yaml.safe_dump({"state": {"path": str(tmp_path / "data")},
                                      "exporters": {"log": {"type": "syslog", "hostname": "web-1", **options}}}))
    done = subprocess.run([telex.BINARY, "export", "-c", config, "--to", "log", "-"], capture_output=True, text=True,
                          input="".join(json.dumps(record) + "\n" for record in records), timeout=60)
    assert done.returncode == 0, done.stderr


def expect(rsyslog, count):
    return net.wait_until("the lines", lambda: len(rsyslog.lines()) >= count and rsyslog.lines())


# local0 is 16, critical 2.
PRIORITY = str(16 * 8 + 2)


@pytest.mark.parametrize("transport", ["udp", "tcp", "tcp-newline", "tls", "unix"])
def test_messages_arrive_as_they_were_meant(tmp_path, rsyslog, transport):
    addresses = {"udp": f"udp://127.0.0.1:{rsyslog.udp}", "tcp": f"tcp://127.0.0.1:{rsyslog.tcp}",
                 "tcp-newline": f"tcp://127.0.0.1:{rsyslog.tcp}", "tls": f"tls://localhost:{rsyslog.tls}",
                 "unix": f"unix://{rsyslog.folder}/log.sock"}
    options = {"framing": "newline"} if transport == "tcp-newline" else {}
    if transport == "tls":
        options["tls"] = {"ca_file": str(rsyslog.folder / "cert.pem")}
    send(tmp_path, [ALERT, {**ALERT, "alert_name": "Other"}], address=addresses[transport], facility="local0",
         message=TEXT, **options)
    first, second = expect(rsyslog, 2)
    priority, time, host, app, msgid, sd, text = first.split("|", 6)
    assert (priority, host, app, msgid) == (PRIORITY, "web-1", "telex", "alert")
    assert time.startswith("2024-01-15T10:30:00.123456")
    assert text.strip() == "HighCPU is firing: hot very"
    assert sd.startswith("[telex@32473 ") and 'path="C:\\\\a \\"b\\" \\]"' in sd and 'city="Zürich"' in sd
    assert "Other is firing" in second


def test_the_older_form_and_a_long_text(tmp_path, rsyslog):
    long = {**ALERT, "annotations": {"summary": "é" * 1000}}
    send(tmp_path, [long], address=f"udp://127.0.0.1:{rsyslog.udp}", format="rfc3164", max_message_bytes="500",
         message=TEXT, facility="local0")
    line, = expect(rsyslog, 1)
    priority, time, host, app, _, _, text = line.split("|", 6)
    assert (priority, host, app) == (PRIORITY, "web-1", "telex") and "-01-15T10:30:00" in time
    assert text.strip().startswith("HighCPU is firing: éé") and len(text.encode()) < 500


def test_a_json_text_and_many_rows(tmp_path, rsyslog):
    count = 5000
    send(tmp_path, [{"kind": "sample", "name": "m", "labels": {"n": str(n)}, "value": n,
                     "timestamp": "2024-01-15T10:30:00Z"} for n in range(count)],
         address=f"tcp://127.0.0.1:{rsyslog.tcp}")
    lines = expect(rsyslog, count)
    assert [json.loads(line.split("|", 6)[6])["value"] for line in lines] == list(range(count))


def test_an_absent_server_is_said(tmp_path):
    config = tmp_path / "telex.yaml"
    config.write_text(yaml.safe_dump({"exporters": {"log": {"type": "syslog",
                                                            "address": f"tcp://127.0.0.1:{net.free_port()}"}}}))
    done = subprocess.run([telex.BINARY, "export", "-c", config, "--to", "log", "--patience", "1s", "-"],
                          input=json.dumps(ALERT), capture_output=True, text=True, timeout=60,
                          env={**os.environ, "TELEX_STATE_PATH": str(tmp_path / "data")})
    assert done.returncode == 1 and "tcp://" in done.stderr
