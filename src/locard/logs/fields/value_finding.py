"""Roles found by what values look like, where no field has a name that says it.

Values alone say less than a name does: each test asks for a spread that little else has, and leaves out the
fields whose names say that they are something else (a size, a port, a file).
"""

from __future__ import annotations

import itertools
import re
import time
from typing import TYPE_CHECKING

from locard.logs.fields.amounts import duration_ms, is_written_duration
from locard.logs.fields.levels import common_spellings
from locard.logs.fields.times import mostly, time_format

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from locard.logs.fields.profile import FieldProfile

_FEWEST_VALUES = 5  # to be told by at all
_FEWEST_DIFFERENT = 3
_LEAST_SHARE = 0.1  # of the records have the field
_LEAST_TIMED = 0.5  # of the records have the time
_IN_ORDER = 0.8  # of successive times do not go back
_DAY_S = 86_400.0
_ALL_BUT_FEW = 0.99

# Words in names, between points, underscores and capitals, that say the value is something else.
_SIZE = re.compile(
    "bytes?|size|len|length|count|limit|port|pid|id|offset|width|height|total|lines?|rows|num|seq"
)
_NO_MOMENT = re.compile(
    "expires?|expiry|expiration|exp|until|valid|deadline|birth|born|next|modified|updated|due|session"
)
_NO_DURATION = re.compile(
    "timeout|ttl|interval|uptime|age|delay|backoff|retry|limit|max|min|budget|deadline|lifetime|period|every"
)
_FILE = re.compile(
    "file|filename|dir|directory|cwd|exe|binary|script|source|src|mount|device|referr?er|origin|caller|module|"
    "cgroup|socket|topic|image|log|config|root|home"
)
_OTHER_ID = re.compile(
    "user|customer|account|order|session|hash|md5|sha|sha1|sha256|digest|checksum|etag|commit|build|image|device|tenant"
)

_COMMON_STATUS = re.compile("20[01246]|30[123478]|40[0134589]|410|413|422|429|499|50[0234]")
_STATUS = re.compile(
    r"10[01]|20[0-7]|30[0-478]|40\d|41[0-7]|42[1-689]|431|444|451|460|463|49[4-79]|50\d|511|52[0-79]|530|561|59[89]"
)
_MOST_COMMON = 0.95  # of the statuses

_LEVEL_SIGNS = frozenset({"info", "information", "debug", "warn", "warning", "trace"})
_MOST_LEVELS = 8

_ENDPOINT = re.compile(
    r"(?:(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE) )?(?:https?://[^/\s]+)?/[^\s]*(?: HTTP/[\d.]+)?"
)
_METHOD_FIRST = re.compile(r"[A-Z]{3,7} ")
_FILE_LIKE = re.compile(
    r"/(?:usr|var|etc|home|opt|proc|dev|tmp|lib|lib64|bin|sbin|sys|srv|mnt|root|run|data|Users|private)(?:/.*)?|"
    r".*\.(?:py|go|java|rb|ts|c|cc|cpp|h|rs|log|sock|conf|so|sh|exe|jar|gz|pid|service|scope|slice)(?:[.:]\d+)*"
)
_MOST_FILES = 0.2  # of the values
_TRACE = re.compile(r"[0-9a-f]{32}|00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|Root=1-[0-9a-f]{8}-.+")


def by_value(
    role: str, fields: Sequence[FieldProfile], records: int, *, of_requests: bool
) -> FieldProfile | None:
    """The field whose values are most likely of that role; None where none surely is.

    `of_requests` says that other fields have requests in them: then fewer different statuses are enough.
    """
    fitting: dict[str, Callable[[FieldProfile], float]] = {
        "time": _as_time,
        "level": _as_level,
        "status": lambda item: _as_status(item, of_requests=of_requests),
        "duration": _as_duration,
        "endpoint": _as_endpoint,
        "trace_id": _as_trace,
    }
    fits = fitting.get(role)
    if fits is None:
        return None
    share = _LEAST_TIMED if role == "time" else _LEAST_SHARE
    rated = [
        (fits(f), f.count, f)
        for f in fields
        if f.count >= share * records and len(f.values) >= _FEWEST_VALUES
    ]
    best = max(rated, key=lambda r: r[:2], default=None)
    return best[2] if best is not None and best[0] > 0 else None


