#!/usr/bin/env python3
"""The project speaks of itself alone: not of how it was made, nor of the servers packages came from."""
import os
import re
import subprocess

from common import main, walk

# Each pattern is written so that it does not match itself.
WORDS = [
    r"\bcl[a]ude\b", r"\banthr[o]pic\b", r"\b(?-i:LL[M])s?\b", r"\bagent[ ]sessions?\b",
    r"\bhelper[ ]sessions?\b", r"\bco-authored[-]by:", r"\bdeb\.debi[a]n\.org\b",
    r"\b(security|snapshot)\.debi[a]n\.org\b", r"\bpyp[i]\.org\b", r"\bpythonh[o]sted\.org\b",
    r"\bregistry\.npmj[s]\.org\b", r"\bcrates\.[i]o\b", r"\brubyg[e]ms\.org\b",
    r"\b(proxy|sum)\.gol[a]ng\.org\b", r"\bgh[c]r\.io\b",
]
PATTERN = re.compile("|".join(WORDS), re.I)


def texts(root):
    for path in walk(root, ""):
        full = os.path.join(root, path)
        if os.path.isfile(full):
            with open(full, "rb") as f:
                yield path, path + "\n" + f.read().decode("utf-8", "replace")
    if os.path.exists(os.path.join(root, ".git")):
        log = subprocess.run(["git", "-C", root, "log", "--format=%h %B"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, check=False)
        yield "commit messages", "\n" + log.stdout.decode("utf-8", "replace")


def check(root):
    for path, text in texts(root):
        for number, line in enumerate(text.split("\n")):
            for match in PATTERN.finditer(line):
                yield "%s:%d: \"%s\" has no place in the project" % (path, number, match.group())


def self_test(tree):
    tree.expect({"README.md": "llvm, agents, sessions, a helper, and Debian\n"})
    for word in ("Cl" + "aude", "LL" + "M", "agent" + " session", "helper" + " session",
                 "deb.debian" + ".org", "pypi" + ".org", "Co-Authored" + "-By: x"):
        tree.expect({"docs/x.md": "one\n%s\n" % word}, "x.md:2: ")
    tree.expect({"docs/cl" + "aude.md": "\n"}, ":0: ")


if __name__ == "__main__":
    main(check, self_test)
