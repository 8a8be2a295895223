"""What a Python process does right now, live: functions, threads, GIL, collector, idle; of all its workers at once.

  locard top pid/4242
  locard top proc/gunicorn --every 5s -n 12    (twelve intervals; of pods -n is the namespace: --intervals 12)
  locard top pid/4242 --for 1m -o jsonl

Read from outside, without a stop, as profile does it. On a terminal a screen that is written anew each interval; else
a line an interval, or with -o jsonl one JSON object. Ends with Ctrl-C, after -n intervals, or after --for.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from locard.cli import common, live, observing, streams
from locard.model.errors import ExitCode, UsageError
from locard.report.plain import safe

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from locard.model.facts import Fact
    from locard.model.investigation import Investigation

_KEY = "runtime/top"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    observing.target_arguments(parser)
    observing.add_params(parser, _KEY)
    live.place_arguments(parser)
    live.ask_arguments(parser)
    common.output_arguments(parser, ("text", "jsonl", "json", "markdown"))


def run(args: argparse.Namespace) -> int:
    """Look on and show."""
    if len(args.target) > 1 or args.hosts:
        raise UsageError(
            "locard top shows one target",
            "several would be shown over each other",
            "Name one; a pattern such as proc/gunicorn is all of its workers.",
        )
    clustered = any(r.partition("/")[0] in live.IN_CLUSTER for r in args.target)
    if args.namespace.isdigit() and not clustered:
        args.param_intervals, args.namespace = args.param_intervals or args.namespace, ""
    live_view = None if args.dry_run or args.output in {"json", "markdown"} else _View(args)
    try:
        return observing.run(args, _KEY, view=live_view)
    finally:
        if live_view is not None:
            live_view.close()


class _View(live.View):
    """Shows each interval as it comes."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._shown = 0
        self._gone = False  # who read it
        self._last: Any = None
        self._screen = _Screen() if args.output == "text" and sys.stdout.isatty() else None

    def grown(self, facts: Sequence[Fact], lines: str = "") -> None:  # noqa: ARG002 - as every listener
        """Some intervals more."""
        from locard.model.kernel_facts import Trace  # noqa: PLC0415 - keeps `--help` quick

        for fact in facts:
            if isinstance(fact, Trace):
                self._show(fact)

    def _show(self, fact: Any) -> None:
        from locard.model.codec import encode  # noqa: PLC0415 - as above
        from locard.report import top_screen  # noqa: PLC0415 - as above

        self._shown += 1
        self._last = fact
        if self._screen is not None:
            title = f"locard top {self._args.target[0]}"
            lines = top_screen.screen(fact, title, self._args.tz, self._screen.size)
            self._screen.show([safe(line) for line in lines])
            return
        text = (
            json.dumps({"schema": "locard/1", **encode(fact)})
            if self._args.output == "jsonl"
            else safe(top_screen.line(fact, self._args.tz))
        )
        self._print(text)

    def _print(self, text: str) -> None:
        if self._gone:
            return
        try:
            print(text, flush=True)
        except BrokenPipeError:  # who reads has seen enough (`| head`): nobody is looked at on
            self._gone = True
            streams.drop_output()
            raise KeyboardInterrupt from None

    def ended(self, found: Investigation) -> int:
        """What came after the last line was taken, and why there is no more."""
        from locard.model.kernel_facts import Trace  # noqa: PLC0415 - as above
        from locard.report import top_screen  # noqa: PLC0415 - as above

        self.close()
        facts = [f for e in found.evidence for f in e.facts if isinstance(f, Trace)]
        screen, self._screen = self._screen, None
        self.grown(facts[self._shown :])
        if screen is not None and self._last is not None:
            self._print(safe(top_screen.line(self._last, self._args.tz)))
        if facts and self._gone:
            return ExitCode.NOTHING_FOUND
        said = [w for w in found.partial if w not in _BY_YOU]
        lost = any(f.partial for f in facts)
        if not facts or (said and not lost):
            for words in said or ["nothing was sampled"]:
                sys.stderr.write(safe(f"locard: partial: {words}") + "\n")
            for run in (r for layer in found.layers for r in layer.probes if r.status == "skipped"):
                sys.stderr.write(
                    safe(f"locard: not asked: {run.why}. To unlock: {run.unlock}") + "\n"
                )
        if not self._args.quiet:
            sys.stderr.write(safe(f"record: {found.incident}") + "\n")
        partial = lost or not facts or bool([w for w in said if not w.startswith("runtime/top:")])
        return ExitCode.PARTIAL if partial else ExitCode.NOTHING_FOUND

    def close(self) -> None:
        """Give the terminal back as it was."""
        if self._screen is not None:
            self._screen.close()


_BY_YOU = frozenset({"interrupted by the user", "runtime/top: interrupted"})


class _Screen:
    """The terminal's other screen, written anew each time."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - a tenth of a start-up
        from rich.live import Live  # noqa: PLC0415 - as above

        self._console = Console(highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._live.start()
        self._open = True

    @property
    def size(self) -> tuple[int, int]:
        """(columns, lines) now."""
        return self._console.size.width, self._console.size.height

    def show(self, lines: list[str]) -> None:
        """Some lines in place of those before."""
        from rich.text import Text  # noqa: PLC0415 - as above

        text = Text(no_wrap=True)
        for number, line in enumerate(lines):
            text.append(
                line + "\n",
                "bold" if number == 0 or line.lstrip().startswith(("own", "CPU ")) else "",
            )
        self._live.update(text, refresh=True)

    def close(self) -> None:
        """Leave it, once."""
        if self._open:
            self._open = False
            self._live.stop()
