"""Secrets in messages that repeat what somebody typed or said: `mysql -uroot -px`, `token is x`.

A command line inside a text is known by its program, and judged as its arguments are judged
(`redact_argv`). A sentence gives a secret away only where the word behind its name is none.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from locard.guard import redact_argv
from locard.guard.secret_names import PASSWORD, TOKEN, is_said, kind_of, looks_random

if TYPE_CHECKING:
    from collections.abc import Iterator

_ARGUMENT = re.compile(
    r"\"(?P<double>[^\"\n]{0,512}+)\"?|'(?P<single>[^'\n]{0,512}+)'?|(?P<bare>[^\s;|&\"'`<>()]{1,512}+|<\*>)"
)
# `["curl", "-u", …]`, as Python and strace write a command line.
_LIST = re.compile(r"\[(?=[\"'])")
_ITEM = re.compile(
    r"(?:\"(?P<double>[^\"\n]{0,512}+)\"|'(?P<single>[^'\n]{0,512}+)')(?P<more>,[ ]?)?"
)
_MOST_ARGUMENTS, _MOST_CHARS = 40, 2048
_PROGRAMS = tuple(sorted(redact_argv.PROGRAMS, key=len, reverse=True))
_IN_NAMES = frozenset("_.-")
_STEMS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "credential",
    "key",
)
_SAID_TO_BE = re.compile(
    r"(?i)(?:password|passwd|passphrase|passcode|pwd|secret|token|credentials?|(?:api|access|secret|private|auth)[ _-]?key)"
    r"(?:[ \t]+(?:is|was|are|were|set to|changed to|of \S{1,64} (?:is|was))[ \t:=]+|[ \t]+)"
    r"[\"'`]?(?P<secret>[^\s\"'`,;<>()]{4,512}+)"
)
_BEFORE = re.compile(r"[\w-]{0,30}[ \t]?$")
_PAIR = re.compile(
    r"(?i)\b(?:(?:credentials?|creds)[ \t:=(]{1,3}|auth(?:=\(|[ \t:]{1,3}))[\"']?(?P<user>[\w.@+-]{1,64}+)[\"']?"
    r"(?:,[ \t]?|[ \t]/[ \t]|:|(?<=[\w])/)[\"']?(?P<secret>[^\s\"'(),;<>/:]{6,256}+)"
)
_MARK = re.compile(
    r"(?<!/)<(?P<kind>secret|token|auth|userinfo|private-key|jwt|webhook|card|email|phone|ip|iban):"
    r"(?P<inner>[^<>\s]{1,256}+)>"
)
_OURS = re.compile(r"[0-9a-f]{10}")
_NEAR = 4096
_MOST_NAME = 32
_LEAST_ODD = 5


def typed_secrets(text: str) -> Iterator[tuple[int, int]]:
    """Where in the text they stand, in order, none inside another."""
    done = 0
    for found in sorted((*_typed(text), *_listed(text), *_told(text), *_forged(text))):
        if found[0] >= done:
            yield found
            done = found[1]


@functools.lru_cache(maxsize=256)
def _pattern(programs: tuple[str, ...]) -> re.Pattern[str]:
    """Of the programs that are there: a search for all of them would take most of the time."""
    return re.compile(rf"(?:{'|'.join(map(re.escape, programs))})(?=[ \t]+\S)")


def _typed(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    programs = tuple(name for name in _PROGRAMS if name in text)
    for found in _pattern(programs).finditer(text) if programs else ():
        before = text[found.start() - 1 : found.start()]
        if found.start() < done or before.isalnum() or before in _IN_NAMES:
            continue
        words, places, at = [found[0]], [found.start()], found.end()
        stop = min(len(text), at + _MOST_CHARS)
        while len(words) < _MOST_ARGUMENTS:
            while at < stop and text[at] in " \t":
                at += 1
            word = _ARGUMENT.match(text, at, stop)
            if word is None or word.lastgroup is None:
                break
            words.append(word[word.lastgroup])
            places.append(word.start(word.lastgroup))
            at = word.end()
        done = at
        for (word_, start), place in zip(redact_argv.secrets(words), places, strict=True):
            if start is not None and start < len(word_):
                yield place + start, place + len(word_)


def _listed(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    for begin in _LIST.finditer(text):
        at = begin.end()
        stop = min(len(text), at + _MOST_CHARS)
        words: list[str] = []
        places: list[int] = []
        while at >= done and len(words) < _MOST_ARGUMENTS and (item := _ITEM.match(text, at, stop)):
            quoted = "single" if item["double"] is None else "double"
            words.append(item[quoted])
            places.append(item.start(quoted))
            at = item.end()
            if not item["more"]:
                break
        done = max(done, at)
        for (word, start), place in zip(redact_argv.secrets(words), places, strict=True):
            if start is not None and start < len(word):
                yield place + start, place + len(word)


def _told(text: str) -> Iterator[tuple[int, int]]:
    lower = text.lower()
    for found in _SAID_TO_BE.finditer(text) if any(stem in lower for stem in _STEMS) else ():
        before = _BEFORE.search(text[max(0, found.start() - _MOST_NAME) : found.start()])
        name = text[found.start() : found.start("secret")].split(maxsplit=1)[0]
        kind = kind_of((before[0] if before else "") + name)
        value = found["secret"].rstrip(".!?:")
        if (
            kind in {PASSWORD, TOKEN}
            and not is_said(value)
            and _is_odd(value, sure=kind == PASSWORD)
        ):
            yield found.start("secret"), found.start("secret") + len(value)
    for found in _PAIR.finditer(text) if "auth" in lower or "cred" in lower else ():
        value = found["secret"].rstrip(".!?")
        if not is_said(found["user"]) and not is_said(value) and _is_odd(value, sure=True):
            yield found.start("secret"), found.start("secret") + len(value)


def _is_odd(value: str, *, sure: bool) -> bool:
    """Whether nobody writes such a word: letters and digits mixed, and no measurement, path or version."""
    plain = value.replace("#", "1").replace("<*>", "1")  # of a template, as its example is judged
    if re.search(r"[=/]", plain) or re.fullmatch(r"[vV]?[0-9][0-9.,:]*[A-Za-z%]{0,5}", plain):
        return False
    digits, letters = any(c.isdigit() for c in plain), any(c.isalpha() for c in plain)
    return digits and letters and (sure or looks_random(plain)) and len(plain) >= _LEAST_ODD


def _forged(text: str) -> Iterator[tuple[int, int]]:
    """Marks in the form of locard's own that locard did not write."""
    for found in _MARK.finditer(text):
        if _OURS.fullmatch(found["inner"]):
            continue
        near = text[found.end() : found.end() + _NEAR]
        if f"</{found['kind']}:" not in near:  # an element with a name space
            yield found.span()
