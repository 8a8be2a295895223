"""Why a server was not read, or not to its end: what happened, why, and what to do next, in one sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from locard.metrics.history import History

_NO_MORE = ", and was asked no more"
_SMALLER = "ask for less, with --match or a shorter --since"
_LATER = "wait until it is less busy, or ask for less, with --match or a shorter --since"
_AT = "name the address of its API, with its path: http://HOST:9090/PATH"
# By the HTTP status: what happened, and what to do next.
_STATUS = {
    400: ("it does not understand a query (HTTP 400)", _AT),
    401: ("it wants a login (HTTP 401)", "user:password@ in the URL, --bearer FILE or --header 'Authorization: …'"),
    403: ("it forbids this (HTTP 403)", "another login, or a tenant: --header 'X-Scope-OrgID: NAME'"),
    404: ("no Prometheus API is served there (HTTP 404)", _AT),
    405: ("no Prometheus API is served there (HTTP 405)", _AT),
    422: (f"it refused a query as too much (HTTP 422){_NO_MORE}", _SMALLER),
    429: (f"it said slow down (HTTP 429){_NO_MORE}", _LATER),
    503: (f"it is overloaded (HTTP 503){_NO_MORE}", _LATER),
}  # fmt: skip
# By how a request ended that has no status that tells it.
_HOW = {
    "late": (f"it did not answer in time{_NO_MORE}", _LATER),
    "cut": (f"an answer of it is damaged{_NO_MORE}", "ask again; a proxy in between may cut answers"),
    "closed": (f"it closed the connection{_NO_MORE}", "see its own log, and whether it speaks https"),
    "big": (f"an answer of it is too long{_NO_MORE}", _SMALLER),
    "tls": ("no TLS connection came about", "--tls-ca FILE, --tls-cert FILE, or --tls-skip-verify; http:// where it has no TLS"),
    "files": ("no TLS connection was tried", "name PEM files, the key without a password"),
    "down": ("it cannot be reached", "see that it runs, and whether the host and the port are right; --on host/NAME asks from there"),
    "match": ("it does not understand --match", "write a selector as PromQL has it: --match '{job=\"payment\"}'"),
    "ahead": ("nothing is known of what is to come", "name an earlier --around"),
}  # fmt: skip


def problem_of(history: History, url: str) -> str:
    """What kept it from being read as a whole; empty where nothing did."""
    lacks = (
        f"its answers may lack something, it warned: {'; '.join(history.warned)}"
        if history.warned
        else ""
    )
    if history.problem is None:
        late = (
            f"{history.unread:,} series were not read: out of time. Next: {_SMALLER}"
            if history.unread
            else ""
        )
        many = (
            f"{history.counted:,} series are more than are read at once"
            if _too_many(history)
            else ""
        )
        return "; ".join(filter(None, (late, many, lacks)))
    status, words = history.problem
    what, todo = _HOW.get(history.how) or _STATUS.get(status) or _other(status)
    if history.instead:
        what, todo = _instead(history.instead, url)
        words = ""
    return f"{what}{f': {words}' if words else ''}{f'; {lacks}' if lacks else ''}. Next: {todo}"


def unreached(history: History) -> bool:
    """Whether nothing was read, since it could not be reached or let nobody in."""
    return history.problem is not None and not history.series and not history.source


def _too_many(history: History) -> bool:
    most = history.asked.get("most_series")
    return isinstance(most, int) and history.counted is not None and history.counted > most


def _other(status: int) -> tuple[str, str]:
    if status >= 500:  # noqa: PLR2004 - its own faults
        return f"it failed (HTTP {status}){_NO_MORE}", "see its own log"
    if 300 <= status < 400:  # noqa: PLR2004 - sent elsewhere
        return (
            f"no Prometheus API answers there (HTTP {status})",
            "ask that address itself; where it is a login, --bearer FILE or --header opens the door",
        )
    if status < 0:
        return (
            "what answers is no Prometheus API",
            f"{_AT}; where it is a login, --bearer FILE or --header opens the door",
        )
    return (f"it refused (HTTP {status})" if status else "it was not asked"), _AT


def _instead(path: str, url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    there = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))
    if path.endswith("/api/v2/status"):
        there = there.removesuffix("/api/v2/status")
        return (
            "no Prometheus API, but an Alertmanager answers there",
            f"locard metrics http://PROMETHEUS:9090 --around alert --alertmanager {there}",
        )
    page = "" if path.endswith("/metrics") else " --page"
    return (
        "no Prometheus API, but a page of metrics is served there",
        f"locard metrics {there}{page}",
    )
