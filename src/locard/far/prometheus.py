"""Asks a Prometheus API for every series of a window, gently; standard library only, Python 3.6.

One argument: a question as JSON with `match` (a selector), `end`, `window` and `span` (seconds), `most_series`,
`most_seconds`; for a second look `base` and `again`. It follows `far/metric_lines.py`, `far/http_api.py`,
`far/prometheus_series.py` and `far/prometheus_window.py` in one namespace. One query at a time; what the server says it cannot bear (422, 429,
5xx, a time-out) ends the asking. Its answers are printed as `far/metric_lines.py` writes them.
"""

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from locard.far.http_api import URL, Refused, Server, as_json, no_words
    from locard.far.metric_lines import say
    from locard.far.prometheus_series import (
        HEAVY,
        MOST_ALL,
        any_name,
        batches,
        counts_by_name,
        matchers_of,
        read_raw,
        read_steps,
        with_name,
    )
    from locard.far.prometheus_window import ALERTS_NAMED, most_samples, read_alerts, window_of

# Where the API lies below the address that people know: Prometheus and Thanos, Mimir, VictoriaMetrics' cluster.
PREFIXES = ("", "/prometheus", "/select/0/prometheus", "/api/prom")
BOUNDS = ("query.max-samples", "query.timeout", "query.lookback-delta")
USUAL_S, LOOKED_S = 15.0, 600.0  # between two scrapes; the stretch in which they are counted
MOST_RULES, MOST_EXEMPLARS = 2000, 200


# -- what it is ---------------------------------------------------------------------------------


def find_api(server: Server) -> "dict[str, Any]":
    """Where the API lies and what serves it; raises Refused with what was tried."""
    tried, own, first, seen = [], server.base, None, {}  # type: Any, str, Optional[Refused], Any
    for prefix in PREFIXES:
        if prefix and own.endswith(prefix):
            continue
        server.base = own + prefix
        try:
            sent = time.time()
            data = server.ask("/api/v1/query", query="time()")
            back = time.time()
            there = clock_in(data["result"])
        except Refused as no:
            first = first or no
            seen.setdefault(no_words(no), []).append(server.base + "/api/v1/query")
            if no.ends:
                break
            continue
        except (KeyError, TypeError, ValueError, IndexError):
            words = "an answer of another form than the API's"
            first = first or Refused(-1, words)
            seen.setdefault(words, []).append(server.base + "/api/v1/query")
            continue
        tried = ["%s: %s" % (", ".join(paths), words) for words, paths in seen.items()]
        if tried:
            say(tried="%s; the API lies below %s" % ("; ".join(tried), server.base or "/"))
        skew = there - (sent + back) / 2
        # What one request took is how well a clock can be told by it.
        found = {"base": server.base, "skew": skew if abs(skew) > back - sent else 0.0}
        found.update(describe(server))
        return found
    tried = ["%s (%s)" % (words, ", ".join(paths)) for words, paths in seen.items()]
    if first is None or not first.status or sum(map(len, seen.values())) == 1:
        raise first or Refused(-1, "nothing was asked")
    raise Refused(first.status, "; ".join(tried), first.how)


def clock_in(result: "Any") -> float:
    """The time in an answer to time(): a number, or, as VictoriaMetrics has it, a series of one."""
    if isinstance(result[0], dict):
        result = result[0]["value"]
    return float(result[1])


def describe(server: Server) -> "dict[str, Any]":
    """Which server it is and what bounds it has, as far as it tells."""
    found = {"kind": "Prometheus API", "version": ""}  # type: dict[str, Any]
    build = server.optional("/api/v1/status/buildinfo")
    if isinstance(build, dict):
        found["version"] = str(build.get("version", ""))
        if build.get("application"):
            found["kind"] = str(build["application"])
        elif build.get("revision"):
            found["kind"] = "Prometheus"
    if found["kind"] == "Grafana Mimir":
        return found
    flags = server.optional("/api/v1/status/flags")
    if isinstance(flags, dict):
        found.update({name: str(flags[name]) for name in BOUNDS if name in flags})
        if "storage.tsdb.path" in flags:
            return found
    # VictoriaMetrics answers as Prometheus 2.24 with no revision; Thanos Query lists its stores.
    if (
        found["kind"] == "Prometheus API"
        and server.optional("/api/v1/status/top_queries") is not None
    ):
        found["kind"], found["version"] = "VictoriaMetrics", ""
    elif server.optional("/api/v1/stores") is not None:
        found["kind"] = "Thanos"
    return found


