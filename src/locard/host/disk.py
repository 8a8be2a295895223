"""Disks that the target writes to: free space and inodes, and deleted files that it still holds.

Shows: for each file system on which the target has a file open for writing, its current folder or
  its /tmp: how full it is in space and in inodes, and what is kept for root; deleted files that are
  still open, whose space comes back only when they are closed. Without a target, of all file systems.
How: a reader of locard's own goes to python3 on standard input and reads /proc/PID/{fd,fdinfo,cwd,
  mountinfo}, and asks statvfs through /proc/PID/fd, so that it is the target's own file system. Where
  hardly an inode is left it looks for the folder with the most entries, for at most 0.4 s.
Impact: reads. Two small reads for each open file, at most 20,000.
Limits: network and FUSE mounts are never asked, since their server may not answer, nor what lies behind
  one: they are named. Fullness is as df says it, for ordinary users; what root may write beyond is told.
  Quotas of users and projects are not seen. Verdicts: 90 % used warns, 98 % is critical: many programs
  fail on the first write that does not fit; a target that is root's alone is only warned where root
  may still write. A deleted file that takes 10 % of its file system warns, since no `du` shows it.
Source: proc(5), statvfs(3); Linux Documentation/filesystems/proc.rst for mountinfo.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.host import _files
from locard.model import semconv, thread_records
from locard.model.evidence import Output, Scope
from locard.model.facts import Reading, Readings
from locard.model.target import Context, Skip
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.probe import Step

COMMANDS = (
    Template(
        argv=("python3", "-I", "-S", "-", "{pid:pid*}"),
        impact=Impact.READS,
        bound_s=6.0,
        by_hand="lsof -p {pid}; df -h; df -i; lsof +L1 -p {pid}",
        program="host/_disk.py",
        output="json",
        needs=(needs.PYTHON,),
    ),
)
_FULL = (0.90, 0.98)
_LARGE = 0.10  # of its file system
_LEAST_BYTES = 1 << 20
_RESERVE = 0.005  # of the blocks: less is rounding
_MOST_FINE = 8  # of a host's healthy readings


def applies(context: Context) -> Skip | None:
    """A host has disks; of a target it takes processes, whose files are looked at."""
    if not context.target.pids and context.target.kind != "host":
        return Skip("the target has no processes", "name one: pid/PID or proc/NAME")
    return None


def scope(context: Context) -> Scope:
    """The file systems that the target writes to, or all of the host."""
    every = (
        "all file systems" if not context.target.pids else "file systems that the target writes to"
    )
    return Scope(pids=context.target.pids, note=every)


def plan(context: Context) -> Generator[Step, Output, None]:
    """One run of the reader for all processes, or for the whole host."""
    yield COMMANDS[0].fill(pid=context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """Space, inodes and deleted files of each file system; of a host's healthy ones the largest."""
    records = [r for o in outputs for r in thread_records.records(o.text)]
    of_host = bool(outputs) and outputs[0].argv[-1:] == ("-",)
    readings = []
    for record in records:
        try:
            readings += list(_system(record, of_host=of_host))
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    sizes = {r["fs"]: r for r in records if isinstance(r.get("fs"), str) and "blocks" in r}
    with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
        readings += list(_deleted([r for r in records if "deleted" in r], sizes))
    unseen = sum(n for r in records if isinstance(n := r.get("unseen"), int))
    if of_host and unseen:
        readings.append(_unseen(unseen))
    if of_host:
        fine = [r for r in readings if r.verdict == "ok"]
        shown = sorted(fine, key=lambda r: (not r.subject.startswith("/ ("), -r.value))[:_MOST_FINE]
        readings = [replace(r, of="host") for r in readings if r.verdict != "ok" or r in shown]
    return (Readings(tuple(readings)),) if readings else ()


def _unseen(processes: int) -> Reading:
    """Deleted files may be held by processes that may not be looked at: none seen is not none."""
    detail = f"of {count(processes, 'process')} the open files could not be looked at"
    return Reading(
        semconv.PROCESS_DELETED_FILES, "other processes", 0.0, "By", None, "unknown", detail
    )


def _subject(record: dict[str, Any]) -> str:
    return f"{record['mount']} ({record['type']})"


def _system(record: dict[str, Any], *, of_host: bool) -> Iterator[Reading]:
    name = semconv.SYSTEM_FILESYSTEM_UTILIZATION
    if "not_asked" in record:
        detail = "not asked: a network or FUSE mount may not answer"
        yield Reading(name, _subject(record), 0.0, "1", None, "unknown", detail, "target")
        return
    if "missed" in record and "mount" in record:
        detail = str(record["missed"])
        yield Reading(name, _subject(record), 0.0, "1", None, "unknown", detail, "target")
        return
    if "blocks" not in record:
        return
    notes = [] if of_host else [f"the target writes {', '.join(map(str, record['paths'][:2]))}"]
    if record.get("image"):
        notes.append(f"an image in {record['image']}")
    blocks, avail, block = (int(record[k]) for k in ("blocks", "avail", "block"))
    free = int(record.get("free", avail))
    if blocks > 0:
        taken = int(record.get("used", blocks - free))
        used = taken / (taken + avail) if taken + avail else 1.0
        verdict = _files.above(used, *_FULL)
        detail = f"{_size(avail * block)} of {_size(blocks * block)} free"
        if verdict != "ok" and free - avail >= _RESERVE * blocks:
            detail = (
                f"{_size(avail * block)} of {_size(blocks * block)} are left for ordinary users; "
                f"root may still write {_size(free * block)}, which is kept in reserve"
            )
            if record.get("root_only") is True and record.get("pids"):
                verdict = "warning"
                notes.append("all processes that write there are root's")
        words = "; ".join((detail, *notes))
        yield Reading(name, _subject(record), round(used, 4), "1", 1.0, verdict, words, "target")
    yield from _inodes(record, notes, _size(avail * block))


