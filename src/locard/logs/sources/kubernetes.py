"""Pods' logs through the user's own kubectl: by pod, deployment or label, all containers, previous ones.

Reads: `pod/NAME`, `deployment/NAME` (all of its pods), `label/app=payment`; kubectl's flags keep their
names (--namespace, --context, --selector, --container, --all-containers, --previous, --since).
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING

from locard.guard import needs
from locard.guard.command import MOST_LOG, Impact, Template
from locard.logs.input.piped import ask, open_command
from locard.model.errors import SourceUnreadableError

if TYPE_CHECKING:
    from locard.guard.command import Command
    from locard.logs.input.log_source import Source, Wants
    from locard.model.log_beginning import Origin
    from locard.model.place import Place

NAMES = ("deployment/payment", "pod/payment-7d9", "label/app=payment")
RANK = 10
_KINDS = ("pod/", "deployment/", "deploy/", "statefulset/", "daemonset/", "job/", "label/")
_WHERE = ("--namespace={namespace:word*}", "--context={context:word*}")

LOGS = Template(
    ("kubectl", "logs", "--prefix=true", "--timestamps=true", "--tail=-1", "--all-containers={all:word}",
     "--previous={previous:word}", "--follow={follow:word}", "--container={container:word*}",
     "--since={since:word*}", "--max-log-requests=50", "--ignore-errors=true", *_WHERE,
     "--selector={selector:source*}", "{ref:word*}"),
    Impact.READS,
    86400.0,
    max_bytes=MOST_LOG,
    streams=True,
    needs=(needs.KUBECTL,),
)  # fmt: skip
WORKLOAD = Template(
    ("kubectl", "get", "{ref:word}", "--output=json", *_WHERE),
    Impact.READS,
    20.0,
    needs=(needs.KUBECTL,),
)
# Which pods these are, when their containers started and how often: a log says nothing of it.
PODS = Template(
    ("kubectl", "get", "pods", "{name:word*}", "--selector={selector:source*}", "--output=json", *_WHERE),
    Impact.READS,
    20.0,
    needs=(needs.KUBECTL,),
    max_bytes=32 << 20,
)  # fmt: skip
COMMANDS = (LOGS, WORKLOAD, PODS)


def fits(name: str) -> bool:
    """`pod/NAME` and its like, where no file is called so."""
    return name.startswith(_KINDS) and not Path(name).exists()


def open(name: str, wants: Wants) -> Source:  # noqa: A001 - the protocol's name
    """What kubectl logs prints, of every pod that is meant."""
    kind, _, rest = name.partition("/")
    selector = rest if kind == "label" else wants.selector
    where: dict[str, tuple[str, ...]] = {
        "namespace": (wants.namespace,) if wants.namespace else (),
        "context": (wants.context,) if wants.context else (),
    }
    if kind not in {"pod", "label"} and not wants.selector:
        selector = _selector_of(name, where, wants.place)
    command = LOGS.fill(
        all=str(wants.all_containers or not wants.container).lower(),
        previous=str(wants.previous).lower(),
        follow=str(wants.follow).lower(),
        container=(wants.container,) if wants.container else (),
        since=(f"{2 * wants.since_s:.0f}s",) if wants.since_s else (),
        selector=(selector,) if selector else (),
        ref=() if selector else (name,),
        **where,
    )
    source = open_command(
        name,
        command,
        COMMANDS,
        place=wants.place,
        get="install kubectl, or pipe it in: kubectl logs … | locard logs -",
    )
    pods = PODS.fill(
        name=() if selector else (name.partition("/")[2],),
        selector=(selector,) if selector else (),
        **where,
    )
    source.origins = functools.partial(_origins, pods, wants)
    return source


def _origins(command: Command, wants: Wants) -> tuple[Origin, ...]:
    """Where the log of each container begins, as far as its pod's status says."""
    from locard.logs.sources._pod_origins import of_pods, unread  # noqa: PLC0415 - once the log is read

    output = ask(command, COMMANDS, wants.place, "kubernetes")
    try:
        answer = json.loads(output.stdout)
        pods = answer["items"] if answer.get("kind") == "List" else [answer]
        return tuple(of_pods(pods, command.by_hand, wants))
    except (ValueError, KeyError, TypeError, AttributeError):
        said = " ".join(output.stderr.decode("utf-8", "replace").split())[:200]
        return (unread(command.by_hand, said or output.problem or "no answer", wants),)


def _selector_of(name: str, where: dict[str, tuple[str, ...]], place: Place) -> str:
    """The labels of a workload's pods: `kubectl logs deployment/NAME` alone takes but one of them."""
    command = WORKLOAD.fill(ref=name, **where)
    output = ask(command, COMMANDS, place, name)
    try:
        labels = json.loads(output.stdout)["spec"]["selector"]["matchLabels"]
        return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    except (ValueError, KeyError, TypeError, AttributeError):
        said = " ".join(output.stderr.decode("utf-8", "replace").split())[:300]
        raise SourceUnreadableError(
            f"cannot find the pods of {name}",
            said or output.problem or "it names no labels",
            "Try it by hand:",
            command=command.by_hand,
        ) from None
