"""File descriptors: each process against its limit, the host against file-max.

Shows: how many descriptors each process of the target has open, of which kind, against its soft
  limit; how many files the whole host has open against fs.file-max.
How: lists /proc/PID/fd, reads /proc/PID/limits and /proc/sys/fs/file-nr.
Impact: reads. One directory listing per process; 100,000 descriptors take about 0.2 s.
Limits: one moment: a leak shows as a high count, its growth only by looking again. Other users'
  processes need CAP_SYS_PTRACE. Verdicts: 80 % of the limit warns, since bursts of connections
  commonly add a quarter, and 95 % is critical: accept and open are about to fail with EMFILE.
Source: proc(5), getrlimit(2).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from locard.guard.command import Impact, Template
from locard.host import _files
from locard.model import semconv
from locard.model.evidence import Output, Scope
from locard.model.facts import Reading, Readings
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_FILE_NR = "/proc/sys/fs/file-nr"

SYSTEM = Template(("grep", "-s", "-H", "", _FILE_NR), Impact.READS, 3.0, output="counters")
LIMITS = Template(
    ("grep", "-s", "-H", "Max open files", "/dev/null", "/proc/{pid:pid*}/limits"),
    Impact.READS,
    3.0,
    output="counters",
)
OPEN = Template(
    ("find", "/proc/{pid:pid*}/fd", "-mindepth", "1", "-maxdepth", "1", "-printf", "%h %l\\n"),
    Impact.READS,
    5.0,
    by_hand="for p in {pid}; do ls -l /proc/$p/fd; done",
    max_bytes=16 << 20,
    output="counters",
)
COMMANDS = (SYSTEM, LIMITS, OPEN)

_OPEN_LINE = re.compile(r"^/proc/(\d+)/fd (.*)$", re.MULTILINE)
_LIMIT = re.compile(r"Max open files\s+(\d+|unlimited)")


def applies(context: Context) -> Skip | None:  # noqa: ARG001 - the host's own count is always there
    """Always."""
    return None


def scope(context: Context) -> Scope:
    """The host and the target's processes."""
    return Scope(pids=context.target.pids, note="the whole host and each process of the target")


def plan(context: Context) -> Generator[Step, Output, None]:
    """The host's count, then limits and open descriptors of the target."""
    yield SYSTEM.fill()
    if context.target.pids:
        yield LIMITS.fill(pid=context.target.pids)
        yield OPEN.fill(pid=context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One reading per process and one of the host."""
    if not outputs:
        return ()
    files = _files.by_file(outputs)
    readings = [_system(files.get(_FILE_NR, []))]
    for output in outputs:
        if output.program == "find":
            readings += _processes(output, files)
    return (Readings(tuple(readings)),)


def _system(lines: list[str]) -> Reading:
    words = " ".join(lines).split()
    name = semconv.SYSTEM_OPEN_FILES
    if len(words) < 3 or not all(w.isdigit() for w in words):  # noqa: PLR2004 - used, free, max
        return Reading(name, "system", 0.0, "{fd}", None, "unknown", f"{_FILE_NR} is not readable")
    used, limit = int(words[0]), int(words[2])
    verdict = _files.above(used / max(1, limit), 0.8, 0.95)
    return Reading(name, "system", used, "{fd}", limit, verdict)


def _processes(output: Output, files: dict[str, list[str]]) -> Iterator[Reading]:
    asked = [a.split("/")[2] for a in output.argv if re.fullmatch(r"/proc/\d+/fd", a)]
    kinds: dict[str, Counter[str]] = {}
    for found in _OPEN_LINE.finditer(output.text):
        kinds.setdefault(found[1], Counter())[_kind(found[2])] += 1
    for pid in asked:
        name, subject = semconv.PROCESS_OPEN_FDS, f"pid {pid}"
        limit_line = _LIMIT.search(" ".join(files.get(f"/proc/{pid}/limits", [])))
        cut = _files.unfinished(output)
        if pid not in kinds or cut:
            # No descriptor at all is also what a process shows that may not be looked at.
            why = f"not all listed: {cut}" if cut else "not permitted, or gone"
            yield Reading(name, subject, 0.0, "{fd}", None, "unknown", why)
            continue
        count = sum(kinds[pid].values())
        detail = ", ".join(f"{n} {kind}" for kind, n in kinds[pid].most_common(4))
        if limit_line is None or limit_line[1] == "unlimited":
            verdict: _files.Verdict = "unknown" if limit_line is None else "ok"
            yield Reading(name, subject, count, "{fd}", None, verdict, detail)
            continue
        limit = int(limit_line[1])
        verdict = _files.above(count / max(1, limit), 0.8, 0.95)
        yield Reading(name, subject, count, "{fd}", limit, verdict, detail)


def _kind(to: str) -> str:
    if to.startswith("/"):
        return "files"
    return {"socket": "sockets", "pipe": "pipes"}.get(to.partition(":")[0], "others")


_FIND = ("find", "/proc/7/fd", "/proc/8/fd", "-mindepth", "1")
_OPEN_TEXT = "/proc/7/fd socket:[1]\n" * 90 + "/proc/7/fd /var/log/a\n" * 7

SAMPLES = (
    Sample(
        (
            Output(("grep", "-s", "-H", "", _FILE_NR), f"{_FILE_NR}:10\t0\t1000\n".encode()),
            Output(
                ("grep", "Max open files", "/proc/7/limits"),
                b"/proc/7/limits:Max open files            100                  4096       files\n",
            ),
            Output(_FIND, _OPEN_TEXT.encode(), exit_code=1),
        ),
        (
            "subject='system', value=10, unit='{fd}', limit=1000, verdict='ok'",
            "subject='pid 7', value=97, unit='{fd}', limit=100, verdict='critical'",
            "90 sockets, 7 files",
            "subject='pid 8', value=0.0, unit='{fd}', limit=None, verdict='unknown'",
        ),
    ),
    Sample((Output(("grep", _FILE_NR), b""),), ("verdict='unknown'",)),
)
