"""Gates that run a program on each file: what to run, on which files, and a text it must refuse.

What passed is remembered in build-lint/passed under a hash of the program's version, its settings, its
arguments and the file with all that it includes, so that a second run looks only at what changed.
"""
import hashlib
import json
import os
import re
import shlex
import subprocess
import tempfile

from common import ROOT, c_files, includes, output_of, read, walk

LINT_BUILD = os.path.join(ROOT, "build-lint")
PASSED = os.path.join(LINT_BUILD, "passed")
# What clang-tidy says besides: how it came to a complexity, and how much it did not say.
NOISE = re.compile(r"^\d+ warnings? generated\.\n|^[^\n]*: note: \+\d[^\n]*\n[^\n]*\n[^\n]*\n", re.M)


class Compiler:
    """How each file is compiled, from a build folder that is set up but never built."""

    def __init__(self, name):
        self.folder = os.path.join(LINT_BUILD, name)
        if not os.path.exists(os.path.join(self.folder, "build.ninja")):
            subprocess.run(["meson", "setup", self.folder], cwd=ROOT, check=True,
                           env={**os.environ, "CC": name}, stdout=subprocess.DEVNULL)
        else:
            subprocess.run(["ninja", "-C", self.folder, "build.ninja"], check=True,
                           stdout=subprocess.DEVNULL)
        self.arguments = {}
        with open(os.path.join(self.folder, "compile_commands.json"), encoding="utf-8") as f:
            for entry in json.load(f):
                full = os.path.normpath(os.path.join(self.folder, entry["file"]))
                words = shlex.split(entry["command"])
                self.arguments[os.path.relpath(full, ROOT)] = self.without_outputs(words[1:])

    @staticmethod
    def without_outputs(words):
        kept, skip = [], False
        for word in words:
            if skip:
                skip = False
            elif word in ("-o", "-MF", "-MQ", "-c"):
                skip = True
            elif word not in ("-MD", "-g", "-fcolor-diagnostics", "-fdiagnostics-color=always"):
                kept.append(word)
        return kept

    def for_file(self, path):
        """As it is compiled here; a file that is not (another stands for it) as one of its folder would be."""
        if path in self.arguments:
            return self.arguments[path]
        return self.arguments["src/cli/main.c"] + ["-I", os.path.join(ROOT, "tests")]


class Gate:
    """One program over many files. Settings are the files its verdict depends on besides the source."""

    def __init__(self, name, program, files, command, refused, settings=(), compiler=None, suffix=".c"):
        self.name, self.program, self.files, self.command = name, program, files, command
        self.refused, self.settings, self.suffix = refused, settings, suffix
        self.compiler_name, self.compiler = compiler, None

    def prepare(self, compilers):
        if self.compiler_name is not None:
            if self.compiler_name not in compilers:
                compilers[self.compiler_name] = Compiler(self.compiler_name)
            self.compiler = compilers[self.compiler_name]
        seed = output_of(self.program, "--version")
        seed += "".join(read(ROOT, s) for s in self.settings)
        self.seed = hashlib.sha256(seed.encode())

    def run(self, path, as_file=None):
        """(passed, what the program said) for a file; as_file: text elsewhere, judged as path would be."""
        arguments = self.compiler.for_file(path) if self.compiler else []
        command = self.command(as_file or os.path.join(ROOT, path), arguments)
        cwd = self.compiler.folder if self.compiler else ROOT
        done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False)
        said = NOISE.sub("", done.stdout.decode("utf-8", "replace"))
        return done.returncode == 0, said.replace(ROOT + "/", "")

    def mark(self, path):
        """The path of the file whose existence says that this very text has passed."""
        digest = self.seed.copy()
        command = self.command(path, self.compiler.for_file(path) if self.compiler else [])
        digest.update(repr(command).encode())
        for name in sorted(closure(path)):
            digest.update((name + "\0" + read(ROOT, name)).encode())
        return os.path.join(PASSED, self.name, digest.hexdigest())

    def check(self, path):
        mark = self.mark(path)
        if os.path.exists(mark):
            return ""
        passed, said = self.run(path)
        if passed:
            os.makedirs(os.path.dirname(mark), exist_ok=True)
            with open(mark, "w", encoding="utf-8"):
                pass
            return ""
        return said or "%s: refused by %s" % (path, self.program)

    def self_test(self):
        """A text that must be refused is, and not because the program cannot run."""
        for text, refused in [(t, True) for t in self.refused] + [(CLEAN[self.suffix], False)]:
            with tempfile.NamedTemporaryFile("w", suffix=self.suffix) as f:
                f.write(text)
                f.flush()
                passed, said = self.run("src/cli/main.c", f.name)
            if passed == refused:
                return "self-test: %s %s this:\n%s%s" % (
                    self.program, "accepted" if refused else "refused", text, said)
        return ""


