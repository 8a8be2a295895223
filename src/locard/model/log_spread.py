"""Whom a change in a log hits: a set of values, some, everyone, or more than its fields can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from locard.model.log_facts import AffectedValue, BlastRadius, LogSummary

SpreadKind = Literal["set", "everyone", "some", "untested", "unknown"]

_ENOUGH, _NAMED = 200, 3  # requests of a value; fields


@dataclass(frozen=True, slots=True)
class Spread:
    """Whom the change hits, as far as the log's fields can tell; `fields` are those that were tested."""

    kind: SpreadKind
    fields: tuple[str, ...] = ()
    why: str = ""


def spread(log: LogSummary) -> Spread:
    """Whether a set of values, some values or everyone is hit; "everyone" needs a field that was tested."""
    if log.correlates:
        return Spread("set", tuple(dict.fromkeys(f for c in log.correlates for f, _ in c.values)))
    if log.coverage.kind == "errors-only":
        return Spread(
            "unknown", why="a log of errors alone does not tell whom they hit more than others"
        )
    tested = [r for r in log.blast_radius if _tested(r)]
    if not tested:
        return Spread("untested", why=_untested(log))
    names = tuple(r.field for r in tested)
    if any(r.unaffected for r in tested):
        return Spread("some", names)
    return Spread("everyone", names)


def _untested(log: LogSummary) -> str:
    """Why no field says who is hit: none was there, or none of its values stood out, or had requests enough."""
    if not log.blast_radius:
        return "no field was there to test who is hit"
    many = [r.field for r in log.blast_radius if len(_with_enough(r)) > 1]
    if many:
        names = ", ".join(many[:_NAMED]) + (", …" if len(many) > _NAMED else "")
        mix = next((s for s in log.shifts if s.field in many), None)
        if mix is None:
            return f"no value of {names} stands out"
        return (
            f"no value of {names} got worse itself, but {mix.field}={mix.value} "
            f"became {100 * mix.after:.2g} % of the requests, {100 * mix.before:.2g} % before"
        )
    return "too few requests of each value to test who is hit"


def _with_enough(radius: BlastRadius) -> list[AffectedValue]:
    """The values with requests enough to see a change in: more of them say no more."""
    known = [*radius.affected, *radius.unaffected]
    return [*known, *(v for v in radius.unknown if v.requests >= _ENOUGH)]


def _tested(radius: BlastRadius) -> bool:
    """Two values or more had enough requests."""
    return len(radius.affected) + len(radius.unaffected) > 1 and bool(radius.affected)
