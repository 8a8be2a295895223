"""Every series of a Prometheus over a window: golden signals, the onset, and all that changed at it.

Shows: errors, latency, traffic and saturation by the conventions of their names, before and after; when each
  began; alerts since they were first pending; restarts, limits, new instances and gaps; and every other
  series that changed, grouped and ranked.
How: the HTTP API, one query at a time: capabilities and bounds first, then a count, then the samples as they
  were written (range selectors) in parts far below the server's bounds. A program of ours does the asking, from where
  locard runs or from the place that was named. The day before is asked about what changed.
Impact: reads. At most 20,000 series unless told otherwise; after HTTP 422, 429, 502, 503, 504 or a time-out it
  is asked nothing more.
Limits: what the names do not tell is swept but not called a golden signal. A server that thins or deduplicates
  (Thanos, Mimir) shows its own samples. Native histograms come as their buckets at each time.
Source: the HTTP API of Prometheus; OpenTelemetry semantic conventions; metrics/saturation_table.py names the rest.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.model.errors import UsageError
from locard.model.evidence import Output, Scope
from locard.model.params import duration, param, text
from locard.model.target import Context, Skip
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.model.facts import Fact
    from locard.model.metric_facts import MetricHistory
    from locard.probe import Step

BASELINE = 4  # times the window of interest
_MOST_AGAIN = 12  # families that are asked about the day before
_MOST_TRACED = 4  # … and histograms about the requests that they remember
_MOST_S, _MOST_AGAIN_S = 90.0, 20.0
_SHARE, _SHARE_AGAIN = 0.6, 0.15  # of the budget


@dataclass(frozen=True, slots=True)
class Params:
    """Which series, and which window."""

    match: str = text("", "only these series, as a PromQL selector: '{job=\"payment\"}'")
    window_s: float = duration(
        1800.0,
        "the window of interest; the baseline is four times as long",
        least=60.0,
        most=86400.0,
        flag="--since",
    )
    around: str = text(
        "",
        "a time (Unix seconds, or with a zone), or alert: when the first alert was pending",
        pattern=r"alert|[0-9]{1,11}(?:\.[0-9]{1,6})?",
    )
    most: int = param(
        20000, "series that are read; of more their number is told", least=1, most=200000
    )
    alertmanager: str = text(
        "",
        "the URL of an Alertmanager, where alerts are not in the server itself",
        pattern=r"https?://[^\s@/]+(?:/\S*)?",
    )


PARAMS = Params
DEFAULTS = Params()

ASK = Template(
    argv=("python3", "-I", "-S", "-", "{question:question}", "{url:url}"),
    impact=Impact.READS,
    bound_s=120.0,
    by_hand="locard metrics {url}",
    max_bytes=256 << 20,
    program="far/metric_lines.py+far/tls_access.py+far/http_api.py+far/prometheus_series.py+far/prometheus_window.py+far/prometheus.py",
    output="series",
    prompt=True,
    needs=(needs.PYTHON,),
)
COMMANDS = (ASK,)


# A selector of one instant, which ranges are made of: {…}, name or name{…}. Another than this no server takes either.
_SELECTOR = re.compile(r"\s*[a-zA-Z_:][\w:]*\s*|\s*(?:[a-zA-Z_:][\w:]*)?\s*\{.*\}\s*", re.DOTALL)
_IN_QUOTES = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.DOTALL)


def check(asked: Params) -> None:
    """Refuses what is no selector; raises UsageError."""
    bare = _IN_QUOTES.sub('""', asked.match)
    if asked.match and (not _SELECTOR.fullmatch(bare) or bare.count("{") > 1 or " or " in bare):
        raise UsageError(
            "--match is no selector",
            "it says which series, by their labels; functions and ranges are added by locard",
            "Write for example --match '{job=\"payment\"}'",
        )


def applies(context: Context) -> Skip | None:
    """It takes the URL of a server."""
    if any(map(may_be_server, context.metrics_urls)):
        return None
    return Skip("no Prometheus was named", "--metrics http://HOST:9090")


def may_be_server(url: str) -> bool:
    """Whether a URL may be that of an API: a page of metrics says so in its path."""
    path = urlsplit(url).path.rstrip("/")
    pages = {"metrics", "federate", "probe"}
    # Spring's and Envoy's pages are no Prometheus behind that path.
    return path.rpartition("/")[2] not in pages and not path.endswith(
        ("/actuator/prometheus", "/stats/prometheus")
    )


def scope(context: Context) -> Scope:
    """The servers: what they scrape, they alone know."""
    return Scope(
        pids=context.target.pids, note="; ".join(filter(may_be_server, context.metrics_urls))
    )


def plan(context: Context, params: Params = DEFAULTS) -> Generator[Step, Output, None]:
    """The window of each server; then what changed in it, the day before."""
    for url in filter(may_be_server, context.metrics_urls):
        window = params.window_s if params != DEFAULTS else max(params.window_s, context.window_s)
        asked: dict[str, object] = {
            "match": params.match or _match(context), "window": window, "span": window * (1 + BASELINE),
            "around": params.around, "most_series": params.most, "alertmanager": params.alertmanager,
            "most_seconds": round(min(_MOST_S, _SHARE * context.budget_s), 1),
        }  # fmt: skip
        if params.around and params.around != "alert":
            # As much after the moment as is of interest before it: what followed belongs to it.
            asked["end"] = float(params.around) + window / 2
        output = yield ASK.fill(question=json.dumps(asked), url=url)
        again = _second_look(output)
        if again:
            seconds = round(min(_MOST_AGAIN_S, _SHARE_AGAIN * context.budget_s), 1)
            question = json.dumps({**again, "most_seconds": seconds})
            yield ASK.fill(question=question, url=url)


_BY_KIND = {"pod": 'pod="{name}"', **dict.fromkeys(
    ("deployment", "statefulset", "daemonset", "replicaset", "job"), 'pod=~"{name}-.*"')}  # fmt: skip


def _match(context: Context) -> str:
    """The series of a target in a cluster, by the name of its pods; of others all, since labels do not tell them."""
    form = _BY_KIND.get(context.target.kind)
    name = context.target.name.rpartition("/")[2]
    return (
        "{" + form.format(name=name) + "}"
        if form and name.replace("-", "").replace(".", "").isalnum()
        else ""
    )


def _second_look(output: Output) -> dict[str, object]:
    """What is asked again: the same series a day before, and the requests that they remember."""
    url = _url_of(output)  # as it was asked, without what opens the door
    found = _analysed([output], url) if url else None
    if found is None or found.problem:
        return {}
    onsets = [s.onset.earliest for s in found.signals if s.onset is not None]
    onsets += [c.onset.earliest for c in found.changed if c.onset is not None]
    if not onsets:
        return {}
    from locard.metrics import history  # noqa: PLC0415 - brings numpy
    from locard.metrics.same_time_before import DAY_S  # noqa: PLC0415 - as above

    told = history.read(output, words_alone=True)
    metrics = [
        s.metric
        for s in found.signals
        if s.onset is not None and s.signal in {"traffic", "saturation"}
    ]
    metrics += [c.metric for c in found.changed if c.what != "mean"]
    traced = [s for s in found.signals if s.signal == "latency" and s.onset is not None]
    return {
        "base": told.source.get("base", ""),
        "again": {
            "metrics": list(dict.fromkeys(metrics))[:_MOST_AGAIN], "match": told.match,
            "end": found.end - DAY_S, "interval": max(1.0, found.step_s), "most_samples": 100_000,
            "span": min(found.end - found.start, 2 * 1800.0 + (found.end - min(onsets))),
            "exemplars": [
                {"query": f"{{__name__={json.dumps(s.metric + '_bucket', ensure_ascii=False)}}}",
                 "start": s.onset.earliest, "end": found.end}
                for s in traced[:_MOST_TRACED] if s.onset is not None
            ],
        },
    }  # fmt: skip


_last: list[tuple[bytes, MetricHistory]] = []  # a plan and its reading look at the same bytes


def _analysed(outputs: Sequence[Output], url: str) -> MetricHistory | None:
    # Only where there is something to reckon: numpy takes a tenth of a second to load.
    from locard.metrics import analysis, history  # noqa: PLC0415

    first, *again = outputs
    if _last and _last[0][0] is first.stdout:
        found = _last[0][1]
    else:
        told = history.read(first)
        if not told.asked:
            return None
        found = analysis.analyse(told, url)
        _last[:] = [(first.stdout, found)]
    return analysis.with_second_look(found, history.read(again[0])) if again else found


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One MetricHistory of each server."""
    by_url: dict[str, list[Output]] = {}
    for output in outputs:
        url = _url_of(output)
        if url and output.stdout:
            by_url.setdefault(url, []).append(output)
    found = (_analysed(every, url) for url, every in by_url.items())
    return tuple(fact for fact in found if fact is not None)


def _url_of(output: Output) -> str:
    return next((a for a in output.argv if a.startswith(("http://", "https://"))), "")


def _sample() -> Output:
    lines = [
        {"asked": {"match": "", "window": 600, "span": 3000, "most_series": 10, "most_seconds": 9}},
        {"source": {"kind": "Prometheus", "version": "3.5.0", "base": "", "skew": 0.0}},
        {"problem": {"status": 503, "words": "overloaded", "asked": 3}},
    ]
    argv = ("python3", "-I", "-S", "-", "{}", "http://127.0.0.1:9090")
    return Output(argv, "\n".join(map(json.dumps, lines)).encode())


SAMPLES = (
    Sample((_sample(),), ("source='Prometheus 3.5.0'", "HTTP 503")),
    Sample((Output(("python3", "-", "{}", "http://127.0.0.1:9090"), b"<html>"),), ("()",)),
)
