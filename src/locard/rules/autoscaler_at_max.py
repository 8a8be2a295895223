"""The autoscaler has no replica left to add.

Pattern: load or latency grew, the autoscaler added replicas up to its maximum, and now it cannot help any more.
Evidence: current replicas at their maximum (kube-state-metrics), since when; errors or latency that rose meanwhile.
Against: at its maximum while nothing got worse it may simply be sized so.
Next: see what grew, traffic or the cost of a request, before the maximum is raised by the usual process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.history_words import amount, signal_words
from locard.rules import _history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each autoscaler at its maximum while users are hit."""
    for evidence, found in _history.histories(case):
        hurt = _history.harm(evidence, found)
        for scaler in found.signals:
            if scaler.resource != "replicas" or (_history.share_of(scaler) or 0.0) < 1.0:
                continue
            rose = scaler.onset is not None and scaler.direction == "up"
            if not rose and not hurt:
                continue
            says = signal_words(scaler)
            yield _history.finding(
                "autoscaler-at-max", evidence, found,
                f"{_history.name_of(scaler)} is at its maximum of {amount(scaler.limit, 'replicas')}",
                [says], values=scaler.subject,
                against=() if rose else ("it was at its maximum before the onset as well",),
            )  # fmt: skip
