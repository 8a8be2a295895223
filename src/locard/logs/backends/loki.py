"""LogQL, the language of Grafana Loki.

Loki wants a stream selector that locard cannot know: {app="APP"} stands for it. Nested fields are
joined by underscores, as Loki's json parser does. The range of time is no part of the query.
"""

from __future__ import annotations

import re

from locard.logs.backends import _terms as terms
from locard.logs.backends._terms import Asked, CannotSayError, Sayer, Written, double_quoted

_SELECTOR = '{app="APP"}'
_RANGE = "[10m]"
_REVERSED = {"=": "!=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def write(asked: Asked) -> Written:
    """A log query, or a metric query where it counts."""
    sayer = Sayer()
    sayer.say(asked, lambda term: _word(terms.pushed(term)))
    # A value that is no number passes a numeric filter with an error label: such lines are dropped.
    stages = ["json", '__error__=""', *sayer.words]
    if any(re.search(r" (==|!=|[<>]=?) -?[0-9]", word) for word in sayer.words):
        stages.append('__error__=""')
    sayer.unsaid.append('the stream selector: put your labels in place of {app="APP"}')
    if asked.by:
        query = f"{_SELECTOR} | {' | '.join(stages)}"
        groups = ", ".join(label(name) for name in asked.by)
        text = f"sum by ({groups}) (count_over_time({query} {_RANGE}))"
        text = f"topk({asked.top}, {text})" if asked.top is not None else f"sort_desc({text})"
        sayer.unsaid.append(f"how far back it counts: {_RANGE} stands for it")
        return Written(text, tuple(sayer.unsaid))
    if asked.select:
        shown = " ".join(f"{label(n)}={{{{.{label(n)}}}}}" for n in asked.select)
        stages.append(f"line_format {double_quoted(shown)}")
    if asked.top is not None:
        sayer.unsaid.append(f"--top {asked.top}: give it as the limit of the request")
    return Written(f"{_SELECTOR} | {' | '.join(stages)}", tuple(sayer.unsaid))


def label(name: str) -> str:
    """The label that Loki's json parser makes of a field."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"_{plain}" if plain[:1].isdigit() else plain


def _word(term: terms.Term) -> str:
    if isinstance(term, terms.AllOf | terms.AnyOf):
        joint = " and " if isinstance(term, terms.AllOf) else " or "
        return f"({joint.join(_word(item) for item in term.items)})"
    if isinstance(term, terms.Opposite):
        if isinstance(term.item, terms.Opposite | terms.AllOf | terms.AnyOf):
            return _word(terms.pushed(term))
        return _atom(term.item, negated=True)
    return _atom(term, negated=False)


def _atom(term: terms.Atom, *, negated: bool) -> str:
    name = label(term.name)
    if isinstance(term, terms.Present):
        return f'{name}=""' if negated else f'{name}!=""'
    if isinstance(term, terms.Matches):
        # Loki's label filters match whole values.
        op = "!~" if negated else "=~"
        return f"{name}{op}{double_quoted(f'(?s).*(?:{term.pattern}).*')}"
    if isinstance(term, terms.Time):
        raise CannotSayError(
            f"time {term.op} {term.iso}: give it as the start or end of the request"
        )
    if isinstance(term, terms.Number):
        if not negated:
            return f"{name} {'==' if term.op == '=' else term.op} {term.digits}"
        return f'({name} {_REVERSED[term.op]} {term.digits} or {name}="")'
    if term.op != "=":
        raise CannotSayError(f"{term.name} {term.op} {term.value!r}: LogQL has no order of texts")
    return f"{name}{'!=' if negated else '='}{double_quoted(term.value)}"
