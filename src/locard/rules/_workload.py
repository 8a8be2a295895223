"""What the rules about containers share: a finding from a cause, with the words of the run that ended."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model import workload_words
from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.wording import shorten
from locard.model.workload import WorkloadStates
from locard.model.workload_trouble import troubles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case
    from locard.model.workload_trouble import Trouble

_LONGEST = 300


def found(case: Case, *kinds: str) -> Iterator[tuple[Evidence, WorkloadStates, Trouble]]:
    """The causes of these kinds, with where they were read."""
    for evidence, states in case.facts(WorkloadStates):
        for one in troubles(states):
            if one.kind in kinds:
                yield evidence, states, one


def finding(rule: str, evidence: Evidence, states: WorkloadStates, one: Trouble) -> Finding:
    """The finding of one cause: critical where no pod of the target is ready."""
    down = one.stops and not any(p.ready for p in states.pods)
    supports = [
        Support(evidence.id, Layer.LOGS, says) for says in dict.fromkeys(_says(states, one)) if says
    ]
    return Finding(
        rule=rule,
        layer=Layer.LOGS,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL if down else Severity.WARNING,
        title=workload_words.title(one, states),
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        values=(),
        next_commands=tuple(_next(states, one)),
    )


def _says(states: WorkloadStates, one: Trouble) -> Iterator[str]:
    if one.one is not None:
        yield f"{one.one.ref}: {workload_words.state_words(one.one)}"
        if one.one.last_words:
            goes_on = one.one.condition == "running" and one.one.words_of == "this run"
            which = "its last line" if goes_on else f"its last words ({one.one.words_of})"
            yield f"{which}: {shorten(one.one.last_words, _LONGEST)}"
    else:
        why = one.says or "the API server answered, and has none"
        yield f"{', '.join(one.pods[:1]) or states.ref}: {why}"
    yield from (shorten(w, _LONGEST) for w in one.warnings[-1:] if not w.startswith("BackOff"))
    yield from (t for t in states.trouble[:1] if t != one.says)
    ready = sum(p.ready for p in states.pods)
    if states.pods:
        yield f"{ready} of {len(states.pods)} pods are ready"


def _next(states: WorkloadStates, one: Trouble) -> Iterator[str]:
    where = [f"--namespace={states.namespace}"] if states.namespace else []
    where += [f"--context={states.context}"] if states.context else []
    if one.kind in {"unscheduled", "not-started", "evicted", "not-ready"} and one.pods:
        yield shlex.join(["kubectl", "describe", "pod", one.pods[0], *where])
    elif one.one is not None and (one.one.last_end or one.kind == "init-runs"):
        before = ["--previous"] if one.one.last and one.one.condition != "ended" else []
        yield shlex.join(["kubectl", "logs", one.one.pod, "-c", one.one.name, *before, *where])
    else:
        yield shlex.join(["kubectl", "describe", states.ref, *where])
