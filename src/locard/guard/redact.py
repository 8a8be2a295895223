"""Redaction: secrets and personal data become keyed pseudonyms before anything is stored.

The same secret gives the same pseudonym within one incident (so grouping and replay survive) and
another one in the next, since each incident has its own key. The key stays out of the ledger.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SECRET_KEYS = (
    rb"(?:[A-Za-z0-9_-]*(?:passwords?|passwd|passphrase|secrets?|api[_-]?keys?|access[_-]?keys?"
    rb"|private[_-]?keys?|auth[_-]?tokens?|access[_-]?tokens?|refresh[_-]?tokens?|credentials?)"
    rb"|pwd|tokens?|authorization|cookie|set-cookie|cvv|cvc|pan|ssn)"
)

# Order matters: the most specific first, so that a token in a URL is named for what it is.
_PATTERNS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    (
        "private-key",
        re.compile(
            rb"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<secret>.{1,16384}?)-----END", re.DOTALL
        ),
    ),
    ("jwt", re.compile(rb"\b(?P<secret>eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,})")),
    ("aws-key", re.compile(rb"\b(?P<secret>(?:AKIA|ASIA)[0-9A-Z]{16})\b")),
    ("auth", re.compile(rb"(?i)\b(?:bearer|basic)\s+(?P<secret>[\w~+/.=-]{8,})")),
    ("userinfo", re.compile(rb"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"']*:(?P<secret>[^\s/@\"']+)@")),
    (
        "secret",
        re.compile(
            rb"(?i)(?<![A-Za-z0-9<])" + _SECRET_KEYS + rb"\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?"
            rb"(?P<secret>(?!<[a-z-]+:)(?!(?:null|true|false|none)\b)[^\s\"'\\,;&}\x00]{2,})"
        ),
    ),
    (
        "secret",
        re.compile(
            rb"(?i)(?<=-)" + _SECRET_KEYS + rb"[ \x00](?P<secret>(?!<[a-z-]+:)[^\s\x00-][^\s\x00]*)"
        ),
    ),
    ("email", re.compile(rb"(?P<secret>\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,4}\b)")),
    ("iban", re.compile(rb"\b(?P<secret>[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30})\b")),
    ("card", re.compile(rb"(?<![\w.-])(?P<secret>[3-6](?:[ -]?[0-9]){12,18})(?![\w-]|\.[0-9])")),
)


def _luhn(digits: bytes) -> bool:
    numbers = [c - 48 for c in digits if 48 <= c <= 57]  # noqa: PLR2004 - ASCII digits
    total = sum(numbers[-1::-2]) + sum(sum(divmod(2 * n, 10)) for n in numbers[-2::-2])
    return 13 <= len(numbers) <= 19 and total % 10 == 0  # noqa: PLR2004 - ISO/IEC 7812


def _iban(text: bytes) -> bool:
    turned = text[4:] + text[:4]
    return int("".join(str(int(chr(c), 36)) for c in turned)) % 97 == 1  # ISO 13616


_CHECKS: dict[str, Callable[[bytes], bool]] = {"card": _luhn, "iban": _iban}


class Redactor:
    """Replaces what looks secret or personal, and counts it by kind."""

    def __init__(self, key: bytes) -> None:
        """The key of the incident, at least 16 bytes."""
        self._key = key
        self.counts: Counter[str] = Counter()

    def apply(self, data: bytes) -> tuple[bytes, int]:
        """The data with pseudonyms in place of secrets, and how many were replaced."""
        before = self.counts.total()
        for kind, pattern in _PATTERNS:
            data = pattern.sub(self._replacement(kind), data)
        return data, self.counts.total() - before

    def text(self, text: str) -> str:
        """The same for text."""
        return self.apply(text.encode("utf-8", "surrogateescape"))[0].decode("utf-8", "replace")

    def argv(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """The same for a command line: `--password x` is recognised across its arguments."""
        joined = "\0".join(argv)
        return tuple(self.text(joined).split("\0")) if argv else ()

    def _replacement(self, kind: str) -> Callable[[re.Match[bytes]], bytes]:
        check = _CHECKS.get(kind)

        def replace(found: re.Match[bytes]) -> bytes:
            secret = found["secret"]
            if check is not None and not check(secret):
                return found[0]
            self.counts[kind] += 1
            start, end = found.span("secret")
            offset = found.start()
            name = self._pseudonym(kind, secret)
            return found[0][: start - offset] + name + found[0][end - offset :]

        return replace

    def _pseudonym(self, kind: str, secret: bytes) -> bytes:
        digest = hmac.new(self._key, secret, hashlib.sha256).hexdigest()[:10]
        return f"<{kind}:{digest}>".encode()
