"""The states of a target's pods in words; times stand in them as moments, for the reader's zone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.moments import moment
from locard.model.wording import count, verb
from locard.model.workload_split import rollout
from locard.model.workload_trouble import exit_code, names, troubles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locard.model.log_facts import LogSummary
    from locard.model.workload import ContainerEnd, ContainerState, Version, WorkloadStates
    from locard.model.workload_split import Rollout
    from locard.model.workload_trouble import Trouble, TroubleKind

_SHOWN = 3
_BOTH = 2
_LEFT = "what its pods wrote before is gone with them, unless a log backend has it"


def headline(found: WorkloadStates) -> str:
    """How the pods stand, on one line: how many, ready, restarts, versions."""
    if not found.pods:
        none = "scaled to 0: there is no pod" if found.desired == 0 else "there is no pod"
        return f"{none}{_gone_words(found)}"
    done = sum(p.phase == "Succeeded" for p in found.pods)
    if done == len(found.pods):
        return f"{count(done, 'pod')}, done"
    ready = sum(p.ready for p in found.pods)
    every = "all ready" if ready == len(found.pods) else f"{ready} ready" if ready else "none ready"
    if len(found.pods) == 1:
        every = "ready" if ready else "not ready"
    parts = [f"{count(len(found.pods), 'pod')}, {every}"]
    restarts = sum(c.restarts for c in found.containers)
    parts.append(count(restarts, "restart") if restarts else "no restarts")
    parts += [f"{done} done"] if done else []
    leaving = sum(p.deleting for p in found.pods)
    parts += [f"{leaving} being deleted"] if leaving else []
    known = dict.fromkeys(p.version for p in found.pods if p.version)
    if len(known) == 1 and len(found.pods) > 1:
        parts.append(f"all of one version ({next(iter(known))})")
    elif len(known) > 1:
        parts.append(f"{len(known)} versions")
    return ", ".join(parts)


def _gone_words(found: WorkloadStates) -> str:
    return f"; {count(len(found.gone), 'pod')} went lately" if found.gone else ""


def titles(found: WorkloadStates) -> Iterator[tuple[Trouble, str]]:
    """Each cause with its sentence, what hits most pods first."""
    for one in troubles(found):
        yield one, title(one, found)


def title(one: Trouble, found: WorkloadStates) -> str:
    """One cause as a sentence without its full stop."""
    text = _TITLES[one.kind](one, found)
    return f"{text[:1].upper()}{text[1:]}" if text.startswith(("pod ", "all ", "both ")) else text


def state_words(one: ContainerState) -> str:
    """How a container stands, in short: `waits (CrashLoopBackOff), exit code 2 at …, 7 restarts`."""
    if one.condition == "running":
        since = f" since {moment(one.started)}" if one.started is not None else ""
        now = f"runs{since}" + ("" if one.ready else ", not ready")
    elif one.condition == "ended" and one.end is not None:
        now = end_words(one.end)
    else:
        now = f"waits ({one.reason})" if one.reason else "has no state yet"
    parts = [now]
    if one.last is not None:
        parts.append(f"the run before: {end_words(one.last)}")
    if one.restarts:
        parts.append(count(one.restarts, "restart"))
    return ", ".join(parts)


def end_words(end: ContainerEnd) -> str:
    """How a run ended, and when."""
    reason = "" if end.reason in {"", "Error", "Completed"} else f"{end.reason}, "
    code = "its exit code is not known" if end.exit_code is None else f"exit code {exit_code(end)}"
    at = f" at {moment(end.ended)}" if end.ended is not None else ""
    return f"ended ({reason}{code}){at}"


def lines(found: WorkloadStates, log: LogSummary | None = None) -> Iterator[tuple[str, list[str]]]:
    """What the first screen has of it: a label and its lines, what tells most first."""
    yield "pods", [headline(found)]
    hit = [c for t in troubles(found) if (c := t.one) is not None]
    if not hit:  # what is on its way, or is done
        waits = [p for p in found.pods if not p.ready and p.phase != "Succeeded"]
        hit = [c for p in waits for c in p.containers if not c.ready and not _done(c)]
    yield "states", [f"{c.ref}: {state_words(c)}" for c in hit[:_SHOWN]]
    yield "no log", list(_no_logs(found))
    if len(found.versions) > 1 or found.paused:
        yield "versions", list(_versions(found))
    rolled = rollout(log, found) if log is not None else None
    if rolled is not None and log is not None:
        yield "rollout", [rollout_words(rolled, log)]
    if found.gone:
        yield "gone", [f"{gone_words(found)}: {_LEFT}"]
    if found.by_name:
        yield (
            "its pods",
            ["told by the names of their replica sets: the deployment may not be read"],
        )
    yield "complains", list(found.trouble[:_SHOWN])
    yield "not asked", [f"{m}" for m in found.missed[:_SHOWN]]


def _done(one: ContainerState) -> bool:
    return one.end is not None and not one.end.failed


def gone_words(found: WorkloadStates) -> str:
    """The pods that went, how, and when the last one did."""
    last = max((g.at for g in found.gone if g.at is not None), default=None)
    at = f", the last at {moment(last)}" if last is not None else ""
    return f"{names(g.name for g in found.gone)} ({found.gone[-1].reason}{at})"


def _no_logs(found: WorkloadStates) -> Iterator[str]:
    """Containers without a log, by why; the kubelet's own words where it gives none that there was."""
    every = found.no_logs
    none_before = [f"{n.pod}/{n.container}" for n in every if n.kind == "no-previous-run"]
    if none_before:
        verb_ = verb(len(none_before), "it has", "they have")
        yield f"{names(none_before)}: no previous run, {verb_} never been restarted"
    waiting = [n for n in every if n.kind == "not-started"]
    if waiting:
        yield f"{names(f'{n.pod}/{n.container}' for n in waiting)}: not started, so nothing was written"
    removed = [f"{n.pod}/{n.container}" for n in every if n.kind == "removed"]
    if removed:
        yield f"{names(removed)}: the kubelet has removed it (no data, not an error of the service)"
    refused = {
        re.sub(r'pods "[^"]+"', "pods", n.says): n.says for n in every if n.kind == "refused"
    }
    yield from list(refused.values())[:_SHOWN]


