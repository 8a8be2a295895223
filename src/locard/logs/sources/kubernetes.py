"""Pods' logs through the user's own kubectl: by pod, workload or label, all containers, previous ones.

Reads: `pod/NAME`, `deployment/NAME` (all of its pods), `label/app=payment`; kubectl's flags keep their
names (--namespace, --context, --selector, --container, --all-containers, --previous, --since). With the
logs the states of their containers are read: a container that never ran has no log that could say so.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from locard.cluster import asking, asks
from locard.logs.sources import _pod_logs
from locard.logs.sources._pod_origins import of_pods, unread
from locard.model.errors import SourceUnreadableError

if TYPE_CHECKING:
    from locard.cluster.asking import Asked
    from locard.logs.input.log_source import Source, Wants
    from locard.model.log_beginning import Origin

NAMES = ("deployment/payment", "pod/payment-7d9", "label/app=payment")
RANK = 10
_KINDS = (
    "pod/", "deployment/", "deploy/", "statefulset/", "sts/", "daemonset/", "ds/", "job/", "cronjob/", "replicaset/",
    "rs/", "label/",
)  # fmt: skip
COMMANDS = asks.COMMANDS


def fits(name: str) -> bool:
    """`pod/NAME` and its like, where no file is called so."""
    return name.startswith(_KINDS) and not Path(name).exists()


def open(name: str, wants: Wants) -> Source:  # noqa: A001 - the protocol's name
    """What kubectl logs prints, of every pod that is meant, without what it says in place of a log."""
    if not wants.place.local:
        raise SourceUnreadableError(
            f"{name} is not asked for at {wants.place.ref}",
            "a cluster is asked from here, by your own kubectl and context",
            "Leave --on out, or run locard there.",
        )
    whose = asking.Whose(name, wants.namespace, wants.context, wants.selector)
    asked = asking.ask(whose, _pod_logs.run)
    where = asks.place(wants.namespace, wants.context)
    command = asks.LOGS.fill(
        all=str(wants.all_containers or not wants.container).lower(),
        previous=str(wants.previous).lower(),
        follow=str(wants.follow).lower(),
        container=(wants.container,) if wants.container else (),
        since=(f"{2 * wants.since_s:.0f}s",) if wants.since_s else (),
        selector=(asked.selector,) if asked.selector else (),
        ref=() if asked.selector else (name,),
        **where,
    )
    source = _pod_logs.open_logs(name, command, asked, wants)
    source.origins = functools.partial(_origins, asked, wants)
    return source


def _origins(asked: Asked, wants: Wants) -> tuple[Origin, ...]:
    """Where the log of each container begins, as far as its pod's status says."""
    if wants.follow:  # it went on since
        asked = asking.ask_pods_again(asked, _pod_logs.run)
    by_hand = asked.pods_by_hand
    if asked.answers is None:
        return (unread(by_hand, asked.problem or "no answer", wants),)
    try:
        return tuple(of_pods(asked.answers.pods, by_hand, wants))
    except (ValueError, KeyError, TypeError, AttributeError):
        return (unread(by_hand, "its answer is no pod", wants),)
