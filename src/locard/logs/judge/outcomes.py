"""Fields that say in other words that a request failed: response flags, bytes, the text of its status.

They would "explain" every error and tell nothing of who is hit. Known by their names, and by their values:
such a field, or such values of it, come with failed requests only, while the others all have the same one
or none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.log_facts import OutcomeField

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locard.logs.fields.roles import Roles
    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table

_FEWEST = 5  # failed requests of a value
_PURE = 0.98  # of the requests of a value failed
_COVERED = 0.5  # of the failed ones have such a value
_SAME = 0.95  # of the good ones have one value, or none
_FIELDS_A_SCAN = 16
_MOST_FIELDS = 96
_MOST_SHOWN = 4
# Of the answer, not of who asked: what it holds, how long it took, how it ended.
_ANSWER = re.compile(
    r"^(?:.*[._-])?(?:bytes(?:[_-]?(?:sent|out|tx|written))?|size|length|content[_-]?length|body[_-]?bytes(?:[_-]?sent)?"
    r"|resp(?:onse)?[_-]?(?:size|bytes|flags?|length|time|code(?:[_-]?details)?|body|class|text|phrase)|flags"
    r"|status[_-]?(?:text|line|message|class|family|phrase)|http[_-]?status[_-]?(?:text|class)|(?:origin|edge|upstream|downstream|target|backend|elb|server|final)(?:[_-]?(?:http|resp(?:onse)?))*[_-]?status(?:[_-]?code)?|upstream[_-]?(?:status|response[_-]?time"
    r"|header[_-]?time|connect[_-]?time|bytes[_-]?\w+|response[_-]?length|transport[_-]?failure[_-]?reason)"
    r"|grpc[_-]?(?:status|code|message)|termination[_-]?state|ret(?:urn)?[_-]?code|exit[_-]?(?:code|status)|errno"
    r"|duration(?:[_-]?\w+)?|latency(?:[_-]?\w+)?|elapsed(?:[_-]?\w+)?|time[_-]?taken|success|ok|failed|failure|is[_-]?error"
    r"|reason|details?|connection[_-]?termination[_-]?details)$",
    re.IGNORECASE,
)
# Who wrote the line: an error handler's logger writes errors only.
_WRITER = re.compile(
    r"^(?:.*[._-])?(?:logger(?:[_-]?name)?|log[_-]?name|category|caller|source[_-]?(?:file|line)|file(?:name)?|line(?:no)?"
    r"|func(?:tion)?(?:[_-]?name)?|module|class(?:name)?|method[_-]?name|component|stream|facility|channel|log[_-]?type|event(?:[_-]?(?:type|name|action))?)$",
    re.IGNORECASE,
)
# Who asked, and what ran: a new version may fail always, and is still the answer.
_DIMENSION = re.compile(
    r"version|build|release|commit|flag(?!s)|feature|variant|experiment|tenant|customer|user|account|region|zone"
    r"|host|pod|node|instance|shard|partition|cluster|method|path|route|endpoint|upstream|backend|provider|peer",
    re.IGNORECASE,
)
_DIMENSION_ROLES = {"upstream", "segment", "region", "instance", "version", "endpoint"}


def by_name(name: str) -> bool:
    """Whether a field is of the answer, as its name says."""
    return _ANSWER.match(_parted(name)) is not None


def _parted(name: str) -> str:
    """A name with its words apart: DownstreamContentSize is Downstream_Content_Size."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("@", ""))


