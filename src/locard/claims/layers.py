"""How far each layer was read, as claims: found healthy, nothing found, skipped, no data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.claim import Claim, figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.claims.record import Record
    from locard.model.investigation import LayerState


def proposed(record: Record) -> Iterator[Claim]:
    """Layers that nothing was found in, and those that could not be read and why."""
    cited = {e for f in record.findings for e in f.evidence}
    for state in record.layers:
        ids = tuple(r.evidence for r in state.probes if r.evidence and r.status == "ok")
        if state.status in {"skipped", "no_data"}:
            yield _unread(state)
        elif ids and not set(ids) & cited:
            yield Claim("healthy", "layer_healthy", state.layer.value, (), ids)


def _unread(state: LayerState) -> Claim:
    why = state.why or "; ".join(filter(None, (r.headline or r.why for r in state.probes)))
    return Claim(
        "not_looked_at",
        "layer_skipped" if state.status == "skipped" else "layer_no_data",
        state.layer.value,
        figures(why=why or "nothing to read", unlock=state.unlock),
        tuple(r.evidence for r in state.probes if r.evidence),
    )
