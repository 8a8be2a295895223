"""Golden signals in numbers, and everything that changed: of a Prometheus, a page of metrics, or a target.

  locard metrics http://127.0.0.1:9090 --since 30m
  locard metrics http://mimir:8080/prometheus --header 'X-Scope-OrgID: shop' --match '{job="payment"}'
  locard metrics http://127.0.0.1:9090 --around alert    # since the first alert was pending
  locard metrics http://127.0.0.1:8000/metrics           # one page, scraped twice
  locard metrics pid/4242 --for 30s                      # processes and control groups, sampled

The window of interest is compared with four times as much before it. One query at a time, series are counted
before they are read, and a server that says it is busy is asked no more. -o csv and parquet give the series that
confirm; what changed is shown with its query for Grafana.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from locard.cli import common, live, metric_access, observing, streams
from locard.model.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from locard.model.evidence import Evidence, Layer
    from locard.model.investigation import Investigation
    from locard.model.target import Skip

_SERVER, _PAGE = "metrics/prometheus", "metrics/exposition"
_OF_SAMPLING = frozenset({"for_s", "interval_s"})


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "target", nargs="*", metavar="TARGET|URL",
        help="a server's or page's http(s) URL, or a target: pid/4242, pod/NAME, …",
    )  # fmt: skip
    parser.add_argument(
        "--page",
        action="store_true",
        help="the URL is that of a page of metrics, whatever its path",
    )
    observing.add_params(parser, _SERVER)
    observing.add_params(parser, "metrics/process")
    metric_access.arguments(parser)
    live.place_arguments(parser)
    live.ask_arguments(parser)
    common.output_arguments(parser, ("text", "json", "csv", "parquet", "markdown", "html"))
    parser.add_argument(
        "--to", metavar="FILE", help="where the answer goes (default: standard output)"
    )


def run(args: argparse.Namespace) -> int:
    """Ask and show."""
    from locard.cli.commands import investigate  # noqa: PLC0415 - keeps `--help` quick
    from locard.investigate import probing  # noqa: PLC0415 - as above
    from locard.metrics.sources.prometheus import may_be_server  # noqa: PLC0415 - as above
    from locard.model import params  # noqa: PLC0415 - as above
    from locard.model.evidence import Layer  # noqa: PLC0415 - as above

    urls = metric_access.urls_in(args.target)
    refs = [w for w in args.target if not w.lower().startswith(("http://", "https://"))]
    if not args.target:
        raise UsageError(
            "no TARGET or URL was given", "it reads the metrics of something",
            "Write for example: locard metrics http://127.0.0.1:9090",
        )  # fmt: skip
    bad = next((w for w in refs if "/" not in w and ":" in w), None)
    if bad:
        raise UsageError(
            f"{bad!r} is neither a target nor a URL",
            "a URL begins with http:// or https://",
            f"Write http://{bad}",
        )
    if args.output == "parquet" and not args.to and sys.stdout.isatty():
        raise UsageError(
            "-o parquet is no text", "a terminal would show it", "Name a file: --to FILE.parquet"
        )
    metric_access.keep(args, urls)
    args.metrics = urls
    given = params.given(args)
    if "around" in given:
        given["around"] = metric_access.moment_of(given["around"])
    only: tuple[str, dict[str, str]] | None = None
    if not refs:
        refs = ["host/local"] if not args.on else [args.on]
        args.on = None if refs == [args.on] else args.on
        servers = [] if args.page else [u for u in urls if may_be_server(u)]
        if servers and len(servers) != len(urls):
            raise UsageError(
                "a server and a page do not go together",
                "they are read in different ways",
                "Ask one at a time.",
            )
        # A page is asked by its own probe, which has no window.
        only = (
            (_SERVER, {k: v for k, v in given.items() if k not in _OF_SAMPLING})
            if servers
            else (_PAGE, {})
        )
        if servers:
            only[1].setdefault("window_s", "1800")
            probing.params_of(probing.load(observing.entry_of(_SERVER)), only[1])
    elif not urls:
        only = (
            None
            if not given
            else ("metrics/process", {k: v for k, v in given.items() if k in _OF_SAMPLING})
        )
    args.since = given.get("window_s", "30m")
    observing.stretch_budget(args, given.get("for_s", "0s"))
    view = None if args.dry_run else _View(args)
    return investigate.ask(args, refs, (Layer.METRICS,), only, view)


class _View(live.View):
    """Shows the screen, or writes the series."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._listener = common.progress(args)

    def began(self, layer: Layer, probe: str) -> None:
        self._listener.began(layer, probe)

    def stored(self, evidence: Evidence, headline: str, *, recorded: bool) -> None:
        self._listener.stored(evidence, headline, recorded=recorded)

    def skipped(self, layer: Layer, probe: str, skip: Skip) -> None:
        self._listener.skipped(layer, probe, skip)

    def waits(self, text: str) -> None:
        self._listener.waits(text)

    def ended(self, found: Investigation) -> int:
        """The screen, the report, or the series that confirm."""
        code = live.exit_code(found)
        try:
            self._show(found, code)
        except BrokenPipeError:  # who reads has seen enough (`| head`): the answer itself is whole
            streams.drop_output()
        return code

    def _show(self, found: Investigation, code: int) -> None:
        from locard.report import metric_series, probe_screen, render  # noqa: PLC0415 - keeps `--help` quick
        from locard.report.plain import safe  # noqa: PLC0415 - as above

        form = self._args.output
        if form == "text":
            data = "".join(
                f"{safe(line)}\n" for line in probe_screen.screen(found, self._args.tz)
            ).encode()
        elif form in {"csv", "parquet"}:
            data = metric_series.written(found, form)
        else:
            data = render.render(found, form, code, tz=self._args.tz).encode()
        if self._args.to:
            common.write_bytes(self._args.to, data)
        else:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
