"""What `telex check` says of change streams: every config in tests/golden/streams, mistakes and what is right, gives the
text beside it to the letter. GOLDEN_WRITE=1 writes the texts anew."""

import os
import pathlib
import shutil
import subprocess

import pytest

from telex import BINARY

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "golden" / "streams"
CONFIGS = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def said(name, folder):
    shutil.copy(FOLDER / f"{name}.yaml", folder / "telex.yaml")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TELEX_")}
    done = subprocess.run([BINARY, "check"], cwd=folder, env=environment, capture_output=True, text=True, timeout=60,
                          check=False)
    return f"{done.stderr}{done.stdout}exit {done.returncode}\n"


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_said(name, tmp_path):
    golden = FOLDER / f"{name}.txt"
    text = said(name, tmp_path)
    if "GOLDEN_WRITE" in os.environ:
        golden.write_text(text)
    assert text == golden.read_text()


def test_there_are_some():
    assert len(CONFIGS) > 30
