"""Logs Insights QL, the query language of Amazon CloudWatch Logs.

The log groups are chosen beside the query.
"""

from __future__ import annotations

import re

from locard.logs.backends import _terms as terms
from locard.logs.backends._terms import Asked, CannotSayError, Sayer, Written, double_quoted

_DEFAULT_LIMIT = 10_000


def write(asked: Asked) -> Written:
    """The commands of a query, one a line."""
    sayer = Sayer()
    sayer.say(asked, _word)
    select = terms.sayable(asked.select, "`", "CloudWatch", sayer.unsaid)
    by = terms.sayable(asked.by, "`", "CloudWatch", sayer.unsaid)
    stages = []
    if not asked.by:
        names = ", ".join(_field(name) for name in select) or "@message"
        stages.append(f"fields {'@timestamp, ' if not select else ''}{names}")
    stages += [f"filter {word}" for word in sayer.words]
    if asked.by:
        groups = f" by {', '.join(_field(n) for n in by)}" if by else ""
        stages.append(f"stats count(*) as records{groups}")
        stages.append("sort records desc")
    else:
        stages.append("sort @timestamp asc")
    if asked.top is not None:
        stages.append(f"limit {min(asked.top, _DEFAULT_LIMIT)}")
    if asked.top is None or asked.top > _DEFAULT_LIMIT:
        sayer.unsaid.append(f"more than {_DEFAULT_LIMIT:,} rows: CloudWatch gives no more")
    sayer.unsaid.append("the log groups and the range of time: choose them beside the query")
    return Written("\n| ".join(stages), tuple(sayer.unsaid))


def _field(name: str) -> str:
    """A field; backticks where it has more than letters, digits, dots, @ and underscores."""
    if "`" in name:
        raise CannotSayError(f"the field {name!r}: CloudWatch cannot quote its name")
    return name if re.fullmatch(r"@?[A-Za-z_][A-Za-z0-9_.]*", name) else f"`{name}`"


def _word(term: terms.Term) -> str:
    if isinstance(term, terms.Opposite):
        return f"not ({_word(term.item)})"
    if isinstance(term, terms.AllOf | terms.AnyOf):
        joint = " and " if isinstance(term, terms.AllOf) else " or "
        return f"({joint.join(_word(item) for item in term.items)})"
    if isinstance(term, terms.Time):
        return f"@timestamp {term.op} {round(term.value * 1000)}"
    name = _field(term.name)
    if isinstance(term, terms.Present):
        return f"ispresent({name})"
    if isinstance(term, terms.Matches):
        escaped = terms.escaped_unless_escaped(term.pattern, "/")
        test = f"{name} like /{escaped}/"
    elif isinstance(term, terms.Number):
        test = f"{name} {term.op} {term.digits}"
    else:
        test = f"{name} {term.op} {double_quoted(term.value)}"
    # What a test of a missing field gives under `not` is not documented: asked for outright.
    return f"(ispresent({name}) and {test})"
