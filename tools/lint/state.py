#!/usr/bin/env python3
"""No file-scope mutable state in the library: looks at what the compiler put into writable sections.

Reads the objects of build/libtelex_core.a and libtelex_lib.a (or of the archive given in TELEX_LIBRARY). Constant tables that
hold pointers are in .data.rel.ro, which is written once by the loader and never again.
"""
import os
import subprocess
import tempfile

from common import main, output_of

WRITABLE = (".data", ".bss", ".tdata", ".tbss", "*COM*")


def is_writable(section):
    return section.startswith(WRITABLE) and not section.startswith(".data.rel.ro")


def state_of(archive):
    """(object, symbol) of each writable object in the archive, from the symbol tables."""
    member = "?"
    for line in output_of("objdump", "-t", archive).split("\n"):
        if ":     file format" in line:
            member = line.split(":")[0]
        fields = line[17:].split("\t") if len(line) > 24 else []
        if len(fields) != 2 or set("dFf") & set(line[17:24]):    # sections, functions, files
            continue
        if is_writable(fields[0].split()[-1]):
            yield member, fields[1].split()[-1]


def check(root):
    told = os.environ.get("TELEX_LIBRARY")
    for archive in [told] if told else [os.path.join(root, "build", n) for n in ("libtelex_core.a", "libtelex_lib.a")]:
        if not os.path.exists(archive):
            yield "%s is not built: make build" % os.path.relpath(archive, root)
            continue
        for member, symbol in state_of(archive):
            yield "%s: %s is file-scope mutable state: pass it in" % (member, symbol)


def state_in(text):
    with tempfile.TemporaryDirectory() as folder:
        source, built = os.path.join(folder, "a.c"), os.path.join(folder, "a.o")
        with open(source, "w", encoding="utf-8") as f:
            f.write(text)
        subprocess.run(["gcc", "-O1", "-fPIE", "-c", source, "-o", built], check=True)
        return [symbol for _, symbol in state_of(built)]


def self_test(tree):
    function = "int f(void);\nint f(void) { %s }\n"
    for text, wanted in (
            ("static int seen;\n" + function % "return seen++;", ["seen"]),
            ("int shared = 3;\n", ["shared"]),
            ("__thread int each;\n", ["each"]),
            (function % "static int n = 2; return n++;", ["n.0"]),
            ("const char *const names[] = {\"a\"};\n" + function % "return *names[0];", []),
            ("const int numbers[] = {1};\n", [])):
        found = state_in(text)
        if found != wanted:
            tree.failures.append("%s: wanted %r, found %r" % (text, wanted, found))


if __name__ == "__main__":
    main(check, self_test)
