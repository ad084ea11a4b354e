"""What `telex check` says of the seed's traps, asked of a real Prometheus: the expression as written does what the
warning says, and the one that it gives instead does what was meant."""

import json
import re
import subprocess

import pytest

import telex

SQUARE = "(X > 80) * on(instance) group_left() (X)"
LEVELS = "(X > 90) * 3 + (X > 80) * 2 + (X > 70) * 1"
DEFICIT = "(X < 10) * 3 + 2 * (X < 20) + (X < 30)"
COUNT = "(X > 90) + (X > 80) + (X > 70)"


@pytest.fixture
def ask(start_prometheus):
    server = start_prometheus()

    def value(expr, x):
        answer = server.query(expr.replace("X", f'label_replace(vector({x}), "instance", "a", "", "")'))
        return float(answer[0]["value"][1]) if answer else None
    return value


def advice(tmp_path, expr, kind="record"):
    path = tmp_path / "rule.yaml"
    path.write_text(json.dumps({"groups": [{"name": "g", "rules": [{kind: "rule", "expr": expr}]}]}))
    done = subprocess.run([telex.BINARY, "check", str(path)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"; write (.*)", done.stderr)
    assert len(found) == 1, done.stderr
    return found[0]


def test_a_square(ask, tmp_path):
    right = advice(tmp_path, SQUARE)
    assert [ask(SQUARE, x) for x in (85, 60)] == [85 ** 2, None]
    assert [ask(right, x) for x in (85, 60)] == [85, 0]
    alert = advice(tmp_path, SQUARE, kind="alert")
    assert [ask(alert, x) for x in (85, 60)] == [85, None]


def test_levels(ask, tmp_path):
    right = advice(tmp_path, LEVELS)
    assert [ask(LEVELS, x) for x in (95, 85, 75, 60)] == [6 * 95, None, None, None]
    assert [ask(LEVELS.replace(">", "> bool"), x) for x in (95, 85, 75, 60)] == [6, 3, 1, 0]
    assert [ask(right, x) for x in (95, 85, 75, 60)] == [3, 2, 1, 0]
    alert = advice(tmp_path, LEVELS, kind="alert")
    assert [ask(alert, x) for x in (95, 85, 75, 60)] == [3, 2, 1, None]


def test_levels_downwards(ask, tmp_path):
    right = advice(tmp_path, DEFICIT)
    assert [ask(DEFICIT, x) for x in (5, 15)] == [6 * 5, None]
    assert [ask(right, x) for x in (5, 15, 25, 60)] == [3, 2, 1, 0]


def test_a_count_stays_a_count(ask, tmp_path):
    right = advice(tmp_path, COUNT)
    assert [ask(right, x) for x in (95, 85, 75, 60)] == [3, 2, 1, 0]


def test_the_whole_of_it(ask, tmp_path):
    """The seed's own: levels times the value, in one expression."""
    written = f"({LEVELS}) * on(instance) group_left() (X)"
    right = advice(tmp_path, written)
    assert [ask(written, x) for x in (95, 85)] == [6 * 95 * 95, None]
    assert [ask(right, x) for x in (95, 85, 60)] == [3 * 95, 2 * 85, 0]
