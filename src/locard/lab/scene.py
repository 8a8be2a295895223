"""The vocabulary of a scenario: a service, its load, a fault, the truth and a near miss.

A scenario is one module of `lab/scenarios` with a function `scene(draws) -> Scene`. It does
nothing itself: the harness (`stage.py`) starts what the scene names and applies its actions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from locard.lab.draws import Draws

Shares = tuple[tuple[str, float], ...]  # value and its share; the shares add up to 1


class Variant(StrEnum):
    """What happens at the onset: the fault, something that only looks like it, or nothing."""

    FAULT = "fault"
    NEAR_MISS = "near-miss"
    HEALTHY = "healthy"


@dataclass(frozen=True, slots=True)
class Upstream:
    """One provider process. Answer times are log-normal; `failures` is a share of its answers."""

    name: str
    median_ms: float
    spread: float
    failures: float
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint, its share of the traffic, what it uses (keys, rates, receipts), its upstreams."""

    method: str
    template: str
    share: float
    uses: tuple[str, ...]
    upstreams: Shares


@dataclass(frozen=True, slots=True)
class Service:
    """One deployment of payment-service. `store_write_ms` is what the store agent always takes.

    `flags` are the shares of requests for which each feature flag is on before the onset.
    `blocking_sockets` says whether calls to upstreams wait in recv or in poll. `instances` are
    the names of several instances of it, each with its own workers, behind one balancer and with
    their lines in one log; none: there is one, whose workers are named by host and pid.
    `log_changes` says whether a reload of the configuration logs which values changed.
    """

    workers: int
    threads: int
    timeout_s: float
    blocking_sockets: bool
    upstreams: tuple[Upstream, ...]
    routes: tuple[Route, ...]
    flags: Shares
    store_write_ms: float
    log_route: bool
    not_found_share: float
    log_changes: bool = True
    instances: tuple[str, ...] = ()

    def upstream_share(self, name: str) -> float:
        """The share of all requests that go to this upstream."""
        return sum(r.share * dict(r.upstreams).get(name, 0.0) for r in self.routes)

    def using(self, resource: str) -> Service:
        """The same deployment with routes that all use one more resource."""
        routes = tuple(replace(r, uses=(*r.uses, resource)) for r in self.routes)
        return replace(self, routes=routes)

    def use_share(self, resource: str) -> float:
        """The share of all requests that use this resource."""
        return sum(r.share for r in self.routes if resource in r.uses)


@dataclass(frozen=True, slots=True)
class Load:
    """Open-loop traffic: Poisson arrivals and the shares of what requests carry, by header.

    A request that fails is sent again, up to `retries` times, each time after about `retry_ms`.
    """

    rate_per_s: float
    headers: tuple[tuple[str, Shares], ...]
    patience_s: float = 10.0
    retries: int = 0
    retry_ms: float = 100.0

    def shares(self, header: str) -> dict[str, float]:
        """The values of one header and their shares."""
        return dict(dict(self.headers)[header])


class Stage(Protocol):
    """What an action may do to the running service."""

    def tell(self, process: str, message: dict[str, Any]) -> None:
        """Change settings of an upstream (by name), of the store agent (`store`) or `traffic`."""

    def set_flag(self, name: str, share: float) -> None:
        """Turn a feature flag on for a share of the requests."""

    def configure(self, setting: str, value: object) -> None:
        """Change one setting (dotted) in the service's configuration file, which it reloads."""

    def certify(self, upstream: str, valid_s: float) -> None:
        """Give a TLS upstream a new certificate that ends so many seconds from now (or before)."""

    def fill_log(self, instance: str) -> None:
        """Let no process of this instance write any further into the log."""


class Action(Protocol):
    """One change to the running service. A new kind of fault is a new class with `apply`."""

    def apply(self, stage: Stage) -> None:
        """Make the change now."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Send new settings to an upstream, the store agent or the traffic, over standard input."""

    process: str
    message: dict[str, Any]

    def apply(self, stage: Stage) -> None:
        """Make the change now."""
        stage.tell(self.process, self.message)


@dataclass(frozen=True, slots=True)
class SetFlag:
    """Roll a feature flag out to a share of the requests."""

    name: str
    share: float

    def apply(self, stage: Stage) -> None:
        """Make the change now."""
        stage.set_flag(self.name, self.share)


@dataclass(frozen=True, slots=True)
class Configure:
    """Change one setting in the configuration file of the service, which reloads it."""

    setting: str
    value: object

    def apply(self, stage: Stage) -> None:
        """Make the change now."""
        stage.configure(self.setting, self.value)


@dataclass(frozen=True, slots=True)
class Certify:
    """Give a TLS upstream a new certificate; one with `valid_s` below 0 has expired."""

    upstream: str
    valid_s: float

    def apply(self, stage: Stage) -> None:
        """Make the change now."""
        stage.certify(self.upstream, self.valid_s)


@dataclass(frozen=True, slots=True)
class FillLog:
    """One instance can write no further into the log (its quota is used up), and goes on serving."""

    instance: str

    def apply(self, stage: Stage) -> None:
        """Make the change now."""
        stage.fill_log(self.instance)


@dataclass(frozen=True, slots=True)
class Truth:
    """What a right investigation finds. `rules` are ids of which any one is right as the first.

    `values` are the field=value pairs that are hit (none: everyone). `mentions` are words that
    the first contributing factor or its evidence should name, such as the place in the code.
    `in_log` says that `locard logs` alone has to find it.
    """

    rules: tuple[str, ...]
    values: tuple[tuple[str, str], ...] = ()
    mentions: tuple[str, ...] = ()
    in_log: bool = False


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A run that shows the same surface symptoms where the rule must stay quiet."""

    why: str
    before: tuple[Action, ...] = ()
    at_onset: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """One drawn instance of a scenario; all variants of one seed share everything but the actions."""

    service: Service
    load: Load
    fault: tuple[Action, ...]
    truth: Truth
    near_miss: NearMiss

    def actions(self, variant: Variant) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
        """What to do before the traffic starts, and at the onset."""
        if variant is Variant.FAULT:
            return (), self.fault
        if variant is Variant.NEAR_MISS:
            return self.near_miss.before, self.near_miss.at_onset
        return (), ()


class Scenario(Protocol):
    """A module of `lab/scenarios`."""

    def scene(self, draws: Draws) -> Scene:
        """Draw one instance."""
