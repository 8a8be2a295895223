"""From the targets as they were named to the places where they run: a workload to the containers of its pods."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.cluster.asking import Whose
from locard.investigate import cluster_look
from locard.investigate.places import Asked
from locard.model.errors import TargetNotFoundError
from locard.model.evidence import Layer
from locard.model.place import Place, cluster_flags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.guard.budget import Budget

_NOT_FOUND = "(NotFound)"
_LIVE = (Layer.METRICS, Layer.RUNTIME, Layer.KERNEL, Layer.HOST)


def spread(
    asked: Sequence[Asked],
    namespace: str,
    context: str,
    container: str,
    budget: Budget | None = None,
) -> tuple[Asked, ...]:
    """Each target at the places where it runs; raises LocardError.

    One in a cluster is its logs, asked from here for all of its pods together, and the containers of
    these pods, each a place of its own.
    """
    every: list[Asked] = []
    for one in asked:
        if one.ref.startswith(cluster_look.KINDS):
            every += _in_cluster(one, Whose(one.ref, namespace, context), container, budget)
        else:
            every.append(one)
    return tuple(every)


def _in_cluster(one: Asked, whose: Whose, container: str, budget: Budget | None) -> list[Asked]:
    look = cluster_look.look(whose, container, budget=budget)
    named = (("namespace", whose.namespace), ("context", whose.context))
    where = tuple((k, v) for k, v in named if v)
    if look.states is None and _NOT_FOUND in look.problem:
        raise TargetNotFoundError(
            f"{one.ref} was not found",
            look.problem,
            "List what is there:",
            command=shlex.join(("kubectl", "get", "pods", *cluster_flags(where))),
        )
    found = [Asked(one.ref, Place(one.ref, "local", where), one.ref, (Layer.LOGS,))]
    who = (("kube_user", look.access.user),) if look.access.user else ()
    for place in look.places:
        if place.beside and not container:
            continue
        options = (*place.options, ("pod", place.pod), *who)
        at = Place(place.ref, "kubectl", options)
        found.append(Asked(one.ref, at, "pid/1", _LIVE, place.closed))
    return found
