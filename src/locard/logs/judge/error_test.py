"""What an error is in a log: found from its fields and stated, or as the user says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from locard.logs.fields.levels import ERROR_WORDS
from locard.logs.table.sql_text import literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    from locard.logs.fields.profile import FieldProfile
    from locard.logs.fields.roles import Roles
    from locard.logs.table.table import Table
    from locard.where.syntax import Node

_SERVER_ERROR = 500
_LOOKED_AT = 64  # characters of a message in which its level stands
# How runtimes begin what they write of an error: "Error: no route", "java.lang.Exception: ...", "panic: ...".
_BEGINS_WITH_ERROR = r"^(?:Uncaught |Unhandled |Caused by: )?(?:[\w.$]*(?:Error|Exception|Failure)\b|(?i:error|fatal|panic|critical)\b ?[:!\]-])"

# How something ended, where neither a status nor a level says it: of firewalls, audits, logins, jobs.
_FAILED = frozenset(
    [
        "fail",
        "failed",
        "failure",
        "error",
        "errored",
        "reject",
        "rejected",
        "deny",
        "denied",
        "block",
        "blocked",
        "drop",
        "dropped",
        "forbid",
        "forbidden",
        "refuse",
        "refused",
        "unauthorized",
        "timeout",
        "timed_out",
        "abort",
        "aborted",
        "invalid",
        "ko",
    ]
)
_ENDED_WELL = frozenset(
    [
        "ok",
        "okay",
        "success",
        "successful",
        "succeeded",
        "pass",
        "passed",
        "accept",
        "accepted",
        "allow",
        "allowed",
        "permit",
        "permitted",
        "grant",
        "granted",
        "authorized",
        "complete",
        "completed",
        "done",
        "finished",
        "valid",
    ]
)
_MOST_OUTCOMES = 12
_OUTCOMES = 0.95  # of the values say how something ended


@dataclass(frozen=True, slots=True)
class ErrorTest:
    """An SQL condition over `raw`, how to say it, and the fields that it reads where a user said it.

    Those fields tell the outcome again: they are no groups.
    """

    sql: str
    means: str
    parameters: dict[str, Any] = field(default_factory=dict)
    fields: frozenset[str] = frozenset()
    by_text: bool = False  # by the levels in the messages, as the level of all records is one

    @property
    def asked(self) -> bool:
        """Whether a user said it."""
        return bool(self.fields)


UNTOLD = ErrorTest("false", "no field of this log says what an error is")


def found(roles: Roles, fields: Sequence[FieldProfile], table: Table) -> ErrorTest:
    """By status and level; without both by the first exception or error field, by a field whose values say
    how something ended, or by how messages begin.

    A level that is the same in every record says what somebody set for the whole stream; then the levels
    that the messages name count (see `roles.assign`).
    """  # noqa: D205 - one sentence
    tests, words = [], []
    if roles.status:
        column = roles.status.column
        number = table.number(column) or f"TRY_CAST({column} AS DOUBLE)"
        tests.append(table.lifted(column, f"coalesce({number} >= {_SERVER_ERROR}, false)"))
        words.append(f"{roles.status.name} >= {_SERVER_ERROR}")
    if roles.level:
        listed = ", ".join(literal(w) for w in ERROR_WORDS)
        column = roles.level.column
        tests.append(table.lifted(column, f"coalesce(lower({column}) IN ({listed}), false)"))
        words.append(_means(roles.level, roles.level_in))
    if not tests:
        for item in fields:
            plain = item.name.lower().replace("_", "").rpartition(".")[2]
            if plain in {"error", "err", "exception", "excinfo", "stacktrace"}:
                test = f"coalesce({item.column} NOT IN ('', 'false', '0'), false)"
                tests.append(table.lifted(item.column, test))
                words.append(f"{item.name} is set")
                break
    outcome = next(filter(_is_outcome, fields), None) if not tests else None
    if outcome is not None:
        listed = ", ".join(literal(w) for w in sorted(_FAILED))
        test = f"coalesce(lower({outcome.column}) IN ({listed}), false)"
        tests.append(table.lifted(outcome.column, test))
        words.append(f"{outcome.name} says that it failed or was refused")
    message = roles.message
    if not tests and message is not None:
        test = (
            f"regexp_matches(left({message.column}, {_LOOKED_AT}), {literal(_BEGINS_WITH_ERROR)})"
        )
        if table.one(f"SELECT coalesce(bool_or({test}), false) FROM raw_kept")[0]:  # noqa: S608 - columns are ours
            tests.append(table.lifted(message.column, test))
            words.append(f"{message.name} begins with an error's name")
    if not tests:
        return UNTOLD
    # A lifted test of a field that a record lacks is null.
    return ErrorTest(
        "(" + " OR ".join(f"coalesce({t}, false)" for t in tests) + ")",
        " or ".join(words),
        by_text=bool(roles.level_in) and not roles.status,
    )


def _is_outcome(item: FieldProfile) -> bool:
    """Whether a field's values say how something ended, and well at times."""
    values = [value.lower() for value in item.values]
    known = sum(value in _FAILED or value in _ENDED_WELL for value in values)
    return (
        0 < item.distinct <= _MOST_OUTCOMES
        and known >= _OUTCOMES * len(values)
        and not _ENDED_WELL.isdisjoint(values)
    )


def _means(level: FieldProfile, named_in: str) -> str:
    if not named_in:
        return f"{level.name} is error or worse"
    same = f" ({level.name} is the same in all records)" if level.name != "level" else ""
    return f"{named_in} names an error{same}"


def asked(text: str, table: Table, tz: tzinfo | None = None) -> ErrorTest:
    """As an expression of `--where`'s language says; raises UsageError."""
    from locard.logs.ask.interpret import meaning_of  # noqa: PLC0415 - only who asks pays for it
    from locard.logs.ask.where_sql import condition  # noqa: PLC0415
    from locard.where.parse import parse  # noqa: PLC0415
    from locard.where.times import Clock  # noqa: PLC0415

    node = parse(text)
    meaning = meaning_of(table)
    compiled = condition(node, meaning, Clock(tz, meaning.last), text)
    names = (meaning.find(name) for name in _names(node))
    return ErrorTest(
        compiled.sql, text, compiled.parameters, frozenset(n for n in names if n is not None)
    )


def _names(node: Node) -> Iterator[str]:
    """The fields that an expression reads."""
    from locard.where.syntax import Every, Not, Some  # noqa: PLC0415 - as above

    if isinstance(node, Not):
        yield from _names(node.item)
    elif isinstance(node, Every | Some):
        for item in node.items:
            yield from _names(item)
    else:
        yield node.field.name
