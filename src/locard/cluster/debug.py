"""A debug container beside one that has neither shell nor python3: planned, refused, made, and left behind.

It changes the pod for good: an ephemeral container cannot be removed, and its entry stays until the pod is
deleted. So it needs `--allow injects`, is put into one pod alone, and the mildest profile comes first. A
second one is made only where admission refused the first before it existed.
Source: kubernetes.io/docs/tasks/debug/debug-application/debug-running-pod (profiles), …/pod-security-standards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from locard.cluster.asks import NEEDS, PLACE
from locard.cluster.json_reading import items
from locard.cluster.pod_states import pod_states
from locard.guard.command import Impact, Residue, Template, Wait

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.guard.command import Command
    from locard.model.evidence import Output

RESIDUE = (
    "an ephemeral container that cannot be removed from the pod: it ends by itself after half an hour, and"
    " its entry stays until the pod is deleted"
)
PROFILES = ("restricted", "baseline", "general", "netadmin", "sysadmin")  # the mildest first
_LIVES_S = 1800
_WAITS = (1.0, 1.0, 2.0, 2.0, 4.0, 4.0)  # seconds, until the kubelet has tried
_MADE = frozenset({"ContainerCreating", "PodInitializing", ""})
DEBUG = Template(
    ("kubectl", "debug", "pod/{pod:word}", "--container={name:word}", "--image={image:word}",
     "--target={target:word}", "--profile={profile:word}", "--image-pull-policy={pull:word*}", "--attach=false",
     *PLACE, "--", "sleep", str(_LIVES_S)),
    Impact.INJECTS,
    60.0,
    residue=(Residue(RESIDUE),),
    needs=NEEDS, here=True,
)  # fmt: skip
LOOK = Template(
    ("kubectl", "get", "pods", "{pod:word}", "--output=json", *PLACE),
    Impact.READS,
    20.0,
    needs=NEEDS,
    here=True,
    max_bytes=4 << 20,
)
COMMANDS = (DEBUG, LOOK)
Outcome = Literal["runs", "refused", "stuck", "failed"]


@dataclass(frozen=True, slots=True)
class DebugContainer:
    """What became of it. `refused` are the profiles that admission did not let through, in its words.

    `left`: there is an entry in the pod now, whatever its state: it is the residue.
    """

    outcome: Outcome
    pod: str
    name: str
    profile: str
    says: str
    refused: tuple[tuple[str, str], ...] = ()
    left: bool = False


def plan(
    where: dict[str, tuple[str, ...]],
    pod: str,
    target: str,
    name: str,
    image: str,
    *,
    pull: str = "",
    upto: str = "general",
) -> Generator[Command | Wait, Output, None]:
    """Make one, from the mildest profile on, up to the strongest that may be used; then see how it stands."""
    for profile in PROFILES[: PROFILES.index(upto) + 1]:
        output = yield DEBUG.fill(
            pod=pod, name=name, image=image, target=target, profile=profile,
            pull=(pull,) if pull else (), **where,
        )  # fmt: skip
        if output.exit_code == 0:
            break
        if not _refused(output):
            return  # whether it exists is not known: no second one
    else:
        return
    for seconds in _WAITS:
        output = yield LOOK.fill(pod=pod, **where)
        if _state(output, name)[0] not in {"waiting", "unknown"}:
            return
        yield Wait(seconds)


def read(outputs: Sequence[Output], pod: str, name: str) -> DebugContainer:
    """How it ended: running, refused by a policy, stuck in the kubelet, or not made for another reason."""
    refused: list[tuple[str, str]] = []
    profile, made, says = "", False, ""
    state, why = "unknown", ""
    for output in outputs:
        if output.argv[1:2] == ("debug",):
            profile = _option(output, "--profile=")
            made, says = output.exit_code == 0, _said(output)
            if _refused(output):
                refused.append((profile, says))
        elif output.argv[1:2] == ("get",):
            state, why = _state(output, name)
    if state == "running":
        return DebugContainer("runs", pod, name, profile, "", tuple(refused), left=True)
    if made:
        why = why or "the kubelet has not said how it stands"
        return DebugContainer("stuck", pod, name, profile, why, tuple(refused), left=True)
    if refused and refused[-1][0] == profile:
        return DebugContainer("refused", pod, name, profile, says, tuple(refused))
    # Without an answer it may have been made all the same.
    lost = bool(outputs) and outputs[-1].exit_code is None
    return DebugContainer("failed", pod, name, profile, says, tuple(refused), left=lost)


def _refused(output: Output) -> bool:
    """Whether admission turned it away before it existed, for what it is and not for who asks."""
    said = output.stderr
    if output.exit_code in {0, None} or b"cannot patch resource" in said:
        return False
    return b"violates PodSecurity" in said or b"denied the request" in said


def _state(output: Output, name: str) -> tuple[str, str]:
    """The condition of the debug container, and the kubelet's words for it."""
    try:
        pods: list[dict[str, Any]] = items(output.stdout)
    except (ValueError, RecursionError):
        return "unknown", ""
    for pod in pod_states(pods):
        for one in pod.containers:
            if one.kind == "ephemeral" and one.name == name:
                if one.condition == "waiting" and one.reason not in _MADE:
                    return "stuck", f"{one.reason}: {one.message}".rstrip(": ")
                end = f"it ended at once: {one.end.reason}" if one.end else ""
                return one.condition, end
    return "unknown", ""


def _said(output: Output) -> str:
    return " ".join((output.stderr.decode("utf-8", "replace") or output.problem).split())[:500]


def _option(output: Output, flag: str) -> str:
    return next((w.removeprefix(flag) for w in output.argv if w.startswith(flag)), "")
