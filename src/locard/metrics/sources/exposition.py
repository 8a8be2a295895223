"""The golden signals of an exposition endpoint, scraped twice.

Shows: latency (p50, p90, p99, mean and the share of slow calls), traffic, errors and saturation of
  what the service serves and of each upstream that it calls: in the seconds between two scrapes,
  beside everything up to the first one.
How: HTTP GET of each URL, a pause, GET again; the text formats of Prometheus and OpenMetrics. Where
  no URL was given, /metrics on those ports of the target that speak HTTP by evidence.
Impact: reads. Two requests for each endpoint, as any Prometheus server sends every few seconds, with
  the user agent locard/VERSION. Endpoints that were found and hang cost 2 s in all.
Limits: a page above 4 MB is not read. What a page counts of requests for itself is left out where a label names its path. `before` is everything since the process started, so a fault that is already minutes old
  weighs in it. Calls still in flight are not counted yet. One endpoint of several processes
  answers for all of them only where the client library gathers them (multiprocess mode).
Source: Prometheus exposition formats 0.0.4 and OpenMetrics 1.0; OpenTelemetry semantic conventions
  for HTTP metrics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from locard.guard.command import Impact, Template, Wait
from locard.metrics.golden import Scrape, signals
from locard.metrics.text_format import parse
from locard.model.evidence import Output, Scope
from locard.model.facts import EndpointCoverage, MetricsSummary, Unanswered
from locard.model.target import Context, Skip
from locard.model.thread_records import records
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.model.facts import Fact
    from locard.probe import Step

_MOST_PAGE = 4 << 20  # bytes; of more nothing is read, since a part of a page counts too little

GET = Template(
    argv=("GET", "{url:url}"),
    impact=Impact.READS,
    bound_s=4.0,
    by_hand="curl -s {url}",
    max_bytes=_MOST_PAGE,
    via="http",
    output="exposition",
)
# Of a page that nobody named: it may not be one, and its silence is not worth waiting for.
GET_FOUND = Template(
    argv=("GET", "{url:url}"),
    impact=Impact.READS,
    bound_s=1.0,
    by_hand="curl -s -m 1 {url}",
    max_bytes=_MOST_PAGE,
    via="http",
    output="exposition",
)
COMMANDS = (GET, GET_FOUND)
_OK = 200
_MOST_HANGING_S = 1.0  # after this no further found page is asked: with the last one 2 s in all
_HOW: dict[str, Literal["closed", "no HTTP", "refused", "unreachable"]] = {
    "closed": "closed", "no HTTP": "no HTTP", "refused": "refused", "unreachable": "unreachable",
}  # fmt: skip


def applies(context: Context) -> Skip | None:
    """It takes the URL of an endpoint."""
    if context.metrics_urls or context.metrics_found:
        return None
    why = "; ".join(context.ports_not_asked) or "no metrics endpoint was named"
    return Skip(why, "--metrics http://HOST:PORT/metrics")


def scope(context: Context) -> Scope:
    """The endpoints; which processes stand behind them, they alone know."""
    urls = (*context.metrics_urls, *context.metrics_found, *context.ports_not_asked)
    return Scope(pids=context.target.pids, note="; ".join(urls))


def plan(context: Context) -> Generator[Step, Output, None]:
    """Scrape all, wait, scrape those again that answered."""
    hung = 0.0
    again: list[tuple[Template, str]] = []
    pages = [(GET, url) for url in context.metrics_urls]
    pages += [(GET_FOUND, url) for url in context.metrics_found]
    for template, url in pages:
        if template is GET_FOUND and hung >= _MOST_HANGING_S:
            continue
        output = yield template.fill(url=url)
        if output.timed_out and template is GET_FOUND:
            hung += output.duration_s
        asked = not output.argv or not (output.stderr or output.problem)
        if not output.truncated and (output.http_status == _OK or asked):
            again.append((template, url))  # it answered, or this is a dry run
    if again:
        yield Wait(context.pause_s)
    for template, url in again:
        if template is GET_FOUND and hung >= _MOST_HANGING_S:
            continue
        output = yield template.fill(url=url)
        if output.timed_out and template is GET_FOUND:
            hung += output.duration_s


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One MetricsSummary for each endpoint that answered with samples, and those that did not."""
    scrapes: dict[str, list[Scrape]] = {}
    silent: dict[str, Unanswered] = {}
    for output in outputs:
        url = next((a for a in output.argv if a.startswith(("http://", "https://"))), None)
        if url is None:
            continue
        failed = _unanswered(url, output)
        if failed is not None:
            silent[url] = failed
        if output.http_status != _OK or output.truncated or output.timed_out:
            continue
        exposition = parse(output.text)
        if exposition.series:
            scrapes.setdefault(url, []).append(Scrape(output.started, exposition))
    facts: tuple[Fact, ...] = tuple(_summary(url, taken) for url, taken in scrapes.items())
    return (*facts, EndpointCoverage(tuple(silent.values()))) if silent else facts


