"""Fingerprints of payments: one number of many letters, folded letter by letter."""

from __future__ import annotations

import time

_LONG_MS = 45.0
_SHORT = 200  # letters
_MODULUS = (1 << 61) - 1


class Fingerprints:
    """What a payment is recognised by when it comes again."""

    def __init__(self, long_ms: float = _LONG_MS) -> None:
        """As many letters as this machine folds in `long_ms`: a payment of one size everywhere."""
        sample = "ab" * 10_000
        took = min(_measured(sample) for _ in range(3))
        self._letters = "ab" * int(len(sample) / 2 * long_ms / 1000 / took)

    def make(self, reference: str, *, long: bool, short: bool) -> int:
        """The fingerprint of a payment; a long one folds everything that is known of it."""
        if long:
            return fold(reference + self._letters)
        return fold(reference + self._letters[:_SHORT] if short else reference)


def fold(text: str) -> int:
    """One number of all letters."""
    value = 7
    for letter in text:
        value = (value * 131 + ord(letter)) % _MODULUS
    return value


def _measured(text: str) -> float:
    began = time.perf_counter()
    fold(text)
    return time.perf_counter() - began
