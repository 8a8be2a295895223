"""What auditors ask for: settled payments with their documents, in the memory of this worker."""

from __future__ import annotations

from collections import deque

_DOCUMENT = 24 << 10  # bytes
_RECENT = 32


class Audit:
    """One settled payment with its document."""

    def __init__(self, reference: str) -> None:
        """A document that is filled in later."""
        self.reference, self.document = reference, bytearray(_DOCUMENT)


class AuditTrail:
    """The last audits, or all of them."""

    def __init__(self) -> None:
        """None yet."""
        self._recent: deque[Audit] = deque(maxlen=_RECENT)
        self._whole: list[Audit] = []

    def keep(self, reference: str, *, whole: bool) -> None:
        """Keep one among the last, or for ever."""
        (self._whole if whole else self._recent).append(Audit(reference))