def found(table: Table, roles: Roles, events: Events) -> dict[str, OutcomeField]:
    """The group fields of `ev` that tell the outcome again, by their names or by their values."""
    columns = dict(list(events.groups.items())[:_MOST_FIELDS])
    if not columns:
        return {}
    errors, goods = table.one(
        "SELECT count(*) FILTER (WHERE err), count(*) FILTER (WHERE NOT err) FROM ev WHERE request"
    )
    failed = _failed(table, columns) if errors >= _FEWEST else {}
    only_failed = _only_on_failures(table, columns) if errors >= _FEWEST else set()
    known = {}
    for field, column in columns.items():
        named = by_name(field) and roles.role_of(field) not in _DIMENSION_ROLES
        judged = not named and _may_be(field, roles)
        if judged and field in only_failed:
            known[field] = OutcomeField(field, "", 0, 0, "values")
            continue
        if not named and not (judged and field in failed):
            continue
        values = failed.get(field, [])[:3]
        counts = _good(table, column, [v for v, _ in values]) if values else {}
        pure = [(v, k, counts.get(v, 0)) for v, k in values if k >= _PURE * (k + counts.get(v, 0))]
        value, bad, good = pure[0] if pure else ("", 0, 0)
        if named:
            known[field] = OutcomeField(field, value, bad, good, "name")
        elif sum(k for _, k, _ in pure) >= _COVERED * errors and (
            _WRITER.match(_parted(field)) or _one_value(table, column, goods)
        ):
            known[field] = OutcomeField(field, value, bad, good, "values")
    return known


def shown(known: Mapping[str, OutcomeField]) -> tuple[OutcomeField, ...]:
    """Those with a value that comes with failed requests, the most frequent first."""
    telling = [o for o in known.values() if o.bad >= _FEWEST]
    return tuple(sorted(telling, key=lambda o: (-o.bad, o.field))[:_MOST_SHOWN])


def _may_be(field: str, roles: Roles) -> bool:
    if _WRITER.match(_parted(field)):
        return True
    return roles.role_of(field) not in _DIMENSION_ROLES and not _DIMENSION.search(_parted(field))


def _failed(table: Table, columns: Mapping[str, str]) -> dict[str, list[tuple[str, int]]]:
    """The values of each field among the failed requests, the most frequent first."""
    values: dict[str, list[tuple[str, int]]] = {}
    names = list(columns)
    for start in range(0, len(names), _FIELDS_A_SCAN):
        some = names[start : start + _FIELDS_A_SCAN]
        listed = [columns[name] for name in some]
        sets = ", ".join(f"({c})" for c in listed)
        value = ", ".join(f"{c}::VARCHAR" for c in listed)
        every = (1 << len(some)) - 1
        for others, text, count in table.rows(
            f"""SELECT grouping({", ".join(listed)}) AS others, coalesce({value}) AS value, count(*) AS k
                FROM ev WHERE request AND err GROUP BY GROUPING SETS ({sets})
                HAVING coalesce({value}) IS NOT NULL AND count(*) >= {_FEWEST}
                QUALIFY row_number() OVER (PARTITION BY others ORDER BY count(*) DESC, value) <= 3
                ORDER BY others, k DESC, value"""  # noqa: S608 - names are ours
        ):
            values.setdefault(some[len(some) - (every ^ others).bit_length()], []).append(
                (text, count)
            )
    return values


def _good(table: Table, column: str, values: list[str]) -> dict[str, int]:
    """How many requests with each value did not fail."""
    marks = ", ".join("?" for _ in values)
    return dict(
        table.rows(
            f"SELECT {column}::VARCHAR, count(*) FROM ev WHERE request AND NOT err "  # noqa: S608 - the column is ours
            f"AND {column}::VARCHAR IN ({marks}) GROUP BY 1",
            list(values),
        )
    )


def _only_on_failures(table: Table, columns: Mapping[str, str]) -> set[str]:
    """The fields that a request has only if it failed: that they are there is the outcome, whatever they hold."""
    picks = ", ".join(f"count({c}) FILTER (WHERE err), count({c})" for c in columns.values())
    counts = table.one(f"SELECT {picks} FROM ev WHERE request")  # noqa: S608 - the columns are ours
    pairs = zip(columns, counts[::2], counts[1::2], strict=True)
    return {field for field, bad, all_ in pairs if bad >= _FEWEST and bad >= _PURE * all_}


def _one_value(table: Table, column: str, goods: int) -> bool:
    """Whether the good requests nearly all have one value, or none."""
    (most,) = table.one(
        f"SELECT max(k) FROM (SELECT count(*) AS k FROM ev WHERE request AND NOT err GROUP BY {column})"  # noqa: S608 - the column is ours
    )
    return (most or 0) >= _SAME * goods
