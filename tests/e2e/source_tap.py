"""One event source by itself, held against a real datastore: tests/fake/source_tap.c runs it and prints what it gives."""

import json
import subprocess

import pytest
import yaml

from telex import BINARY

TAP = BINARY.parent / "tests" / "fake" / "source-tap"


class Tap:
    """`answers` of a run are its lines; `changes` those that are changes, `last` the last of all."""

    def __init__(self, folder, section):
        if not TAP.exists():
            pytest.skip(f"{TAP} is not built")
        self.path = folder / "source.yaml"
        self.path.write_text(yaml.safe_dump(section))
        self.answers, self.log = [], ""

    def run(self, *words, timeout=90):
        done = subprocess.run([TAP, self.path, *(str(word) if word != "" else "-" for word in words)], capture_output=True,
                              text=True, timeout=timeout, check=False)
        self.log += done.stderr
        assert done.returncode == 0, done.stderr
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
        self.answers = [json.loads(line) for line in done.stdout.splitlines()]
        return self.answers

    @property
    def changes(self):
        return [answer for answer in self.answers if "change" in answer]

    @property
    def last(self):
        return self.answers[-1]

    def documents(self):
        return [json.loads(change["document"]) for change in self.changes]