def _says(name: str, *others: re.Pattern[str]) -> bool:
    """Whether a word of the name says that it is one of the others."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return any(other.fullmatch(w) for w in re.split(r"[^a-z0-9]+", apart) for other in others)


def _as_time(item: FieldProfile) -> float:
    """Times that go on as the lines do. What will be, or was long ago, is no time of a record."""
    written = time_format(item)
    if written is None or _says(item.name, _NO_MOMENT, _SIZE) or item.distinct < _FEWEST_DIFFERENT:
        return 0.0
    values = [v for v in item.values if v]
    if written.kind == "epoch":
        moments = [float(v) * written.scale for v in values]
        if max(moments) > time.time() + _DAY_S or not _in_order(
            [a <= b for a, b in itertools.pairwise(moments)]
        ):
            return 0.0
        return 1.0
    if written.kind == "iso" and not (
        mostly(item, lambda v: ":" in v)
        and _in_order([a <= b for a, b in itertools.pairwise(values)])
    ):
        return 0.0  # days alone, or from anywhere
    return 2.0


def _in_order(steps: Sequence[bool]) -> bool:
    """Whether nearly all steps go on."""
    return sum(steps) >= _IN_ORDER * len(steps)


def _as_level(item: FieldProfile) -> float:
    different = {v.lower() for v in item.values}
    known = all(common_spellings(v) for v in different)
    several = 1 < item.distinct <= _MOST_LEVELS
    return float(several and known and bool(different & _LEVEL_SIGNS))


def _as_status(item: FieldProfile, *, of_requests: bool) -> float:
    """Registered statuses alone, of several kinds."""
    if _says(item.name, _SIZE):
        return 0.0
    values = [v.removesuffix(".0") for v in item.values if v]
    if sum(bool(_STATUS.fullmatch(v)) for v in values) < _ALL_BUT_FEW * len(values):
        return 0.0
    if sum(bool(_COMMON_STATUS.fullmatch(v)) for v in values) < _MOST_COMMON * len(values):
        return 0.0
    different = set(values)
    kinds = {v[0] for v in different}
    if not kinds & {"2", "3"} or len(different) < 2:  # noqa: PLR2004 - one value tells nothing
        return 0.0
    told = len(different) >= _FEWEST_DIFFERENT and len(kinds) > 1 and bool(kinds & {"4", "5"})
    return float(told or (of_requests and len(kinds) > 1))


def _as_duration(item: FieldProfile) -> float:
    """Amounts with their units; the field with the longest holds the others."""
    if _says(item.name, _NO_DURATION) or item.distinct < _FEWEST_DIFFERENT:
        return 0.0
    if not is_written_duration(item):
        return 0.0
    amounts = sorted(ms for v in item.values if (ms := duration_ms(v)) is not None)
    clocks = sum(":" in v for v in item.values) > len(item.values) / 2
    if clocks and not mostly(item, lambda v: re.match(r"0{1,2}:", v)):  # a time of day
        return 0.0
    return sum(amounts) / len(amounts) + 1e-9 if amounts else 0.0


def _as_endpoint(item: FieldProfile) -> float:
    if _says(item.name, _FILE) or item.distinct < 2:  # noqa: PLR2004 - one value tells nothing
        return 0.0
    if not mostly(item, _ENDPOINT.fullmatch):
        return 0.0
    if sum(bool(_FILE_LIKE.fullmatch(v)) for v in item.values) > _MOST_FILES * len(item.values):
        return 0.0
    return 2.0 if mostly(item, _METHOD_FIRST.match) else 1.0


def _as_trace(item: FieldProfile) -> float:
    if _says(item.name, _OTHER_ID) or item.distinct < max(_FEWEST_VALUES, item.count / 100):
        return 0.0
    return float(mostly(item, _TRACE.fullmatch))
