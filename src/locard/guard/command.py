"""Commands: argv tuples with impact, residue and a time bound, made from declared templates."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from locard.guard import bpftrace
from locard.model.errors import RefusedError, UsageError


class Impact(IntEnum):
    """What a command does to the target, mildest first (DESIGN §1.2)."""

    READS = 0
    SAMPLES = 1
    PAUSES = 2
    INJECTS = 3

    @property
    def word(self) -> str:
        """The name as users write it after `--allow`."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Impact:
        """The impact class of a word; raises UsageError."""
        try:
            return cls[word.upper()]
        except KeyError:
            words = ", ".join(i.word for i in cls)
            raise UsageError(
                f"no impact class {word!r}", f"the classes are {words}", "Pick one."
            ) from None


MOST_LOG = 1 << 50  # bytes: a log is read as it comes, and ended by who reads it
# What a placeholder may hold. None can begin with '-', so no value becomes an option.
_PATTERNS = {
    "pid": re.compile(r"[1-9][0-9]{0,9}"),
    "pids": re.compile(r"[1-9][0-9]{0,9}(?:,[1-9][0-9]{0,9})*"),
    "int": re.compile(r"[0-9]{1,12}"),
    "number": re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?"),
    "path": re.compile(r"/[^\0]*"),
    "source": re.compile(r"-|[^-\0][^\0]*"),
    "url": re.compile(r"https?://[^\s\0]+"),
    "word": re.compile(r"[A-Za-z0-9_.@][A-Za-z0-9_.:@/+-]*"),
    "question": re.compile(r"\{[^\0\n]*\}"),  # an object of JSON
    "bpftrace": re.compile(bpftrace.READS_ONLY),
}
_PLACEHOLDER = re.compile(r"\{(?P<name>[a-z_]+):(?P<type>[a-z]+)(?P<many>\*?)\}")

Via = Literal["exec", "http"]
# What ends a command that has no end of its own. Tools that trace tell what they counted, and let go of
# the target, when SIGINT comes: at the bound, which then is no failure. They are killed where they do not
# end then; "only interrupted" is what would take the target with it if it were killed.
Ends = Literal["killed", "interrupted", "only interrupted"]
# How an output is built, and so how it is redacted: JSON (a document, or one a line), a process table
# as JSON, counters of the kernel, a metrics page, series as far/metric_lines.py writes them, or free text.
Written = Literal["json", "processes", "counters", "exposition", "series", "text"]


@dataclass(frozen=True, slots=True)
class Need:
    """A program that a command starts: what it adds and how to get it. `locard doctor` reads these.

    `of` names a collection that several programs are of: it is there where any of them is.
    """

    program: str
    adds: str
    get: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Residue:
    """What a command leaves at the place: how it is removed, and how it is seen to be gone.

    `gone` exits 0 when nothing is left. Both are templates with the placeholders of their command.
    Where `undo` is None it cannot be removed: said before, and again in the report.
    """

    what: str
    undo: Template | None = None
    gone: Template | None = None


