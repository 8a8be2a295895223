"""From the targets as they were named to the places where they run: a workload to the containers of its pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.cluster.asking import Whose
from locard.investigate import cluster_look
from locard.investigate.places import Asked
from locard.model.evidence import Layer
from locard.model.place import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIVE = (Layer.METRICS, Layer.RUNTIME, Layer.KERNEL, Layer.HOST)


def spread(
    asked: Sequence[Asked], namespace: str, context: str, container: str
) -> tuple[Asked, ...]:
    """Each target at the places where it runs; raises LocardError.

    One in a cluster is its logs, asked from here for all of its pods together, and the containers of
    these pods, each a place of its own.
    """
    every: list[Asked] = []
    for one in asked:
        if one.ref.startswith(cluster_look.KINDS):
            every += _in_cluster(one, namespace, context, container)
        else:
            every.append(one)
    return tuple(every)


def _in_cluster(one: Asked, namespace: str, context: str, container: str) -> list[Asked]:
    whose = Whose(one.ref, namespace, context)
    look = cluster_look.look(whose, container)
    where = tuple((k, v) for k, v in (("namespace", namespace), ("context", context)) if v)
    found = [Asked(one.ref, Place(one.ref, "local", where), one.ref, (Layer.LOGS,))]
    who = (("kube_user", look.access.user),) if look.access.user else ()
    for place in look.places:
        if place.beside and not container:
            continue
        options = (*place.options, ("pod", place.pod), *who)
        at = Place(place.ref, "kubectl", options)
        found.append(Asked(one.ref, at, "pid/1", _LIVE, place.closed))
    return found
