"""Redaction: secrets and personal data become keyed pseudonyms before anything is stored.

The same secret gives the same pseudonym within one incident (so grouping and replay survive) and
another one in the next, since each incident has its own key. The key stays out of the ledger.

Structure comes first. A `Template` says how its output is built; values are judged by the name that
they stand under and by their own form, and what is no value (counters, a page's numbers, JSON's
punctuation) is never touched. All of it is linear in what is read.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from collections import Counter
from typing import TYPE_CHECKING

from locard.guard import redact_argv, secret_forms, secret_names
from locard.guard.redact_json import JsonRedactor
from locard.guard.redact_masked import masked_tokens
from locard.guard.redact_names import named_values
from locard.guard.redact_processes import process_table
from locard.guard.redact_typed import typed_secrets
from locard.model.foreign_json import parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from locard.guard.command import Written

MOST_TEXT = 8 << 20  # characters that are looked at; what lies beyond is cut and said
_PSEUDONYM = re.compile(r"<[a-z-]{2,12}:[0-9a-f]{10}>")
_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|-----END\b")
# The lines of a key whose end is missing, line breaks written out or not, digits masked or not.
_KEY_LINES = re.compile(
    r"(?:[A-Za-z0-9+/=<>*#_…:-]{1,512}+(?=\s|\\+[nr]|$|[\"',}])(?:\s{1,8}|(?:\\{1,4}[nr]){1,4}|$)){1,400}"
)
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
# A name in UTF-8 stands between the braces and quotation marks: `{"http.requests","a.b"="c"} 1`.
_METRIC = re.compile(
    rf"(?P<name>[A-Za-z_:][\w:.]*|(?=\{{\s*{_QUOTED}\s*[,}}]))(?P<labels>\{{.*\}})?"
    r"(?P<rest>[ \t]+\S+(?:[ \t]+\S+)?\s*)"
)
_LABEL = re.compile(
    rf'(?P<name>[A-Za-z_][\w.]*|{_QUOTED})\s*=\s*"(?P<value>(?:[^"\\]|\\.)*+)"|{_QUOTED}'
)
_MASK = re.compile(r"(?:<\*>|[#*.…_-])+")  # what a template has in place of what varies
_NO_SECRETS = frozenset({"__name__", "le", "quantile"})  # labels that name or bound a measure
_PLAIN_NAME = re.compile(r"[\w.:/+-]{1,200}")  # of a metric, a label, a bound
_SHORT, _MOST_SEEN = 200, 20_000  # characters of a value that is kept in mind, and how many are
_WORD = 12  # letters: no name and no form of a secret is as short without another sign


class Redactor:
    """Replaces what looks secret or personal, and counts it by kind."""

    def __init__(self, key: bytes) -> None:
        """The key of the incident, at least 16 bytes."""
        self._key = key
        # Values that hold nothing: the same names and states come with each of a thousand threads.
        self._seen_clean: set[tuple[str, str]] = set()
        self.counts: Counter[str] = Counter()

    @classmethod
    def passing(cls) -> Redactor:
        """One whose key is kept nowhere: for what is shown and not recorded."""
        return cls(os.urandom(32))

    def treat(self, data: bytes, written: Written) -> tuple[bytes, int]:
        """An output as it may be kept, and how many values were replaced in it."""
        before = self.counts.total()
        text = data.decode("utf-8", "surrogateescape")
        ways: dict[str, Callable[[str], str]] = {
            "json": self._json,
            "processes": self._processes,
            "counters": self._counters,
            "exposition": self._exposition,
            "series": self._series,
            "text": self._text,
        }
        return ways[written](text).encode("utf-8", "surrogateescape"), self.counts.total() - before

    def apply(self, data: bytes) -> tuple[bytes, int]:
        """The same for free text."""
        return self.treat(data, "text")

    def text(self, text: str) -> str:
        """A text of the target's or the user's with pseudonyms in place of secrets."""
        plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return self._text(plain)

    def credentials(self, text: str) -> str:
        """A text for who asked: what opens a door goes; addresses, which may be his own words, stay."""
        plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return self._visible(self._cut(plain), lambda seen: self._tokens(self._names(seen)))

    def value(self, name: str, text: str) -> str:
        """The value of a field of that name."""
        if not text or (name, text) in self._seen_clean or _PSEUDONYM.fullmatch(text):
            return text
        clean = self._value(name, text)
        if clean == text and len(text) <= _SHORT and len(self._seen_clean) < _MOST_SEEN:
            self._seen_clean.add((name, text))
        return clean

    def _value(self, name: str, text: str) -> str:
        if secret_names.INVISIBLE.search(text):
            return self._visible(text, lambda plain: self.value(name, plain))
        kind = secret_names.kind_of(name)
        if kind in {secret_names.AUTH, secret_names.COOKIE}:
            return self._header(kind, text)
        if kind and secret_names.is_secret(kind, text, name=name):
            return self.pseudonym("card" if kind == secret_names.CARD else "secret", text)
        is_number = not any(c.isalpha() for c in text) and not re.search(r"[ +:]|\d\.\d+\.", text)
        if is_number and name and not kind:
            return text  # an order's number, a count, a version
        return self._forms(self._names(text), clients=not secret_forms.names_a_server(name))

    def argv(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """A command line: options that take a secret are known by name, and by program."""
        clean = []
        for part, start in redact_argv.secrets(argv):
            plain = part.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            if start is None:
                clean.append(self._text(plain))
            else:
                clean.append(plain[:start] + self.pseudonym("secret", plain[start:]))
        return tuple(clean)

    def pseudonym(self, kind: str, secret: str) -> str:
        """What stands for a secret, which is counted."""
        if _PSEUDONYM.fullmatch(secret) or _MASK.fullmatch(secret):
            return secret
        self.counts[kind] += 1
        data = secret.encode("utf-8", "surrogateescape")
        return f"<{kind}:{hmac.new(self._key, data, hashlib.sha256).hexdigest()[:10]}>"

    def _json(self, text: str) -> str:
        found = JsonRedactor(self).document(text)
        return self._plain(self._cut(text)) if found is None else found

    def _processes(self, text: str) -> str:
        found = process_table(self, text)
        return self._json(text) if found is None else found

    def _text(self, text: str) -> str:
        if text[:1] in "{[" and text.rstrip()[-1:] in "}]":
            found = JsonRedactor(self).document(text)
            if found is not None:
                return found
        return self._plain(self._cut(text))

    def _cut(self, text: str) -> str:
        if len(text) <= MOST_TEXT:
            return text
        self.counts["cut"] += 1
        return text[:MOST_TEXT] + f"\n<cut: {len(text) - MOST_TEXT} characters were not looked at>"

    def _visible(self, text: str, way: Callable[[str], str]) -> str:
        """Characters that nobody sees hide no name: without them, where that shows a secret."""
        plain = secret_names.INVISIBLE.sub("", text)
        clean = way(plain)
        return text if clean == plain else clean

    def _seen(self, line: str) -> str:
        hidden = secret_names.INVISIBLE.search(line)
        return self._visible(line, self._plain) if hidden else line

    def _plain(self, text: str) -> str:
        if secret_names.INVISIBLE.search(
            text
        ):  # then the whole again: some forms have several lines
            lines = text.split("\n")
            text = "\n".join(self._seen(line) for line in lines)
        if len(text) < _WORD and text.isalpha():
            return text
        return self._numbers(self._forms_of_letters(self._names(text)))

    def _counters(self, text: str) -> str:
        """Words of the kernel: no number in it is anyone's."""
        return self._forms_of_letters(self._names(text))

    def _exposition(self, text: str) -> str:
        """A metrics page: labels are values, numbers are measurements."""
        return "\n".join(map(self._metric, text.split("\n")))

    def _series(self, text: str) -> str:
        """Series with packed numbers behind a tab: labels are values, what is packed is measured."""
        return "\n".join(map(self._packed, text.split("\n")))

    def _packed(self, line: str) -> str:
        head, tab, numbers = line.partition("\t")
        if not tab:
            return self._json(line)
        try:
            said = parsed(head)
            labels = {str(k): str(v) for k, v in said["labels"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return self._plain(head)  # what is no line of series keeps no numbers
        clean = {
            k if _PLAIN_NAME.fullmatch(k) else self._plain(k): v
            if k in _NO_SECRETS and _PLAIN_NAME.fullmatch(v)
            else self.value(k, v)
            for k, v in labels.items()
        }
        if clean == labels:
            return line
        said["labels"] = clean
        return json.dumps(said, separators=(",", ":")) + tab + numbers

    def _metric(self, line: str) -> str:
        found = _METRIC.fullmatch(line)
        if found is None:
            return self._counters(line) if line.startswith("#") else self._plain(self._cut(line))
        if not found["labels"]:
            return line

        def label(match: re.Match[str]) -> str:
            name, value = match["name"], match["value"]
            if name is None:
                return match[0]  # the metric's own name
            clean = self.value(name.strip('"'), value)
            return f'{name}="{clean}"' if clean != value else match[0]

        return found["name"] + _LABEL.sub(label, found["labels"]) + found["rest"]

    def _names(self, text: str) -> str:
        text = self._replaced(text, ((s, e, "secret") for s, e in typed_secrets(text)))
        return self._replaced(text, ((s, e, "secret") for s, e in named_values(text)))

    def _forms(self, text: str, *, clients: bool) -> str:
        return self._numbers(self._forms_of_letters(text), clients=clients)

    def _tokens(self, text: str) -> str:
        text, masked = masked_tokens(self._keys(text))
        self.counts["token"] += masked
        for kind, pattern, check in secret_forms.FORMS:
            text = self._matched(text, kind, pattern, check)
        if any(stem in text for stem in secret_forms.CUT_STEMS):
            text = self._matched(text, "token", secret_forms.CUT, secret_forms.is_cut)
        return text

    def _forms_of_letters(self, text: str) -> str:
        text = self._tokens(text)
        if "@" in text or "%40" in text:
            text = self._replaced(text, ((s, e, "email") for s, e in _mails(text)))
        return text

    def _numbers(self, text: str, *, clients: bool = True) -> str:
        for kind, pattern, check in secret_forms.NUMBERS:
            if clients or kind != "ip":
                text = self._matched(text, kind, pattern, check)
        return self._replaced(text, ((s, e, "iban") for s, e in _ibans(text)))

    def _matched(
        self,
        text: str,
        kind: str,
        pattern: re.Pattern[str],
        check: Callable[[re.Match[str]], bool] | None,
    ) -> str:
        fitting = (m for m in pattern.finditer(text) if check is None or check(m))
        return self._replaced(text, ((*m.span("secret"), kind) for m in fitting))

    def _replaced(self, text: str, spans: Iterable[tuple[int, int, str]]) -> str:
        parts: list[str] = []
        done = 0
        for start, end, kind in spans:
            parts += (text[done:start], self.pseudonym(kind, text[start:end]))
            done = end
        return "".join((*parts, text[done:])) if parts else text

    def _keys(self, text: str) -> str:
        """Private keys, whole or cut at either end."""
        if "PRIVATE KEY" not in text:
            return text
        return self._replaced(text, ((s, e, "private-key") for s, e in _key_bodies(text)))

    def _header(self, kind: str, text: str) -> str:
        whole = f"{kind}: {text}"
        clean = self._names(whole)
        if clean == whole and kind == secret_names.COOKIE and not secret_names.is_said(text):
            return self.pseudonym("secret", text)
        if clean == whole and secret_names.is_secret(secret_names.TOKEN, text):
            return self.pseudonym("secret", text)
        return clean[len(kind) + 2 :]


def _key_bodies(text: str) -> Iterator[tuple[int, int]]:
    done, no_end = 0, False
    for begin in _BEGIN.finditer(text):
        start = begin.end()
        if start < done:
            continue
        end = None if no_end else _END.search(text, start)
        no_end = end is None
        if end is None:
            lines = _KEY_LINES.match(text, start + _line_break(text, start))
            stop = lines.end() if lines else start
        else:
            stop = end.start()
        if stop > start:
            yield start, stop
        done = stop
    last = None if done else _END.search(text)
    if last and "PRIVATE KEY" in last[0]:  # its beginning is missing
        start = max(text.rfind(" ", 0, last.start()), text.rfind('"', 0, last.start())) + 1
        if start < last.start():
            yield start, last.start()


def _line_break(text: str, at: int) -> int:
    found = re.compile(r"(?:\s|\\{1,4}[nr]){0,8}").match(text, at)
    return len(found[0]) if found else 0


def _mails(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    for tail in secret_forms.EMAIL_TAIL.finditer(text):
        at = tail.start()
        if text[at - 1 : at] == '"':
            start = text.rfind('"', max(done, at - 66), at - 1) + 1
            local = text[start : at - 1]
        else:
            near = text[max(done, at - 64) : at]
            start = at - len(near) + len(near.rstrip(secret_forms.EMAIL_CHARS))
            local = text[start:at]
            for mark in "=/?&'`{}|":  # what a mail may hold and nobody's does
                start += local.rfind(mark) + 1
                local = local[local.rfind(mark) + 1 :]
        if secret_forms.is_mail(local, tail["domain"], text[tail.end() : tail.end() + 2]):
            yield start, tail.end()
            done = tail.end()


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for found in secret_forms.IBAN.finditer(text):
        length = secret_forms.iban_length(found["secret"])
        if length:
            yield found.start(), found.start() + length
