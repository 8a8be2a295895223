"""What several commands share: common flags, progress on standard error, writing files."""

from __future__ import annotations

import os
import stat
import sys
import time
import zoneinfo
from pathlib import Path
from typing import TYPE_CHECKING

from locard.model import columns
from locard.model.errors import StateError, UsageError
from locard.report.plain import safe

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from locard.investigate.means import Listener
    from locard.model.evidence import Evidence, Layer
    from locard.model.facts import Fact
    from locard.model.finding import Finding
    from locard.model.target import Skip


def output_arguments(
    parser: argparse.ArgumentParser, formats: tuple[str, ...], *, times: bool = True
) -> None:
    """`-o`, `--no-color`, `-q`, and `--tz` where `times` are shown."""
    parser.add_argument(
        "-o",
        dest="output",
        choices=formats,
        default=formats[0],
        metavar="FORMAT",
        help=", ".join(formats),
    )
    if times:
        parser.add_argument("--tz", type=zone, help="show times in this zone (default: local)")
    parser.add_argument("--no-color", action="store_true", help="as NO_COLOR")
    parser.add_argument("-q", dest="quiet", action="store_true", help="no progress on stderr")


def state_argument(parser: argparse.ArgumentParser) -> None:
    """`--state`."""
    parser.add_argument("--state", metavar="DIR", help="state directory (default: LOCARD_STATE)")


def zone(name: str) -> zoneinfo.ZoneInfo:
    """A time zone by its IANA name, for argparse."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            f"no time zone {name!r}", "zones have IANA names", "Write for example Europe/Berlin."
        ) from error


def process_began() -> float:
    """Unix time at which this process began, interpreter start-up included."""
    try:
        start = int(Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[19])
        uptime = float(Path("/proc/uptime").read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return time.time()
    return time.time() - (uptime - start / os.sysconf("SC_CLK_TCK"))


def write_file(path: str, text: str) -> None:
    """Write a file that the user named; raises StateError."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: str, data: bytes) -> None:
    """The same for what is no text."""
    try:
        Path(path).write_bytes(data)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise StateError(
            f"cannot write {path}",
            why,
            "The record is safe: locard incident show last -o html",
        ) from error


def require_writable(path: str) -> None:
    """Raise StateError where a file that the user named could not be written; leaves none behind."""
    try:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            # A pipe is not opened: closing it again would end its reader.
            mode = os.stat(path).st_mode  # noqa: PTH116 - it may be a link that leads nowhere
            if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
                os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
        else:
            os.close(fd)
            Path(path).unlink()
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise StateError(
            f"cannot write {path}", why, "Name a file in a folder that you may write to."
        ) from error


def progress(args: argparse.Namespace) -> Listener:
    """The listener that the flags ask for."""
    return Quiet() if args.quiet else _Progress()


def quiet() -> Listener:
    """A listener that says only what cannot wait."""
    return Quiet()


class Quiet:
    """Says only what cannot wait."""

    def began(self, layer: Layer, probe: str) -> None:
        """Nothing."""

    def grew(self, layer: Layer, probe: str, headline: str) -> None:
        """Nothing."""

    def grown(self, facts: Sequence[Fact], lines: str) -> None:
        """Nothing."""

    def stored(self, evidence: Evidence, headline: str, *, recorded: bool) -> None:
        """Nothing."""

    def skipped(self, layer: Layer, probe: str, skip: Skip) -> None:
        """Nothing."""

    def found(self, finding: Finding) -> None:
        """Nothing."""

    def waits(self, text: str) -> None:
        """Nothing."""

    def warned(self, text: str) -> None:
        """One line; what it quotes is another program's."""
        from locard.guard.redact import Redactor  # noqa: PLC0415 - keeps `--help` quick

        sys.stderr.write(f"locard: {safe(Redactor.passing().credentials(text))}\n")


class _Progress(Quiet):
    """One line for each piece of evidence, skipped probe and new finding."""

    def __init__(self) -> None:
        self._start = process_began()

    def _line(self, mark: str, layer: str, text: str) -> None:
        spent = time.time() - self._start
        line = f"{spent:6.1f} s  {mark:<8} {layer:<8} {safe(text)}"
        sys.stderr.write(columns.cut(line, columns.of(sys.stderr)) + "\n")
        sys.stderr.flush()

    def waits(self, text: str) -> None:
        self._line("waits", "", text)

    def began(self, layer: Layer, probe: str) -> None:
        self._line("runs", layer, f"{probe} …")

    def stored(self, evidence: Evidence, headline: str, *, recorded: bool) -> None:
        mark = f"{evidence.id} stored" if recorded else f"{evidence.id} (unrecorded)"
        self._line(mark, evidence.layer, f"{evidence.probe}: {headline}")

    def skipped(self, layer: Layer, probe: str, skip: Skip) -> None:
        self._line("skipped", layer, f"{probe}: {skip.why}. To unlock: {skip.unlock}")

    def found(self, finding: Finding) -> None:
        from locard.report.times import told  # noqa: PLC0415 - keeps `--help` quick

        self._line("finding", finding.layer, f"{finding.rule}: {told(finding.title, None)}")
