"""What several rules read from the facts: upstream fields, threads, rises in the metrics."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.facts import MetricsSummary, Reading, Readings
from locard.model.finding import Support
from locard.model.log_facts import LogSummary
from locard.model.log_state import judge
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.facts import GoldenSignal
    from locard.model.finding import Case

UPSTREAM_NAMES = frozenset(
    {
        "backend", "dependency", "downstream", semconv.PEER_SERVICE, "peer_service", "provider",
        "remote_service", semconv.SERVER_ADDRESS, "server_address", "target_service", "upstream",
        "upstream_name",
    }
)  # fmt: skip
_SUBJECT_NOISE = frozenset(
    {"kind", "statistic", "server_port", semconv.SERVER_PORT, "net_peer_port"}
)


@dataclass(frozen=True, slots=True)
class Rise:
    """How the latency of one subject changed between all before and the last seconds."""

    evidence: str
    metric: str
    subject: str
    port: str | None
    before_mean_s: float | None
    now_mean_s: float | None
    bound_s: float | None
    before_over: float | None
    now_over: float | None
    count: int
    p_value: float | None

    @property
    def ratio(self) -> float | None:
        """The mean now over the mean before."""
        if not self.before_mean_s or self.now_mean_s is None:
            return None
        return self.now_mean_s / self.before_mean_s

    @property
    def rose(self) -> bool:
        """Slower, and not by chance."""
        return (self.ratio or 0) >= 1.5 and self.p_value is not None and self.p_value <= 0.05  # noqa: PLR2004

    @property
    def steady(self) -> bool:
        """Enough calls to say that it is no slower than before: one slow call in 25 would show."""
        return self.count >= 100 and self.ratio is not None and self.ratio < 1.25 and not self.rose  # noqa: PLR2004

    @property
    def words(self) -> str:
        """The change in numbers."""
        parts = []
        if self.before_mean_s is not None and self.now_mean_s is not None:
            parts.append(f"mean {ms(self.before_mean_s)} before, {ms(self.now_mean_s)} now")
        if self.bound_s and self.before_over is not None and self.now_over is not None:
            parts.append(
                f"{self.before_over:.1%} over {ms(self.bound_s)} before, {self.now_over:.1%} now"
            )
        return f"{', '.join(parts)} ({count(self.count, 'call')} now)"


def ms(seconds: float) -> str:
    """A duration in milliseconds below ten seconds, else in seconds."""
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"  # noqa: PLR2004


def upstream_fields(summary: LogSummary) -> frozenset[str]:
    """The fields of a log that name the upstream: by the role found, else by their usual names."""
    roles = {r.field for r in summary.roles if r.role == "upstream"}
    return frozenset(roles) or UPSTREAM_NAMES


def rises(case: Case, kind: str) -> list[Rise]:
    """The change of latency of each subject of a kind: `client` (upstreams) or `server`."""
    found: list[Rise] = []
    for evidence, summary in case.facts(MetricsSummary):
        groups: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, GoldenSignal]] = {}
        for signal in summary.signals:
            known = dict(signal.subject)
            if signal.signal == "latency" and known.get("kind") == kind:
                subject = tuple(p for p in signal.subject if p[0] != "statistic")
                statistic = known.get("statistic", "")
                groups.setdefault((signal.metric, subject), {})[statistic] = signal
        found += [_rise(evidence, *key, signals) for key, signals in groups.items()]
    return found


def _rise(
    evidence: Evidence,
    metric: str,
    subject: tuple[tuple[str, str], ...],
    signals: dict[str, GoldenSignal],
) -> Rise:
    mean, over = signals.get("mean"), signals.get("share_over")
    known = dict(subject)
    count = max((s.count for s in signals.values()), default=0)
    return Rise(
        evidence=evidence.id,
        metric=metric,
        subject=next((v for k, v in subject if k not in _SUBJECT_NOISE), ""),
        port=next((known[k] for k in _SUBJECT_NOISE if k.endswith("port") and k in known), None),
        before_mean_s=mean.before if mean else None,
        now_mean_s=mean.now if mean else None,
        bound_s=over.limit if over else None,
        before_over=over.before if over else None,
        now_over=over.now if over else None,
        count=count,
        p_value=over.p_value if over else None,
    )


def short(file: str) -> str:
    """The last two parts of a path: enough to find the file, short enough to read."""
    return "/".join(file.split("/")[-2:])


def steady_logs(case: Case, says: str) -> Iterator[Support]:
    """What speaks against harm: logs that are known to be steady and good, and no others."""
    for evidence, log in case.facts(LogSummary):
        if judge(log).kind in {"steady", "slight"}:
            yield Support(evidence.id, Layer.LOGS, says)


def enclosing(function: str) -> str:
    """The function that was written: `render` for `render.<locals>.<genexpr>`."""
    return function.partition(".<locals>")[0]


def watch_command(pid: int, file: str, function: str) -> str:
    """What would show the arguments and results of a function of a live Python: it injects, so it is only suggested."""
    name = shlex.quote(f"{short(file)}:{enclosing(function)}")
    return f"locard watch pid/{pid} {name} --stats --callers --for 10s --allow injects"


def readings(case: Case, *names: str) -> Iterator[tuple[Evidence, Reading]]:
    """All readings of the given names, each with its evidence."""
    for evidence, fact in case.facts(Readings):
        for reading in fact.readings:
            if reading.name in names:
                yield evidence, reading


def bad(case: Case, *names: str) -> list[tuple[Evidence, Reading]]:
    """The readings with a verdict of warning or critical."""
    return [(e, r) for e, r in readings(case, *names) if r.verdict in {"warning", "critical"}]
