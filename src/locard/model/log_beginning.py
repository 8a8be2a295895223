"""Where a log begins, and why: what its source knows of that, and what is found of it.

What cannot be known is said to be unknown (model/beginning_words.py has the words).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BeginningKind = Literal[
    "asked",  # it was read from there on because a window was asked for
    "cut",  # the older part was given up while it was read
    "rotated",  # older files of it are there and were not read
    "may-be-rotated",  # its writer is older, and what keeps it throws old lines away
    "started",  # its writer began there: what ran before wrote another log, or none
    "kept-from",  # all that is kept begins there: older entries were removed, or never kept
    "first-words",  # what keeps it goes further back: its writer was silent before
    "unknown",
]


@dataclass(frozen=True, slots=True)
class Origin:
    """What a source knows of where one log in it begins. Times are Unix time in seconds.

    `name` is empty for the source as a whole; the lines of a part are known by the `values` of fields, or
    by their numbers (`lines`: from, to). `first` is the time of the first line by the clock of what keeps
    it, where that is known. `writer` names what writes it, which began at one of `starts`; `keeper`, what keeps it, goes back to `kept_from` and throws old lines away as
    `rotates` says. `unread` are its older files, in words. `evidence` is what told all this, `rest` says
    what may have older lines of this writer, `others` what may have those of what it replaced too.
    """

    name: str = ""
    values: tuple[tuple[str, str], ...] = ()
    lines: tuple[tuple[int, int], ...] = ()
    first: float | None = None
    asked: bool = False
    asked_from: float | None = None  # from when on, where that is known
    writer: str = ""
    starts: tuple[float, ...] = ()
    restarts: int = 0
    ended: float | None = None  # when its writer did
    keeper: str = ""
    kept_from: float | None = None
    rotates: str = ""
    unread: str = ""
    note: str = ""
    evidence: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogBeginning:
    """Where a log begins and why, with what told it and what may have the lines before.

    `part` is empty for the log as a whole, else it names one of several that were read together: a pod's
    container, a file. `began` is when its writer started, or how far what keeps it goes back. `steps`: the
    traffic steps there, or the errors do, which says nothing of the service.
    """

    kind: BeginningKind
    at: float | None  # of its first line
    part: str = ""
    writer: str = ""
    began: float | None = None
    restarts: int = 0
    ended: float | None = None  # when its writer did: nothing more is written
    detail: str = ""
    steps: bool = False
    evidence: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
