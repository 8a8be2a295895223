"""One answer of an endpoint: a scrape that can be read, or how it failed and why.

A page whose end is missing is not read at all: what stands in it is true, but what is missing would
be taken for calls that did not come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from locard.metrics.golden import Scrape
from locard.metrics.text_format import parse
from locard.model.thread_records import records

if TYPE_CHECKING:
    from locard.metrics.text_format import Exposition
    from locard.model.evidence import Output

How = Literal[
    "accepted", "closed", "no HTTP", "refused", "unreachable", "slow", "cut", "too big", "packed",
    "login", "forbidden", "slow down", "failing", "elsewhere", "no page", "no metrics",
]  # fmt: skip
Form = Literal["text", "openmetrics", "protobuf"]
_OK = 200
_SILENT: tuple[How, ...] = ("closed", "no HTTP", "refused", "unreachable")
_STATUS: dict[int, How] = {401: "login", 407: "login", 403: "forbidden", 429: "slow down"}
_ELSEWHERE = range(300, 400)
_FAILING = range(500, 600)
_MOST_WORD = 60  # characters of somebody else's word


@dataclass(frozen=True, slots=True)
class Page:
    """What one GET gave: a scrape, or how there is none. Both are None where nothing was asked."""

    scrape: Scrape | None = None
    how: How | None = None
    detail: str = ""
    form: Form = "text"
    unread: int = 0  # lines, and families of protobuf, that could not be read


def page_of(output: Output) -> Page:
    """The page of one output. Never raises."""
    said = list(records(output.stderr.decode("utf-8", "replace")))
    last = said[-1] if said else {}
    if output.http_status is None or output.timed_out:
        return _without_answer(output, said)
    if output.http_status != _OK:
        return _status(output.http_status, last)
    if output.truncated:
        return Page(how="too big", detail=output.problem or "more than 4 MB came")
    if last.get("encoding"):
        return Page(how="packed", detail=_word(last["encoding"]))
    return _read(output, last)


def _read(output: Output, last: dict[str, Any]) -> Page:
    kind = str(last.get("content_type", "")).lower()
    form: Form = "protobuf" if last.get("form") == "protobuf" else "text"
    if form == "text" and "openmetrics" in kind:
        form = "openmetrics"
    page = parse(output.text)
    if not page.samples or (page.bad_lines > page.samples and not page.types):
        detail = f"the content type is {_word(kind)}" if kind else "it gave no content type"
        empty = not output.stdout.strip()
        return Page(how="no metrics", detail="it is empty" if empty else detail)
    why = _cut(output, last, form, page)
    if why:
        return Page(how="cut", detail=why)
    unread = page.bad_lines + int(last.get("garbled") or 0)
    return Page(Scrape(output.started, page), form=form, unread=unread)


def _cut(output: Output, last: dict[str, Any], form: Form, page: Exposition) -> str:
    """Why the end of a page must be missing; empty where it is there."""
    if last.get("cut"):
        return "fewer bytes came than were announced"
    if form == "openmetrics" and not page.ended:
        return "it is OpenMetrics and does not end with # EOF"
    if last.get("framed") is False and form == "text" and not output.stdout.endswith(b"\n"):
        return "its last line has no end"
    return ""


def _without_answer(output: Output, said: list[dict[str, Any]]) -> Page:
    if output.timed_out and any(r.get("answered") for r in said):
        return Page(how="slow")
    if output.timed_out and any(r.get("connected") for r in said):
        return Page(how="accepted")
    how = said[-1].get("how") if said else None
    if how in _SILENT:
        return Page(how=cast("How", how))
    return Page(how="unreachable") if output.timed_out else Page()


def _status(status: int, last: dict[str, Any]) -> Page:
    detail = f"HTTP {status}"
    if status in _STATUS:
        wait = _word(last.get("retry_after") or "")
        more = f", again after {wait}{' s' if wait.isdigit() else ''}" if wait else ""
        return Page(how=_STATUS[status], detail=detail + more)
    if status in _ELSEWHERE:
        return Page(how="elsewhere", detail=detail)
    return Page(how="failing" if status in _FAILING else "no page", detail=detail)


def _word(text: object) -> str:
    """A word of theirs, short and on one line."""
    return " ".join(str(text).split())[:_MOST_WORD]
