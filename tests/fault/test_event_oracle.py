"""The oracle of the history runs must accept what is right and refuse every kind of wrong."""

import pytest

import event_oracle as oracle
from event_oracle import Row, Txn

# Three transactions of two keys: 1 ended before 3 was begun, 2 ran beside both. Row p is one that the sink refuses.
ROWS = {"a": Row("k", 1, 0, False), "b": Row("k", 1, 1, False), "c": Row("k", 2, 0, False), "d": Row("k", 3, 0, False),
        "e": Row("l", 3, 1, False), "p": Row("l", 3, 2, True)}
TXNS = {1: Txn(0, 1), 2: Txn(0.5, 9), 3: Txn(2, 3)}
POISON = {"p"}


def events(text):
    """'a b2' -> events; a digit is the value of the data, '@s' a source of its own."""
    found = []
    for word in text.split():
        name, _, source = word.partition("@")
        found.append({"id": name[0], "source": source or "s", "data": name[1:]})
    return found


@pytest.mark.parametrize("taken,dead", [("a b c d e", "p"), ("a b a b c d e e", "p"), ("a b c d e x", "p"), ("e a b c d y", "p")])
def test_custody_accepts(taken, dead):
    unsure = {"x": Row("k", 7, 0, False), "y": Row("k", 7, 1, False)}
    assert oracle.custody(ROWS, unsure, events(taken), set(dead.split())) == []


@pytest.mark.parametrize("why,taken,dead", [
    ("lost", "a b d e", "p"), ("lost poison", "a b c d e", ""), ("rolled back", "a b c d e z", "p"),
    ("a dead letter of nothing", "a b c d e", "p z"), ("dead without cause", "a b d e", "p c"),
    ("dead and delivered", "a b c d e", "p c"), ("took what it refuses", "a b c d e p", "p"), ("nothing came", "", "")])
def test_custody_refuses(why, taken, dead):
    assert oracle.custody(ROWS, {}, events(taken), set(dead.split())), why


def test_copies():
    assert oracle.copies(events("a1 b1 a1")) == []
    assert oracle.copies(events("a1 b1 a2"))
    assert oracle.copies(events("a1 b1 a1@t"))
    assert oracle.count_copies(events("a b a a c")) == 2
    with_time = [{**event, "sequence": str(n)} for n, event in enumerate(events("a a"))]
    assert oracle.copies(with_time) and oracle.copies(with_time, apart=("sequence",)) == []


@pytest.mark.parametrize("taken", ["a b c d e", "c a b d e", "a c b d", "a b d c e", "e a b d", "a b a b c a d", "a d"])
def test_order_accepts(taken):
    assert oracle.order(ROWS, TXNS, events(taken)) == []


@pytest.mark.parametrize("why,taken", [("within a transaction", "b a c d"), ("of transactions", "d a b c"),
                                       ("of transactions, behind a third", "c d a"), ("with copies", "d a b d")])
def test_order_refuses(why, taken):
    assert oracle.order(ROWS, TXNS, events(taken)), why


def test_order_by_sequence():
    def numbered(*numbers):
        return [{**event, "sequence": number} for event, number in zip(events("a b c d"), numbers)]
    assert oracle.order(ROWS, TXNS, numbered("1", "2", "3", "4")) == []
    assert oracle.order(ROWS, TXNS, numbered("1", "3", "2", "4"))
    assert oracle.order(ROWS, TXNS, numbered("1", "1", "2", "3"))


def test_a_transaction_without_an_answer_is_bound_to_nothing():
    assert oracle.order(ROWS, {**TXNS, 1: Txn(0)}, events("d a b")) == []
    assert oracle.order(ROWS, {2: TXNS[2]}, events("d b a c")) == []


def test_contents():
    def row_of(event):
        return (event["data"], 1, 0)
    assert oracle.contents(ROWS, [{"id": "a", "source": "s", "data": "k"}], row_of) == []
    assert oracle.contents(ROWS, [{"id": "a", "source": "s", "data": "l"}], row_of)


@pytest.mark.parametrize("places", [["0/A/0@1", "0/A/1@1", "0/1B/0@2", "1/0/0@2"], ["9/", "9/7", "10/1"], ["9", "10", "10"]])
def test_places(places):
    assert oracle.forward(places, oracle.parse_place) == []
    assert oracle.forward([*places, places[0]], oracle.parse_place)