def _unanswered(url: str, output: Output) -> Unanswered | None:
    """How an endpoint failed to answer; None if it did, or was not asked."""
    said = list(records(output.stderr.decode("utf-8", "replace")))
    waited = round(output.duration_s, 1)
    if output.timed_out and any(r.get("connected") for r in said):
        return Unanswered(url, "accepted", waited)
    how = _HOW.get(str(said[-1].get("how"))) if said else None
    if how is not None:
        return Unanswered(url, how, waited)
    return Unanswered(url, "unreachable", waited) if output.timed_out else None


def _summary(url: str, taken: list[Scrape]) -> MetricsSummary:
    first, second = taken[0], taken[-1] if len(taken) > 1 else None
    return MetricsSummary(
        url=url,
        families=first.exposition.families,
        series=len(first.exposition.series),
        window_s=round(second.at - first.at, 3) if second else 0.0,
        signals=signals(first, second, own_path=urlsplit(url).path),
    )


_FIRST = """# TYPE http_server_request_duration_seconds histogram
http_server_request_duration_seconds_bucket{http_response_status_code="200",le="0.1"} 90
http_server_request_duration_seconds_bucket{http_response_status_code="200",le="+Inf"} 100
http_server_request_duration_seconds_sum{http_response_status_code="200"} 5
http_server_request_duration_seconds_count{http_response_status_code="200"} 100
http_server_request_duration_seconds_bucket{http_response_status_code="500",le="0.1"} 0
http_server_request_duration_seconds_bucket{http_response_status_code="500",le="+Inf"} 0
# TYPE http_client_request_duration_seconds histogram
http_client_request_duration_seconds_bucket{upstream="bank",le="0.1"} 99
http_client_request_duration_seconds_bucket{upstream="bank",le="+Inf"} 100
http_client_request_duration_seconds_sum{upstream="bank"} 4
http_client_request_duration_seconds_count{upstream="bank"} 100
process_open_fds 40
process_max_fds 1024
"""
_SECOND = (
    _FIRST.replace('500",le="+Inf"} 0', '500",le="+Inf"} 20')
    .replace('bank",le="+Inf"} 100', 'bank",le="+Inf"} 110')
    .replace('_count{upstream="bank"} 100', '_count{upstream="bank"} 110')
    .replace('_sum{upstream="bank"} 4', '_sum{upstream="bank"} 24')
)
_URL = "http://127.0.0.1:9100/metrics"


def _got(body: str, at: float) -> Output:
    argv = ("python3", "-", "GET", _URL, "4096")
    return Output(argv, body.encode(), http_status=_OK, started=at)


SAMPLES = (
    Sample(
        (_got(_FIRST, 100.0), _got(_SECOND, 102.0)),
        (
            "('upstream', 'bank'), ('statistic', 'mean')), unit='s', before=0.04, now=2.0",
            "('statistic', 'share_over')), unit='1', before=0.01, now=1.0",
            "limit=1024.0",
        ),
    ),
    Sample((_got("<html>no metrics here</html>", 100.0),), ("()",)),
    Sample(
        (
            Output(
                ("python3", "-", "GET", _URL, "4096"),
                b"",
                b'{"connected": true}\n',
                None,
                timed_out=True,
                duration_s=1.02,
            ),
        ),
        ("how='accepted', after_s=1.0",),
    ),
)
