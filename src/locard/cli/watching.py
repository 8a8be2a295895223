"""Tells watched calls while they come: lines of text, or JSON lines in the schema of all runtimes."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

from locard.cli import common, streams
from locard.model import watch_words
from locard.model.wording import count
from locard.report import watch_screen
from locard.report.plain import safe
from locard.runtime.python import watch

if TYPE_CHECKING:
    import argparse
    import datetime as dt

    from locard.investigate.means import Listener
    from locard.model.evidence import Layer
    from locard.model.watch_facts import WatchedCall


def listener(args: argparse.Namespace) -> Listener:
    """Who is told of the progress of a watch, as `-o` and `-q` ask."""
    if args.output == "jsonl":
        return Lines(common.progress(args), args.tz)
    if args.output == "text":
        return Text(common.progress(args), args.tz, stats=args.param_stats is not None)
    return common.progress(args)


class _Passing:
    """Passes on what every listener is told."""

    def __init__(self, inner: Listener, tz: dt.tzinfo | None) -> None:
        self._inner, self._tz = inner, tz
        self._names: dict[tuple[int, int], str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def came(self, layer: Layer, probe: str, text: str) -> None:  # noqa: ARG002 - as every listener
        """More lines of a stream, whole ones, redacted."""
        if probe != "watch":
            return
        try:
            for row in watch.rows(text):
                self._row(row)
            sys.stdout.flush()
        except BrokenPipeError:
            streams.drop_output()

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


class Lines(_Passing):
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
        sys.stdout.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


class Text(_Passing):
    """Lines for people on standard output; the sums follow at the end."""

    def __init__(self, inner: Listener, tz: dt.tzinfo | None, *, stats: bool) -> None:
        """`stats`: a line an interval is told."""
        super().__init__(inner, tz)
        self._stats = stats

    def told(self, row: dict[str, Any]) -> None:
        """A call, an interval, what is watched, a name that means something else by now."""
        for line in self._lines(row):
            print(safe(line))

    def _lines(self, row: dict[str, Any]) -> list[str]:
        if row.get("ev") == "call":
            return list(
                watch_screen.call(watch.call_of(int(row["pid"]), row), self.name(row), self._tz)
            )
        if row.get("ev") == "on":
            return [f"watches {self.name(row)} in pid {row['pid']}"]
        if "means" in row:
            means = row["means"] or f"nothing ({row.get('why', '')})"
            return [
                f"the name {row['spec']} means {means} by now; the function watched goes on being watched"
            ]
        if row.get("ev") == "stats" and self._stats:
            return [self._interval(row)]
        return []

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
        return f"{watch_screen.clock(float(row['at']), self._tz)}  {self.name(row)}  {ends or 'no calls'}{cache}"


def event(one: WatchedCall, name: str) -> dict[str, Any]:
    """One call in the schema of all runtimes: ts, cost_us, params, target, return, exception, thread, trace_id."""
    found: dict[str, Any] = {
        "event": "call", "ts": one.ts, "pid": one.pid, "function": name, "state": one.state, "cost_us": one.cost_us,
        "params": {word: json.loads(value) for word, value in one.params},
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
        found["shown"] = {word: json.loads(value) for word, value in one.shown}
    return found


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)