# -- what there is, and all of it ---------------------------------------------------------------


class Reading:
    """How much of a window was read so far."""

    def __init__(self) -> None:
        """Nothing was."""
        self.samples, self.unread = 0, 0


def names_of(
    server: Server, matchers: str, start: float, end: float, most: int
) -> "tuple[dict[str, int], int]":
    """The metric names that fit, with how many series each has, and the most that there are at one moment.

    Asked at the end first: of more than `most` nothing else is asked.
    """
    query, names, fullest = "count by (__name__) (%s)" % any_name(matchers), {}, 0  # type: str, Any, int
    for at in (end, (start + end) / 2, start):
        found = counts_by_name(server, query, at)
        for name in (ALERTS_NAMED, "ALERTS_FOR_STATE"):  # which are read by themselves
            found.pop(name, None)
        fullest = max(fullest, sum(found.values()))
        for name, size in found.items():
            names[name] = max(names.get(name, 0), size)
        if fullest > most:
            return names, fullest
    # What was born and gone between those moments.
    every = server.optional("/api/v1/label/__name__/values", match__=any_name(matchers),
                            start="%.0f" % start, end="%.0f" % end)  # fmt: skip
    known = {*names, ALERTS_NAMED, "ALERTS_FOR_STATE"}
    new = sorted({str(n) for n in every if n} - known) if isinstance(every, list) else []
    for group in batches(dict.fromkeys(new, 1), len(new)):
        span = round((end - start) * 1000)
        query = "count by (__name__) (last_over_time(%s[%dms]))" % (
            with_name(group, matchers),
            span,
        )
        try:
            names.update(counts_by_name(server, query, end))
        except Refused as no:
            if no.ends:
                raise
            names.update(dict.fromkeys(group, 1))  # before Prometheus 2.26
    return names, max(fullest, sum(names[n] for n in new if n in names))


def interval_of(server: Server, names: "dict[str, int]", matchers: str, end: float) -> float:
    """Seconds between two samples, by how many the metrics with the fewest series have."""
    few = sorted(names, key=lambda n: (n != "up", names[n]))[:5]
    # One by one: without their names, which this drops, series of several metrics may be the same.
    each = ("count_over_time(%s[%ds])" % (with_name([n], matchers), LOOKED_S) for n in few)
    query = "quantile(0.9, %s)" % " or ".join(each)
    rows = server.rows("/api/v1/query", query=query, time="%.3f" % end)
    found = float(rows[0]["value"][1]) if rows else 0.0
    return min(LOOKED_S, max(1.0, LOOKED_S / found)) if found >= 1 else USUAL_S


