"""Whether this kernel's probes do harm inside functions: tried in a process of ours, before any target's.

`COMMAND` runs the trial at a place; `read` says what came of it. Function entries are safe everywhere; USDT
sites and offsets inside functions are refused where `read` does not find them safe (`Object.attach_usdt`
tries it again by itself).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.model.foreign_json import parsed

if TYPE_CHECKING:
    from locard.model.evidence import Output

COMMAND = Template(
    argv=("python3", "-I", "-S", "-"),
    impact=Impact.READS,
    bound_s=10.0,
    by_hand="cat /sys/bus/event_source/devices/uprobe/type",
    program="far/ebpf.py+far/red_zone.py",
    needs=(needs.PYTHON,),
    output="json",
    parts=(("library", "far/libfar.{machine}.so"),),
)


@dataclass(frozen=True, slots=True)
class ProbeSafety:
    """What the trial showed. `safe` is None where it could not be made."""

    safe: bool | None
    words: str


def read(output: Output) -> ProbeSafety:
    """The result of `COMMAND`; what is no result could not be tried."""
    try:
        row = parsed(output.text.strip())
    except ValueError:
        row = None
    if not isinstance(row, dict) or "spoils" not in row:
        return ProbeSafety(None, output.problem or "the trial said nothing")
    inside, entry = _counts(row.get("inside")), _counts(row.get("entry"))
    if row["spoils"]:
        safe = False if inside and inside.get("spoilt") else None
        return ProbeSafety(safe, str(row["spoils"]))
    if inside is None:
        return ProbeSafety(True, "this machine has no such path: probes are traps")
    control = f", {entry['spoilt']} at an entry" if entry else ""
    return ProbeSafety(
        True, f"probes inside functions do no harm: 0 of {inside['tries']} calls spoilt{control}"
    )


def _counts(value: Any) -> dict[str, int] | None:
    names = ("tries", "spoilt", "hits", "after")
    if isinstance(value, dict) and all(isinstance(value.get(n), int) for n in names):
        return value
    return None
