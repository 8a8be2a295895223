"""The golden signals of an exposition endpoint, scraped twice.

Shows: latency (p50, p90, p99, mean and the share of slow calls), traffic, errors and saturation of
  what the service serves and of each upstream that it calls: in the seconds between two scrapes,
  beside everything up to the first one.
How: HTTP GET of each URL, a pause, GET again; the text formats of Prometheus and OpenMetrics.
Impact: reads. Two requests for each endpoint, as any Prometheus server sends every few seconds.
Limits: `before` is everything since the process started, so a fault that is already minutes old
  weighs in it. Calls still in flight are not counted yet. One endpoint of several processes
  answers for all of them only where the client library gathers them (multiprocess mode).
Source: Prometheus exposition formats 0.0.4 and OpenMetrics 1.0; OpenTelemetry semantic conventions
  for HTTP metrics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.guard.command import Impact, Template, Wait
from locard.metrics.golden import Scrape, signals
from locard.metrics.text_format import parse
from locard.model.evidence import Output, Scope
from locard.model.facts import MetricsSummary
from locard.model.target import Context, Skip
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.model.facts import Fact
    from locard.probe import Step

GET = Template(
    argv=("GET", "{url:url}"),
    impact=Impact.READS,
    bound_s=4.0,
    by_hand="curl -s {url}",
    max_bytes=16 << 20,
    via="http",
    output="exposition",
)
COMMANDS = (GET,)
_OK = 200


def applies(context: Context) -> Skip | None:
    """It takes the URL of an endpoint."""
    if not context.metrics_urls:
        return Skip("no metrics endpoint was named", "--metrics http://HOST:PORT/metrics")
    return None


def scope(context: Context) -> Scope:
    """The endpoints; which processes stand behind them, they alone know."""
    return Scope(pids=context.target.pids, note=" ".join(context.metrics_urls))


def plan(context: Context) -> Generator[Step, Output, None]:
    """Scrape all, wait, scrape all again."""
    for url in context.metrics_urls:
        yield GET.fill(url=url)
    yield Wait(context.pause_s)
    for url in context.metrics_urls:
        yield GET.fill(url=url)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One MetricsSummary for each endpoint that answered with samples."""
    scrapes: dict[str, list[Scrape]] = {}
    for output in outputs:
        url = next((a for a in output.argv if a.startswith(("http://", "https://"))), None)
        if url is None or output.http_status != _OK or output.truncated or output.timed_out:
            continue
        exposition = parse(output.text)
        if exposition.series:
            scrapes.setdefault(url, []).append(Scrape(output.started, exposition))
    return tuple(_summary(url, taken) for url, taken in scrapes.items())


def _summary(url: str, taken: list[Scrape]) -> MetricsSummary:
    first, second = taken[0], taken[-1] if len(taken) > 1 else None
    return MetricsSummary(
        url=url,
        families=first.exposition.families,
        series=len(first.exposition.series),
        window_s=round(second.at - first.at, 3) if second else 0.0,
        signals=signals(first, second),
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
)