def read_window(
    server: Server, question: "dict[str, Any]", found: "dict[str, Any]", reading: Reading
) -> None:
    """Every series that fits, or why not."""
    matchers = matchers_of(question.get("match") or "")
    start, end, window = window_of(server, question, found)
    say(
        window={
            "start": start,
            "end": end,
            "match": question.get("match") or "",
            "interest": window,
        }
    )
    most_series = int(question["most_series"])
    try:
        names, series = names_of(server, matchers, start, end, most_series)
    except Refused as no:
        if matchers and (no.status == 400 or "pars" in no.words.lower()):
            raise Refused(no.status, no.words, "match") from None
        raise
    say(counted={"series": series})
    if series > most_series:
        tell_jobs(server, any_name(matchers), end)
        return
    most = most_samples(found)
    read_alerts(server, start, end, most)
    tell_rules(server)
    if not names:
        return
    types = tell_types(server, names)
    interval = interval_of(server, names, matchers, end)
    each = (end - start) / interval
    # A native histogram stands under its own name, and is many numbers.
    sizes = {n: size * (HEAVY if types.get(n) == "histogram" else 1) for n, size in names.items()}
    expected = sum(sizes.values()) * each
    step = 0.0 if expected <= MOST_ALL else interval * (expected // MOST_ALL + 1)
    per_series = each if not step else (end - start) / step
    say(interval=interval, step=step, expected=int(expected))
    reading.unread = sum(names.values())
    for group in batches(sizes, max(1, int(most / per_series))):
        if server.left() < 1.0:
            break
        query, size = with_name(group, matchers), sum(sizes[n] for n in group)
        if step:
            reading.samples += read_steps(server, query, start, end, step, names)
        else:
            parts = 1 + int(size * per_series / most)
            reading.samples += read_raw(server, query, start, end, parts, names)
        reading.unread -= sum(names[n] for n in group)


def tell_types(server: Server, names: "dict[str, int]") -> "dict[str, str]":
    """The types of metrics, where the server keeps them."""
    data = server.optional("/api/v1/metadata")
    types = {}
    for name, every in data.items() if isinstance(data, dict) else ():
        if every and any(name + s in names for s in ("", "_total", "_bucket", "_count", "_sum")):
            types[name] = str(every[0].get("type", ""))
    say(types=types)
    return types


def tell_rules(server: Server) -> None:
    """Recording and alerting rules: which series are computed of others, which alerts wait how long."""
    data = server.optional("/api/v1/rules")
    rules = []
    for group in (data.get("groups") or []) if isinstance(data, dict) else []:
        for rule in group.get("rules") or []:
            kept = {k: rule.get(k) for k in ("name", "query", "duration", "type")}
            rules.append(kept)
    say(rules=rules[:MOST_RULES])


def tell_jobs(server: Server, match: str, end: float) -> None:
    """Too many: which services they are of."""
    for label in ("job", "service", "namespace"):
        query = "topk(20, count by (%s) (%s))" % (label, match)
        rows = server.rows("/api/v1/query", query=query, time="%.3f" % end)
        by = {r["metric"].get(label, ""): int(float(r["value"][1])) for r in rows}
        if len(by) > 1 or label == "namespace":
            say(jobs={"label": label, "series": by})
            return


# -- a second look ------------------------------------------------------------------------------


def read_again(server: Server, again: "dict[str, Any]", reading: Reading) -> None:
    """The series that changed, a day before, where the server reaches back so far; and exemplars."""
    matchers, end, span = (
        matchers_of(again.get("match") or ""),
        float(again["end"]),
        float(again["span"]),
    )
    tail = "(_total|_count)?"
    if again["metrics"]:
        alike = with_name(again["metrics"], matchers, tail)
        names = counts_by_name(server, "count by (__name__) (%s)" % alike, end)
        most = max(1, int(int(again["most_samples"]) * float(again["interval"]) / span))
        for group in batches(names, most):
            size = sum(names[n] for n in group)
            reading.samples += read_raw(
                server, with_name(group, matchers), end - span, end, 1 + size // most, names
            )
    for query in again["exemplars"]:
        data = server.optional("/api/v1/query_exemplars", query=query["query"],
                               start="%.3f" % query["start"], end="%.3f" % query["end"])  # fmt: skip
        tell_exemplars(data if isinstance(data, list) else [])


def tell_exemplars(rows: "list[Any]") -> None:
    """Single requests that a histogram or counter remembers."""
    told = 0
    for row in rows:
        labels = row.get("seriesLabels") or {}
        for one in row.get("exemplars") or []:
            if told >= MOST_EXEMPLARS:
                return
            told += 1
            say(exemplar={"series": labels, "labels": one.get("labels") or {},
                          "value": str(one.get("value", "")), "at": one.get("timestamp")})  # fmt: skip


# -- all together -------------------------------------------------------------------------------


def tell_instead(server: Server) -> None:
    """What else may be meant: a page of metrics, or an Alertmanager."""
    own = server.parts.path.rstrip("/")
    pages = [(own, b"# TYPE")] if own else []
    for path, mark in [
        *pages,
        (own + "/metrics", b"# TYPE"),
        (own + "/api/v2/status", b"versionInfo"),
    ]:
        server.base = path
        try:
            status, _, body = server.get("")
        except Refused:
            return
        if status == 200 and mark in body[: 1 << 16]:
            say(instead={"path": path})
            return


def main(argv: "list[str]") -> int:
    """Exit 0 where the server answered, 1 where it did not or stopped in the middle."""
    question = as_json(argv[1].encode())
    say(asked=question)
    server = Server(URL, time.monotonic() + float(question["most_seconds"]))
    reading = Reading()
    try:
        if question.get("again"):
            server.base = str(question["base"])
            read_again(server, question["again"], reading)
            return 0
        found = find_api(server)
        server.answered = True
        say(source=found)
        read_window(server, question, found, reading)
    except Refused as no:
        say(problem={"status": no.status, "words": no.words, "how": no.how})
        if not server.answered and not no.ends:
            tell_instead(server)
        return 1
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as error:
        words = "an answer of another form than the API's (%s)" % type(error).__name__
        say(problem={"status": -1, "words": words, "how": ""})
        return 1
    finally:
        say(read={"samples": reading.samples, "unread": reading.unread, "asked": server.asked,
                  "bytes": server.bytes}, warned=server.warned)  # fmt: skip
        server.shut()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
