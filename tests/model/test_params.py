"""Typed parameters: one declaration for flags, schema and what is recorded."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from locard.model import params
from locard.model.errors import UsageError


@dataclass(frozen=True, slots=True)
class Params:
    """Two of them."""

    rounds: int = params.param(6, "looks", least=1, most=10)
    pause_s: float = params.param(0.5, "seconds between looks", least=0, most=2)


def test_texts_become_values_and_pairs_again():
    found = params.parse(Params, {"rounds": "3", "pause_s": "0.25"})
    assert (found.rounds, found.pause_s) == (3, 0.25)
    assert params.pairs(found) == (("rounds", "3"), ("pause_s", "0.25"))
    assert params.pairs(Params()) == ()
    assert params.parse(Params, dict(params.pairs(found))) == found


@pytest.mark.parametrize(
    "given",
    [{"rounds": "0"}, {"rounds": "11"}, {"rounds": "2.5"}, {"rounds": ""}, {"pause_s": "nan"},
     {"pause_s": "-1"}, {"round": "3"}],
)  # fmt: skip
def test_what_cannot_be(given):
    with pytest.raises(UsageError):
        params.parse(Params, given)


def test_the_schema_says_kind_and_bounds():
    found = params.schema(Params)["properties"]
    assert found["rounds"] == {
        "type": "integer", "description": "looks", "default": 6, "minimum": 1, "maximum": 10,
    }  # fmt: skip
    assert found["pause_s"]["type"] == "number"
    assert params.flag("pause_s") == "--pause-s"


@dataclass(frozen=True)
class Times:
    slow: float = params.duration(0.0, "what is slow", least=1e-6, most=600.0)
    name: str = params.text("", "a name")


def test_short_durations_are_written_as_their_bounds_are_told():
    found = params.parse(Times, {"slow": "1us"})
    assert found.slow == 1e-6
    assert params.parse(Times, dict(params.pairs(found))) == found
    with pytest.raises(UsageError) as told:
        params.parse(Times, {"slow": "999ns"})
    assert "from 1us to 600s" in told.value.why
    assert "--slow 1ms" in told.value.next_step


@pytest.mark.parametrize("blank", ["", " "])
def test_a_text_that_says_nothing_is_refused(blank):
    assert params.parse(Times, {"name": "x"}).name == "x"
    with pytest.raises(UsageError, match=f"--name '{blank}'"):
        params.parse(Times, {"name": blank})
