"""Redaction of a process table: command lines are judged as such, the kernel's numbers are left alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locard.guard.redact import Redactor

_NUMBERS = ("pid", "ppid", "start_ticks", "uid", "threads", "cgroup", "net", "pid_ns")
_TABLE_NUMBERS = ("boot", "ticks_per_s", "time", "whole")
_LISTS = ("own", "ended")
_TEXTS = ("node", "cut", "error")


def process_table(redactor: Redactor, text: str) -> str | None:
    """The table of `far/process_table.py` as it may be kept; None where it is none.

    It is written anew from the parts that are known, so that nothing else can slip through.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    plain: dict[tuple[str, ...], tuple[str, ...]] = {}  # command lines without a secret
    clean: dict[str, Any] = {k: found[k] for k in _TABLE_NUMBERS if _is_number(found.get(k))}
    clean.update((k, redactor.text(_text(found[k]))) for k in _TEXTS if k in found)
    clean.update((k, [n for n in _list(found.get(k)) if _is_number(n)]) for k in _LISTS)
    clean["cgroups"] = [_kernels(redactor, _text(g)) for g in _list(found.get("cgroups"))]
    clean["processes"] = [
        _row(redactor, row, plain) for row in _list(found.get("processes")) if isinstance(row, dict)
    ]
    return json.dumps(clean, separators=(",", ":")) + "\n"


def _row(
    redactor: Redactor, row: dict[str, Any], plain: dict[tuple[str, ...], tuple[str, ...]]
) -> dict[str, Any]:
    clean: dict[str, Any] = {k: row[k] for k in _NUMBERS if _is_number(row.get(k))}
    clean["comm"] = _argv(redactor, (_text(row.get("comm")),), plain)[0]
    clean["state"] = _text(row.get("state"))[:1]
    words = tuple(_text(word) for word in _list(row.get("cmdline")))
    clean["cmdline"] = list(_argv(redactor, words, plain))
    return clean


def _argv(
    redactor: Redactor, words: tuple[str, ...], plain: dict[tuple[str, ...], tuple[str, ...]]
) -> tuple[str, ...]:
    """Workers of one service have the same command line: one without a secret is judged once."""
    if words in plain:
        return plain[words]
    before = redactor.counts.total()
    clean = redactor.argv(words)
    if redactor.counts.total() == before:
        plain[words] = clean
    return clean


def _kernels(redactor: Redactor, text: str) -> str:
    """The path of a control group: an instance (`pay@2.service`) is no mail address."""
    return redactor.treat(text.encode(), "counters")[0].decode()


def _text(found: Any) -> str:
    """A text that can be written anywhere: half a surrogate pair cannot."""
    if not isinstance(found, str):
        return ""
    return found.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float)
