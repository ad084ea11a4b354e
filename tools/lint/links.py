#!/usr/bin/env python3
"""Every relative link of a page leads to a file that is there."""
import os
import re

from common import main, read, walk

LINK = re.compile(r"\]\(([^)\s]+)\)")


def check(root):
    pages = [p for p in walk(root, "") if p.endswith(".md")]
    for page in pages:
        code = False
        for number, line in enumerate(read(root, page).split("\n"), 1):
            code ^= line.startswith("```")
            for target in LINK.findall(re.sub(r"`[^`]*`", "", line)) if not code else ():
                path = os.path.join(root, os.path.dirname(page), target.split("#")[0])
                if not re.match(r"[a-z]+:|#", target) and not os.path.exists(path):
                    yield "%s:%d: no file at %s" % (page, number, target)


def self_test(tree):
    tree.expect({"docs/a.md": "[b](b.md#x) [up](../README.md) [web](https://x.y/) [here](#a)\n",
                 "docs/b.md": "`[c](c.md)`\n```\n[d](d.md)\n```\n", "README.md": ""})
    tree.expect({"docs/a.md": "x\n[b](b.md)\n"}, "a.md:2: no file at b.md")
    tree.expect({"docs/a.md": "[b](/docs/b.md)\n", "docs/b.md": ""}, "a.md:1: no file")


if __name__ == "__main__":
    main(check, self_test)
