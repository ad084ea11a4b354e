"""What the gates share: the list of files, C text without comments and strings, and how a gate runs.

A gate is a module with NAME, check(root) -> [problem], and self_test(tree) which makes small broken
trees and requires that check() finds exactly what is broken in them. `gate.py` checks the repository,
`gate.py --self-test` checks the gate.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED_FOLDERS = {".git", "build", "out", "__pycache__", ".pytest_cache"}


def walk(root, *folders, ext=()):
    """Paths relative to root, sorted, of the files under folders that end in ext (any, if empty)."""
    found = []
    for folder in folders:
        for here, dirs, files in os.walk(os.path.join(root, folder)):
            dirs[:] = [d for d in dirs if d not in SKIPPED_FOLDERS and not d.startswith("build-")]
            found += [os.path.relpath(os.path.join(here, f), root) for f in files
                      if not ext or f.endswith(tuple(ext))]
    return sorted(set(found))


def c_files(root, *folders):
    return walk(root, *(folders or ("include", "src", "tests", "bench")), ext=(".c", ".h"))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()



_TOKEN = re.compile(r"""
    /\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
""", re.S | re.X)


def strip_c(text, strings=True):
    """The text with comments (and strings) blanked, every line and column where it was."""
    def blank(match):
        token = match.group()
        if token[0] in "\"'" and not strings:
            return token
        return re.sub(r"[^\n]", " ", token)
    return _TOKEN.sub(blank, text)


def includes(text):
    """(line number, name) of each #include "name"."""
    clean = strip_c(text, strings=False)
    for number, line in enumerate(clean.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s*"([^"]*)"', line)
        if match:
            yield number, match.group(1)


class Tree:
    """A throw-away repository for self-tests."""

    def __init__(self, check):
        self.check = check
        self.failures = []

    def expect(self, files, *wanted):
        """check() over files {path: text} must report one problem per wanted regex, and no others."""
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as f:
                    f.write(text)
            found = list(self.check(root))
        if len(found) != len(wanted) or not all(
                any(re.search(w, f) for f in found) for w in wanted):
            self.failures.append("files %r: wanted %r, found %r" % (files, wanted, found))


def main(check, self_test):
    if "--self-test" in sys.argv[1:]:
        tree = Tree(check)
        self_test(tree)
        problems = ["self-test: " + f for f in tree.failures]
    else:
        problems = list(check(ROOT))
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


def output_of(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False).stdout.decode("utf-8", "replace")