def _inodes(record: dict[str, Any], notes: list[str], space: str) -> Iterator[Reading]:
    files, free = int(record["files"]), int(record["free_files"])
    if files <= 0:
        return
    used = 1 - free / files
    verdict = _files.above(used, *_FULL)
    words = [f"{free} of {files} inodes free"]
    if verdict != "ok":
        words.append(f"{space} of space are free")
    crowded = record.get("crowded")
    if isinstance(crowded, list) and len(crowded) == 3 and isinstance(crowded[1], int):  # noqa: PLR2004
        words.append(
            f"of the folders that a short look saw, {crowded[0]} has the most entries "
            f"({crowded[1]:,}, one is {str(crowded[2])[:60]})"
        )
    yield Reading(
        semconv.SYSTEM_FILESYSTEM_INODES,
        _subject(record),
        round(used, 4),
        "1",
        1.0,
        verdict,
        "; ".join((*words, *notes)),
        "target",
    )


def _deleted(held: list[dict[str, Any]], sizes: dict[str, dict[str, Any]]) -> Iterator[Reading]:
    """One reading for each file system with deleted files; what several share counts once."""
    groups: dict[str, dict[object, dict[str, Any]]] = {}
    for record in held:
        if isinstance(record.get("bytes"), int):
            groups.setdefault(str(record.get("fs")), {})[record.get("inode")] = record
    for device, files in groups.items():
        total = sum(r["bytes"] for r in files.values())
        if total < _LEAST_BYTES:
            continue
        largest = max(files.values(), key=lambda r: r["bytes"])
        system = sizes.get(device)
        whole = int(system["blocks"]) * int(system["block"]) if system else None
        large = whole is not None and total >= _LARGE * whole
        detail = (
            f"{count(len(files), 'deleted file')} still held open, the largest {largest.get('path')} "
            f"({_size(largest['bytes'])}, pid {largest['deleted']} descriptor {largest.get('fd')}"
            f"{_of_unit(largest)}); their space comes back when they are closed, or truncated through it"
        )
        yield Reading(
            semconv.PROCESS_DELETED_FILES,
            _subject(system) if system else f"device {device}",
            total,
            "By",
            whole,
            "warning" if large else "ok",
            detail,
            "target",
        )


def _of_unit(record: dict[str, Any]) -> str:
    unit = record.get("unit")
    return f" of {unit}" if isinstance(unit, str) and unit else ""


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:  # noqa: PLR2004 - the next unit
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"  # noqa: PLR2004
        value /= 1024
    return f"{value:.1f} TiB"


_TEXT = (
    '{"deleted": 7, "fd": 3, "path": "/data/trace.log", "bytes": 22020096, "inode": 5, "fs": "0:9"}\n'
    '{"fs": "0:9", "mount": "/data", "type": "tmpfs", "blocks": 6144, "avail": 0, "block": 4096,'
    ' "files": 1000, "free_files": 900, "paths": ["/data/trace.log"], "pids": [7]}\n'
    '{"not_asked": "0:10", "mount": "/mnt/nas", "type": "nfs4", "paths": [], "pids": [7]}\n'
    '{"end": 1}\n'
)

_HOST = (
    '{"mount": "/srv/spare", "type": "ext4", "paths": ["/srv/spare"], "pids": [], "fs": "7:2",'
    ' "blocks": 33519, "avail": 2, "free": 12290, "used": 20410, "block": 1024, "files": 10240, "free_files": 10227,'
    ' "image": "/var/tmp/spare.img", "crowded": null}\n'
)
SAMPLES = (
    Sample(
        (Output(("python3", "-", "7"), _TEXT.encode()),),
        (
            "subject='/data (tmpfs)', value=1.0, unit='1', limit=1.0, verdict='critical'",
            "0 B of 24 MiB free; the target writes /data/trace.log",
            "900 of 1000 inodes free",
            "value=22020096, unit='By', limit=25165824, verdict='warning'",
            "the largest /data/trace.log (21 MiB, pid 7 descriptor 3)",
            "subject='/mnt/nas (nfs4)', value=0.0, unit='1', limit=None, verdict='unknown'",
        ),
    ),
    Sample((Output(("python3", "-", "7"), b'{"fs": "0:9", "mount": "/d'),), ("()",)),
    Sample(
        (Output(("python3", "-I", "-S", "-"), _HOST.encode()),),
        (
            "verdict='critical', detail='2.0 KiB of 33 MiB are left for ordinary users; root may",
            "still write 12 MiB, which is kept in reserve; an image in /var/tmp/spare.img', of='host'",
        ),
    ),
)
