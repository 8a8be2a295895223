"""Datadog's log search; where it counts, the body of a request to its Logs Aggregate API.

Fields are attributes (@field) but for the reserved ones; numeric comparison wants a measure. The range
of time is no part of the search.
"""

from __future__ import annotations

import json
import re

from locard.logs.backends import _terms as terms
from locard.logs.backends._terms import Asked, CannotSayError, Sayer, Written

_RESERVED = {"host", "service", "source", "trace_id", "message"}
_DEFAULT_GROUPS = 10
_MOST_GROUPS = 1000
_SPECIAL = re.compile(r'([=\-!&|><(){}\[\]"*?:\\#~^+/\s])')


def write(asked: Asked) -> Written:
    """A search, or a request where it counts."""
    sayer = Sayer()
    sayer.say(asked, lambda term: _word(terms.pushed(term), asked))
    query = " ".join(sayer.words) or "*"
    if not asked.by:
        if asked.select:
            sayer.unsaid.append("--select: add the fields as columns")
        if asked.top is not None:
            sayer.unsaid.append(f"--top {asked.top}: give it as the limit of the page")
        return Written(query, tuple(sayer.unsaid))
    size = min(asked.top or _DEFAULT_GROUPS, _MOST_GROUPS)
    if asked.top is None or asked.top > size:
        sayer.unsaid.append(f"all groups: the first {size} come back")
    sort = {"type": "measure", "aggregation": "count", "order": "desc"}
    body = {
        "filter": {"query": query, "from": "now-10m", "to": "now"},
        "compute": [{"type": "total", "aggregation": "count"}],
        "group_by": [
            {"facet": _field(name, asked), "limit": size, "sort": sort, "missing": "null"}
            for name in asked.by
        ],
    }
    sayer.unsaid.append("the range of time: now-10m to now stands for it")
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return Written(f"POST /api/v2/logs/analytics/aggregate\n{text}", tuple(sayer.unsaid))


def _field(name: str, asked: Asked) -> str:
    if name == asked.level:
        return "status"  # Datadog's name for the level
    if name in _RESERVED:
        return name
    return "@" + _SPECIAL.sub(r"\\\1", name)


def _word(term: terms.Term, asked: Asked) -> str:
    if isinstance(term, terms.AllOf | terms.AnyOf):
        joint = " AND " if isinstance(term, terms.AllOf) else " OR "
        return f"({joint.join(_word(item, asked) for item in term.items)})"
    if isinstance(term, terms.Opposite):
        return f"-{_word(term.item, asked)}"
    name = _field(term.name, asked)
    if isinstance(term, terms.Present):
        return f"{name}:*"
    if isinstance(term, terms.Matches):
        raise CannotSayError(f"{term.name} ~ {term.pattern!r}: Datadog has no regular expressions")
    if isinstance(term, terms.Time):
        raise CannotSayError(f"time {term.op} {term.iso}: set the range of time beside the search")
    if isinstance(term, terms.Number):
        return f"{name}:{'' if term.op == '=' else term.op}{term.digits}"
    if term.op != "=":
        raise CannotSayError(f"{term.name} {term.op} {term.value!r}: Datadog has no order of texts")
    value = term.value if re.fullmatch(r"[A-Za-z0-9_.]+", term.value) else _quoted(term.value)
    return f"{name}:{value}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
