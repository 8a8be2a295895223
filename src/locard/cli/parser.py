"""The argument parser of every command: help that fits 80 columns, near words, the common flags."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from locard.model import columns
from locard.model.columns import WIDEST
from locard.model.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NoReturn

_LABEL = re.compile(r" +\S+ {2,}")  # of a list: its words go on below each other
_NO_VALUE = re.compile(r"argument (?P<flags>\S+): expected one argument")
_NEGATIVE = re.compile(r"-\.?[0-9]")
# DESIGN §4's common flags, with the commands of this version in which they mean something.
_ELSEWHERE = {
    "--since": "investigate, logs and metrics",
    "--around": "logs and metrics",
    "--budget": "investigate, host, probe and logs",
    "--allow": "investigate, host and probe",
    "--dry-run": "investigate, host and probe",
    "--where": "logs",
    "--incident": "investigate, host and probe",
    "--max-overhead": "syscalls, libcalls and trace NAME",
    "--for": "metrics, waits, syscalls, libcalls and trace NAME",
    "--tz": "investigate, host, probe, logs, incident and demo",
    "--no-color": "investigate, host, probe, logs and incident",
    "-q": "investigate, host, probe and logs",
    "-o": "investigate, host, probe, logs, incident and doctor",
}
_WITHOUT_VALUE = {"--dry-run", "--no-color", "-q"}


def width() -> int:
    """Columns that help and tables may take: those of the terminal, 80 at most."""
    return min(columns.asked_for() or columns.of(sys.stdout) or WIDEST, WIDEST)


def filled(text: str, room: int) -> str:
    """Paragraphs filled to so many columns; lines that are indented, and lists, stay lines."""
    out = []
    for paragraph in text.split("\n\n"):
        lines = paragraph.split("\n")
        if any(line.startswith(" ") for line in lines):
            for line in lines:
                indent = line[: len(line) - len(line.lstrip())]
                label = _LABEL.match(line)
                hang = " " * (len(label[0]) if label else len(indent) + 4)
                out.append(
                    textwrap.fill(
                        line.strip(),
                        room,
                        initial_indent=indent,
                        subsequent_indent=hang,
                        break_on_hyphens=False,
                    )
                )
        else:
            out.append(textwrap.fill(" ".join(lines), room, break_on_hyphens=False))
        out.append("")
    return "\n".join(out).rstrip()


class _Help(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=width() - 1)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return textwrap.indent(filled(text, width - len(indent)), indent)


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are locard errors."""

    def __init__(self, **options: Any) -> None:
        """As argparse's, with our formatter; options are never abbreviated."""
        super().__init__(formatter_class=_Help, allow_abbrev=False, **options)

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """The arguments of a command line, targets and flags in any order; raises UsageError."""
        if "--" in words:  # what stands behind it is no flag, whatever it begins with
            return self.parse_args(words)
        words = list(self._joined(words))
        inner = {argparse.PARSER, argparse.REMAINDER}
        if any(action.nargs in inner for action in self._actions):  # it has commands of its own
            return self.parse_args(words)
        return self.parse_intermixed_args(words)

    def _joined(self, words: Sequence[str]) -> Iterator[str]:
        """What is no flag is the value of the flag before it, which says what is wrong with it: `--for=-1s`."""
        flag = ""
        for word in words:
            if flag and (_NEGATIVE.match(word) or self._is_no_flag(word)):
                yield flag + ("=" if flag.startswith("--") else "") + word
                flag = ""
                continue
            if flag:
                yield flag
            action = self._option_string_actions.get(word)
            flag = word if action is not None and action.nargs in {None, "?"} else ""
            if not flag:
                yield word
        if flag:
            yield flag

    def _is_no_flag(self, word: str) -> bool:
        """Whether a word begins with a dash and is none of the command's flags: `-e -strlen`."""
        return (
            len(word) > len("-x")
            and word[0] == "-" != word[1]
            and word[:2] not in self._option_string_actions
        )

    def error(self, message: str) -> NoReturn:
        """Raise UsageError, with the nearest word that fits."""
        bare = _NO_VALUE.fullmatch(message)
        if bare:
            flag = bare["flags"].rpartition("/")[2]
            raise UsageError(
                f"{flag} has no value", "nothing stands behind it", f"See: {self.prog} --help"
            )
        raise UsageError(message, self._why(message), f"See: {self.prog} --help")

    def _why(self, message: str) -> str:
        kind, _, rest = message.partition(": ")
        if kind == "unrecognized arguments":
            flags = [w.partition("=")[0] for w in rest.split() if w.startswith("-")]
            near = self._near(flags[0]) if flags else ""
            return near or "the command line does not fit"
        if "invalid choice: " in message:
            given = message.partition("invalid choice: ")[2].partition(" (")[0].strip("'\"")
            every = [str(c) for a in self._actions for c in a.choices or ()]
            return did_you_mean(given, every) or "the command line does not fit"
        return "the command line does not fit"

    def _near(self, flag: str) -> str:
        """The command's own flags that are near; else one of another command, with where it is."""
        own = [
            known
            for known, action in self._option_string_actions.items()
            if known.startswith("--") and not isinstance(action, _NotHere)
        ]
        near = did_you_mean(flag, own)
        if near:
            return near
        others = [known for known, where in _ELSEWHERE.items() if where and len(known) > 2]  # noqa: PLR2004 - no -q
        near = did_you_mean(flag, others)
        where = {_ELSEWHERE[known] for known in others if known in near.rstrip("?").split()}
        return f"{near} It is a flag of {' and '.join(sorted(where))}" if near else ""

    def add_common(self, command: str) -> None:
        """`--no-input`; and each common flag that the command lacks as an error that says where it is."""
        self.add_argument("--no-input", action="store_true", help="never ask (nothing does today)")
        for flag, where in _ELSEWHERE.items():
            if flag not in self._option_string_actions:
                self.add_argument(
                    flag,
                    action=_NotHere,
                    nargs=0 if flag in _WITHOUT_VALUE else "?",
                    const=(command, where),
                    dest=argparse.SUPPRESS,
                    help=argparse.SUPPRESS,
                )


class _NotHere(argparse.Action):
    """A flag that this command cannot honour: said, and never silently without effect."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's signature
        namespace: argparse.Namespace,  # noqa: ARG002 - as above
        values: str | Sequence[Any] | None,  # noqa: ARG002 - as above
        option_string: str | None = None,
    ) -> None:
        """Raise UsageError."""
        command, where = self.const
        raise UsageError(
            f"locard {command} has no {option_string}",
            f"it is a flag of {where}" if where else "no command of this version can do it yet",
            f"Leave it out, or see: locard {where.split()[0].rstrip(',')} --help"
            if where
            else "Leave it out.",
        )
