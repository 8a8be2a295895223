"""queue-saturated: fires where what waits grows to the end, and on no counter and no queue that is emptied."""

from __future__ import annotations

import json
import random

import pytest

from locard.logs.input.log_source import open_source
from locard.logs.judge import first_pass
from locard.logs.scan.loader import load
from locard.model.finding import Confidence, Role
from locard.rules.queue_saturated import judge
from rules.builders import case, stack, stacks, thing, things


def summary(tmp_path, records):
    path = tmp_path / "app.log"
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    source = open_source(str(path))
    table = load(source, 20.0, 1)
    source.close()
    try:
        return first_pass.judge(str(path), table)
    finally:
        table.db.close()


def lines(value, name="queued", message="settle queue grows", begin=10, end=300):
    """A service that answers well, twice a second, and says how much waits."""
    for n in range(2 * end):
        at = f"2026-11-27T20:{n // 120:02}:{n // 2 % 60:02}Z"
        yield {
            "time": at,
            "level": "info",
            "msg": "request done",
            "status": 200,
            "duration_ms": 9 + n % 5,
        }
        if n >= 2 * begin and (v := value(n - 2 * begin)) is not None:
            more = {} if name is None else {name: v}
            yield {"time": at, "level": "warn", "msg": message.format(v), **more}


@pytest.mark.parametrize(
    "name", ["queued", "queue.depth", "consumer_lag", "backlog_size", "pending"]
)
def test_fires_where_it_grows_to_the_end(tmp_path, name):
    found = summary(tmp_path, lines(lambda n: n + 1, name))
    (finding,) = judge(case(found))
    assert finding.role is Role.MECHANISM
    assert finding.confidence is Confidence.WEAK  # it may count all that ever came
    (one,) = found.growing
    assert (one.field, one.first, one.since.baseline_seen) == (name, 1.0, True)
    assert one.since.latest - found.first == 10
    assert one.last == pytest.approx(580, abs=10)
    assert "Nothing changed" not in finding.title


def test_fires_for_a_number_in_the_message(tmp_path):
    found = summary(tmp_path, lines(lambda n: 3 * n, None, "mailbox backlog of {} messages"))
    assert [g.field for g in found.growing] == [""]
    assert len(list(judge(case(found)))) == 1


def test_fires_where_only_one_of_two_writers_grows(tmp_path):
    found = summary(tmp_path, lines(lambda n: n if n % 2 else 2))
    assert len(found.growing) == 1


def test_fires_in_a_window_of_a_long_growth(tmp_path):
    found = summary(tmp_path, lines(lambda n: 2600 + n, begin=0))
    assert [g.since.baseline_seen for g in found.growing] == [False]


NOISE = random.Random(4)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (lambda n: n % 40, "queued"),  # it is emptied again and again
        (lambda n: 100 + NOISE.randint(-20, 20), "queued"),  # it is long, and stays so
        (lambda n: max(0, 300 - n), "queued"),  # it shrinks
        (lambda n: min(n, 600 - n), "backlog"),  # it grew, and is done
        (lambda n: n, "queued_total"),  # all that ever came
        (lambda n: n, "offset"),
        (lambda n: n, "request_id"),
        (lambda n: 3 + n // 400, "pending"),  # by one in some minutes
        (lambda n: n if n < 12 else None, "queued"),  # a few lines at the start
    ],
)
def test_quiet_where_nothing_more_waits(tmp_path, value, name):
    assert summary(tmp_path, lines(value, name)).growing == ()


PUT = ("wait <lib>/threading.py:327", "put <lib>/queue.py:140", "emit app.py:12", "run app.py:3")


def test_fires_where_who_puts_into_a_full_queue_waits():
    waits = stacks(*(stack(n, 8, *PUT) for n in range(3)))
    full = things(
        *(thing(n, "queue", name="queue.Queue", used=100, limit=100, tids=(8,)) for n in range(3))
    )
    (finding,) = judge(case(waits, full))
    assert (
        finding.title
        == "A queue.Queue is full, who puts into it waits at emit (pay/app.py:12): 100 of 100 in use"
    )


def test_quiet_where_the_queue_is_empty_and_workers_wait_to_get():
    waits = stacks(*(stack(n, 8, *PUT) for n in range(3)))
    empty = things(
        *(thing(n, "queue", name="queue.Queue", used=0, limit=100, tids=(8,)) for n in range(3))
    )
    assert not list(judge(case(waits, empty)))
    unbound = things(*(thing(n, "queue", used=9, limit=0, tids=(8,)) for n in range(3)))
    assert not list(judge(case(waits, unbound)))
