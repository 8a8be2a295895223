"""What an observation told, line by line: what is broken in it is counted, never passed over in silence."""

from __future__ import annotations

import json

from locard.kernel import _observing, _traces
from locard.model.evidence import Output
from locard.model.kernel_facts import NotObserved

_BEGAN = {"began": 1, "attached": ["end"], "missing": {}}
_END = {"end": 2, "took": 1.0, "asked": 1.0, "why": "", "hits": 0, "cost_s": 0.1, "losses": {}}
_MAP = {"map": "opens", "key": ["a"], "value": ["count"], "rows": [[1, 2], [3, 4]]}


def told(*rows):
    return _observing.told(Output(("x",), "\n".join(map(json.dumps, rows)).encode()))


def test_a_whole_one_has_lost_nothing():
    assert told(_BEGAN, _MAP, _END).observed().lost == ()


def test_rows_of_another_form_and_lines_that_are_none_are_counted():
    broken = told(_BEGAN, {**_MAP, "rows": [[1, 2], [3]]}, ["a list"], {"thread": "x"}, _END)
    assert broken.maps["opens"] == [{"a": 1, "count": 2}]
    assert broken.observed().lost == ("3 lines of what it told could not be read",)


def test_a_fault_of_ours_is_named_where_it_is_told():
    def make(_):
        raise KeyError("began_ns")

    (fact,) = _traces.read("opens", [Output(("x",), json.dumps(_BEGAN).encode())], make)
    assert isinstance(fact, NotObserved)
    assert "KeyError: 'began_ns'" in fact.problem
