#!/usr/bin/env python3
"""Calls that have no place here, or only in one folder, with what to use instead."""
import re

from common import c_files, main, read, strip_c

# Everywhere, tests too.
ALWAYS = {
    "sprintf": "buf_printf or snprintf",
    "vsprintf": "vsnprintf",
    "strcpy": "struct str and buf",
    "strncpy": "struct str and buf",
    "strcat": "buf",
    "strncat": "buf",
    "stpcpy": "buf",
    "gets": "a read with a size",
    "atoi": "a parser that reports errors",
    "atol": "a parser that reports errors",
    "atoll": "a parser that reports errors",
    "atof": "base/number.h",
    "strtok": "struct str",
    "sscanf": "a parser that reports errors",
    "gmtime": "base time text",
    "localtime": "base time text",
    "ctime": "base time text",
    "asctime": "base time text",
    "strerror": "strerror_r",
    "alloca": "an arena",
    "system": "no shell is ever run",
    "popen": "no shell is ever run",
    "tmpnam": "mkstemp",
    "mktemp": "mkstemp",
    "setlocale": "text that is the same everywhere",
    "rand": "the injected random source",
    "srand": "the injected random source",
}
# {name: (paths below src/ that may, what to use instead)}; tests may.
ONLY_IN = {
    "strtod": (("base/number",), "base/number.h: the locale decides what strtod reads"),
    "strtof": (("base/number",), "base/number.h: the locale decides what strtof reads"),
    "strtold": (("base/number",), "base/number.h: the locale decides what strtold reads"),
    "time": (("base/",), "the injected clock"),
    "gettimeofday": (("base/",), "the injected clock"),
    "clock_gettime": (("base/",), "the injected clock"),
    "sleep": (("base/",), "a wait with a deadline and a cancel token"),
    "usleep": (("base/",), "a wait with a deadline and a cancel token"),
    "nanosleep": (("base/",), "a wait with a deadline and a cancel token"),
    "exit": (("cli/",), "an error"),
    "_exit": (("cli/", "base/"), "an error"),
    "abort": (("base/",), "an error, or INVARIANT"),
    "assert": ((), "INVARIANT, which stays in a release"),
    "printf": (("cli/",), "the trace"),
    "puts": (("cli/",), "the trace"),
    "perror": (("cli/",), "the trace"),
}
CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(
    sorted(list(ALWAYS) + list(ONLY_IN), key=len, reverse=True)))
# A method of a table, or a declaration of one, may bear any name: clock->time(...) is not time(...).
NOT_A_CALL = re.compile(r"(->|\.)\s*$")


def allowed(path, name):
    if name in ALWAYS:
        return False
    folders, _ = ONLY_IN[name]
    return not path.startswith("src/") or path[len("src/"):].startswith(tuple(folders) or ("/",))


def instead(name):
    return ALWAYS.get(name) or ONLY_IN[name][1]


def check(root):
    for path in c_files(root):
        text = strip_c(read(root, path))
        for match in CALL.finditer(text):
            name = match.group(1)
            if NOT_A_CALL.search(text, 0, match.start()) or allowed(path, name):
                continue
            line = text.count("\n", 0, match.start()) + 1
            yield "%s:%d: %s() is banned here: use %s" % (path, line, name, instead(name))


def self_test(tree):
    for name in ALWAYS:
        tree.expect({"src/net/a.c": "int f(void)\n{\n    %s (x);\n}\n" % name}, r"a.c:3: %s\(" % name)
        tree.expect({"tests/unit/net/a.c": "    %s(x);\n" % name}, r"a.c:1: %s\(" % name)
    for name, (folders, _) in ONLY_IN.items():
        tree.expect({"src/net/a.c": "    %s(x);\n" % name}, r"%s\(" % name)
        tree.expect({"tests/unit/net/a.c": "    %s(x);\n" % name})
        for folder in folders:
            tree.expect({"src/%sx.c" % folder: "    %s(x);\n" % name})
    tree.expect({"src/net/a.c": '/* sprintf(x) */ char *s = "gets(x)"; my_gets(x); snprintf(x);\n'})
    tree.expect({"src/net/a.c": "    now = clock->time(clock) + clock.sleep(x);\n"})


if __name__ == "__main__":
    main(check, self_test)
