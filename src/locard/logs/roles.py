"""Which field means what: found by its name and confirmed by its values, with the reason."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model.facts import FieldRole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from locard.logs.profile import FieldProfile

ERROR_WORDS = ("error", "err", "fatal", "critical", "crit", "panic", "emergency", "emerg", "alert",
               "severe", "e", "f")  # fmt: skip
_LEVEL_WORDS = {*ERROR_WORDS, "trace", "debug", "info", "information", "notice", "warn", "warning",
                "d", "i", "w", "t", "verbose", "fine", "finer", "finest", "config", "default"}  # fmt: skip
PINO_ERROR = 50  # pino and bunyan write levels as numbers: 50 error, 60 fatal

_MOST = 0.9  # of the values must look like what the name says
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s*(Z|UTC|[+-]\d\d(:?\d\d)?)?)?")
_ZONED = re.compile(r"(Z|UTC|[+-]\d\d(:?\d\d)?)$")
_CLF = re.compile(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_TIMED = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|m)")
_PATH = re.compile(r"(https?://[^\s]+|/[^\s]*|[A-Z]{3,7} /[^\s]*( HTTP/[\d.]+)?)")
_EARLIEST, _LATEST = 946_684_800.0, 4_102_444_800.0  # the years 2000 to 2100

UNIT_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4}


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How the time is written. `scale` is seconds per unit where it is a number."""

    kind: str  # iso, clf, epoch
    scale: float = 1.0
    zoned: bool = True
    marks_start: bool = False  # of the request, else its end


@dataclass(frozen=True, slots=True)
class Roles:
    """The fields with a meaning; None where the log has no such field."""

    found: tuple[FieldRole, ...]
    time: FieldProfile | None = None
    time_format: TimeFormat = TimeFormat("iso")
    level: FieldProfile | None = None
    status: FieldProfile | None = None
    duration: FieldProfile | None = None
    duration_unit: str = "ms"
    trace_id: FieldProfile | None = None
    endpoint: FieldProfile | None = None
    message: FieldProfile | None = None

    def role_of(self, name: str) -> str | None:
        """The role of a field, if it has one."""
        return next((r.role for r in self.found if r.field == name), None)


def assign(fields: Sequence[FieldProfile], records: int) -> Roles:
    """The role of each field that has one."""
    finder = _Finder(list(fields), records)
    time = finder.pick("time", _TIME, lambda f: time_format(f) is not None)
    written = time_format(time) if time else None
    duration = finder.pick("duration", _DURATION, _is_duration)
    unit, why = duration_unit(duration) if duration else ("ms", "")
    status = finder.pick("status", _STATUS, _is_status)
    level = finder.pick("level", _LEVEL, _is_level)
    endpoint = finder.pick("endpoint", _ENDPOINT, lambda f: _mostly(f, _PATH.fullmatch))
    trace = finder.pick("trace_id", _TRACE, lambda f: f.distinct > 1 or f.count == 1)
    message = finder.pick("message", _MESSAGE, lambda _: True)
    for role, names in _GROUPS.items():
        finder.pick(role, names, lambda f: f.distinct <= max(50, 0.5 * f.count))
    if time and written:
        zone = "" if written.zoned else "; no zone in it, read as UTC"
        finder.explain("time", f"{_TIME_WORDS[written.kind](written)}{zone}")
    if duration:
        finder.explain("duration", why)
    return Roles(
        found=tuple(finder.found),
        time=time,
        time_format=written or TimeFormat("iso"),
        level=level,
        status=status,
        duration=duration,
        duration_unit=unit,
        trace_id=trace,
        endpoint=endpoint,
        message=message,
    )


_TIME = ("@timestamp", "timestamp", "time", "ts", "@t", "datetime", "eventtime", "asctime", "date",
         "t", "starttime", "timelocal", "timeiso8601", "logtime", "created", "timeunixnano")  # fmt: skip
