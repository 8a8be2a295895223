"""What is wrong with the containers of a target, by their states: one entry a cause, with all that it hits.

A crash loop's `CrashLoopBackOff` is how the kubelet waits, not why: the cause is how the runs ended.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locard.model.workload import ContainerEnd, ContainerState, PodState, WorkloadStates

TroubleKind = Literal[
    "no-pods",  # there is none, though some are wanted
    "unscheduled",  # no node takes it
    "evicted",  # the pod as a whole failed
    "init-runs",  # an init container goes on and on: nothing behind it has run
    "init-fails",  # an init container ends with an error: nothing behind it has run
    "not-started",  # a container cannot be made: image, configuration, volume
    "oom",  # the kernel ended it at its memory limit
    "restarts",  # it ends and is started again, again and again
    "ended",  # it ended with an error, once or for good
    "killed-by-probe",  # its liveness or startup probe failed
    "not-ready",  # it runs and gets no traffic
]

_DAY_S = 86400.0
_SIGNALS = {130: "SIGINT", 132: "SIGILL", 134: "SIGABRT", 135: "SIGBUS", 136: "SIGFPE", 137: "SIGKILL",
            139: "SIGSEGV", 143: "SIGTERM"}  # fmt: skip
_STARTING_S = 15.0  # so long a container may take to be made
_LOOP = 3  # restarts
_SHORT_RUN_S = 600.0
_PLAIN = frozenset({"", "ContainerCreating", "PodInitializing"})
_LOOPING = "CrashLoopBackOff"
_LIVENESS = re.compile(r"(?:liveness|startup) probe", re.IGNORECASE)
_OWN = re.compile(
    r"\bpod [\w.-]+_[\w.-]+\([0-9a-f-]+\)|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """One cause. `containers` are all that it hits, `pods` their pods; `says` is it in the cluster's words.

    `one` is the container whose end, restarts and last words stand for all of them.
    """

    kind: TroubleKind
    pods: tuple[str, ...]
    containers: tuple[str, ...]
    name: str  # of the container in its pods, empty for the pod
    says: str
    one: ContainerState | None = None
    warnings: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        """Whether what it hits does not serve now."""
        return self.kind != "ended" or (self.one is not None and self.one.condition == "ended")


def troubles(found: WorkloadStates) -> tuple[Trouble, ...]:
    """Every cause, what hits most pods first."""
    single = [t for pod in found.pods if not pod.deleting for t in _of_pod(pod, found.asked)]
    merged: dict[tuple[str, str, str], list[Trouble]] = {}
    for one in single:
        merged.setdefault((one.kind, one.name, _general(one)), []).append(one)
    joined = [_joined(group) for group in merged.values()]
    joined.sort(key=lambda t: -len(t.pods))
    return (*_no_pods(found), *joined)


def looping(one: ContainerState) -> bool:
    """Whether a container ends again and again: it waits to be started anew, or has short runs behind it."""
    if one.reason == _LOOPING:
        return True
    if one.end and one.end.failed and one.last and one.last.failed:
        return True  # two runs in a row
    if one.restarts < _LOOP or one.last_end is None:
        return False
    end = one.last_end
    if end.ended is None or end.started is None:
        return True
    return end.ended - end.started < _SHORT_RUN_S


def _no_pods(found: WorkloadStates) -> Iterator[Trouble]:
    if not found.pods:
        yield Trouble("no-pods", (), (), "", "; ".join(found.trouble))


def _of_pod(pod: PodState, asked: float) -> Iterator[Trouble]:
    if pod.unscheduled:
        wants = [f"{c.name} asks {c.requests}" for c in pod.containers if c.requests]
        says = "; ".join((pod.unscheduled.rstrip("."), *wants))
        yield Trouble("unscheduled", (pod.name,), (), "", says)
        return
    if pod.phase == "Failed" and pod.reason:
        yield Trouble("evicted", (pod.name,), (), "", f"{pod.reason}: {pod.message}".rstrip(": "))
        return
    inits = (_init(pod, c, asked) for c in pod.containers if c.kind == "init")
    blocked = next(filter(None, inits), None)
    if blocked is not None:
        yield blocked
        return
    rest = [c for c in pod.containers if c.kind != "init"]
    found = [t for one in rest if (t := _container(pod, one, asked)) is not None]
    yield from found
    if not found and not pod.ready and _all_ready(rest) and pod.unready:
        yield Trouble("not-ready", (pod.name,), (), "", pod.unready)


def _all_ready(containers: list[ContainerState]) -> bool:
    """Whether it is not for a container of it that a pod is not ready."""
    needed = [c for c in containers if c.kind != "ephemeral"]
    return bool(needed) and all(c.condition == "running" and c.ready for c in needed)


def _init(pod: PodState, one: ContainerState, asked: float) -> Trouble | None:
    """What keeps an init container from its end; None where it is done, or may well be on its way."""
    end = one.end or (one.last if one.condition != "ended" else None)
    if one.condition == "ended" and one.end is not None and not one.end.failed:
        return None
    if end is not None and end.failed:
        return _trouble(
            "oom" if end.reason == "OOMKilled" else "init-fails", pod, one, _end_words(end)
        )
    if one.condition == "running":
        late = one.started is not None and asked - one.started > _STARTING_S
        return _trouble("init-runs", pod, one, "") if late else None
    return _not_started(pod, one, asked)


def _container(pod: PodState, one: ContainerState, asked: float) -> Trouble | None:
    end = one.last_end
    if one.condition == "waiting" and one.reason != _LOOPING:
        return _not_started(pod, one, asked)
    killed = end is not None and _killed_by_probe(pod, one)
    loops = looping(one) and pod.restarts_always
    if end is not None and (end.failed or loops or killed) and not _long_ago(one, asked):
        return _trouble(_end_kind(pod, one, end), pod, one, _end_words(end))
    if one.condition == "running" and not one.ready and one.kind != "ephemeral":
        probes = [says for reason, says in pod.warnings if reason == "Unhealthy"]
        return _trouble("not-ready", pod, one, probes[-1] if probes else "")
    return None


def _end_kind(pod: PodState, one: ContainerState, end: ContainerEnd) -> TroubleKind:
    if end.reason == "OOMKilled":
        return "oom"
    if _killed_by_probe(pod, one):
        return "killed-by-probe"
    return "restarts" if looping(one) else "ended"


def _killed_by_probe(pod: PodState, one: ContainerState) -> bool:
    """Whether the kubelet says that it ends the container for its probe: it may end in any way then."""
    own = re.compile(rf"\b{re.escape(one.name)}\b")
    return any(
        reason == "Killing" and _LIVENESS.search(says) and own.search(says)
        for reason, says in pod.warnings
    )


def _long_ago(one: ContainerState, asked: float) -> bool:
    """Whether it runs and is ready, and has been since long after its last end."""
    end = one.last_end
    if one.condition != "running" or not one.ready or end is None or end.ended is None:
        return False
    return asked - end.ended > _DAY_S


def _not_started(pod: PodState, one: ContainerState, asked: float) -> Trouble | None:
    """A container that waits, unless it is only just being made."""
    if one.condition not in {"waiting", "unknown"}:
        return None
    says = f"{one.reason}: {one.message}".strip(": ")
    if one.reason in _PLAIN:
        complaints = [f"{reason}: {text}" for reason, text in pod.warnings]
        late = pod.created is not None and asked - pod.created > _STARTING_S
        if not complaints and not late:
            return None
        says = complaints[-1] if complaints else says or "the kubelet has not said anything of it"
    return _trouble("not-started", pod, one, says)


def exit_code(end: ContainerEnd) -> str:
    """The exit code, with the signal that it stands for (128 and its number)."""
    signal = _SIGNALS.get(end.exit_code or 0)
    return f"{end.exit_code} ({signal})" if signal else f"{end.exit_code}"


def _end_words(end: ContainerEnd) -> str:
    """How a run ended: its exit code, and the kubelet's reason where that says more."""
    code = f"exit code {exit_code(end)}" if end.exit_code is not None else "no exit code known"
    reason = "" if end.reason in {"", "Error", "Completed"} else f"{end.reason}, "
    message = f": {end.message}" if end.message else ""
    return f"{reason}{code}{message}"


def _trouble(kind: TroubleKind, pod: PodState, one: ContainerState, says: str) -> Trouble:
    warnings = tuple(f"{reason}: {text}" for reason, text in pod.warnings)
    return Trouble(kind, (pod.name,), (one.ref,), one.name, says, one, warnings)


def _general(one: Trouble) -> str:
    """What it says without the names that differ from pod to pod."""
    says = _OWN.sub("", one.says)
    for name in (*one.containers, *one.pods):
        says = says.replace(name, "")
    return says


def _joined(group: list[Trouble]) -> Trouble:
    first = max(
        group, key=lambda t: (bool(t.one and t.one.last_words), t.one.restarts if t.one else 0)
    )
    return Trouble(
        first.kind,
        tuple(p for t in group for p in t.pods),
        tuple(c for t in group for c in t.containers),
        first.name,
        first.says,
        first.one,
        first.warnings,
    )


def names(every: Iterable[str], shown: int = 3) -> str:
    """Some names, and how many more there are."""
    listed = list(dict.fromkeys(every))
    rest = len(listed) - shown
    return ", ".join(listed[:shown]) + (f" and {rest} more" if rest > 0 else "")
