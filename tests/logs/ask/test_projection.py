"""A question on a large log reads the fields that it needs, and answers as if it had read all of them."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import time

import pytest

from locard.logs.ask import open_log
from locard.logs.ask import slice as slicing
from locard.logs.ask.found_lines import MOST
from locard.logs.ask.kept_scans import Shelf
from locard.logs.ask.projection import LARGE, Reads
from locard.logs.scan import native_engine
from locard.report.rows import json_records
from locard.where import times

pytestmark = pytest.mark.skipif(
    not native_engine.available(), reason="the native module is not built"
)


def write(path, *, rare=()):
    """A log over the size from which a question reads its fields alone; `rare` are lines amid it."""
    draw = random.Random(3)
    written, lines = 0, []
    while written < LARGE * 1.1:
        i = len(lines)
        record = {
            "ts": 1_772_366_400 + i / 20,
            "level": draw.choice([30, 30, 50]),
            "http": {"status": draw.choice([200, 200, 503]), "took_ms": draw.random() * 100},
            "up": {"name": draw.choice("abc")},
            "tags": ["x", draw.choice("yz")],
            "requestId": f"r{i // 3}",
            "pad": "p" * 100,
        }
        lines.append(json.dumps(record) if draw.random() < 0.999 else "Traceback nobody wrote")
        written += len(lines[-1])
    lines[len(lines) // 2 : len(lines) // 2] = rare  # between two pieces of the sample
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def answer(name, flags, reads):
    """The rows, and which fields were read."""
    with open_log.asked(name, 60, 1, reads=reads) as sheet:
        clock = times.Clock(None, sheet.meaning.last)
        question = slicing.Question.of(
            flags.get("where"), **{k: v for k, v in flags.items() if k != "where"}
        )
        found = (slicing.counts if question.by else slicing.records)(sheet, question, clock)
        return (
            found.columns,
            found.kinds,
            list(found.rows),
            sheet.records,
            set(sheet.meaning.columns),
        )


def reads_of(flags):
    where = slicing.Question.of(flags.get("where")).where
    return Reads.of(
        where,
        (*flags.get("select", ()), *flags.get("by", ())),
        times=False,
        errors="by" in flags and where is None,
        ids="trace" in flags,
    )


QUESTIONS = [
    {"where": "level = error", "by": ("up.name",)},
    {"where": "status >= 500 and http.took_ms > 90", "select": ("ts", "requestId", "level")},
    {"where": "time > 1772366400 and status = 503", "by": ("up.name", "tags")},
    {"by": ("up.name",)},
    {"trace": "r77", "select": ("status", "up.name")},
    {"where": "tags[1] = z", "by": ("level",)},
]


@pytest.mark.parametrize("flags", QUESTIONS)
def test_the_answer_is_that_of_the_whole_log(tmp_path, flags):
    name = write(tmp_path / "log")
    *narrow, few = answer(name, flags, reads_of(flags))
    *whole, all_fields = answer(name, flags, None)
    assert narrow == whole
    assert narrow[2]
    assert "pad" in all_fields
    assert "pad" not in few


def test_a_field_that_few_records_have_is_found(tmp_path):
    name = write(tmp_path / "log", rare=['{"ts": 1772366401, "odd": {"one": 7}}'])
    flags = {"where": "odd.one = 7", "select": ("odd.one", "ts")}
    *narrow, few = answer(name, flags, reads_of(flags))
    assert narrow[2] == [("7", "1772366401")]
    assert "pad" not in few


def test_a_rare_field_that_may_mean_what_is_asked_for_has_all_read(tmp_path):
    name = write(tmp_path / "log", rare=['{"severity": "error", "up": {"name": "c"}}'])
    flags = {"where": "level = error", "by": ("up.name",)}
    *narrow, fields = answer(name, flags, reads_of(flags))
    *whole, _ = answer(name, flags, None)
    assert narrow == whole
    assert "pad" in fields


def test_of_a_large_log_what_is_cheap_is_kept(tmp_path):
    name = write(tmp_path / "log")
    os.utime(name, (time.time() - 60, time.time() - 60))
    time.sleep(0.05)  # changed long enough ago for its times to tell the next change
    shelf, flags = Shelf(tmp_path / "state" / "scans"), QUESTIONS[0]

    def ask(flags, reads):
        with open_log.asked(name, 60, 1, shelf, reads=reads) as sheet:
            question = slicing.Question.of(
                flags["where"], by=flags.get("by", ()), select=flags.get("select", ())
            )
            found = slicing.counts if question.by else slicing.records
            return sheet.kept, list(
                found(sheet, question, times.Clock(None, sheet.meaning.last)).rows
            )

    whole = {"where": "status = 503", "select": ("tags", "status")}
    assert ask(flags, reads_of(flags))[0] is False  # read with its fields alone, which nobody keeps
    was_kept, rows = ask(flags, None)  # all fields are read, and what is cheap is kept
    assert was_kept is False
    assert ask(flags, reads_of(flags)) == (True, rows)
    assert ask(whole, reads_of(whole))[0] is False  # arrays are not among it
    assert ask(flags, None)[0] is False


WHOLE = [
    {"trace": "r77"},
    {"where": "level = error and http.took_ms > 99.9"},
    {"where": "status = 503", "top": 5},
    {"where": "up.name = b", "sample": 7, "seed": 2},
    {"where": "up.name = nowhere"},
]


def shown(name, flags, *, apart):
    """The records as JSON lines, how many the log has, and whether they were read by themselves."""
    question = slicing.Question.of(
        flags.get("where"), **{k: v for k, v in flags.items() if k != "where"}
    )
    reads = dataclasses.replace(reads_of(flags), whole=True)

    def pick(sheet):
        return slicing.numbers(sheet, question, times.Clock(None, sheet.meaning.last), MOST)

    with open_log.asked(
        name, 60, 1, reads=reads if apart else None, pick=pick if apart else None
    ) as sheet:
        asked = slicing.Question() if sheet.whole else question
        answer = slicing.records(sheet, asked, times.Clock(None, sheet.meaning.last))
        lines = [json.loads(line) for line in json_records(answer)]
        return lines, sheet.records, sheet.lines, sheet.whole is not None


@pytest.mark.parametrize("flags", WHOLE)
def test_whole_records_are_read_by_themselves(tmp_path, flags):
    name = write(tmp_path / "log")
    *apart, by_themselves = shown(name, flags, apart=True)
    *together, _ = shown(name, flags, apart=False)
    assert apart == together
    assert by_themselves is bool(apart[0])
    assert all("pad" in record and "tags" in record for record in apart[0])


def test_lines_below_a_record_come_with_it(tmp_path):
    rare = [
        '{"level": 50, "odd": "one", "message": "it broke"}',
        "java.lang.Oops: no",
        "\tat a.B.c(B.java:1)",
    ]
    name = write(tmp_path / "log", rare=rare)
    *apart, by_themselves = shown(name, {"where": "odd = one"}, apart=True)
    *together, _ = shown(name, {"where": "odd = one"}, apart=False)
    assert apart == together
    assert by_themselves
    assert "B.java" in json.dumps(apart[0])


def test_more_records_than_are_read_again_are_read_with_all_others(tmp_path):
    name = write(tmp_path / "log")
    lines, *_, by_themselves = shown(name, {"where": "status = 503"}, apart=True)
    assert len(lines) > MOST
    assert not by_themselves
