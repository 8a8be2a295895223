"""What to say of a first word that is no command: the command, target or log that may be meant."""

from __future__ import annotations

import os
import shlex

from locard import catalogue
from locard.cli import other_tools
from locard.model.errors import UsageError, did_you_mean
from locard.model.wording import without_password

_MOST_DIGITS = 10  # of a pid
_FLAGS = {"help": "--help", "version": "--version"}


def no_command(words: list[str], name: str, kinds: tuple[str, ...]) -> UsageError:
    """The error for a word that is no command; `kinds` are those of targets, each with its slash."""
    return other_tools.no_tool(words, name) or _no_command(words, name, kinds)


def _no_command(words: list[str], name: str, kinds: tuple[str, ...]) -> UsageError:
    if name in _FLAGS:
        return UsageError(f"no command {name!r}", "it is a flag", f"Write: locard {_FLAGS[name]}")
    if words[0].startswith("-"):
        return UsageError(
            f"no command {without_password(name)!r}",
            f"{words[0]} stands before the command or the target",
            "Write the command first: locard COMMAND [ARGUMENTS], or locard KIND/NAME [FLAGS].",
        )
    if name.isascii() and name.isdigit() and len(name) <= _MOST_DIGITS:
        return _target(name, f"pid/{name}", "a process is named by its kind and its pid")
    if os.path.exists(name):  # noqa: PTH110 - a word may be no path
        log = f"Write: locard logs {shlex.quote(name)}"
        return UsageError(f"{name!r} is no target and no command", "it is a file here", log)
    if "/" in name:
        return _no_target(name, kinds)
    return _no_word(name)


def _no_word(name: str) -> UsageError:
    every = [e.name for e in catalogue.entries("command")]
    near = did_you_mean(name, every)
    there_are = f"the commands are {', '.join(every)}"
    if near:
        why = f"{near} {there_are[0].upper()}{there_are[1:]}"
        return UsageError(f"no command {name!r}", why, "Pick one of these.")
    return _target(name, f"proc/{name}", there_are)


def _target(name: str, target: str, why: str) -> UsageError:
    step = f"For the process: locard {shlex.quote(target)}; for a log: locard logs PATH."
    return UsageError(f"no command {name!r}", why, step)


def _no_target(name: str, kinds: tuple[str, ...]) -> UsageError:
    """The error for KIND/NAME of a kind that there is not."""
    known = [kind.rstrip("/") for kind in kinds]
    near = did_you_mean(name.partition("/")[0], known)
    return UsageError(
        f"{name!r} is no target",
        near
        or f"a target is KIND/NAME, where KIND is {', '.join(known[:-1])} or {known[-1]},"
        " and no file is called so",
        "Write for example pid/4242; for a log: locard logs PATH.",
    )
