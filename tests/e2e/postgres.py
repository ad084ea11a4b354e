"""A real PostgreSQL of its own: its data folder, its port, an unprivileged user, stopped by its process id.

initdb and postgres refuse to run as root: as root they are started as the user postgres of Debian's package. The data
folder is outside of pytest's, which others cannot enter.
"""

import glob
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

import pytest

import net
import postgres_versions
from servers import Server

VERSION = os.environ.get("TEST_POSTGRESQL")  # none: Debian's
PASSWORD = "pg-s3cret"
SPEED = ("fsync=off", "unix_socket_directories=", "shared_buffers=32MB", "max_connections=40", "log_min_messages=fatal")


def programs(version=VERSION):
    """The folder of the server's programs, None without."""
    if version is not None:
        return postgres_versions.programs(version)
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    return pathlib.Path(found[-1]).parent if found else None


def _as_other(argv, dies_with_us=False):
    """The words that run argv as somebody who is not root."""
    if os.getuid() != 0:
        return argv
    death = ["--pdeathsig=KILL"] if dies_with_us else []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *death, *argv]


def _give_away(*paths):
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        for path in paths:
            os.chown(path, user.pw_uid, user.pw_gid)


class Postgres(Server):
    name, program, package = "postgres", "env", "postgresql-15"

    def __init__(self, folder, settings=(), version=VERSION):
        super().__init__(folder)
        self.settings, self.version = settings, version
        self.data = None

    @property
    def url(self):
        return f"postgresql://telex:{PASSWORD}@{net.HOST}:{self.port}/postgres"

    def prepare(self):
        bin_folder = programs(self.version)
        if bin_folder is None:
            pytest.skip(f"PostgreSQL is not installed (apt-get install {self.package})")
        if self.data is not None:
            return
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="telex-postgres-"))
        password = self.data / "password"
        password.write_text(PASSWORD)
        _give_away(self.data, password)
        self.fill(bin_folder, password)

    def fill(self, bin_folder, password):
        """Makes the folder `db`."""
        subprocess.run(_as_other([str(bin_folder / "initdb"), "-D", str(self.data / "db"), "-U", "telex", "-A", "scram-sha-256",
                                  "--pwfile", str(password), "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]),
                       cwd="/", check=True, capture_output=True, timeout=120)

    def start(self):
        try:
            return super().start()
        except BaseException:
            self.stop()
            raise

    def argv(self):
        settings = [word for setting in (*SPEED, *self.settings) for word in ("-c", setting)]
        server = [str(programs(self.version) / "postgres"), "-D", str(self.data / "db"), "-p", str(self.port), "-h", net.HOST]
        return ["-C", "/", *_as_other([*server, *settings], dies_with_us=True)]

    def _answers(self):
        if not self.process.running():
            raise TimeoutError(f"{self.name} exited: {self.process.log_tail(10)}")
        return self.psql("SELECT 1", check=False).returncode == 0

    def stop(self):
        self.crash()
        if self.data is not None:
            shutil.rmtree(self.data, ignore_errors=True)

    def crash(self):
        """Immediate shutdown: nothing is finished, the next start recovers."""
        if self.process is not None and self.process.running():
            self.process.signal(signal.SIGQUIT)
            self.process.wait(30)

    def psql(self, sql, check=True, text=None):
        return subprocess.run(["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c", sql], text=True,
                              input=text, capture_output=True, timeout=60, check=check)

    def rows(self, sql):
        """The rows of a SELECT as dicts."""
        out = self.psql(f"SELECT coalesce(json_agg(t), '[]') FROM ({sql}) t").stdout
        return json.loads(out)

    def count(self, table):
        """Rows of a table; 0 while it is not there."""
        there = self.psql(f"SELECT to_regclass('{table}') IS NOT NULL").stdout.strip() == "t"
        return int(self.psql(f"SELECT count(*) FROM {table}").stdout) if there else 0


class Standby(Postgres):
    """A copy of a server that is not running, which then follows it; promote() makes a server of its own of it."""

    def __init__(self, folder, primary, settings=()):
        super().__init__(folder, settings, primary.version)
        self.primary = primary

    def fill(self, bin_folder, password):
        subprocess.run(["cp", "-a", self.primary.data / "db", self.data], check=True)
        mark = self.data / "db" / "standby.signal"
        mark.touch()
        _give_away(mark)

    def promote(self):
        self.psql("SELECT pg_promote()")
