"""Tells watched calls while they come: lines of text, or JSON lines in the schema of all runtimes."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

from locard.cli import common, live, streams
from locard.model import params, watch_words
from locard.model.foreign_json import parsed
from locard.model.wording import count
from locard.report import probe_screen, watch_screen
from locard.report.plain import safe
from locard.runtime.python import watch

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from locard.model.evidence import Evidence, Layer
    from locard.model.facts import Fact
    from locard.model.investigation import Investigation
    from locard.model.target import Skip
    from locard.model.watch_facts import WatchedCall


_INTERVAL_S = 0.5  # what is shorter and has no call is the rest of the last interval


def view(args: argparse.Namespace) -> live.View | None:
    """Who shows a watch, as `-o` asks; None where it is shown at the end alone."""
    return {"jsonl": Lines, "text": Text}.get(args.output, lambda _: None)(args)


class _Told(live.View):
    """Who shows a watch while it comes; the progress goes on beside it."""

    def __init__(self, args: argparse.Namespace) -> None:
        """As the flags ask."""
        self.args = args
        self._progress = common.progress(args)
        self._names: dict[tuple[int, int], str] = {}
        self._last: dict[tuple[int, int], float] = {}  # when each was last told of

    def began(self, layer: Layer, probe: str) -> None:
        """As ever."""
        self._progress.began(layer, probe)

    def stored(self, evidence: Evidence, headline: str, *, recorded: bool) -> None:
        """As ever."""
        self._progress.stored(evidence, headline, recorded=recorded)

    def skipped(self, layer: Layer, probe: str, skip: Skip) -> None:
        """As ever."""
        self._progress.skipped(layer, probe, skip)

    def waits(self, text: str) -> None:
        """As ever."""
        self._progress.waits(text)

    def grown(self, facts: Sequence[Fact], lines: str) -> None:  # noqa: ARG002 - as every listener
        """More lines, redacted."""
        try:
            for row in watch.rows(lines):
                self._row(row)
            sys.stdout.flush()
        except BrokenPipeError:  # who reads has seen enough (`| head`): nobody is watched on
            streams.drop_output()
            raise KeyboardInterrupt from None

    def _row(self, row: dict[str, Any]) -> None:
        if "function" in row:
            key = int(row["pid"]), int(row["function"])
            self._names[key] = f"{row['module']}:{row['name']}"
        self.told(row)

    def name(self, row: dict[str, Any]) -> str:
        """The function of a line."""
        return self._names.get((int(row["pid"]), int(row["w"])), "?")

    def told(self, row: dict[str, Any]) -> None:
        """One line of the agent's."""
        raise NotImplementedError


class Lines(_Told):
    """JSON lines on standard output."""

    def told(self, row: dict[str, Any]) -> None:
        """Calls as events; what is watched, counted, refused and left as lines with `event`."""
        if row.get("ev") == "call":
            line = event(watch.call_of(int(row["pid"]), row), self.name(row))
        else:
            line = {
                "event": row.get("ev") or ("function" if "function" in row else "process"),
                **row,
            }
            if "w" in row:
                line["function"] = self.name(row)
            line.pop("ev", None)
        sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")


class Text(_Told):
    """Lines for people on standard output; the sums follow at the end."""

    def ended(self, found: Investigation) -> int:
        """The sums of every function."""
        try:
            for line in probe_screen.screen(found, self.args.tz, live=True):
                print(safe(line))
            sys.stdout.flush()
        except BrokenPipeError:
            streams.drop_output()
        return live.exit_code(found)

    def told(self, row: dict[str, Any]) -> None:
        """A call, an interval, what is watched, a name that means something else by now."""
        for line in self._lines(row):
            print(safe(line))

    def _lines(self, row: dict[str, Any]) -> list[str]:
        if row.get("ev") == "call":
            return list(
                watch_screen.call(watch.call_of(int(row["pid"]), row), self.name(row), self.args.tz)
            )
        if row.get("ev") == "on":
            self._last[int(row["pid"]), int(row["w"])] = float(row["at"])
            return [f"watches {self.name(row)} in pid {row['pid']}{self._until()}"]
        if "means" in row:
            means = row["means"] or f"nothing ({row.get('why', '')})"
            return [
                f"the name {row['spec']} means {means} by now; the function watched goes on being watched"
            ]
        if row.get("ev") == "stats" and self.args.param_stats is not None:
            key, at = (int(row["pid"]), int(row["w"])), float(row["at"])
            rest = at - self._last.get(key, 0.0) < _INTERVAL_S
            self._last[key] = at
            return [] if rest and not row["states"] else [self._interval(row)]
        return []

    def _until(self) -> str:
        """Until when it watches, said once."""
        if len(self._last) > 1:
            return ""
        asked = params.parse(watch.Params, params.given(self.args))
        most = "the next call" if asked.most == 1 else f"the next {asked.most:,} calls"
        most = "" if asked.stats else most
        most += " of each process" if most and len({pid for pid, _ in self._names}) > 1 else ""
        at_most = f"{'at most ' if most else ''}{asked.for_s:g} s"
        return f": {', '.join(filter(None, (most, at_most)))}; Ctrl-C ends it"

    def _interval(self, row: dict[str, Any]) -> str:
        ends = ", ".join(
            f"{count(int(sums[0]), 'call')} {state}, mean {watch_words.duration(sums[1] / sums[0] / 1e9)}, max {watch_words.duration(sums[3] / 1e9)}"
            for state, sums in row["states"].items()
        )
        cache = (
            f"  lru_cache: {row['cache'][0]:,} hits, {row['cache'][1]:,} misses so far"
            if row.get("cache")
            else ""
        )
        return f"{watch_screen.clock(float(row['at']), self.args.tz)}  {self.name(row)}  {ends or 'no calls'}{cache}  [pid {row['pid']}]"


def event(one: WatchedCall, name: str) -> dict[str, Any]:
    """One call in the schema of all runtimes: ts, cost_us, params, target, return, exception, thread, trace_id."""
    found: dict[str, Any] = {
        "event": "call", "ts": one.ts, "pid": one.pid, "function": name, "state": one.state, "cost_us": one.cost_us,
        "params": {word: parsed(value) for word, value in one.params},
        "target": _value(one.target), "return": _value(one.returned), "exception": _value(one.exception),
        "thread": one.thread, "trace_id": one.trace_id or None, "callers": list(one.callers),
    }  # fmt: skip
    if one.inside_us is not None:
        found |= {"inside_us": one.inside_us, "values": one.values}
    if one.thrown:
        found["thrown"] = one.thrown
    if one.locals is not None:
        found["locals"] = _value(one.locals)
    if one.tree:
        found["tree"] = [dataclasses.asdict(line) for line in one.tree]
    if one.shown:
        found["shown"] = {word: parsed(value) for word, value in one.shown}
    return found


def _value(text: str | None) -> Any:
    return None if text is None else parsed(text)
