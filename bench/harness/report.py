"""Figures per unit of work, ratios, and the page that says so."""

import os
import platform
from dataclasses import dataclass

KINDS = {
    "record": ("recorded sample", "series"),
    "alert": ("alert evaluation", "active alert"),
}
CPU_TARGET = {"record": 20, "alert": 50}
MEMORY_TARGET = 10
MIB = 1 << 20


@dataclass
class Row:
    what: str
    unit: str
    value: dict
    target: float = 0

    def ratio(self):
        if "telex" not in self.value or "vmalert" not in self.value or self.value["telex"] <= 0:
            return None
        return self.value["vmalert"] / self.value["telex"]


def cpu_per_million(result):
    return result.cpu_s / result.units_done * 1e6


def bytes_per_unit(result, size, base):
    return (size - base) / result.plan.units


def cheapest(kind, results):
    """Of each engine's runs the one with the least CPU: other work on the machine only adds to it."""
    best = {}
    for r in results:
        if r.plan.kind == kind and (r.engine not in best or r.cpu_s < best[r.engine].cpu_s):
            best[r.engine] = r
    return best


def rows_of(kind, results):
    work, unit = KINDS[kind]
    own = cheapest(kind, results)
    per = f"bytes/{unit}"

    def row(what, unit_text, figure, target=0):
        return Row(what, unit_text, {name: figure(r) for name, r in own.items()}, target)

    return [
        row(f"CPU per million {work}s", "s", cpu_per_million, CPU_TARGET[kind]),
        row(f"RSS at rest per {unit}", per,
            lambda r: bytes_per_unit(r, r.rest.rss, r.base.rss), MEMORY_TARGET),
        row(f"PSS at rest per {unit}", per, lambda r: bytes_per_unit(r, r.rest.pss, r.base.pss)),
        row(f"median RSS while busy per {unit}", per,
            lambda r: bytes_per_unit(r, r.busy_rss, r.base.rss)),
        row(f"peak RSS while busy per {unit}", per,
            lambda r: bytes_per_unit(r, r.peak_rss, r.base.rss), MEMORY_TARGET),
        row("RSS before the first series", "MiB", lambda r: r.base.rss / MIB),
        row("CPU of the measured passes", "s", lambda r: r.cpu_s),
        row("wall time of the measured passes", "s", lambda r: r.wall_s),
        row("CPU of a fixed loop meanwhile", "ms", lambda r: r.loop_ms),
        row("bytes per remote-write sample on the wire", "bytes", _wire_bytes),
    ]


def _wire_bytes(result):
    sink = result.stats["sink"]
    samples = sum(sink[name]["samples"] for name in ("recorded", "ALERTS", "ALERTS_FOR_STATE"))
    return sink["bytes_wire"] / samples if samples else 0


def verdict(row):
    ratio = row.ratio()
    if not row.target or ratio is None:
        return ""
    return "met" if ratio >= row.target else "MISSED"


def _cells(row):
    ratio = row.ratio()
    figures = [f"{row.value[name]:,.2f}" if name in row.value else "-" for name in ("vmalert", "telex")]
    return [row.what, row.unit, *figures, f"{ratio:.1f}x" if ratio else "-",
            f"{row.target}x" if row.target else "", verdict(row)]


def table(rows):
    head = ["", "unit", "vmalert", "telex", "ratio", "target", ""]
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
            for line in lines]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def work_done(result):
    plan, sink = result.plan, result.stats["sink"]
    counts = ", ".join(f"{sink[name]['samples']:,} {name} in {sink[name]['series']:,} series"
                       for name in ("recorded", "ALERTS", "ALERTS_FOR_STATE")
                       if sink[name]["samples"])
    state = "as expected" if not result.problems else "; ".join(result.problems)
    return (f"- {result.engine} {result.version}: {plan.rules} {plan.kind} rules x {plan.series:,} "
            f"series, interval {plan.interval_s} s, {plan.warm} warm and {plan.passes} measured "
            f"passes; delivered in all {counts} ({state})"
            + (f"; {notes(result)}" if result.notes else ""))


def notes(result):
    return ", ".join(f"{name} {value:,.0f}" for name, value in result.notes.items())


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as text:
        model = next((line.split(":", 1)[1].strip() for line in text
                      if line.startswith("model name")), platform.machine())
    return (f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}, "
            f"load {' '.join(f'{load:.1f}' for load in os.getloadavg())}")


def scaled(results, kind):
    sizes = {r.engine: r.plan.units for r in results if r.plan.kind == kind}
    if len(set(sizes.values())) < 2:
        return ""
    text = ", ".join(f"{name} {units:,}" for name, units in sizes.items())
    return f"\nThe engines ran at different sizes ({text}); figures are per unit of each one's own.\n"


def page(results, date):
    parts = [f"# Rule benchmark, {date}\n\n{machine()}\n"]
    for kind in KINDS:
        if any(r.plan.kind == kind for r in results):
            parts.append(f"\n## {kind} rules\n{scaled(results, kind)}\n"
                         f"{table(rows_of(kind, results))}\n")
    parts.append("\n## Work done\n\n" + "\n".join(work_done(r) for r in results) + "\n")
    return "".join(parts)


def missed(results):
    rows = [row for kind in KINDS if any(r.plan.kind == kind for r in results)
            for row in rows_of(kind, results)]
    return [row.what for row in rows if verdict(row) == "MISSED"]
