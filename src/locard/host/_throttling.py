"""CPU quotas of cgroups, version 1 and 2: in how many of its periods a group was held back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.host import _files
from locard.model import semconv
from locard.model.facts import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_STAT = "cpu.stat"
_V1 = (_STAT, "cpu.cfs_quota_us", "cpu.cfs_period_us")
_V2 = (_STAT, "cpu.max")
_LEAST_PERIODS = 4  # of mostly 100 ms each; one start-up burst fills fewer


def files(directory: str) -> tuple[str, ...]:
    """What is read of one cgroup's directory."""
    return _files.of_version(directory, _V1, _V2)


def readings(first: Mapping[str, list[str]], last: Mapping[str, list[str]]) -> Iterator[Reading]:
    """For each cgroup with a quota: the share of throttled periods between the readings, and ever."""
    for path in last:
        directory, _, name = path.rpartition("/")
        quota = _quota(directory, last)
        if name != _STAT or quota is None:
            continue
        subject = _files.cgroup_subject(directory)
        then, now = (_files.fields(at.get(path, ())) for at in (first, last))
        yield _now(subject, quota, then, now)
        if then.get("nr_periods"):
            yield Reading(
                semconv.CONTAINER_CPU_THROTTLED_LIFETIME,
                subject,
                round(then.get("nr_throttled", 0) / then["nr_periods"], 4),
                "1",
                1.0,
                "ok",  # what has passed is compared with, not judged
                f"of {then['nr_periods']} periods since it has a quota",
                "target",
            )
            yield Reading(
                semconv.CONTAINER_CPU_QUOTA_TIME,
                subject,
                round(then["nr_periods"] * _period_s(directory, last), 1),
                "s",
                None,
                "ok",
                "periods are counted only under a quota, and while something runs",
                "target",
            )


def _now(subject: str, quota: float, then: dict[str, int], now: dict[str, int]) -> Reading:
    name = semconv.CONTAINER_CPU_THROTTLED
    try:
        periods = now["nr_periods"] - then["nr_periods"]
        throttled = now["nr_throttled"] - then["nr_throttled"]
    except KeyError:
        detail = f"{_STAT} could not be read twice"
        return Reading(name, subject, 0.0, "1", None, "unknown", detail, "target")
    share = throttled / periods if periods > 0 else 0.0
    verdict = _files.above(share, 0.25, 0.75)
    if throttled and periods < _LEAST_PERIODS:
        verdict = "unknown"
    words = f"{throttled} of {periods} periods, {_stopped(then, now):.2g} s in all"
    detail = f"{words}, by a quota of {quota:.3g} CPUs"
    return Reading(name, subject, round(share, 4), "1", 1.0, verdict, detail, "target")


def _stopped(then: dict[str, int], now: dict[str, int]) -> float:
    """Seconds for which its threads were held back, summed over CPUs."""
    for name, scale in (("throttled_usec", 1e-6), ("throttled_time", 1e-9)):
        if name in now and name in then:
            return max(0, now[name] - then[name]) * scale
    return 0.0


def _period_s(directory: str, at: Mapping[str, list[str]]) -> float:
    """The length of a period in seconds; mostly 0.1."""
    words = " ".join(at.get(f"{directory}/{_V2[1]}", ())).split()[1:]
    words = words or [" ".join(at.get(f"{directory}/{_V1[2]}", ()))]
    return int(words[0]) / 1e6 if words[0].isdigit() and int(words[0]) else 0.1


def _quota(directory: str, at: Mapping[str, list[str]]) -> float | None:
    """The CPUs' worth of time that the group may use; None if it has no quota."""
    words = " ".join(at.get(f"{directory}/{_V2[1]}", ())).split()  # "max 100000" or "50000 100000"
    if not words:
        words = [" ".join(at.get(f"{directory}/{name}", ())) for name in _V1[1:]]
    if len(words) != 2 or not all(w.isdigit() for w in words) or not int(words[1]):  # noqa: PLR2004 - quota, period
        return None
    return int(words[0]) / int(words[1])


_POD = "/sys/fs/cgroup/cpu/pod1"
SAMPLE = f"""{_POD}/cpu.stat:nr_periods 1000
{_POD}/cpu.stat:nr_throttled 20
{_POD}/cpu.stat:throttled_time 1000000000
{_POD}/cpu.cfs_quota_us:50000
{_POD}/cpu.cfs_period_us:100000
"""
SAMPLE_LATER = SAMPLE.replace("1000\n", "1010\n").replace(" 20\n", " 29\n")
