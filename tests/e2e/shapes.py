"""Holds an answer against the shapes of tests/golden/api/shapes.json."""

import json
import pathlib
import re

FILE = pathlib.Path(__file__).resolve().parents[1] / "golden" / "api" / "shapes.json"
ALL = json.loads(FILE.read_text())
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z")
DECIMAL = re.compile(r"[+-]?(\d+(\.\d+)?(e[+-]\d+)?|Inf|NaN)\Z")


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_map(value, judge):
    return isinstance(value, dict) and all(judge(part) for part in value.values())


def _is_text(value):
    return isinstance(value, str)


TYPES = {
    "string": _is_text,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "time": lambda value: _is_text(value) and bool(TIME.match(value)),
    "decimal": lambda value: _is_text(value) and bool(DECIMAL.match(value)),
    "url": lambda value: _is_text(value) and bool(re.match(r"https?://[^/]+", value)),
    "strings": lambda value: _is_map(value, _is_text),
    "string or null": lambda value: value is None or _is_text(value),
    "number or null": lambda value: value is None or _is_number(value),
    "numbers": lambda value: _is_map(value, _is_number),
}


def _resolve(reader, shape, value):
    """A shape's own definition, where it is a name."""
    if shape == "rule":
        shape = f"rule.{value.get('type')}" if isinstance(value, dict) else "rule.alerting"
    return ALL[reader].get(shape, shape) if isinstance(shape, str) else shape


def wrong(reader, shape, value, path=""):
    """What of `value` is not as `reader` wants it: lines of path and reason."""
    shape = _resolve(reader, shape, value)
    if isinstance(shape, list):
        return _list(reader, shape[0], value, path)
    if isinstance(shape, dict):
        return _object(reader, shape, value, path)
    is_right = TYPES[shape](value) if shape in TYPES else value in shape.split("|")
    return [] if is_right else [f"{path}: {value!r} is no {shape}"]


def fields(reader, shape, value, path=()):
    """(path, may it be missing) of every field of a right `value` that the shape names."""
    shape = _resolve(reader, shape, value)
    if isinstance(shape, list):
        for number, part in enumerate(value):
            yield from fields(reader, shape[0], part, (*path, number))
    elif isinstance(shape, dict):
        for name, part in shape.items():
            key = name.rstrip("?")
            if key in value:
                yield (*path, key), name.endswith("?")
                yield from fields(reader, part, value[key], (*path, key))


def _list(reader, shape, value, path):
    if not isinstance(value, list):
        return [f"{path}: {value!r} is no list"]
    return [line for number, part in enumerate(value) for line in wrong(reader, shape, part, f"{path}[{number}]")]


def _object(reader, shape, value, path):
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is no object"]
    said = []
    for name, part in shape.items():
        is_optional, name = name.endswith("?"), name.rstrip("?")
        if name in value:
            said += wrong(reader, part, value[name], f"{path}.{name}")
        elif not is_optional:
            said.append(f"{path}.{name} is missing")
    return said
