"""What `locard doctor deployment/NAME` shows of a cluster: rights, how the pods stand, where one could enter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.cluster.access_words import told
from locard.model import workload_words
from locard.report.times import told as timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.investigate.cluster_look import Look

_PLACES = 20


def rows(found: Look) -> Iterator[tuple[str, str]]:
    """A label and its words, line by line; a label alone is a heading."""
    access = found.access
    where = (
        f"namespace {access.namespace}"
        if access.namespace
        else "the namespace of kubectl's context"
    )
    who = access.user or "a user that the server does not name"
    yield f"what {who} may do in {where}{f', {access.server}' if access.server else ''}", ""
    for one in told(access):
        mark = "yes" if one.allowed else "NO" if one.allowed is False else "?"
        yield f"  {mark:<4} {one.right:<16} ", one.says
        yield " " * 24 + "gives: ", one.adds
        if one.rule:
            yield " " * 24 + "lacks: ", f"a role with {one.rule} (docs/kubernetes-role.yaml)"
    yield from (("  ?    not told         ", text) for text in access.missed)
    yield "its pods", ""
    if found.states is None:
        yield "  ?    ", found.problem or "they could not be told"
        return
    for label, texts in workload_words.lines(found.states):
        for n, text in enumerate(texts):
            yield f"  {'' if n else label:<12} ", timed(text, None)
    for cause, title in workload_words.titles(found.states):
        yield f"  {cause.kind:<12} ", timed(title, None)
    yield "its containers", ""
    for place in found.places[:_PLACES]:
        mark = "NO" if place.closed else "yes"
        says = (
            place.closed
            or "commands may be run in it, if it has what they need (python3; no shell is used)"
        )
        yield f"  {mark:<4} {place.pod}/{place.container}: ", timed(says, None)
    if len(found.places) > _PLACES:
        yield "  ", f"and {len(found.places) - _PLACES} more containers (-o json has all)"