def closure(path):
    """The file and every file of the project that it includes, however deep."""
    seen, todo = set(), [path]
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            for _, name in includes(read(ROOT, at)):
                todo += [f for f in (os.path.join(d, name) for d in ("src", "tests", "include"))
                         if os.path.exists(os.path.join(ROOT, f))]
    return seen


def sources(*folders):
    return lambda: [p for p in c_files(ROOT, *folders) if p.endswith(".c")]


def scripts():
    """Shell scripts, by their first line."""
    return [p for p in walk(ROOT, "") if p.split("/")[0] not in ("src", "docs")
            and read(ROOT, p)[:40].startswith(("#!/bin/sh", "#!/bin/bash", "#!/usr/bin/env bash"))]


CLEAN = {
    ".c": "int main(void)\n{\n    return 0;\n}\n",
    ".h": "#include <stddef.h>\n\nsize_t f(void);\n",
    ".sh": "#!/bin/sh\necho \"$1\"\n",
}
FREED = """#include <stdlib.h>

int main(void)
{
    int *p = malloc(sizeof *p);
    if (p == NULL) {
        return 1;
    }
    free(p);
    return *p;
}
"""
NARROWED = "int f(long x);\nint f(long x)\n{\n    return x;\n}\n"
UNUSED = "static int f(void)\n{\n    return 1;\n}\n\nint main(void)\n{\n    return 0;\n}\n"
OVERRUN = "int main(void)\n{\n    int a[2] = {0, 0};\n    a[2] = 1;\n    return a[0];\n}\n"
SUSPICIOUS = """#include <string.h>

int f(const char *a, const char *b);
int f(const char *a, const char *b)
{
    if (strcmp(a, b)) {
        return 1;
    }
    return 0;
}
"""
TANGLED = "int f(int x);\nint f(int x)\n{\n%s    return x;\n}\n" % "".join(
    "    if (x > %d) {\n        x += x > 3 ? 2 : 1;\n    }\n" % i for i in range(12))

GATES = [
    Gate("format", "clang-format-14", lambda: c_files(ROOT),
         lambda path, _: ["clang-format-14", "--dry-run", "-Werror",
                          "--style=file:" + os.path.join(ROOT, ".clang-format"), path],
         ["int main(void) { return 0; }\n", "int\tmain(void)\n{\n\treturn 0;\n}\n"],
         settings=[".clang-format"]),
    Gate("tidy", "clang-tidy-14", sources("src", "tests/fake", "tests/fuzz"),
         lambda path, args: ["clang-tidy-14", "--quiet", path,
                             "--config-file=" + os.path.join(ROOT, ".clang-tidy"), "--", *args],
         [SUSPICIOUS, TANGLED], settings=[".clang-tidy"], compiler="clang-14"),
    Gate("cppcheck", "cppcheck", sources("src"),
         lambda path, _: ["cppcheck", "--quiet", "--error-exitcode=1", "--std=c11", "--language=c",
                          "--platform=unix64", "--enable=warning,performance,portability",
                          "--library=posix,gnu", "--suppress=missingIncludeSystem",
                          "-D_GNU_SOURCE", "-DTELEX_VERSION=\"0\"", "-Isrc", "-Iinclude", path],
         [OVERRUN]),
    Gate("analyzer", "gcc", sources("src"),
         lambda path, args: ["gcc", *args, "-Werror", "-fanalyzer", "-c", "-o", "/dev/null", path],
         [FREED], compiler="gcc"),
    Gate("clang", "clang-14", sources("src", "tests"),
         lambda path, args: ["clang-14", *args, "-Werror", "-c", "-o", "/dev/null", path],
         [NARROWED, UNUSED], compiler="clang-14"),
    Gate("headers", "clang-14", lambda: [p for p in c_files(ROOT, "src", "include") if p.endswith(".h")],
         lambda path, args: ["clang-14", *args, "-Werror", "-fsyntax-only", "-include", path,
                             "-x", "c", os.devnull],
         ["size_t f(void);\n"], compiler="clang-14", suffix=".h"),
    Gate("shell", "shellcheck", scripts,
         lambda path, _: ["shellcheck", "--exclude=SC2317", path],
         ["#!/bin/sh\ncd $1\nrm $2/*\n", "#!/bin/sh\n[[ $1 == a ]]\n"], suffix=".sh"),
]
