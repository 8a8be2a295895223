"""A name that cannot be one is refused in words of what was asked for, wherever it is named."""

from __future__ import annotations

import pytest

from locard.model.target_names import require


@pytest.mark.parametrize(
    "words", [("container/-v",), ("logs", "container/-v"), ("container/a b",), ("container/",),
              ("pod/-x",), ("logs", "pod/-x"), ("label/-x",), ("logs", "unit/-x")],
    ids=" ".join,
)  # fmt: skip
def test_what_is_no_name(locard, words):
    kind, _, name = words[-1].partition("/")
    done = locard(*words)
    assert done.returncode == 2, done.stderr
    assert f"locard: '{name}' is no {kind}" in done.stderr
    assert f"Write {kind}/" in done.stderr
    assert "word" not in done.stderr


def test_what_is_one():
    assert require("container", "shop_pay-1.2") == "shop_pay-1.2"
    assert require("label", "app in (a, b)") == "app in (a, b)"
