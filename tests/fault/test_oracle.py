"""The oracle of the kill run must accept what is right and refuse every kind of wrong."""

import pytest

from oracle import NS, Edge, Rule, Slot, distinct, explain
from schedule import Schedule


def slots(text):
    """'ff TT?' -> slots one second apart; T true, f false, '?' after a slot: perhaps not processed."""
    result = []
    for char in text.replace(" ", ""):
        if char == "?":
            result[-1].certain = False
        else:
            result.append(Slot(100 * NS + len(result) * NS, char == "T", True))
    return result


def edges(text):
    """'F2 R4' -> a firing decided at slot 2, a resolve at slot 4; without a number the time is not checked."""
    names = {"F": "firing", "R": "resolved"}
    return [Edge(number, names[word[0]], (100 + int(word[1:])) * NS if word[1:] else None)
            for number, word in enumerate(text.split())]


PLAIN, WAITS, KEEPS = Rule(), Rule(for_ns=2 * NS), Rule(keep_ns=2 * NS)

RIGHT = [
    (PLAIN, "ffff", ""),
    (PLAIN, "fTTf", "F1 R3"),
    (PLAIN, "fTTfT", "F1 R3 F4"),
    (PLAIN, "fT?TTf", "F1 R4"), (PLAIN, "fT?TTf", "F2 R4"),
    (PLAIN, "fT?ff", ""), (PLAIN, "fT?ff", "F1 R2"),
    (PLAIN, "TTf?TT", "F0"), (PLAIN, "TTf?TT", "F0 R2 F3"),
    (WAITS, "TTTf", "F2 R3"), (WAITS, "TTfTT", ""), (WAITS, "TT?TTf", "F2 R4"), (WAITS, "T?TTTf", "F3 R4"),
    (KEEPS, "TfTf f f", "F0 R5"), (KEEPS, "Tff", "F0"), (KEEPS, "Tfff", "F0 R3"),
]

WRONG = [
    ("lost firing", PLAIN, "fTTf", "R3"),
    ("lost resolve", PLAIN, "fTTf", "F1"),
    ("lost both", PLAIN, "fTTf", ""),
    ("lost last", PLAIN, "fTTfT", "F1 R3"),
    ("lost middle episode", PLAIN, "TfTfTf", "F0 R1 F4 R5"),
    ("invented", PLAIN, "ffff", "F1"),
    ("invented after the end", PLAIN, "fTf", "F1 R2 F3"),
    ("fired again while true", PLAIN, "fTT?TTf", "F1 F3 R5"),
    ("resolved and fired again while true", PLAIN, "fTT?TTf", "F1 R2 F3 R5"),
    ("too late", PLAIN, "fTTTf", "F2 R4"),
    ("order", PLAIN, "fTfTf", "F1 F3 R2 R4"),
    ("for not waited", WAITS, "TTTf", "F0 R3"),
    ("for began anew at a restart", WAITS, "TT?TTTTf", "F4 R6"),
    ("kept for nothing", PLAIN, "TfTf", "F0 R3"),
    ("not kept", KEEPS, "TfTfff", "F0 R1 F2 R3"),
    ("keep began anew at a restart", KEEPS, "Tff?fff", "F0 R5"),
]


@pytest.mark.parametrize("rule,history,delivered", RIGHT)
def test_accepts(rule, history, delivered):
    assert explain(rule, slots(history), edges(delivered)) is None


@pytest.mark.parametrize("why,rule,history,delivered", WRONG)
def test_refuses(why, rule, history, delivered):
    assert explain(rule, slots(history), edges(delivered)), why


def test_distinct_keeps_first():
    first, repeated = distinct([Edge("a", "firing"), Edge("b", "resolved"), Edge("a", "firing")])
    assert [edge.identity for edge in first] == ["a", "b"] and repeated == 1


def test_schedule_is_a_function_of_time():
    one, two = (Schedule("r", 20, 7, 1000 * NS, 1.0) for _ in range(2))
    times = [1000 * NS + step * NS // 5 for step in range(300)]
    forward = [one.vector(time_ns) for time_ns in times]
    backward = [two.vector(time_ns) for time_ns in reversed(times)]
    assert forward == backward[::-1]
    assert any(forward) and forward[0] == []
    assert any(one.error_at(time_ns) for time_ns in times)
    one.end_ns = times[150]
    assert not any(one.vector(time_ns) or one.error_at(time_ns) for time_ns in times[150:])
    assert [one.vector(time_ns) for time_ns in times[:150]] == forward[:150]