_LEVEL = ("level", "severity", "loglevel", "levelname", "lvl", "severitytext", "@l", "sev",
          "priority")  # fmt: skip
_STATUS = ("status", "statuscode", "httpstatus", "httpstatuscode", "httpresponsestatuscode",
           "responsestatus", "responsecode", "responsestatuscode", "resstatus", "resstatuscode",
           "httpresponsestatus", "code", "rc", "sc")  # fmt: skip
_DURATION = ("duration", "latency", "elapsed", "responsetime", "requesttime", "took", "timetaken",
             "rt", "durationms", "latencyms", "elapsedms", "processingtime", "requestduration",
             "totaltime", "eventduration", "runtime", "responsetimems", "dur")  # fmt: skip
_TRACE = ("traceid", "trace", "requestid", "reqid", "xrequestid", "correlationid", "correlation",
          "spanid", "transactionid", "txid", "rid")  # fmt: skip
_ENDPOINT = ("path", "endpoint", "route", "httproute", "url", "uri", "requestpath", "urlpath",
             "httptarget", "httppath", "requesturi", "httpurl", "requesturl", "target",
             "request", "handler", "requrl")  # fmt: skip
_MESSAGE = ("message", "msg", "@m", "@mt", "event", "text", "log", "body", "errormessage",
            "errormsg", "error", "err")  # fmt: skip
_GROUPS = {
    "upstream": ("upstream", "backend", "dependency", "peer", "peerservice", "upstreamhost",
                 "upstreamaddr", "upstreamname", "downstream", "upstreamcluster",
                 "serveraddress", "provider", "remoteservice", "targetservice"),
    "segment": ("segment", "usersegment", "customersegment", "tier", "usertier", "customertier",
                "plan", "tenant", "cohort", "customertype", "usertype", "accounttype"),
    "region": ("region", "zone", "az", "datacenter", "dc", "country", "cloudregion", "geo",
               "availabilityzone", "cloudavailabilityzone", "market"),
    "instance": ("instance", "pod", "podname", "host", "hostname", "node", "server", "worker",
                 "workerid", "container", "serviceinstanceid", "k8spodname", "pid"),
    "version": ("version", "release", "build", "commit", "serviceversion", "appversion"),
    "service": ("service", "servicename", "app", "application", "component", "logger"),
}  # fmt: skip

_TIME_WORDS: dict[str, Callable[[TimeFormat], str]] = {
    "iso": lambda _: "ISO 8601 date and time",
    "clf": lambda _: "common log format date",
    "epoch": lambda f: f"Unix time in {({1.0: 's', 1e-3: 'ms', 1e-6: 'µs', 1e-9: 'ns'})[f.scale]}",
}


class _Finder:
    """Picks fields by role; a field is taken once."""

    def __init__(self, fields: list[FieldProfile], records: int) -> None:
        self.fields = fields
        self.records = records
        self.found: list[FieldRole] = []
        self._taken: set[str] = set()

    def pick(
        self, role: str, names: tuple[str, ...], fits: Callable[[FieldProfile], bool]
    ) -> FieldProfile | None:
        best: tuple[tuple[float, int, int], FieldProfile] | None = None
        for item in self.fields:
            if item.name in self._taken:
                continue
            rank = _name_rank(item.name, names)
            if rank is None or not fits(item):
                continue
            # A field in most records beats a better name in few.
            rare = 0 if item.count >= self.records / 2 else 1
            key = (rare, rank, -item.count)
            if best is None or key < best[0]:
                best = key, item
        if best is None:
            return None
        item = best[1]
        self._taken.add(item.name)
        shown = ", ".join(list(dict.fromkeys(v[:24] for v in item.values))[:2])
        self.found.append(FieldRole(role, item.name, f"its name, and values like {shown}"))
        return item

    def explain(self, role: str, why: str) -> None:
        self.found = [
            FieldRole(r.role, r.field, f"its name, and {why}") if r.role == role else r
            for r in self.found
        ]


