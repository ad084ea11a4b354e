"""Servers of PostgreSQL in other versions than Debian's: programs fetched with Maven, without psql and pg_basebackup.

TEST_POSTGRESQL=17 makes every test and fault run that starts a PostgreSQL take that version.
"""

import atexit
import fcntl
import os
import pathlib
import platform
import shutil
import tarfile
import tempfile
import zipfile

import pytest

import maven

VERSIONS = {"14": "14.24.0", "16": "16.15.0", "17": "17.11.0", "18": "18.6.0"}
GROUP, ARTIFACT = "io.zonky.test.postgres", "embedded-postgres-binaries-linux-"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64v8"}
_copies = {}


def _unpacked(folder):
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "server").is_dir():
            part = folder / "part"
            shutil.rmtree(part, ignore_errors=True)
            jar = next((folder / "libs").glob("*.jar"))
            with zipfile.ZipFile(jar) as zipped:
                inner = next(name for name in zipped.namelist() if name.endswith(".txz"))
                with zipped.open(inner) as packed, tarfile.open(fileobj=packed, mode="r:xz") as tar:
                    tar.extractall(part)
            part.rename(folder / "server")
    return folder / "server"


def _reachable(server):
    """As root: a copy where the user postgres can come to it, removed in the end."""
    if os.getuid() != 0:
        return server
    if server not in _copies:
        place = pathlib.Path(tempfile.mkdtemp(prefix="telex-postgres-"))
        place.chmod(0o755)
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        _copies[server] = shutil.copytree(server, place / "server", symlinks=True)
    return _copies[server]


def programs(major):
    """The folder of initdb and postgres of that version; skips where it cannot be had."""
    machine = MACHINES.get(platform.machine())
    if machine is None:
        pytest.skip(f"there is no PostgreSQL {major} for {platform.machine()}")
    folder = maven.fetched("postgresql", (GROUP, ARTIFACT + machine, VERSIONS[major]))
    return _reachable(_unpacked(folder)) / "bin"