def _versions(found: WorkloadStates) -> Iterator[str]:
    """The versions that have pods, and the one before."""
    shown = [v for v in found.versions if v.replicas]
    older = [v for v in found.versions if not v.replicas]
    if older and len(shown) < 2:  # noqa: PLR2004 - the one before it
        shown = [older[-1], *shown]
    for one in reversed(shown[-_SHOWN:]):
        yield version_words(one)
    if found.paused:
        yield "the rollout is paused half way" if len(shown) > 1 else "the rollout is paused"


def rollout_words(one: Rollout, log: LogSummary) -> str:
    """What the newest rollout has to do with the onset, as far as these logs tell."""
    name, since = one.version.name, one.version.since or 0.0
    what = f"{name} was rolled out at {moment(since)}"
    if one.kind == "untold":
        return (
            f"{what}, and every pod in this log began with it: what was before is not in it, so whether the "
            "rollout has to do with it cannot be told. What would decide: the log of a caller that was not "
            "rolled, metrics, the log of the pods before in a backend"
        )
    if log.onset is None:
        return what
    if one.kind == "after-onset":
        late = f"{since - log.onset.latest:.0f} s"
        return f"{what}, {late} after the onset: it did not bring it"
    ahead = max(0.0, log.onset.earliest - since)
    return f"{what}, {ahead:.0f} s before the onset"


def version_words(one: Version) -> str:
    """A version: its name, revision, since when, its pods."""
    revision = f" (revision {one.revision})" if one.revision is not None else ""
    since = f" since {moment(one.since)}" if one.since is not None else ""
    pods = count(one.replicas, "pod") if one.replicas else "no pod any more"
    return f"{one.name}{revision}{since}: {pods}"


# --- causes -------------------------------------------------------------------------------------


def _of(one: Trouble, found: WorkloadStates) -> str:
    """Whom it hits: `1 of 3 pods of deployment/payment (payment-b9db-g8hgb)`."""
    total, hit = len(found.pods), len(set(one.pods))
    if total == 1:
        return f"pod {one.pods[0]}"
    whose = "" if found.ref.startswith("pod/") else f" of {found.ref}"
    which = f" ({names(one.pods, 2)})" if hit < total else ""
    if hit == total:
        return f"{'both' if total == _BOTH else f'all {total}'} pods{whose}"
    return f"{hit} of {total} pods{whose}{which}"


