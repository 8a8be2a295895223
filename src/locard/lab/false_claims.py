"""Which of the claims of a document the truth contradicts: what stood on the screen and was untrue.

A claim is judged only where the truth settles it; what the truth does not speak of is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a service whatever is said of it. None: the truth does not settle it.

    `hit` are the field=value pairs that are hit; `everyone` says that all requests are. `onset` is
    Unix time. `factors` are the rules that may lead, empty where nothing is wrong.
    """

    broken: bool | None
    in_log: bool | None = None  # the log shows it
    busy: bool | None = None  # threads of the target are at work on what is wrong
    everyone: bool | None = None
    hit: tuple[tuple[str, str], ...] = ()
    onset: float | None = None
    onset_slack_s: float = 2.0
    factors: frozenset[str] = frozenset()


def false_claims(document: dict[str, Any], known: Known) -> tuple[str, ...]:
    """Each untrue claim as `kind: what was said`, in the order of the screen."""
    said = document.get("claims", [])
    return tuple(
        f"{claim['claim']['kind']}: {claim['says']}"
        for claim in said
        if _is_false(claim["claim"], known)
    )


def _is_false(claim: dict[str, Any], known: Known) -> bool:
    judge = _JUDGES.get(claim["kind"])
    return judge is not None and judge(claim, known)


def _calm_log(_: dict[str, Any], known: Known) -> bool:
    return known.broken is True and known.in_log is not False


def _spares_the_hit(claim: dict[str, Any], known: Known) -> bool:
    return any((claim["subject"], value) in known.hit for value in _texts(claim, "value"))


def _leads_wrongly(claim: dict[str, Any], known: Known) -> bool:
    return bool(claim["slot"] == "verdict" and claim["subject"] not in known.factors)


def _misses(claim: dict[str, Any], known: Known) -> bool:
    if known.onset is None:
        return False
    at = {f["name"]: f["value"] for f in claim["figures"]}
    slack = known.onset_slack_s
    return not at["earliest"] - slack <= known.onset <= at["latest"] + slack


def _texts(claim: dict[str, Any], name: str) -> Iterator[str]:
    yield from (f["text"] for f in claim["figures"] if f["name"] == name)


_JUDGES: dict[str, Callable[[dict[str, Any], Known], bool]] = {
    "log_steady": _calm_log,
    "nothing_found": lambda _, known: known.broken is True,
    "every_thread_idle": lambda _, known: known.busy is True,
    "every_value_hit": lambda _, known: known.everyone is False,
    "onset_known": _misses,
    "values_spared": _spares_the_hit,
    "log_going_on": lambda _, known: known.broken is False,
    "log_recovered": lambda _, known: known.broken is False,
    "who_is_hit": lambda _, known: known.broken is False,
    "factor": _leads_wrongly,
}
