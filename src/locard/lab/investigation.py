"""Runs `locard investigate` or `locard logs` on a stage as a user would; the answer as data."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from locard.lab.processes import dies_with
from locard.model import columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.lab.stage import Stage

# A line of locard's progress: `   2.1 s  finding  logs     upstream-slow: …`
_PROGRESS = re.compile(r"\s*(?P<at>[0-9.]+) s\s+finding\s+\S+\s+(?P<rule>[a-z0-9-]+):")


@dataclass(frozen=True, slots=True)
class Investigated:
    """What locard answered. `document` is empty if it gave none; `found_at` is seconds by rule.

    `ended` is the Unix time at which it was done.
    """

    argv: tuple[str, ...]
    exit_code: int
    document: dict[str, Any]
    found_at: dict[str, float] = field(default_factory=dict)
    cpu_s: float = 0.0
    ended: float = 0.0


def command(stage: Stage, *extra: str) -> tuple[str, ...]:
    """The words that a user would type."""
    where = ("--logs", str(stage.log), "--metrics", stage.metrics_url)
    return ("locard", "investigate", f"pid/{stage.master}", *where, *extra)


def as_json(stage: Stage, *extra: str, echo: bool = True) -> Investigated:
    """Ask for JSON; progress goes on to our standard error if `echo`."""
    return _answered(command(stage, "-o", "json", *extra), echo=echo)


def logs_as_json(stage: Stage) -> Investigated:
    """Ask the log alone."""
    return _answered(("locard", "logs", str(stage.log), "--no-keep", "-o", "json"), echo=False)


def _answered(argv: tuple[str, ...], *, echo: bool) -> Investigated:
    # A file, not a pipe: while progress is read, nobody would empty a pipe.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as answer:
        done = _run(argv, answer, echo=echo)
        answer.seek(0)
        return replace(done, document=_parsed(answer.read()))


def as_text(
    stage: Stage, *extra: str, say: Callable[[str], None], echo: bool = True
) -> Investigated:
    """Show the report to the user, then read the same investigation back from its record."""
    argv = command(stage, *extra)
    say(f"$ {shlex.join(argv)}")
    sys.stdout.flush()
    done = _run(argv, None, echo=echo)
    state = extra[extra.index("--state") :][:2] if "--state" in extra else ()
    return replace(done, document=_recorded(f"pid/{stage.master}", state))


def _run(argv: tuple[str, ...], stdout: IO[str] | None, *, echo: bool) -> Investigated:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        _own(argv),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        preexec_fn=dies_with(os.getpid()),  # noqa: PLW1509 - one thread starts everything
    )
    try:
        found_at = _watch(process, echo=echo)
        code, ended = process.wait(), time.time()
    except BaseException:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Investigated(argv, code, {}, found_at, round(cpu_s, 2), ended)


def _watch(process: subprocess.Popen[str], *, echo: bool) -> dict[str, float]:
    """Pass progress on while it runs; the second at which each rule was first reported."""
    found_at: dict[str, float] = {}
    assert process.stderr is not None  # noqa: S101 - it was opened as a pipe
    for line in process.stderr:
        if echo:
            sys.stderr.write(columns.cut(line, columns.of(sys.stderr)) + "\n")
            sys.stderr.flush()
        if match := _PROGRESS.match(line):
            found_at.setdefault(match["rule"], float(match["at"]))
    process.stderr.close()
    return found_at


def _own(argv: tuple[str, ...]) -> list[str]:
    """The same words for this interpreter's locard, wherever PATH points."""
    return [sys.executable, "-m", *argv]


def _parsed(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _ask(*words: str) -> dict[str, Any]:
    argv = _own(("locard", *words, "-o", "json"))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return _parsed(done.stdout)


def _recorded(ref: str, state: tuple[str, ...]) -> dict[str, Any]:
    """The newest recorded investigation of this target, or nothing."""
    listed = _ask("incident", "list", *state).get("incidents", [])
    listed.sort(key=lambda item: Path(item["ledger"]).stat().st_mtime, reverse=True)
    for item in listed[:5]:
        document = _ask("incident", "show", item["incident"], *state)
        if document.get("question", {}).get("ref") == ref:
            return document
    return {}
