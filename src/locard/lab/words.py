"""The truth of a run beside what was found, for people."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from locard.lab.scene import Variant
from locard.lab.score import score, target_lost

if TYPE_CHECKING:
    from locard.lab.play import Played


def comparison(played: Played, tz: dt.tzinfo | None = None) -> str:
    """A few lines at most 80 columns wide; moments in this zone, else in UTC."""
    casting, truth = played.casting, played.scene.truth
    marks = score(played)
    lines = [
        "",
        "The demo's service has ended, and its files are gone unless --keep was given:",
        "the commands above that name its pid or its files are examples.",
        "",
        f"The truth (seed {casting.seed}, {casting.scenario}, {casting.variant.value})",
    ]
    if casting.variant is Variant.FAULT:
        values = ", ".join(f"{k}={v}" for k, v in truth.values)
        lines.append(f"  what   {' or '.join(truth.rules):<34} {_rule(marks.rank)}")
        if values:
            lines += [f"  who    {values}", f"  {'':<39} {_values(marks.values_hit)}"]
        else:
            lines.append("  who    everyone who needs it")
        if truth.mentions:
            lines.append(f"  where  {', '.join(truth.mentions):<34} {_named(marks.mentions_hit)}")
        found = _onset(marks.onset_off_s, marks.onset_width_s)
        lines.append(f"  when   {_clock(played.onset, tz):<34} {found}")
    else:
        why = played.scene.near_miss.why
        told = "nothing happened" if casting.variant is Variant.HEALTHY else why
        lines.append(f"  {told}")
        if marks.false_alarms:
            lines.append(f"  false alarm: {', '.join(marks.false_alarms)}")
    lost = target_lost(played)
    lines.append(
        f"  cost   clients before and during: p50 {_pair(lost, 'p50_ms')} ms,"
        f" p99 {_pair(lost, 'p99_ms')} ms"
    )
    if not marks.answered:
        lines.append("The investigation gave no answer.")
    else:
        lines.append(
            "The investigation was right." if marks.right else "The investigation was wrong."
        )
    return "\n".join(lines)


def _rule(rank: int | None) -> str:
    if rank is None:
        return "not found"
    return "found, ranked first" if rank == 1 else f"found, ranked {rank}"


def _values(hit: float | None) -> str:
    return "all named" if hit == 1 else f"{hit or 0:.0%} of them named"


def _named(hit: bool | None) -> str:
    return "named" if hit else "not named"


def _clock(moment: float | None, tz: dt.tzinfo | None) -> str:
    if moment is None:
        return "nothing changed"
    at = dt.datetime.fromtimestamp(moment, tz or dt.UTC)
    return f"{at.strftime('%H:%M:%S.%f')[:-5]} {at.tzname() or ''}".rstrip()


def _onset(off_s: float | None, width_s: float | None) -> str:
    if off_s is None or width_s is None:
        return "no onset found"
    if off_s == 0:
        return f"inside the interval found ({width_s:.1f} s wide)"
    return f"{off_s:.1f} s outside the interval found ({width_s:.1f} s wide)"


def _pair(lost: dict[str, dict[str, float | None]], key: str) -> str:
    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:.0f}"

    return f"{number(lost['before'][key])} → {number(lost['during'][key])}"
