"""Which window is meant: by the server's clock, and by alerts that it or an Alertmanager knows; Python 3.6.

Before `far/prometheus.py` and behind `far/prometheus_series.py` in one namespace; standard library only.
"""

import calendar
import re
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from locard.far.http_api import Refused, Server, as_json, no_words, origin, words_of
    from locard.far.metric_lines import say
    from locard.far.prometheus_series import MOST_SAMPLES, read_raw

ALERTS_NAMED = "ALERTS"
MOST_SPAN_S = 25 * 3600.0
LOOK_BACK_S = 24 * 3600.0  # for an alert
SAME_STORY_S = 3600.0  # an alert that was pending so recently is still the same
MOST_ALERTS = 2000
MOST_ALERT_SAMPLES = 4000000
LEAST_S = 60.0  # of a window


def most_samples(found: "dict[str, Any]") -> int:
    """What one query may load: well below the server's own bound."""
    try:
        return max(1, min(MOST_SAMPLES, int(found.get("query.max-samples", "")) // 4))
    except ValueError:
        return MOST_SAMPLES


def window_of(
    server: Server, question: "dict[str, Any]", found: "dict[str, Any]"
) -> "tuple[float, float, float]":
    """(start, end, seconds of interest). Without a time it is now by the server's clock: ours may be wrong."""
    now = time.time() + found["skew"]
    window, span = float(question["window"]), float(question["span"])
    end = float(question.get("end") or now)
    if end > now:  # what is to come is no part of it
        cut, end = end - now, now
        if window - cut < LEAST_S / 2:
            raise Refused(0, "that time lies ahead of the server's clock", "ahead")
        window, span = max(LEAST_S, window - cut), max(LEAST_S, span - cut)
    if question.get("alertmanager"):
        first = ask_alertmanager(question["alertmanager"], server)
    else:
        first = None
    if question.get("around") == "alert":
        first = first or first_pending(server, end, most_samples(found))
        if first is None:
            say(
                tried="--around alert: no alert was pending or firing within a day before; the window ends now"
            )
        else:
            share = span / window
            window = max(window, end - first + 600.0)
            span = max(min(share * window, MOST_SPAN_S), window * 1.5)
    return end - span, end, window


def first_pending(server: Server, end: float, most: int) -> "Optional[float]":
    """When the newest alert was first pending or firing; None where there was none for a day."""
    step = 60 if most == MOST_SAMPLES else 600
    query = "max by (alertname, alertstate) (%s)" % ALERTS_NAMED
    rows = server.rows("/api/v1/query_range", query=query, start="%.0f" % (end - LOOK_BACK_S),
                       end="%.0f" % end, step=str(step))  # fmt: skip
    names = {}  # type: dict[str, list[float]]
    fired = {}  # type: dict[str, float]
    for row in rows:
        name = row["metric"].get("alertname", "")
        times = [float(v[0]) for v in row.get("values") or []]
        names.setdefault(name, []).extend(times)
        if row["metric"].get("alertstate") == "firing" and times:
            fired[name] = max(times)
    pick = fired or {n: max(t) for n, t in names.items() if t}
    if not pick:
        return None
    times = sorted(names[max(pick, key=lambda n: pick[n])])
    first = times[-1]
    for at in reversed(times):
        if first - at > SAME_STORY_S:
            break
        first = at
    return first - step


def ask_alertmanager(url: str, beside: Server) -> "Optional[float]":
    """When the oldest alert of an Alertmanager that is active began to fire, told with its names."""
    server = Server(url, beside.until)
    rows, words = None, ""  # type: Any, str
    try:
        status, headers, body = server.get("/api/v2/alerts", active="true", silenced="false")
        rows = as_json(body)
        if status != 200 or not isinstance(rows, list):
            words = no_words(
                Refused(status if status != 200 else -1, words_of(status, headers, body, rows))
            )
    except Refused as no:
        words = no_words(no)
    finally:
        server.shut()
    if words:
        beside.warned.append("the Alertmanager at %s was not read: %s" % (origin(url), words))
        return None
    began = []
    for row in rows[:MOST_ALERTS]:
        labels = row.get("labels") if isinstance(row, dict) else None
        at = unix_time(str(row.get("startsAt", ""))) if isinstance(labels, dict) else None
        if at is not None:
            began.append(at)
            say(alert={"labels": labels, "at": at})
    return min(began) if began else None


def unix_time(text: str) -> "Optional[float]":
    """Seconds of a time as RFC 3339 has it."""
    found = re.match(
        r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|([+-])(\d\d):(\d\d))$", text
    )
    if found is None or text.startswith("000"):  # a time that was not set is in the year 1
        return None
    at = float(calendar.timegm(tuple(int(found.group(i)) for i in range(1, 7)) + (0, 0, 0)))
    if found.group(9):
        away = int(found.group(10)) * 3600 + int(found.group(11)) * 60
        at += -away if found.group(9) == "+" else away
    return at + float(found.group(7) or 0)


def read_alerts(server: Server, start: float, end: float, most: int) -> None:
    """The course of the alerts that a server evaluates itself, where there are some."""
    span = round((end - start) * 1000)
    query = "sum(count_over_time(%s[%dms]))" % (ALERTS_NAMED, span)
    rows = server.rows("/api/v1/query", query=query, time="%.3f" % end)
    size = float(rows[0]["value"][1]) if rows else 0.0
    if size > MOST_ALERT_SAMPLES:
        say(tried="alerts: ALERTS has %d samples in this window, too many to be read" % size)
    elif size:
        read_raw(server, ALERTS_NAMED, start, end, 1 + int(size / most))
