"""What a cluster says of the pods behind a target: states of containers, versions, who is gone.

All of it is what the API server answered when it was asked; `asked` is that moment. Times are Unix time
in seconds, None where the server names none. A log says nothing of a container that never ran.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ContainerKind = Literal["init", "sidecar", "app", "ephemeral"]
ContainerCondition = Literal["waiting", "running", "ended", "unknown"]
WordsOf = Literal["", "this run", "the run before"]
NoLogKind = Literal["not-started", "no-previous-run", "removed", "refused"]


@dataclass(frozen=True, slots=True)
class ContainerEnd:
    """How one run of a container ended. `exit_code` is None where the status names none."""

    reason: str  # as the kubelet words it: OOMKilled, Error, Completed, StartError, …
    exit_code: int | None
    ended: float | None
    started: float | None = None
    message: str = ""

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than with exit code 0."""
        return self.exit_code != 0 or self.reason == "OOMKilled"


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container of a pod. `end` is of its present run where that ended, `last` of the run before.

    `reason` and `message` are of waiting, as the kubelet words them. `last_words` are the last line of the
    log of the run that ended, where it was read; `words_of` says which run that is. `own_start` is when the
    first run whose end is still known began.
    """

    pod: str
    name: str
    kind: ContainerKind
    condition: ContainerCondition
    reason: str = ""
    message: str = ""
    started: float | None = None
    end: ContainerEnd | None = None
    last: ContainerEnd | None = None
    restarts: int = 0
    ready: bool = False
    image: str = ""
    memory_limit: str = ""
    requests: str = ""  # what it asks of a node: `cpu 100m, memory 900Gi`
    last_words: str = ""
    words_of: WordsOf = ""

    @property
    def ref(self) -> str:
        """`POD/CONTAINER`, as it is named everywhere."""
        return f"{self.pod}/{self.name}"

    @property
    def last_end(self) -> ContainerEnd | None:
        """The newest end of a run that is known."""
        return self.end or self.last


@dataclass(frozen=True, slots=True)
class PodState:
    """One pod. `version` tells the pods of one template from those of another (the template's hash).

    `unscheduled` is why no node takes it, in the scheduler's words; `reason` and `message` are the pod's own
    (Evicted, …); `warnings` are what the cluster's events complain of, newest last.
    """

    name: str
    namespace: str
    phase: str
    owner: str = ""  # `ReplicaSet/checkout-5d8f`
    version: str = ""
    node: str = ""
    created: float | None = None
    ready: bool = False
    deleting: bool = False
    reason: str = ""
    message: str = ""
    restarts_always: bool = True  # what ends is started again, whatever its exit code
    unscheduled: str = ""
    unready: str = ""  # why it is not ready, in the words of its condition
    containers: tuple[ContainerState, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()  # reason, message

    @property
    def workload(self) -> str:
        """Whose pod it is: `checkout` of `ReplicaSet/checkout-5d8f`, which is one version of it."""
        kind, _, name = self.owner.partition("/")
        return name.removesuffix(f"-{self.version}") if kind == "ReplicaSet" else name


@dataclass(frozen=True, slots=True)
class PodGone:
    """A pod that is no more, as events tell: its log went with it. Events are kept for about an hour."""

    name: str
    at: float | None
    reason: str  # Killing, SuccessfulDelete, Evicted, …
    says: str


@dataclass(frozen=True, slots=True)
class Version:
    """One template of the workload: a replica set, by its template's hash.

    `scaled_up` is when its first pod was asked for: of a template that is used again later than `created`.
    """

    name: str
    hash: str
    revision: int | None
    created: float | None
    replicas: int
    ready: int
    images: tuple[str, ...] = ()
    scaled_up: float | None = None

    @property
    def since(self) -> float | None:
        """When it was rolled out, as far as that is known."""
        return self.scaled_up if self.scaled_up is not None else self.created


@dataclass(frozen=True, slots=True)
class NoLog:
    """A container that gave no log, and what kubectl or the kubelet said instead: no line of a log."""

    pod: str
    container: str
    kind: NoLogKind
    says: str


@dataclass(frozen=True, slots=True)
class WorkloadStates:
    """The pods of one target, as the API server had them at `asked`.

    `missed` says what could not be asked, in words; `desired` and `paused` are of a workload, `trouble` is
    what its own conditions complain of (a quota, a deadline). `by_name`: which pods are its was told from
    their names, since the workload could not be read. `exclusive`: the log holds pods of this target alone.
    """

    ref: str
    namespace: str
    context: str
    asked: float
    previous: bool = False  # the log is of the runs before
    pods: tuple[PodState, ...] = ()
    gone: tuple[PodGone, ...] = ()
    versions: tuple[Version, ...] = ()
    no_logs: tuple[NoLog, ...] = ()
    desired: int | None = None
    paused: bool = False
    trouble: tuple[str, ...] = ()
    by_name: bool = False
    missed: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()  # the commands that told it

    @property
    def containers(self) -> tuple[ContainerState, ...]:
        """All of them, in the order of the pods."""
        return tuple(c for pod in self.pods for c in pod.containers)

    @property
    def refused(self) -> tuple[NoLog, ...]:
        """Logs that there may be, and that were not given."""
        return tuple(n for n in self.no_logs if n.kind == "refused")

    def pod(self, name: str) -> PodState | None:
        """The pod of a name."""
        return next((p for p in self.pods if p.name == name), None)