@dataclass(frozen=True, slots=True)
class Undo:
    """The undoing of one command: argv to remove what it left, argv to see that it is gone."""

    what: str
    undo: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to run: made by `Template.fill` and by nothing else.

    `program` names a reader of locard's own (`kernel/_threads.py`) whose source is given to the
    interpreter on standard input, so that it travels over any transport and leaves no file.
    """

    argv: tuple[str, ...]
    impact: Impact
    bound_s: float
    residue: tuple[str, ...]
    max_bytes: int
    via: Via
    program: str | None
    stdin: bool
    by_hand: str
    pids: tuple[int, ...]
    template: Template
    undo: tuple[Undo, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """A pause between two commands of one plan, in seconds. Runs nothing."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Template:
    """The declaration of a command: an argv with typed placeholders.

    Placeholders are `{name:type}`, one to an argument, possibly inside a longer one
    (`/proc/{pid:pid}/fd`); `{name:type*}` repeats its argument for each value. Types: pid, pids, int,
    number, path, source, url, word, question, bpftrace. `by_hand` is what an engineer would type for the same.
    `here`: it runs where locard was started, whatever the place. `streams`: it goes on until it is
    ended, and is read as it grows. `most_cpu` is the share of a core after which the place itself
    ends it. `prompt`: everything else waits for it and it costs little, so it runs at nice 10 instead of
    idle: on a host whose CPUs are full an idle process gets next to nothing. `parts` travel beside the
    program, as (name, path in the package, `{machine}` in it being the place's): descriptors in memory
    there, nothing on its disk. `ends`: what ends it. `merged`: what it says on standard error belongs
    to its output.
    """

    argv: tuple[str, ...]
    impact: Impact
    bound_s: float
    by_hand: str = ""
    residue: tuple[Residue, ...] = ()
    max_bytes: int = 4 << 20
    via: Via = "exec"
    program: str | None = None
    stdin: bool = False  # the child inherits locard's standard input
    needs: tuple[Need, ...] = ()
    output: Written = "text"
    here: bool = False
    streams: bool = False
    most_cpu: float | None = None
    prompt: bool = False
    parts: tuple[tuple[str, str], ...] = ()
    ends: Ends = "killed"
    merged: bool = False

    def fill(self, **values: str | float | tuple[str | int, ...]) -> Command:
        """The command with its placeholders filled; raises RefusedError on a value that misfits."""
        argv: list[str] = []
        pids: list[int] = []
        for part in self.argv:
            argv.extend(_fill_part(part, values, pids))
        by_hand = self.by_hand or shlex.join(argv)
        empty = ["{" + name + "}" for name, value in values.items() if value == ()]
        if ";" in by_hand:  # a part that is about nobody is not typed
            parts = by_hand.split("; ")
            by_hand = "; ".join(p for p in parts if not any(e in p for e in empty)) or by_hand
        for name, value in values.items():
            # People paste this into a shell: what came from outside is quoted, several as words.
            every = value if isinstance(value, tuple) else (value,)
            shown = " ".join(shlex.quote(str(v)) for v in every)
            by_hand = by_hand.replace("{" + name + "}", shown)
        return Command(
            argv=tuple(argv),
            impact=self.impact,
            bound_s=self.bound_s,
            residue=tuple(r.what for r in self.residue),
            max_bytes=self.max_bytes,
            via=self.via,
            program=self.program,
            stdin=self.stdin,
            by_hand=by_hand,
            pids=tuple(dict.fromkeys(pids)),
            template=self,
            undo=tuple(_undoing(r, values) for r in self.residue if r.undo is not None),
        )

    def made(self, command: Command) -> bool:
        """Whether this template could have made the command: every field, every argument."""
        same = (
            command.impact == self.impact
            and command.bound_s <= self.bound_s
            and command.residue == tuple(r.what for r in self.residue)
            and command.max_bytes == self.max_bytes
            and command.via == self.via
            and command.program == self.program
            and command.stdin == self.stdin
            and command.template == self
        )
        removable = [r for r in self.residue if r.undo is not None]
        undone = len(removable) == len(command.undo) and all(map(_undoes, removable, command.undo))
        return same and undone and _matches(self.argv, command.argv)


def _undoing(residue: Residue, values: dict[str, str | float | tuple[str | int, ...]]) -> Undo:
    undo = residue.undo.fill(**values).argv if residue.undo else ()
    return Undo(residue.what, undo, residue.gone.fill(**values).argv if residue.gone else ())


def _undoes(residue: Residue, undo: Undo) -> bool:
    """Whether an undoing is the one that was declared."""
    return (
        undo.what == residue.what
        and residue.undo is not None
        and _matches(residue.undo.argv, undo.undo)
        and _matches(residue.gone.argv if residue.gone else (), undo.gone)
    )


def _fill_part(
    part: str, values: dict[str, str | float | tuple[str | int, ...]], pids: list[int]
) -> list[str]:
    found = _PLACEHOLDER.search(part)
    if found is None:
        return [part]
    name, kind, many = found["name"], found["type"], found["many"]
    given = values[name]
    items = given if isinstance(given, tuple) else (given,)
    if not many and len(items) != 1:
        raise RefusedError(f"{name} has {len(items)} values", "it takes one", "Report this bug.")
    out = []
    for item in items:
        text = str(item)
        if not _PATTERNS[kind].fullmatch(text):
            raise RefusedError(
                f"{text!r} is no {kind}",
                f"the argument {part!r} takes a {kind}",
                "Nothing was run.",
            )
        if kind in {"pid", "pids"}:
            pids.extend(map(int, text.split(",")))
        out.append(part[: found.start()] + text + part[found.end() :])
    return out


def _matches(parts: tuple[str, ...], argv: tuple[str, ...]) -> bool:
    if not parts:
        return not argv
    head, rest = parts[0], parts[1:]
    found = _PLACEHOLDER.search(head)
    if found is None:
        return bool(argv) and argv[0] == head and _matches(rest, argv[1:])
    pattern = re.compile(
        re.escape(head[: found.start()])
        + f"(?:{_PATTERNS[found['type']].pattern})"
        + re.escape(head[found.end() :])
    )
    if found["many"]:
        upto = 0
        while upto < len(argv) and pattern.fullmatch(argv[upto]):
            upto += 1
        return any(_matches(rest, argv[k:]) for k in range(upto, -1, -1))
    return bool(argv) and bool(pattern.fullmatch(argv[0])) and _matches(rest, argv[1:])
