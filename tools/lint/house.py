#!/usr/bin/env python3
"""The small rules of the house that no compiler knows.

A header opens with what it is, ownership, threads and limits, and is guarded; a .c file includes its own
header first; every source file is built; every folder has its page in docs/internals; no check is
switched off anywhere.
"""
import os
import re

from common import c_files, includes, main, read, walk

# What switches a check off; each pattern is written so that it does not match itself.
EXEMPTION = re.compile("|".join((
    r"NO[L]INT", r"cppcheck[-]suppress", r"clang-format[ ]off", r"shellcheck[ ]disable", r"_Prag[m]a",
    r"#\s*pragma\s+(GC[C]|clan[g])\b", r"no_sanit[i]ze", r"'-W[n]o-")))


def header_problems(path, text):
    opening = text[:text.find("*/")].lower() if text.startswith("/*") else ""
    for word in ("owner", "thread", "limit"):
        if word not in opening:
            yield "%s:1: the comment that opens a header tells ownership, threads, limits: no \"%s\"" % (
                path, word)
    if not re.search(r"^#\s*(pragma once|ifndef \w+\n#\s*define \w+)", text, re.M):
        yield "%s:1: no include guard" % path


def own_header_problems(root, path, text):
    own = path[len("src/"):-len(".c")] + ".h"
    if os.path.exists(os.path.join(root, "src", own)):
        first = re.search(r"^#\s*include\s*(\S+)", text, re.M)
        if first is None or first.group(1) != '"%s"' % own:
            yield "%s:1: does not include its own header \"%s\" first" % (path, own)


def built_by(root):
    """What else can switch a check off: the build files and the scripts."""
    tools = [p for p in walk(root, "tools", "bench", "tests") if not p.endswith((".c", ".h"))]
    return ["meson.build"] * os.path.exists(os.path.join(root, "meson.build")) + sorted(
        {*walk(root, "src", ext=("meson.build",)), *(p for p in tools if "/corpus/" not in p)})


def is_built(root, path):
    """Whether a meson.build in the folder of the file, or above it, names the file."""
    folder = os.path.dirname(path)
    while folder:
        build = os.path.join(folder, "meson.build")
        name = os.path.relpath(path, folder)
        if os.path.exists(os.path.join(root, build)) and "'%s'" % name in read(root, build):
            return True
        folder = os.path.dirname(folder)
    return False


def check(root):
    for path in c_files(root):
        text = read(root, path)
        if path.endswith(".h"):
            yield from header_problems(path, text)
        elif path.startswith("src/"):
            yield from own_header_problems(root, path, text)
        if path.endswith(".c") and not is_built(root, path):
            yield "%s:1: no meson.build names it" % path
    for path in c_files(root) + built_by(root):
        for number, line in enumerate(read(root, path).split("\n"), 1):
            if EXEMPTION.search(line):
                yield "%s:%d: switches a check off: %s" % (path, number, line.strip())
    for folder in sorted({p.split("/")[1] for p in walk(root, "src", ext=(".c",)) if p.count("/") > 1}):
        if not os.path.exists(os.path.join(root, "docs/internals", folder + ".md")):
            yield "src/%s has no page docs/internals/%s.md" % (folder, folder)


def self_test(tree):
    header = "/*\n * What. Ownership: a. Threads: b. Limits: c.\n */\n#ifndef A_H\n#define A_H\n#endif\n"
    clean = {"src/base/a.h": header, "src/base/a.c": '/* x */\n#include "base/a.h"\n',
             "src/base/meson.build": "files('a.c')", "docs/internals/base.md": "x"}
    tree.expect(clean)
    for word in ("owner", "thread", "limit"):
        tree.expect({**clean, "src/base/a.h": re.sub("(?i)" + word, "x", header)}, "no .%s" % word)
    tree.expect({**clean, "src/base/a.h": "/* Owner, threads, limits */\n"}, "no include guard")
    tree.expect({**clean, "src/base/a.c": '#include <stdio.h>\n#include "base/a.h"\n'}, "own header")
    tree.expect({**clean, "src/base/meson.build": "files('aa.c')"}, "no meson.build names it")
    tree.expect({**clean, "docs/internals/base.md": "x", "src/net/n.c": "",
                 "src/net/meson.build": "'n.c'"}, "has no page docs/internals/net.md")
    for line in ("// NO" + "LINT", "/* cppcheck" + "-suppress x */", "// clang-format" + " off",
                 "#pragma " + "GCC diagnostic push", "_Prag" + 'ma("x")'):
        tree.expect({**clean, "src/base/a.c": '#include "base/a.h"\n%s\n' % line}, "a.c:2: switches")
    tree.expect({**clean, "src/base/meson.build": "'a.c'\n'-W" + "no-shadow'"}, "build:2: switches")


if __name__ == "__main__":
    main(check, self_test)
