"""Who may do what in a cluster's namespace, as its API server answered, and what follows for locard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Right = Literal[
    "see-pods", "read-logs", "see-workloads", "see-versions", "see-events", "exec", "debug-container"
]  # fmt: skip
# From this minor version of Kubernetes 1 on, exec over a websocket asks for `create` too (before: `get`).
_CREATE_ALONE = 35


@dataclass(frozen=True, slots=True)
class Answer:
    """One question, as `kubectl auth can-i` puts it. `allowed` is None where there was no answer (`says`)."""

    verb: str
    resource: str
    subresource: str = ""
    allowed: bool | None = None
    says: str = ""

    @property
    def rule(self) -> str:
        """What is asked for, as a role names it: `get pods/exec`."""
        whole = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {whole}"


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """The answers of one namespace. `user` and `server` are empty where they were not told."""

    namespace: str
    context: str
    user: str
    server: str  # v1.33.1
    answers: tuple[Answer, ...]
    missed: tuple[str, ...] = ()

    def asked(self, verb: str, resource: str, subresource: str = "") -> Answer:
        """The answer to a question; one that is not known where it was not asked."""
        for one in self.answers:
            if (one.verb, one.resource, one.subresource) == (verb, resource, subresource):
                return one
        return Answer(verb, resource, subresource, None, "it was not asked")

    @property
    def minor(self) -> int | None:
        """The server's minor version: 33 of v1.33.1."""
        digits = self.server.removeprefix("v").split(".")
        return int(digits[1]) if len(digits) > 1 and digits[1].isdigit() else None

    @property
    def exec_answers(self) -> tuple[Answer, ...]:
        """The verbs of which each alone lets a client of this server run commands in a pod."""
        create, get = self.asked("create", "pods", "exec"), self.asked("get", "pods", "exec")
        alone = self.minor is not None and self.minor >= _CREATE_ALONE
        return (create,) if alone else (create, get)

    @property
    def may_exec(self) -> bool | None:
        """Whether commands may be run in pods; None where that is not known."""
        answers = [a.allowed for a in self.exec_answers]
        if any(answers):
            return True
        return None if None in answers else False

    @property
    def execs_as_reader(self) -> bool:
        """Whether a role that only reads may run commands: by `get`, which reads everywhere else."""
        create, get = self.asked("create", "pods", "exec"), self.asked("get", "pods", "exec")
        return bool(self.may_exec and get.allowed and not create.allowed)
