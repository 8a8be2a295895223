"""The containers behind a target as places: where each is, and why one cannot be entered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.model.workload import ContainerKind


@dataclass(frozen=True, slots=True)
class ClusterPlace:
    """One container of one pod. `closed` is why it cannot be entered, in words; empty where it can be tried.

    `beside`: it is no container of the service itself (a sidecar, an init container, a debug container).
    """

    target: str  # deployment/payment
    namespace: str
    context: str
    pod: str
    container: str
    kind: ContainerKind
    node: str = ""
    version: str = ""
    closed: str = ""

    @property
    def ref(self) -> str:
        """`pod/NAME/CONTAINER`: the unit of policy, identity and evidence."""
        return f"pod/{self.pod}/{self.container}"

    @property
    def beside(self) -> bool:
        """Whether it is none of the service's own containers."""
        return self.kind != "app"

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """What a transport needs to know, as pairs; what is empty is kubectl's own default."""
        named = (
            ("namespace", self.namespace),
            ("context", self.context),
            ("container", self.container),
        )
        return tuple((key, value) for key, value in named if value)
