"""The golden signals of an exposition endpoint, scraped twice.

Shows: latency (p50, p90, p99, mean and the share of slow calls), traffic, errors and saturation of
  what the service serves and of each upstream that it calls: in the seconds between two scrapes,
  beside everything up to the first one. Trace ids of slow and failed calls where the page has exemplars.
  Whether one process answered, a new one, or several in turn, whose counts cannot be subtracted.
How: HTTP GET of each URL, a pause, GET again, and up to three times more where the second page is not
  of the process of the first one. Asked for are protobuf (native histograms exist only there),
  OpenMetrics and text; what came is told by its bytes. Where no URL was given, /metrics on those
  ports of the target that speak HTTP by evidence.
Impact: reads. Two requests for each endpoint, at most five, as any Prometheus server sends every few
  seconds, with the user agent locard/VERSION. Endpoints that were found and hang cost 2 s in all. One
  that says slow down (429), asks for a login or fails is not asked again.
Limits: a page above 4 MB, or whose end is missing, is not read. What a page counts of requests for itself is left out where a label names its path. `before` is everything since the process started, so a fault that is already minutes old
  weighs in it. Calls still in flight are not counted yet. One endpoint of several processes
  answers for all of them only where the client library gathers them (multiprocess mode); where a page
  gives no start time, that several answer in turn is seen only when a count falls.
Source: Prometheus exposition formats 0.0.4, 1.0.0 and protobuf (client_model), OpenMetrics 1.0 and its
  proposal 2.0 for native histograms; OpenTelemetry semantic conventions for HTTP metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from locard.guard.command import Impact, Template, Wait
from locard.metrics import answered_by
from locard.metrics.families import odd
from locard.metrics.golden import signals
from locard.metrics.page import Page, page_of
from locard.model.evidence import Output, Scope
from locard.model.facts import EndpointCoverage, MetricsSummary, Unanswered
from locard.model.target import Context, Skip
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.model.facts import Fact, GoldenSignal
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
_PAUSE_S = 0.3  # at most, between the further scrapes of a page


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
    """Scrape all, wait, scrape those again that answered, and a few times more those that look like several."""
    asking = _Asking()
    pages = [(GET, url) for url in context.metrics_urls]
    pages += [(GET_FOUND, url) for url in context.metrics_found]
    first = yield from asking.all_of(pages)
    answered = {page: output for page, output in first.items() if _answered(output)}
    if answered:
        yield Wait(context.pause_s)
    second = yield from asking.all_of(list(answered))
    doubtful = [page for page, output in second.items() if _doubtful(answered[page], output)]
    for _ in range(answered_by.MOST_SCRAPES - 2):
        if not doubtful:
            return
        yield Wait(min(context.pause_s, _PAUSE_S))
        more = yield from asking.all_of(doubtful)
        doubtful = [page for page, output in more.items() if page_of(output).scrape]


@dataclass(slots=True)
class _Asking:
    """Asks pages one after the other; `hung_s` is what those cost that were found and gave no answer."""

    hung_s: float = 0.0

    def all_of(
        self, pages: list[tuple[Template, str]]
    ) -> Generator[Step, Output, dict[tuple[Template, str], Output]]:
        """The output of each page that was asked."""
        got = {}
        for template, url in pages:
            if template is GET_FOUND and self.hung_s >= _MOST_HANGING_S:
                continue
            output = yield template.fill(url=url)
            if output.timed_out and template is GET_FOUND:
                self.hung_s += output.duration_s
            got[template, url] = output
        return got


def _answered(output: Output) -> bool:
    """Whether it is worth asking again: it answered, or this is a dry run."""
    asked = not output.argv or not (output.stderr or output.problem)
    return not output.truncated and (output.http_status == _OK or asked)


def _doubtful(first: Output, second: Output) -> bool:
    one, two = page_of(first).scrape, page_of(second).scrape
    return one is not None and two is not None and answered_by.doubtful(one, two)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One MetricsSummary for each endpoint that answered with samples, and those that did not."""
    pages: dict[str, list[Page]] = {}
    silent: dict[str, Unanswered] = {}
    for output in outputs:
        url = next((a for a in output.argv if a.startswith(("http://", "https://"))), None)
        if url is None:
            continue
        page = page_of(output)
        if page.scrape is not None:
            pages.setdefault(url, []).append(page)
        elif page.how is not None:
            silent[url] = Unanswered(url, page.how, round(output.duration_s, 1), page.detail)
    facts: tuple[Fact, ...] = tuple(_summary(url, taken) for url, taken in pages.items())
    return (*facts, EndpointCoverage(tuple(silent.values()))) if silent else facts


def _summary(url: str, pages: list[Page]) -> MetricsSummary:
    taken = [page.scrape for page in pages if page.scrape is not None]
    first, last = taken[0], taken[-1]
    who = answered_by.judge(taken) if len(taken) > 1 else None
    found: tuple[GoldenSignal, ...] = ()
    if who is None or who.how in {"one", "shared", "restarted"}:
        second = last if len(taken) > 1 else None
        anew = who is not None and who.how == "restarted"
        found = signals(first, second, own_path=urlsplit(url).path, anew=anew)
    return MetricsSummary(
        url=url,
        families=first.exposition.families,
        series=first.exposition.samples,
        window_s=round(last.at - first.at, 3),
        signals=found,
        form=pages[0].form,
        answered_by=who,
        repeated=max(s.exposition.repeated for s in taken),
        odd=max(map(odd, (s.exposition for s in taken))),
        unread=max(page.unread for page in pages),
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
    Sample((_got("<html>no metrics here</html>", 100.0),), ("how='no metrics'",)),
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