def _restarts(one: Trouble) -> str:
    restarts = one.one.restarts if one.one is not None else 0
    return f", {count(restarts, 'restart')}" if restarts else ""


def _no_pods(one: Trouble, found: WorkloadStates) -> str:
    if found.desired == 0:
        return f"{found.ref} is scaled to 0: no pod of it runs"
    if found.ref.startswith("label/"):
        where = f" in the namespace {found.namespace}" if found.namespace else ""
        return f"No pod has the labels {found.ref.removeprefix('label/')}{where}"
    return f"{found.ref} has no pod{f': {one.says}' if one.says else ''}"


def _unscheduled(one: Trouble, found: WorkloadStates) -> str:
    verb_ = verb(len(one.pods), "is", "are")
    return f"{_of(one, found)} {verb_} not scheduled, no node takes {verb(len(one.pods), 'it', 'them')}: {one.says}"


def _evicted(one: Trouble, found: WorkloadStates) -> str:
    return f"{_of(one, found)} failed as a whole: {one.says}"


def _init_runs(one: Trouble, found: WorkloadStates) -> str:
    since = f" since {moment(one.one.started)}" if one.one and one.one.started is not None else ""
    return f"The init container {one.name} of {_of(one, found)} has not ended, it runs{since}{_behind(one, found)}"


def _behind(one: Trouble, found: WorkloadStates) -> str:
    """What has not run because of an init container."""
    first = next((p for p in found.pods if p.name in one.pods), None)
    rest = [c.name for c in first.containers if c.kind == "app"] if first else []
    return f"; {names(rest)} {verb(len(rest), 'has', 'have')} not run" if rest else ""


def _init_fails(one: Trouble, found: WorkloadStates) -> str:
    return f"The init container {one.name} of {_of(one, found)} fails: {one.says}{_restarts(one)}{_behind(one, found)}"


def _not_started(one: Trouble, found: WorkloadStates) -> str:
    kind = "init container" if one.one is not None and one.one.kind == "init" else "container"
    image = ""
    if (
        one.one is not None
        and one.one.image
        and one.one.image not in one.says
        and _about_image(one)
    ):
        image = f" (image {one.one.image})"
    return f"The {kind} {one.name} of {_of(one, found)} has not started: {one.says}{image}"


def _about_image(one: Trouble) -> bool:
    return "image" in one.says.lower()


def _oom(one: Trouble, found: WorkloadStates) -> str:
    limit = f" of {one.one.memory_limit}" if one.one is not None and one.one.memory_limit else ""
    return (
        f"The container {one.name} of {_of(one, found)} was ended at its memory limit{limit}: "
        f"{one.says}{_when(one)}{_restarts(one)}"
    )


def _looping(one: Trouble, found: WorkloadStates) -> str:
    return f"The container {one.name} of {_of(one, found)} ends again and again: {one.says}{_restarts(one)}"


def _ended(one: Trouble, found: WorkloadStates) -> str:
    runs = one.one is not None and one.one.condition == "running"
    now = "; it runs again" if runs else ""
    return f"The container {one.name} of {_of(one, found)} ended with {one.says}{_when(one)}{_restarts(one)}{now}"


def _killed(one: Trouble, found: WorkloadStates) -> str:
    return (
        f"The kubelet ended the container {one.name} of {_of(one, found)} because its probe failed: "
        f"{one.says}{_when(one)}{_restarts(one)}"
    )


def _not_ready(one: Trouble, found: WorkloadStates) -> str:
    why = f": {one.says}" if one.says else ""
    if not one.name:
        runs = verb(len(one.pods), "runs and is", "run and are")
        return f"{_of(one, found)} {runs} not ready, though every container of it is{why}"
    return f"The container {one.name} of {_of(one, found)} runs and is not ready, so it gets no traffic{why}"


def _when(one: Trouble) -> str:
    end = one.one.last_end if one.one is not None else None
    return f" at {moment(end.ended)}" if end is not None and end.ended is not None else ""


_TITLES: dict[TroubleKind, Callable[[Trouble, WorkloadStates], str]] = {
    "no-pods": _no_pods,
    "unscheduled": _unscheduled,
    "evicted": _evicted,
    "init-runs": _init_runs,
    "init-fails": _init_fails,
    "not-started": _not_started,
    "oom": _oom,
    "restarts": _looping,
    "ended": _ended,
    "killed-by-probe": _killed,
    "not-ready": _not_ready,
}
