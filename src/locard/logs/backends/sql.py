"""SQL over a table `log`, as `locard logs --sql`, DuckDB and, but for regular expressions, Trino run it.

The time is a TIMESTAMP in UTC; numbers are cast, so that texts that hold them compare as numbers.
"""

from __future__ import annotations

from locard.logs.backends import _terms as terms
from locard.logs.backends._terms import Asked, Sayer, Written
from locard.logs.table.sql_text import literal, quoted


def write(asked: Asked) -> Written:
    """One SELECT."""
    sayer = Sayer()
    sayer.say(asked, lambda term: _word(term, asked.numbers))
    groups = ", ".join(quoted(name) for name in asked.by)
    picks = ", ".join(quoted(name) for name in asked.select) or "*"
    if asked.by:
        picks = f"count(*) AS count, {groups}"
    text = f"SELECT {picks}\nFROM log"
    if sayer.words:
        text += "\nWHERE " + "\n  AND ".join(sayer.words)
    if asked.by:
        text += f"\nGROUP BY {groups}\nORDER BY count DESC, {groups}"
    if asked.top is not None:
        text += f"\nLIMIT {asked.top}"
    return Written(text, tuple(sayer.unsaid))


def _word(term: terms.Term, numbers: frozenset[str]) -> str:  # noqa: PLR0911 - a kind of term a line
    if isinstance(term, terms.Opposite):
        return f"NOT COALESCE({_word(term.item, numbers)}, FALSE)"
    if isinstance(term, terms.AllOf | terms.AnyOf):
        joint = " AND " if isinstance(term, terms.AllOf) else " OR "
        return f"({joint.join(_word(item, numbers) for item in term.items)})"
    name = quoted(term.name)
    if isinstance(term, terms.Present):
        return f"{name} IS NOT NULL"
    if isinstance(term, terms.Matches):
        return f"regexp_matches(CAST({name} AS VARCHAR), {literal(term.pattern)})"
    if isinstance(term, terms.Number):
        return f"TRY_CAST({name} AS DOUBLE) {term.op} {term.digits}"
    if isinstance(term, terms.Time):
        return f"{name} {term.op} TIMESTAMP {literal(term.iso.replace('T', ' ').rstrip('Z'))}"
    if term.name in numbers and term.op == "=":
        return f"{name} = TRY_CAST({literal(term.value)} AS DOUBLE)"
    return f"CAST({name} AS VARCHAR) {term.op} {literal(term.value)}"
