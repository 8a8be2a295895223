"""What a run draws from its seed: names, shares, rates, moments. One seed, one world."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeVar

from locard.lab.scene import Load, Route, Service, Shares, Upstream

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_UPSTREAMS = (
    "card-gateway",
    "bank-transfers",
    "fx-quotes",
    "risk-score",
    "wallet-api",
    "tax-service",
    "identity-check",
    "loyalty-ledger",
    "payout-router",
)
_REGIONS = (
    "eu-west-1",
    "eu-central-1",
    "eu-north-1",
    "us-east-1",
    "us-west-2",
    "sa-east-1",
    "ap-south-1",
    "ap-northeast-1",
    "af-south-1",
)
_SEGMENTS = ("free", "plus", "business", "enterprise", "student", "partner", "trial", "premium")
_CURRENCIES = ("EUR", "USD", "GBP", "SEK", "PLN")
_AGENTS = ("pay-ios/7", "pay-android/7", "pay-web/41", "partner-sdk/3")

# Feature flag → the resource whose code it switches. The others switch nothing that matters here.
FLAGS = {
    "shared-idempotency-keys": "keys",
    "exact-rates": "rates",
    "confirmed-receipts": "receipts",
}
_OTHER_FLAGS = ("instant-sepa", "loyalty-points", "compact-receipts")


class Draws:
    """Draws that repeat for one seed. Each topic has its own stream, so that none shifts another."""

    def __init__(self, *names: str | int) -> None:
        """The stream of these names: a seed, a scenario, and topics below it."""
        self._names = names
        base = "/".join(map(str, names))
        self._stream = random.Random(base)  # noqa: S311 - repeatable on purpose

    def topic(self, name: str) -> Draws:
        """An independent stream of the same seed."""
        return Draws(*self._names, name)

    def between(self, low: float, high: float) -> float:
        """A number, evenly drawn."""
        return self._stream.uniform(low, high)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return self._stream.choice(items)

    def some(self, items: Sequence[T], low: int, high: int) -> tuple[T, ...]:
        """Between `low` and `high` different items."""
        return tuple(self._stream.sample(items, self._stream.randint(low, high)))

    def number(self) -> int:
        """A seed for another process."""
        return self._stream.randrange(2**32)

    def shares(self, names: Sequence[str], skew: float = 4.0) -> Shares:
        """Shares that add up to 1; the largest is at most `skew` times the smallest."""
        weights = [self._stream.uniform(1, skew) for _ in names]
        total = sum(weights)
        return tuple((n, round(w / total, 4)) for n, w in zip(names, weights, strict=True))

    def service(self) -> Service:
        """A deployment: its size, its three upstreams, its routes and flags."""
        own = self.topic("service")
        names = own.some(_UPSTREAMS, 3, 3)
        upstreams = tuple(
            Upstream(
                name,
                median_ms=round(own.between(10, 30), 1),
                spread=round(own.between(0.2, 0.4), 2),
                failures=round(own.between(0.0005, 0.003), 4),
            )
            for name in names
        )
        return Service(
            workers=own.pick((2, 3)),
            threads=8,
            timeout_s=2.0,
            blocking_sockets=own.pick((True, False)),
            upstreams=upstreams,
            routes=_routes(own, names),
            flags=tuple((f, round(own.between(0.003, 0.01), 3)) for f in (*FLAGS, *_OTHER_FLAGS)),
            store_write_ms=round(own.between(15, 30), 1),
            log_route=own.pick((True, False)),
            not_found_share=round(own.between(0.002, 0.01), 4),
            log_changes=own.pick((True, False)),
        )

    def instances(self, low: int = 3, high: int = 4) -> tuple[str, ...]:
        """Names of instances as an orchestrator gives them: one deployment, random endings."""
        own = self.topic("instances")
        build = own.code(9)
        count = low + own.number() % (high - low + 1)
        return tuple(f"payment-service-{build}-{own.code(5)}" for _ in range(count))

    def code(self, length: int) -> str:
        """Random letters and digits that spell no word."""
        return "".join(self.pick("bcdfghjklmnpqrstvwxz2456789") for _ in range(length))

    def load(self) -> Load:
        """Traffic: its rate and the mix of regions, segments and clients."""
        own = self.topic("load")
        versions = tuple(f"7.{own.number() % 9}.{k}" for k in range(3))
        return Load(
            rate_per_s=round(own.between(50, 75), 1),
            headers=(
                ("x-region", own.shares(own.some(_REGIONS, 4, 5))),
                ("x-user-segment", own.shares(own.some(_SEGMENTS, 4, 5))),
                ("x-client-version", own.shares(versions)),
                ("x-currency", own.shares(_CURRENCIES)),
                ("user-agent", own.shares(_AGENTS)),
            ),
        )


def _routes(own: Draws, names: Sequence[str]) -> tuple[Route, ...]:
    """Paying is most of the traffic; every route prefers its upstreams differently."""
    pay = own.between(0.36, 0.44)
    rest = dict(own.shares(("transfer", "refund", "order", "quote"), skew=2.0))
    share = {name: round(value * (1 - pay), 4) for name, value in rest.items()}
    settle = ("keys", "rates", "receipts")

    def route(method: str, template: str, part: float, uses: tuple[str, ...]) -> Route:
        return Route(method, template, round(part, 4), uses, own.shares(names))

    return (
        route("POST", "/orders/{id}/pay", pay, settle),
        route("POST", "/transfers/{id}", share["transfer"], settle),
        route("POST", "/refunds/{id}", share["refund"], ("keys", "receipts")),
        route("GET", "/orders/{id}", share["order"], ()),
        route("GET", "/quotes/{pair}", share["quote"], ("rates",)),
    )
