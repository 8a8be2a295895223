"""The time box of a first pass: reading leaves time for judging, and judging ends with it."""

from __future__ import annotations

import argparse
import re

import duckdb
import pytest

from locard.cli.commands import logs
from locard.guard.budget import Budget
from locard.logs.ask import open_log
from locard.logs.input import log_source
from locard.logs.judge import first_pass
from locard.logs.scan import loader, native_engine

RECORDS = 100_000
ENGINES = ["duckdb", *(["native"] if native_engine.available() else [])]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log"
    path.write_text(
        "".join(f'{{"time":{1763812800 + i / 100},"status":200}}\n' for i in range(RECORDS))
    )
    return path


def clocks(*seconds):
    return iter([*seconds, *[seconds[-1]] * 999]).__next__


def test_work_costs_its_share_of_the_rest_and_waiting_does_not():
    now, worked = [0.0], [0.0]
    share = loader.ReadingShare(60, 1.0, lambda: now[0], lambda: worked[0])
    now[0] = worked[0] = 29.0
    assert not share.used_up
    now[0] = worked[0] = 30.0
    assert share.used_up
    now[0], worked[0] = 50.0, 9.0  # a pipe that is mostly silent
    assert not share.used_up
    now[0], worked[0] = 31.0, 120.0  # four cores
    assert share.used_up


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_not_read_is_said(log, engine, monkeypatch):
    monkeypatch.setattr(native_engine, "_MOST_BYTES", 1 << 20)
    share = loader.ReadingShare(60, 1.0, clocks(0.0, 59.0), clocks(0.0, 59.0))
    source = log_source.open_source(str(log))
    try:
        table = loader.load(source, 60, 1, engine, share=share)
    finally:
        source.close()
    assert 0 < table.records < RECORDS
    assert "its rest was for judging what was read" in table.partial
    assert re.search(r"the first \d+ % of it were read", table.partial)


def test_a_question_that_does_not_end_is_interrupted():
    db = duckdb.connect()
    with open_log.interrupted_after(db, 0.05) as late, pytest.raises(duckdb.InterruptException):
        db.execute("SELECT count(*) FROM range(1000000000) a, range(1000000) b")
    assert late.is_set()
    with open_log.interrupted_after(db, 600) as late:
        assert db.execute("SELECT 1").fetchall() == [(1,)]
    assert not late.is_set()


def test_judging_that_does_not_end_is_given_up_for_a_sample(log, monkeypatch):
    judge, seen = first_pass.judge, []

    def slow(name, table, *args, **more):
        seen.append(table.records)
        if len(seen) == 1:
            table.db.execute("SELECT count(*) FROM range(1000000000) a, range(1000000) b")
        return judge(name, table, *args, **more)

    monkeypatch.setattr(first_pass, "judge", slow)
    monkeypatch.setattr(logs, "_LEAST_S", 0.05)
    args = argparse.Namespace(source=[str(log)], errors=None, tz=None)
    with open_log.scanned(str(log), 60, 1) as table:
        summary = logs.judged(args, table, None, Budget(0.0))
    assert seen == [RECORDS, pytest.approx(RECORDS / 8, rel=0.1)]
    assert summary.partial
    assert summary.first is not None
    assert summary.first < 1763812800 + 1  # from all of it
    said = f"of {RECORDS:,} records that were read {seen[1]:,} were judged"
    assert any(said in gap for gap in summary.gaps)
