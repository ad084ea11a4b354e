#!/usr/bin/env python3
"""No function over 70 lines, half of them under 14, no file over 800 lines. `--report` shows how long functions are.

A function counts from the first line of its signature to its closing brace. The formatter puts the
braces of a function, and of nothing else, in the first column.
"""
import sys

from common import ROOT, c_files, main, read, strip_c, walk

FUNCTION_MAX = 70
FILE_MAX = 800
MEDIAN_MAX = 14
MEDIAN_FROM = 20    # functions; fewer say little


def functions(text):
    """(first line, lines) of each function of a formatted C file."""
    lines = strip_c(text).split("\n")
    start = None
    for number, line in enumerate(lines):
        if line.rstrip() == "{":
            start = number
            while start > 0 and lines[start - 1].strip() and lines[start - 1][0] not in "}#":
                start -= 1
        elif line.startswith("}") and start is not None:
            yield start + 1, number - start + 1
            start = None


def function_lengths(root, folder):
    return sorted(n for p in c_files(root, folder) for _, n in functions(read(root, p)))


def check(root):
    for path in c_files(root):
        for line, length in functions(read(root, path)):
            if length > FUNCTION_MAX:
                yield "%s:%d: function of %d lines (at most %d)" % (path, line, length, FUNCTION_MAX)
    lengths = function_lengths(root, "src")
    if len(lengths) >= MEDIAN_FROM and lengths[len(lengths) // 2] >= MEDIAN_MAX:
        yield "src: half of the functions have %d lines or more (less than %d)" % (
            lengths[len(lengths) // 2], MEDIAN_MAX)
    scripts = walk(root, "tools", "tests", "bench", ext=(".py", ".sh"))
    for path in c_files(root) + scripts:
        length = read(root, path).count("\n")
        if length > FILE_MAX:
            yield "%s:1: file of %d lines (at most %d)" % (path, length, FILE_MAX)


def report(root):
    for folder in ("src", "tests"):
        paths = c_files(root, folder)
        lengths = function_lengths(root, folder)
        files = sorted(read(root, p).count("\n") for p in paths)
        if lengths:
            at = {q: lengths[min(len(lengths) - 1, len(lengths) * q // 100)] for q in (50, 90, 99)}
            print("%s: %d functions, p50 %d, p90 %d, p99 %d, longest %d lines; %d files, longest %d" % (
                folder, len(lengths), at[50], at[90], at[99], lengths[-1], len(files), files[-1]))


def self_test(tree):
    def function(n):
        return "static int\nf(void)\n{\n%s}\n" % ("    x();\n" * (n - 4))
    tree.expect({"src/base/a.c": function(70) + "\n" + function(70)})
    tree.expect({"src/base/a.c": "\n" + function(71)}, r"a.c:2: function of 71 lines")
    tree.expect({"src/base/a.c": function(13) * 11 + function(40) * 10})
    tree.expect({"src/base/a.c": function(13) * 10 + function(14) * 11}, "half of the functions have 14")
    tree.expect({"src/base/a.c": "/*\n{\n*/\nstatic const int t[] = {\n%s};\n" % ("    1,\n" * 90)})
    tree.expect({"src/base/a.c": "int x;\n" * 800})
    tree.expect({"src/base/a.c": "int x;\n" * 801}, "file of 801 lines")
    tree.expect({"tools/x.py": "x\n" * 801}, "file of 801 lines")


if __name__ == "__main__":
    if "--report" in sys.argv[1:]:
        report(ROOT)
    else:
        main(check, self_test)
