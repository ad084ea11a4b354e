#!/usr/bin/env python3
"""A folder includes only itself and folders on strictly lower floors, written from src/, without circles.

Some folders never reach the network, not even through what they include: time, network and storage
come to them as injected tables.
"""
import os
import re

from common import includes, main, read, walk

FLOORS = {
    "cli": 9, "lib": 9,
    "server": 8,
    "app": 7,
    "rules": 6,
    "receive": 5, "scrape": 5, "events": 5, "gather": 5, "notify": 5,
    "export": 4, "datasource": 4,
    "discover": 3.5,  # on net, below all who need targets
    "net": 3, "store": 3, "state": 3,
    "promql": 2, "template": 2, "wire": 2, "db": 2,
    "log": 1, "model": 1,
    "base": 0,
}
WITHOUT_NETWORK = {"promql", "rules", "template", "wire", "log"}
NETWORK_HEADERS = re.compile(r'#\s*include\s*<(curl/|microhttpd|sys/socket|netinet/|netdb|arpa/)')


def folder_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def floor_problems(path, name, here, root):
    if name.startswith("fake/") or not os.path.exists(os.path.join(root, "src", name)):
        yield "includes \"%s\", which is not a file under src/" % name
        return
    there = name.split("/")[0]
    if there not in FLOORS:
        yield "includes \"%s\", whose folder has no floor" % name
    elif there != here and FLOORS[there] >= FLOORS[here]:
        yield "%s (floor %g) includes \"%s\" (floor %g)" % (here, FLOORS[here], name, FLOORS[there])


def reach(graph, start):
    """{file: the file that led to it} for everything reachable from start."""
    came_from, todo = {}, [start]
    while todo:
        at = todo.pop()
        for nxt in graph.get(at, ()):
            if nxt not in came_from:
                came_from[nxt] = at
                todo.append(nxt)
    return came_from


def path_to(came_from, start, end):
    names = [end]
    while names[-1] != start:
        names.append(came_from[names[-1]])
    return " -> ".join(reversed(names))


def check(root):
    graph, bare = {}, set()
    for path in walk(root, "include", "src", "tests", "bench", ext=(".c", ".h")):
        text, here = read(root, path), folder_of(path)
        if here is not None and here not in FLOORS:
            yield "%s:1: folder %s has no floor in tools/lint/floors.py" % (path, here)
            continue
        if NETWORK_HEADERS.search(text):
            bare.add(path)
        for line, name in includes(text):
            if "../" in name or name.startswith("./"):
                yield "%s:%d: includes \"%s\": write it from src/" % (path, line, name)
            elif here is not None:
                graph.setdefault(path, []).append("src/" + name)
                for problem in floor_problems(path, name, here, root):
                    yield "%s:%d: %s" % (path, line, problem)
    for path in graph.keys() | bare:
        came_from = reach(graph, path)
        if path in came_from:
            yield "%s:1: includes itself: %s" % (path, path_to(came_from, path, came_from[path]))
        if folder_of(path) in WITHOUT_NETWORK:
            if path in bare:
                yield "%s:1: %s must not know the network" % (path, folder_of(path))
            for end in came_from:
                if end.startswith("src/net/") or end in bare:
                    yield "%s:1: reaches the network: %s" % (path, path_to(came_from, path, end))


def self_test(tree):
    base = {"src/base/a.h": "", "src/net/n.h": "", "src/model/m.h": '#include "base/a.h"\n'}
    tree.expect({**base, "src/wire/w.c": '#include "base/a.h"\n#include "model/m.h"\n'})
    tree.expect({**base, "src/base/b.c": '#include "model/m.h"\n'}, r"base \(floor 0\) includes")
    tree.expect({**base, "src/log/l.c": '#include "model/m.h"\n'}, r"floor 1\) includes \"model")
    tree.expect({**base, "src/base/b.c": '#include "a.h"\n'}, "not a file under src/")
    tree.expect({**base, "src/base/b.c": '#include "../net/n.h"\n'}, "write it from src/")
    tree.expect({**base, "tests/unit/base/t.c": '#include "../x.h"\n'}, "write it from src/")
    tree.expect({**base, "src/base/b.c": '// #include "net/n.h"\n'})
    tree.expect({"src/misc/x.c": ""}, "has no floor")
    tree.expect({"src/base/a.h": '#include "base/b.h"\n', "src/base/b.h": '#include "base/a.h"\n'},
                "a.h:1: includes itself", "b.h:1: includes itself")
    tree.expect({**base, "src/rules/r.c": '#include "net/n.h"\n'}, "reaches the network")
    tree.expect({**base, "src/export/e.h": '#include "net/n.h"\n',
                 "src/rules/r.c": '#include "export/e.h"\n'}, r"rules/r.c -> .*export/e.h -> .*net/n.h")
    tree.expect({"src/wire/w.c": "#include <curl/curl.h>\n"}, "must not know the network")
    tree.expect({"src/base/s.h": "#include <sys/socket.h>\n", "src/log/l.c": '#include "base/s.h"\n'},
                "reaches the network")


if __name__ == "__main__":
    main(check, self_test)
