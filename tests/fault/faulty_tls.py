"""HTTPS for the fakes: an authority and certificates of a run of one's own, and connections that fail below HTTP.

A *welcome* is what happens to a connection before its handshake: it goes on, or raises Cut. A *trouble* is what happens to
a request that is being sent.
"""

import contextlib
import pathlib
import socket
import ssl
import struct
import subprocess

import net
from fakes import Handler

PATIENCE = 20.0  # of handshakes


class Cut(OSError):
    """The connection is ended here."""


def make_certificates(folder):
    """ca.pem and its server.pem for the loopback address; stranger.pem, which says the same and which nobody signed."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("-addext", f"subjectAltName=IP:{net.HOST}")
    _openssl(folder, "ca", "-x509", "-subj", "/CN=authority of a run")
    _openssl(folder, "stranger", "-x509", "-subj", "/CN=server", *names)
    _openssl(folder, "server", "-x509", "-subj", "/CN=server", *names, "-CA", "ca.pem", "-CAkey", "ca.key",
             "-addext", "basicConstraints=critical,CA:FALSE")
    return folder


def _openssl(folder, name, *words):
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-keyout", f"{name}.key", "-out", f"{name}.pem", *words], cwd=folder, check=True, capture_output=True)


def context(folder, name):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pathlib.Path(folder) / f"{name}.pem", pathlib.Path(folder) / f"{name}.key")
    return made


def reset_at_end(connection):
    """What is closed now is a reset for the other side."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# ---- welcomes: (fake, connection) -> the context of the handshake

def welcome(fake, connection):
    return fake.contexts["server"]


def hang_up(fake, connection):
    raise Cut("before the handshake")


def reset(fake, connection):
    reset_at_end(connection)
    raise Cut("before the handshake")


def cut_handshake(fake, connection):
    """The client's hello is read, and a part of our answer sent."""
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    side = fake.contexts["server"].wrap_bio(coming, going, server_side=True)
    coming.write(connection.recv(16384))
    with contextlib.suppress(ssl.SSLError):
        side.do_handshake()
    answer = going.read()
    connection.sendall(answer[:fake.rng.randrange(len(answer) + 1)])
    if fake.rng.random() < 0.5:
        reset_at_end(connection)
    raise Cut("in the handshake")


def no_tls(fake, connection):
    connection.recv(16384)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    raise Cut("plain HTTP")


def stranger(fake, connection):
    return fake.contexts["stranger"]


def slow_handshake(fake, connection):
    """Now and then longer than the client waits."""
    fake.closing.wait(fake.rng.random() * (2.0 if fake.rng.random() < 0.3 else 0.4))
    return fake.contexts["server"]


# ---- troubles: (handler) -> whether the request can still be read

def reset_in_request(handler):
    length = int(handler.headers.get("Content-Length") or 0)
    handler.rfile.read(handler.server.fake.rng.randrange(length + 1))
    reset_at_end(handler.connection)
    return False


def reads_late(handler):
    handler.server.fake.closing.wait(handler.server.fake.rng.random() * 0.4)
    return True


class TlsHandler(Handler):
    def setup(self):
        fake = self.server.fake
        self.request.settimeout(PATIENCE)
        chosen = fake.welcome()(fake, self.request)
        self.is_stranger = chosen is fake.contexts["stranger"]
        self.request = chosen.wrap_socket(self.request, server_side=True)
        super().setup()

    def _serve(self):
        fake = self.server.fake
        if self.is_stranger:
            fake.violation(f"{self.command} {self.path} was sent to a stranger")
        trouble = fake.trouble()
        if self.is_stranger or (trouble is not None and not trouble(self)):
            self.close_connection = True
        else:
            super()._serve()

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def finish(self):
        """Half of the connections that we end are reset: what was sent last may then not be read."""
        if self.close_connection and self.server.fake.ends_badly():
            reset_at_end(self.connection)
        with contextlib.suppress(OSError):
            super().finish()
        self.request.close()


class OverTls:
    """A Fake behind TLS, a mixin; `rng` is the subclass's. What goes wrong is said by welcome(), trouble() and ends_badly()."""

    handler = TlsHandler

    def use_certificates(self, folder):
        self.contexts = {name: context(folder, name) for name in ("server", "stranger")}

    @property
    def url(self):
        return f"https://{net.HOST}:{self.port}"

    def welcome(self):
        return welcome

    def trouble(self):
        return None

    def ends_badly(self):
        return False
