"""A question in a dialect, for the tests of each."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from locard import catalogue
from locard.logs.ask import open_log
from locard.logs.ask import slice as slicing
from locard.logs.ask.slice import Question
from locard.logs.backends._terms import asked_of
from locard.logs.fields.meaning import Meaning
from locard.where.times import Clock

BEGIN = 1_772_366_400  # 2026-03-01T12:00:00Z
CLOCK = Clock(dt.UTC, BEGIN + 600, BEGIN + 600)
NAMES = (
    "time",
    "level",
    "status",
    "duration_ms",
    "upstream",
    "path",
    "http.method",
    "odd name",
    "trace_id",
)
ROLES = {"time": "time", "level": "level", "status": "status", "duration": "duration_ms",
         "endpoint": "path", "upstream": "upstream", "trace_id": "trace_id"}  # fmt: skip
MEANING = Meaning(
    columns={name: f"c{i}" for i, name in enumerate(NAMES)},
    roles=ROLES,
    role_of={name: role for role, name in ROLES.items()},
    numbers={"status": "BIGINT", "duration_ms": "DOUBLE"},
    last=float(BEGIN + 600),
)


@pytest.fixture
def say(request):
    """The question in the dialect of the test's file: its text and what it could not say."""
    name = request.module.__name__.rpartition("test_")[2]
    module = catalogue.entry("dialect", name).load()

    def said(text=None, **more):
        question = Question.of(text, **more)
        written = module.write(asked_of(question, MEANING, CLOCK))
        return written.text, written.unsaid

    return said


def record(i):
    bad = i % 7 == 0
    found = {
        "time": dt.datetime.fromtimestamp(BEGIN + i * 1.5, dt.UTC).isoformat().replace("+00:00", "Z"),
        "level": ("ERROR" if i % 14 else "error") if bad else "info",
        "status": (503 if i % 3 else "503") if bad else 200,
        "duration_ms": i * 1.25, "path": f"/o/{i}", "http": {"method": ("GET", "POST")[i % 2]},
        "upstream": ("cards", "ledger", 'mail é"x\\y')[i % 3], "odd name": i % 5 == 0,
        "trace_id": f"t{i // 2}",
    }  # fmt: skip
    if i % 11 == 0:
        del found["upstream"]
    if i % 13 == 0:
        found["upstream"] = None
    return found


@pytest.fixture(scope="session")
def sheet(log):
    """The log, read once for all tests."""
    with open_log.asked(str(log), 30, 1) as found:
        yield found


@pytest.fixture
def translated(request, sheet):
    """What locard answers to a question, and the question in the dialect of the test's file."""
    name = request.module.__name__.rpartition("test_")[2]
    module = catalogue.entry("dialect", name).load()

    def both(text, select):
        clock = Clock(dt.UTC, sheet.meaning.last)
        question = Question.of(text, select=select)
        rows = list(slicing.records(sheet, question, clock).rows)
        return rows, module.write(asked_of(question, sheet.meaning, clock, sheet.source)).text

    return both


@pytest.fixture(scope="session")
def log(tmp_path_factory):
    """A dirty log of 400 records."""
    path = tmp_path_factory.mktemp("dialects") / "app.log"
    lines = [json.dumps(record(i)) for i in range(400)]
    lines[40:40] = [
        "\tat com.example.Client.call(Client.java:12)",
        "",
        '{"torn": "rec',
        "[1, 2]",
        "7",
    ]
    path.write_text("\n".join(lines) + "\n")
    return path
