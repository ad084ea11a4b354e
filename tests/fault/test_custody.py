"""The oracle of the delivery runs must accept what is right and refuse every kind of wrong."""

import pytest

from custody import Book, Delivery, judge, repeated


def book(acked, sent=None):
    result = Book()
    result.sending("a", [sent or max(acked)])
    result.acknowledged("a", acked)
    return result


def arrived(text):
    """'1 2 3' -> deliveries in this order; '2=9' has another value."""
    result = []
    for word in text.split():
        number, _, value = word.partition("=")
        result.append(Delivery("a", int(number), float(value or number)))
    return result


def records(text):
    return {("a", int(word)) for word in text.split()}


RIGHT = [
    ("all delivered", [1, 2, 3], None, "1 2 3", "", ""),
    ("copies", [1, 2, 3], None, "1 1 2 1 2 3", "", ""),
    ("a dead letter", [1, 2, 3], None, "1 3", "2", ""),
    ("not acknowledged, not delivered", [1, 3], 4, "1 3", "", ""),
    ("not acknowledged, but delivered", [1, 3], 4, "1 2 3 4", "", ""),
    ("nothing", [1], None, "", "1", ""),
]

WRONG = [
    ("lost", [1, 2, 3], None, "1 3", "", ""),
    ("lost last", [1, 2, 3], None, "1 2", "", ""),
    ("lost all", [1, 2, 3], None, "", "", ""),
    ("another value", [1, 2, 3], None, "1 2=7 3", "", ""),
    ("a copy with another value", [1, 2, 3], None, "1 2 2=7 3", "", ""),
    ("order", [1, 2, 3], None, "1 3 2", "", ""),
    ("order, with copies", [1, 2, 3], None, "3 1 2 3", "", ""),
    ("invented", [1, 2, 3], None, "1 2 3 4", "", ""),
    ("invented zero", [1], None, "0 1", "", ""),
    ("still held", [1, 2, 3], None, "1 2", "", "3"),
    ("dead and never sent", [1, 2], None, "1 2", "5", ""),
]


@pytest.mark.parametrize("why,acked,sent,got,dead,held", RIGHT)
def test_accepts(why, acked, sent, got, dead, held):
    assert judge(book(acked, sent), [arrived(got)], records(dead), records(held)) == [], why


@pytest.mark.parametrize("why,acked,sent,got,dead,held", WRONG)
def test_refuses(why, acked, sent, got, dead, held):
    assert judge(book(acked, sent), [arrived(got)], records(dead), records(held)), why


def test_held_is_enough_before_the_drain():
    assert judge(book([1, 2, 3]), [arrived("1")], held=records("2 3"), must_hold_nothing=False) == []
    assert judge(book([1, 2, 3]), [arrived("1")], held=records("3"), must_hold_nothing=False)


def test_two_destinations_share_the_duty():
    assert judge(book([1, 2, 3, 4]), [arrived("1 4"), arrived("2 3")]) == []
    assert judge(book([1, 2, 3, 4]), [arrived("1 4"), arrived("2")])


def test_exactly_the_bad_ones_die():
    assert judge(book([1, 2, 3]), [arrived("1 3")], dead=records("2"), must_die=records("2")) == []
    assert judge(book([1, 2, 3]), [arrived("1")], dead=records("2 3"), must_die=records("2"))
    assert judge(book([1, 2, 3]), [arrived("1 2 3")], dead=set(), must_die=records("2"))


def test_what_was_sent_but_not_acknowledged_may_die_too():
    told = book([1, 3], 4)
    bad = told.sent_if(lambda record: record[1] % 2 == 0)
    assert bad == records("2 4")
    assert judge(told, [arrived("1 3")], dead=records("2"), must_die=bad) == []
    assert judge(told, [arrived("1")], dead=records("3"), must_die=bad)


def test_series_are_apart():
    both = book([1, 2])
    both.sending("b", [5])
    both.acknowledged("b", [5])
    mixed = arrived("1") + [Delivery("b", 5, 5.0)] + arrived("2")
    assert judge(both, [mixed]) == []
    assert judge(both, [arrived("1 2")])


def test_counts_copies():
    assert repeated(arrived("1 2 1 1 3")) == 2
