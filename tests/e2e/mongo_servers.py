"""MongoDB for the tests: mongo-java-server, which speaks its protocol and has a log of changes.

It is fetched once with Maven into a cache folder. Of change streams it can resume, start at a time, and end with a collection; it
has no replica sets, no tokens of empty batches and no log that forgets. Where Java's compiler, Maven or pymongo is missing,
tests skip and say so.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

import maven
import net
from process import Process

VERSION = "1.47.0"
SCRIPT = pathlib.Path(__file__).resolve().parent / "mongo" / "Server.java"
START_DEADLINE = 60.0


def _find_java():
    """A Java of version 17 that can compile a script."""
    for path in (*sorted(pathlib.Path("/usr/lib/jvm").glob("java-1[7-9]-openjdk*/bin/java")), shutil.which("java")):
        if path and os.access(path, os.X_OK):
            listed = subprocess.run([path, "--list-modules"], capture_output=True, text=True, timeout=60, check=False)
            if "jdk.compiler" in listed.stdout:
                return str(path)
    return None


def libraries():
    return maven.fetched("mongo-java-server", ("de.bwaldvogel", "mongo-java-server", VERSION)) / "libs"


class Mongo:
    """One server; what it keeps is gone when it ends."""

    def __init__(self, folder, alone=False):
        self.folder, self.port, self.alone = folder / "mongo", net.free_port(), alone
        self.url = f"mongodb://{net.HOST}:{self.port}/telex"
        self.process = None

    def start(self):
        java = _find_java()
        if java is None:
            pytest.skip("mongo-java-server needs a JDK (apt-get install openjdk-17-jdk-headless)")
        self.process = Process("mongo", [java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{libraries()}/*", SCRIPT,
                                         str(self.port), *(["alone"] if self.alone else [])], self.folder)
        self.process.start()
        net.wait_until("mongo-java-server", lambda: "listening" in self.process.log(), START_DEADLINE)
        return self

    def kill(self):
        self.process.kill()

    def stop(self):
        if self.process is not None:
            self.process.stop()

    def collection(self, name):
        """As another client sees it."""
        pymongo = pytest.importorskip("pymongo", reason="python3-pymongo is not installed")
        return pymongo.MongoClient(self.url, serverSelectionTimeoutMS=5000).telex[name]
