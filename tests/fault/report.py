"""The page of results, build/fault/results.md, from what each delivery run left in build/fault/CASE.json."""

import json

import shim

RESULTS = shim.BUILD / "fault"
LABELS = {"telex": "Telex", "vmagent": "vmagent (Debian 12)"}


def clear():
    for path in RESULTS.glob("*.json"):
        path.unlink()


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def figures_of(figures):
    """A table per case: a row per run where there are several, else a row per figure."""
    nested = {name: value for name, value in figures.items() if isinstance(value, dict)}
    plain = {name: value for name, value in figures.items() if name not in nested}
    parts = [table(["", ""], plain.items())] if plain else []
    if nested:
        columns = list(dict.fromkeys(key for value in nested.values() for key in value))
        parts.append(table(["", *columns], [[name, *(value.get(key, "") for key in columns)]
                                            for name, value in nested.items()]))
    return "\n\n".join(parts)


def after_a_kill(figures):
    """What is left after a kill, as README.md has it."""
    rows = []
    for key, value in figures.items():
        name, _, load = key.partition(", ")
        acked, delivered = value["acknowledged"], value["delivered"]
        rows.append([LABELS.get(name, name), load, acked, delivered, f"{100 * delivered / acked:.0f} %" if acked else ""])
    return table(["", "load", "acknowledged", "delivered after the restart", ""], rows)


def write():
    """Writes the page and returns its path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    parts = ["# What the fault runs found\n"]
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        verdict = f"{len(result['violations'])} violations" if result["violations"] else "no violation"
        form = "long" if result["long"] else "short"
        parts.append(f"## {result['case']}\n\n{verdict}; {form} form, {result['seconds']} s, seed {result['seed']}\n")
        parts += [f"- {text}" for text in result["violations"]]
        tables = after_a_kill if result["case"] == "beside-vmagent" else figures_of
        parts.append(tables(result["figures"]) + "\n")
    page = RESULTS / "results.md"
    page.write_text("\n".join(parts))
    return page
