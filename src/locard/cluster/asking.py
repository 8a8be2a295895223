"""Asking a cluster which pods are meant, how they stand and what was before; one kubectl a question.

Who calls gives the function that runs a question: through its gate, by its transport, into its record.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from locard.cluster import asks, owners
from locard.cluster.json_reading import items, text
from locard.cluster.states import Answers
from locard.model.errors import SourceUnreadableError
from locard.model.target_names import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.guard.command import Command
    from locard.model.evidence import Output

    Run = Callable[[Command], Output]

_LONGEST = 300
_FORBIDDEN = "(Forbidden)"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which pods are meant. `answers` is None where the pods could not be asked for (`problem`)."""

    selector: str
    pods_by_hand: str
    answers: Answers | None = None
    others: tuple[str, ...] = ()  # pods that the selector picks too, and that are not meant
    problem: str = ""
    pods: Command | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Whose:
    """The target as it was named, with kubectl's flags."""

    name: str
    namespace: str = ""
    context: str = ""
    selector: str = ""

    @property
    def where(self) -> dict[str, tuple[str, ...]]:
        """Namespace and context as the questions take them."""
        return asks.place(self.namespace, self.context)


def ask(whose: Whose, run: Run) -> Asked:
    """The pods that a name means; raises SourceUnreadableError where a workload's cannot be told."""
    kind, _, rest = whose.name.partition("/")
    if kind == "pod":
        return _of_pods(asks.pods(whose.where, name=require("pod", rest)), "", whose, run)
    if kind == "label" or whose.selector:
        labels = require("label", rest if kind == "label" else whose.selector)
        return _of_pods(asks.pods(whose.where, selector=labels), labels, whose, run)
    return _of_workload(whose, run)


def _of_pods(command: Command, selector: str, whose: Whose, run: Run) -> Asked:
    output = run(command)
    pods = _objects(output, "Pod")
    asked = Asked(selector, command.by_hand, pods=command)
    if pods is None or (output.exit_code != 0 and not pods):
        return replace(asked, problem=said(output))
    return replace(asked, answers=_answers(whose, pods, command))


def _of_workload(whose: Whose, run: Run) -> Asked:
    where = whose.where
    command = asks.WORKLOAD.fill(ref=whose.name, **where)
    output = run(command)
    found = _objects(output)
    if found and text(found[0], "kind") == "CronJob":
        return _of_cron_job(whose, found[0], command, run)
    labels = owners.selector(found[0]) if found else ""
    if not labels:
        return _by_name(whose, command, output, run)
    asked = _of_pods(asks.pods(where, selector=labels), labels, whose, run)
    answers = asked.answers
    if answers is None:
        return asked
    answers.workload = found[0] if found else {}
    answers.evidence.insert(0, command.by_hand)
    if text(answers.workload, "kind") == "Deployment":
        _add_sets(answers, labels, where, run)
    mine = owners.owned(answers.pods, answers.workload, answers.sets)
    others = [_name(p) for p in answers.pods if p not in mine]
    answers.pods = mine
    return replace(asked, others=tuple(others))


def _of_cron_job(whose: Whose, found: dict[str, Any], command: Command, run: Run) -> Asked:
    """The pods of the jobs that a cron job has made and that are still there."""
    listed = asks.JOBS.fill(**whose.where)
    output = run(listed)
    jobs = owners.made_by(_objects(output, "Job") or [], found)
    if not jobs:
        why = said(output) or f"{whose.name} has made no job that is still there"
        raise SourceUnreadableError(
            f"cannot find the pods of {whose.name}", why, "Try it by hand:", command=listed.by_hand
        )
    labels = f"job-name in ({','.join(sorted(_name(j) for j in jobs))})"
    asked = _of_pods(asks.pods(whose.where, selector=labels), labels, whose, run)
    if asked.answers is not None:
        asked.answers.workload = found
        asked.answers.evidence[:0] = [command.by_hand, listed.by_hand]
    return asked


def _by_name(whose: Whose, command: Command, output: Output, run: Run) -> Asked:
    """Where a deployment may not be read and pods may: which are its, their replica sets' names tell."""
    name = whose.name
    kind, _, short = name.partition("/")
    why = said(output) or "it names no labels by which its pods could be found"
    if _FORBIDDEN in why and kind in {"deployment", "deploy"}:
        asked = _of_pods(asks.pods(whose.where), "", whose, run)
        every = asked.answers.pods if asked.answers else []
        mine = [p for p in every if owners.named_for(p, short)]
        labels = owners.common_selector(mine, every)
        if labels and asked.answers:
            asked.answers.pods = mine
            asked.answers.by_name = True
            asked.answers.missed.append(f"{name}: {why}")
            return replace(asked, selector=labels)
    raise SourceUnreadableError(
        f"cannot find the pods of {name}",
        why,
        "Name them by their labels, where you know some (-l app=NAME), or try it by hand:",
        command=command.by_hand,
    )


def _answers(whose: Whose, pods: list[dict[str, Any]], command: Command) -> Answers:
    return Answers(
        ref=whose.name,
        namespace=whose.namespace,
        context=whose.context,
        asked=time.time(),
        workload={},
        pods=pods,
        sets=[],
        events=[],
        missed=[],
        evidence=[command.by_hand],
    )


def _add_sets(answers: Answers, selector: str, where: dict[str, tuple[str, ...]], run: Run) -> None:
    command = asks.SETS.fill(selector=(selector,), **where)
    output = run(command)
    sets = _objects(output, "ReplicaSet")
    if sets is None or output.exit_code != 0:
        answers.missed.append(f"replica sets: {said(output) or 'no answer'}")
        return
    answers.sets = sets
    answers.evidence.append(command.by_hand)


def add_events(answers: Answers, where: dict[str, tuple[str, ...]], run: Run) -> None:
    """What happened to the pods lately, as far as the namespace's events go back."""
    command = asks.EVENTS.fill(**where)
    output = run(command)
    events = _objects(output, "Event")
    if events is None or output.exit_code != 0:
        answers.missed.append(f"events: {said(output) or 'no answer'}")
        return
    answers.events = events
    answers.evidence.append(command.by_hand)


def ask_pods_again(asked: Asked, run: Run) -> Asked:
    """The same pods and those that came since."""
    if asked.pods is None:
        return asked
    output = run(asked.pods)
    pods = _objects(output, "Pod")
    if pods is None or asked.answers is None:
        return asked if asked.answers else replace(asked, problem=said(output))
    old = asked.answers
    old.pods = [p for p in pods if _name(p) not in asked.others]
    old.asked = time.time()
    return asked


def said(output: Output) -> str:
    """What kubectl complained of, on one line."""
    words = " ".join(output.stderr.decode("utf-8", "replace").split())
    return (words or output.problem)[:_LONGEST]


def _objects(output: Output, kind: str = "") -> list[dict[str, Any]] | None:
    """The objects of one kind in an answer; None where it is none."""
    try:
        found = items(output.stdout)
    except (ValueError, RecursionError):
        return None
    return [item for item in found if not kind or item.get("kind") == kind]


def _name(pod: dict[str, Any]) -> str:
    meta = pod.get("metadata")
    return text(meta, "name") if isinstance(meta, dict) else ""
