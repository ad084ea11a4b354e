"""A KDC of MIT Kerberos for the tests: a realm of its own in a folder, with principals and their keytabs."""

import shutil
import socket
import subprocess

import pytest

import net
from process import Process

REALM = "TELEX.TEST"
START_DEADLINE = 20.0
GSSAPI_MODULES = ("/usr/lib/x86_64-linux-gnu/sasl2/libgssapiv2.so", "/usr/lib/aarch64-linux-gnu/sasl2/libgssapiv2.so",
                  "/usr/lib/sasl2/libgssapiv2.so")


def _find(program):
    path = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{program} is not installed (apt-get install krb5-kdc krb5-admin-server krb5-user)")
    return path


class Kdc:
    """`environment` leads the programs of Kerberos to it."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder / "kdc", net.free_port(), None
        self.environment = {"KRB5_CONFIG": str(self.folder / "krb5.conf"), "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
                            "KRB5CCNAME": f"FILE:{self.folder / 'ccache'}"}

    def _run(self, *words):
        done = subprocess.run(words, env={**self.environment, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    def start(self):
        programs = [_find(name) for name in ("kdb5_util", "kadmin.local", "krb5kdc", "kinit")]
        if not any(map(_is_there, GSSAPI_MODULES)):
            pytest.skip("SASL knows no Kerberos (apt-get install libsasl2-modules-gssapi-mit)")
        self.folder.mkdir(parents=True)
        (self.folder / "krb5.conf").write_text(
            f"[libdefaults]\ndefault_realm = {REALM}\ndns_lookup_kdc = false\ndns_lookup_realm = false\nrdns = false\n"
            f"dns_canonicalize_hostname = false\nudp_preference_limit = 1\nticket_lifetime = 10m\n"
            f"[realms]\n{REALM} = {{\n kdc = {net.HOST}:{self.port}\n}}\n")
        (self.folder / "kdc.conf").write_text(
            f"[kdcdefaults]\nkdc_listen = {net.HOST}:{self.port}\nkdc_tcp_listen = {net.HOST}:{self.port}\n"
            f"[logging]\nkdc = STDERR\n[realms]\n{REALM} = {{\n database_name = {self.folder}/principal\n key_stash_file = {self.folder}/stash\n"
            f" acl_file = {self.folder}/acl\n}}\n")
        self._run(programs[0], "create", "-s", "-P", "master", "-r", REALM)
        self.process = Process("kdc", [programs[2], "-n", "-r", REALM, "-P", self.folder / "pid"], self.folder,
                               env=self.environment)
        self.process.start()
        net.wait_until("the KDC", self._answers, START_DEADLINE)
        return self

    def _answers(self):
        with socket.create_connection((net.HOST, self.port), timeout=1):
            return True

    def add(self, name):
        """A principal; returns its keytab."""
        keytab = self.folder / (name.replace("/", "_") + ".keytab")
        local = _find("kadmin.local")
        self._run(local, "-r", REALM, "addprinc", "-randkey", f"{name}@{REALM}")
        self._run(local, "-r", REALM, "ktadd", "-k", str(keytab), f"{name}@{REALM}")
        return keytab

    def forget_tickets(self):
        (self.folder / "ccache").unlink(missing_ok=True)

    def stop(self):
        if self.process is not None:
            self.process.stop()


def _is_there(path):
    try:
        with open(path, "rb"):
            return True
    except OSError:
        return False
