"""Python packages that Debian does not have, for tests that hold Telex against foreign code.

They go into a virtual environment below the user's cache, which is made once and kept: nothing of the system changes, and what
is not to be had (no network, no python3-venv) is a test that is skipped, visibly.
"""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

INSTALL_SECONDS = 300
NOT_HAD = {}  # folder -> why; asked for once in a run, since it takes its time


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(base) / "telex-test"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def make(folder, requirements):
    """Fills the folder beside its place first, so that what stands there is whole."""
    draft = folder.with_name(folder.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    run = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "timeout": INSTALL_SECONDS}
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", draft], **run)
    python = draft / "bin" / "python3"
    site = subprocess.run([python, "-c", "import site; print(site.getsitepackages()[0])"], check=True, text=True,
                          capture_output=True, timeout=30).stdout.strip()
    subprocess.run(["/usr/bin/python3", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check",
                    "--only-binary=:all:", "--target", site, *requirements], **run)
    draft.rename(folder)


def interpreter(*requirements):
    """A Python that has these packages ("name==version"); the test is skipped when there is no way to have them."""
    name = "python-" + hashlib.sha256(" ".join([sys.version, *sorted(requirements)]).encode()).hexdigest()[:16]
    folder = cache() / name
    with open(cache() / (name + ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists() and folder not in NOT_HAD:
            try:
                make(folder, requirements)
            except (subprocess.SubprocessError, OSError) as problem:
                said = getattr(problem, "stderr", None) or str(problem).encode()
                NOT_HAD[folder] = said.decode(errors="replace").strip()[-200:]
        if not folder.exists():
            pytest.skip(f"{' '.join(requirements)} is not to be had: {NOT_HAD[folder]}")
    return folder / "bin" / "python3"
