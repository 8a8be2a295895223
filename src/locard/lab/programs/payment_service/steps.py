"""The steps of a payment that not every deployment has: made where a route uses them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from . import ledger, notices
from .audit import Audit
from .fingerprints import Fingerprints
from .ledger import Ledger
from .notices import Notices
from .scores import Scores
from .statements import Statements

if TYPE_CHECKING:
    from .config import Config
    from .flags import Flags


class Steps:
    """What the routes of this deployment use beside keys, rates and receipts."""

    def __init__(self, config: Config, flags: Flags) -> None:
        """Start what is used, and nothing else."""
        self._flags = flags
        used = {name for route in config.routes for name in route.uses}
        store = config.store_socket
        self._scores = Scores(store) if "scores" in used else None
        self._statements = Statements() if "statements" in used else None
        self._fingerprints = Fingerprints() if "fingerprints" in used else None
        self._ledger = Ledger(store) if "ledger" in used else None
        self._notices = Notices(store) if "notices" in used else None
        self._audit = Audit() if "audit" in used else None

    def take(self, uses: tuple[str, ...], reference: str) -> tuple[HTTPStatus, str] | None:
        """Take those of one route in order; what went wrong, None if nothing did."""
        on = self._flags.enabled
        self._compute(uses, reference)
        if self._audit and "audit" in uses:
            self._audit.write(reference)
            if on("indexed-audit"):
                self._audit.find(reference)
            if on("listed-audit"):
                self._audit.look_up(reference)
        try:
            if self._notices and "notices" in uses:
                self._notices.send(reference, signed=on("signed-notices"))
            if self._ledger and "ledger" in uses:
                self._ledger.enter(
                    reference, reviewed=on("reviewed-entries"), compact=on("compact-entries")
                )
        except notices.NoticeLate:
            return HTTPStatus.GATEWAY_TIMEOUT, f"notice not sent within {notices.PATIENCE_S} s"
        except ledger.LedgerBusy:
            return HTTPStatus.SERVICE_UNAVAILABLE, f"entry not made within {ledger.PATIENCE_S} s"
        return None

    def _compute(self, uses: tuple[str, ...], reference: str) -> None:
        """Those of one route that cannot go wrong: they only take time."""
        on = self._flags.enabled
        if self._scores and "scores" in uses:
            self._scores.score(
                reference, explained=on("explained-scores"), cached=on("cached-scores")
            )
        if self._statements and "statements" in uses:
            self._statements.page(full=on("full-statements"), short=on("short-statements"))
        if self._fingerprints and "fingerprints" in uses:
            self._fingerprints.make(
                reference, long=on("long-fingerprints"), short=on("short-fingerprints")
            )
