"""Where jq stops in a log: jq ends at the first text that is no JSON and loses what stands behind."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from locard.logs.input.log_source import Source

_LINES_JOINED = 200  # a JSON text may go over several lines
_SPACE = " \t\r\n"


class Stop(NamedTuple):
    """Where jq stops: `line` counts from 1, None where all lines up to `checked` are JSON to it.

    `records` is how many values jq has read by then.
    """

    line: int | None
    records: int
    checked: int
    whole: bool  # the source was checked to its end


def first_stop(source: Source, budget_s: float, known: int = 0) -> Stop:
    """Read a source as jq does until it would stop, the source ends or the budget does.

    The first `known` lines are blank or one JSON object each.
    """
    decoder = json.JSONDecoder()
    pending: list[str] = []
    number = values = 0
    began = time.monotonic()
    for block in source.blocks(budget_s):
        for raw in block.split(b"\n"):
            number += 1
            if number <= known:
                values += bool(raw.strip())
                continue
            line = raw.decode("utf-8", "replace")
            if number == 1:
                line = line.removeprefix("\ufeff")
            pending.append(line)
            got = _values(decoder, "\n".join(pending) if len(pending) > 1 else line)
            if got is None and _may_go_on(pending):
                continue
            if got is None:
                return Stop(number - len(pending) + 1, values, number, whole=False)
            values += got
            pending.clear()
        if block.endswith(b"\n"):
            number -= 1  # the empty text behind the last line end
        if time.monotonic() - began > budget_s:
            return Stop(None, values, number, whole=False)
    if pending and "".join(pending).strip():
        return Stop(number - len(pending) + 1, values, number, whole=True)
    return Stop(None, values, number, whole=not source.partial)


def _values(decoder: json.JSONDecoder, text: str) -> int | None:
    """How many JSON values a text holds; None where it is not all JSON."""
    at = found = 0
    while True:
        while at < len(text) and text[at] in _SPACE:
            at += 1
        if at == len(text):
            return found
        try:
            _, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        found += 1


def _may_go_on(pending: list[str]) -> bool:
    """Whether more lines may complete what was begun (pretty-printed JSON)."""
    if len(pending) > _LINES_JOINED:
        return False
    first, last = pending[0].strip(_SPACE), pending[-1].strip(_SPACE)
    return first in {"{", "["} and last[:1] in {"", '"', "{", "}", "[", "]", "-", *"0123456789tfn"}
