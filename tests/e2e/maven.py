"""Servers that are fetched with Maven, once, into a cache folder. Where that cannot be, tests skip and say why."""

import fcntl
import os
import pathlib
import shutil
import subprocess

import pytest

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "telex-test"
FETCH_DEADLINE = 400
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>telex</groupId><artifactId>fetched</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency></dependencies></project>
"""


def _fetch(folder, name):
    """The artifact and what it needs into folder/libs, all of it or nothing; what went wrong, or None."""
    (folder / "pom.xml").write_text(POM % name)
    part = folder / "part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        done = subprocess.run(["mvn", "-q", "-B", "-f", folder / "pom.xml", "dependency:copy-dependencies",
                               f"-DoutputDirectory={part}"], capture_output=True, text=True, timeout=FETCH_DEADLINE,
                              check=False)
    except subprocess.TimeoutExpired:
        return "mvn took too long"
    if done.returncode != 0:
        return (done.stdout + done.stderr).strip()[-400:]
    part.rename(folder / "libs")
    return None


def fetched(what, name):
    """The folder with `libs`, the jars of name (group, artifact, version), below the cache; `what` is how a skip calls it."""
    folder = CACHE / what / name[2]
    if not (folder / "libs").is_dir():
        if shutil.which("mvn") is None:
            pytest.skip(f"{what} {name[2]} is fetched with Maven (apt-get install maven)")
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            problem = None if (folder / "libs").is_dir() else _fetch(folder, name)
            if problem:
                pytest.skip(f"{what} {name[2]} could not be fetched: {problem}")
    return folder
