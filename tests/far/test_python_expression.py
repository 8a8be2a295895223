"""Expressions of a watch: what they become, and that nothing but reading can be written."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locard.far import python_expression
from locard.far.python_expression import ExpressionError

NAMES = ("self", "order", "amount")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("cost_ms > 100", "((c / 1e6) > 100)"),
        ("-1.5 < inside_ms <= 1e9", "(((-1.5) < (i / 1e6)) and ((i / 1e6) <= 1000000000.0))"),
        ('params[0].currency == "EUR"', "compared('==', attribute(item(a[1:], 0), 'currency'), 'EUR')"),
        ("amount >= 5 and not order.paid", "(compared('>=', a[2], 5) and (not truth(attribute(a[1], 'paid'))))"),
        ("params.amount != -1", "(not compared('==', a[2], (-1)))"),
        ('params["amount"] in (1)', "contained(a[2], 1)"),
        ("target.name is not None", "(not compared('is', attribute(a[0], 'name'), None))"),
        ("len(order.lines) > 3 || throwExp is not None", "(compared('>', length(attribute(a[1], 'lines')), 3) or (not compared('is', e, None)))"),
        ("1 < amount < 10", "(compared('<', 1, a[2]) and compared('<', a[2], 10))"),
        ("returnObj['a']['b']", "truth(item(item(r, 'a'), 'b'))"),
    ],
)  # fmt: skip
def test_becomes_calls_of_readers(text, written):
    found = python_expression.condition(text, NAMES, method=True).partition(": ")[2]
    assert ast.dump(ast.parse(found)) == ast.dump(ast.parse(written))


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')", "params[0].pay()", "lambda: 1", "[p for p in params]", "params[amount]",
        "f'{order}'", "order if amount else 1", "order @ amount", "(yield)", "order := 1", "params[0:2]", "amount + 1",
        "unknown > 1", "1 +", "order.", "*order", "{}", "...", "b'x'",
    ],
)  # fmt: skip
def test_refuses_what_would_run_or_is_not_known(text):
    with pytest.raises(ExpressionError):
        python_expression.condition(text, NAMES, method=True)


def test_show_takes_several_and_params_alone_adds_nothing():
    assert python_expression.values("params", NAMES) == []
    found = python_expression.values("{order.id, len(amount)}", NAMES)
    assert [words for words, _ in found] == ["order.id", "len(amount)"]


@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_an_error(text):
    try:
        written = python_expression.condition(text, None)
    except ExpressionError:
        return
    compile(written, "<test>", "eval")


def test_deep_nesting_is_an_error():
    with pytest.raises(ExpressionError):
        python_expression.condition("not " * 60 + "1", None)
    with pytest.raises(ExpressionError):
        python_expression.condition("(" * 500 + "1" + ")" * 500, None)