def _name_rank(name: str, names: tuple[str, ...]) -> int | None:
    """How well a name fits: its place in the list of names, longer paths after short ones."""
    for given in (name, name.rpartition(".")[2]):
        plain = re.sub(r"[^a-z0-9@]", "", given.lower())
        stripped = re.sub(r"(ms|us|ns|sec|secs|seconds|millis|micros|nanos|s)$", "", plain)
        for form in (plain, stripped):
            if form in names:
                return names.index(form) * 2 + (given != name)
    return None


def _mostly(item: FieldProfile, fits: Callable[[str], object]) -> bool:
    values = [v for v in item.values if v != ""]
    return bool(values) and sum(bool(fits(v)) for v in values) >= _MOST * len(values)


def _is_level(item: FieldProfile) -> bool:
    if item.distinct > 20:  # noqa: PLR2004 - no logger has more levels
        return False
    return _mostly(
        item, lambda v: v.lower() in _LEVEL_WORDS or v in {"10", "20", "30", "40", "50", "60"}
    )


def _is_status(item: FieldProfile) -> bool:
    return _mostly(item, lambda v: re.fullmatch(r"[1-5]\d\d(\.0)?", v))


def _is_duration(item: FieldProfile) -> bool:
    fits = _mostly(item, lambda v: _NUMBER.fullmatch(v) or _TIMED.fullmatch(v))
    return fits and not any(v.startswith("-") for v in item.values)


def duration_unit(item: FieldProfile) -> tuple[str, str]:
    """The unit of a duration field (a key of UNIT_MS, or "written") and the reason."""
    if _mostly(item, _TIMED.fullmatch):
        return "written", "each value names its unit"
    word = re.search(
        r"(ns|nanos(?:econds)?|us|micros(?:econds)?|ms|millis(?:econds)?|s|sec|secs|seconds)$",
        re.sub(r"(?<=[a-z])(?=[A-Z])", "_", item.name).lower().replace(".", "_").rpartition("_")[2],
    )
    last = (
        re.sub(r"(?<=[a-z])(?=[A-Z])", "_", item.name).lower().replace(".", "_").rpartition("_")[2]
    )
    if word and word[0] == last:
        unit = {"n": "ns", "u": "us", "m": "ms", "s": "s"}[word[0][0]]
        if word[0].startswith("mic"):
            unit = "us"
        return unit, f"its ending says {unit}"
    if last.endswith("ms"):
        return "ms", "its ending says ms"
    numbers = sorted(float(v) for v in item.values if _NUMBER.fullmatch(v))
    middle = numbers[len(numbers) // 2] if numbers else 0.0
    if item.name.lower().endswith("event.duration") or middle > 1e6:  # noqa: PLR2004 - 1 s in µs
        return "ns", f"no unit in the name; a median of {middle:g} suggests ns"
    if middle < 1 or (middle < 10 and any("." in v for v in item.values)):  # noqa: PLR2004
        return "s", f"no unit in the name; a median of {middle:g} suggests s"
    return "ms", f"no unit in the name; a median of {middle:g} suggests ms"


def _in_range(scale: float, value: str) -> bool:
    return bool(_NUMBER.fullmatch(value)) and _EARLIEST <= float(value) * scale <= _LATEST


def time_format(item: FieldProfile) -> TimeFormat | None:
    """How a field writes time, or None if it does not."""
    starts = "start" in item.name.lower()
    if _mostly(item, _ISO.fullmatch):
        zoned = _mostly(item, lambda v: _ZONED.search(v.rpartition(":")[2] or v) or v.endswith("Z"))
        return TimeFormat("iso", zoned=zoned, marks_start=starts)
    if _mostly(item, _CLF.fullmatch):
        return TimeFormat("clf", marks_start=starts)
    if _mostly(item, _NUMBER.fullmatch):
        for scale in (1.0, 1e-3, 1e-6, 1e-9):
            if _mostly(item, functools.partial(_in_range, scale)):
                return TimeFormat("epoch", scale=scale, marks_start=starts)
    return None
