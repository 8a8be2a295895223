"""Kept scans: the same answers, never from a stale copy, private, capped, and only ever a help."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time

import pytest

from locard.logs.ask import kept_scans, open_log
from locard.logs.ask import slice as slicing
from locard.logs.ask.kept_scans import Identity, Shelf
from locard.logs.ask.slice import Question
from locard.where.times import Clock

BEGIN = 1_772_366_400


def lines(count, status=200):
    return "".join(
        json.dumps({"time": BEGIN + i, "status": status, "up": f"u{i % 3}", "ok": i % 2 == 0})
        + "\n"
        for i in range(count)
    )


def settle():
    """Let the file's clock tick: what has just changed is not kept."""
    time.sleep(2 * kept_scans._TICK_NS / 1e9)


@pytest.fixture
def shelf(state):
    return Shelf.below(state)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("no record\n" + lines(500) + lines(20, 503))
    settle()
    return path


@pytest.fixture
def ask(shelf):
    """Counts by status, and whether a kept scan gave them."""

    def asked(path, shelf=shelf, text="status >= 500"):
        with open_log.asked(str(path), 30, 1, shelf) as sheet:
            question = Question.of(text, by=("status", "up"))
            answer = slicing.counts(sheet, question, Clock())
            return sorted(answer.rows), sheet.kept

    return asked


def copies(shelf):
    return sorted(p.name for p in shelf.folder.iterdir()) if shelf.folder.exists() else []


def test_the_second_question_is_answered_from_the_copy(ask, log, shelf):
    first, kept = ask(log)
    assert not kept
    second, kept = ask(log)
    assert kept
    assert first == second
    assert sum(row[0] for row in first) == 20
    assert len(copies(shelf)) == 2


def test_the_sheet_is_the_same(log, shelf):
    with open_log.asked(str(log), 30, 1, shelf) as fresh:
        pass
    with open_log.asked(str(log), 30, 1, shelf) as old:
        assert old.kept
        for name in ("lines", "records", "skipped", "engine", "stop", "partial", "source"):
            assert getattr(old, name) == getattr(fresh, name)
        for name in ("columns", "roles", "role_of", "numbers", "truths", "last"):
            assert getattr(old.meaning, name) == getattr(fresh.meaning, name)
        assert old.stop is not None
        assert old.stop.line == 1


def test_all_questions_are_answered_alike(log, shelf):
    questions = [
        Question.of("ok = true and time > 2026-03-01T12:00:10Z"),
        Question.of("status in (503) or up ~ 1", select=("time", "up")),
        Question.of(None, around=BEGIN + 50.0, window_s=5.0),
        Question.of(None, sample=7, seed=3),
        Question.of(None, since_s=30.0, top=5),
    ]
    answers = []
    for _ in range(2):
        with open_log.asked(str(log), 30, 1, shelf) as sheet:
            clock = Clock(None, sheet.meaning.last)
            answers.append([list(slicing.records(sheet, q, clock).rows) for q in questions])
    assert answers[0] == answers[1]
    assert all(answers[0])


def test_where_jq_stops_is_looked_for_once(log, shelf):
    with open_log.asked(str(log), 30, 1) as sheet:
        shelf.keep(Identity.of(str(log)), sheet)
    made = next(shelf.folder.glob("*.json")).stat().st_mtime_ns
    for known in (False, True):
        with open_log.asked(str(log), 30, 1, shelf) as sheet:
            assert sheet.kept
            assert (sheet.stop is not None) == known
            assert open_log.find_jq_stop(sheet).line == 1
    assert next(shelf.folder.glob("*.json")).stat().st_mtime_ns == made  # it expires as before


def test_the_first_pass_leaves_it_known(locard, log, shelf):
    locard("logs", str(log))
    assert shelf.find(Identity.of(str(log)), str(log)).stop.line == 1


def test_a_grown_file_is_read_anew(ask, log, shelf):
    ask(log)
    with log.open("a") as file:
        file.write(lines(5, 503))
    settle()
    rows, kept = ask(log)
    assert not kept
    assert sum(row[0] for row in rows) == 25
    assert ask(log) == (rows, True)
    assert len(copies(shelf)) == 2  # the older copy is gone


def test_a_rewritten_file_of_the_same_size_and_time_is_read_anew(ask, log):
    ask(log)
    before = log.stat()
    data = log.read_bytes()
    middle = len(data) // 2
    log.write_bytes(data[:middle] + data[middle:].replace(b"200", b"503", 5))
    os.utime(log, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert log.stat().st_size == before.st_size
    assert log.stat().st_mtime_ns == before.st_mtime_ns
    rows, kept = ask(log)
    assert not kept
    assert sum(row[0] for row in rows) == 25


def test_another_file_in_its_place_is_read_anew(ask, log):
    ask(log)
    fresh = log.with_suffix(".new")
    fresh.write_bytes(log.read_bytes().replace(b"503", b"500"))
    os.utime(fresh, ns=(log.stat().st_atime_ns, log.stat().st_mtime_ns))
    fresh.replace(log)
    rows, kept = ask(log)
    assert not kept
    assert {row[3] for row in rows} == {"500"}


def test_a_file_that_changes_while_it_is_asked_is_not_kept(log, shelf):
    with open_log.asked(str(log), 30, 1, shelf), log.open("a") as file:
        file.write(lines(1))
    assert copies(shelf) == []


def test_a_file_that_has_just_changed_is_not_kept(ask, log, shelf, monkeypatch):
    monkeypatch.setattr(kept_scans, "_TICK_NS", 3600 * 10**9)
    ask(log)
    assert copies(shelf) == []


def test_another_reader_reads_anew(ask, log, monkeypatch):
    ask(log)
    monkeypatch.setattr(kept_scans, "FORMAT", kept_scans.FORMAT + 1)
    assert not ask(log)[1]


def test_copies_expire(ask, log, shelf):
    ask(log)
    long_ago = time.time() - kept_scans.EXPIRES_S - 60
    for name in copies(shelf):
        os.utime(shelf.folder / name, (long_ago, long_ago))
    assert not ask(log)[1]
    assert ask(log)[1]


def test_what_somebody_else_put_there_stays_however_old(ask, log, shelf):
    ask(log)
    (mine,) = [name for name in copies(shelf) if name.endswith(".json")]
    key = "0123456789abcdef" * 2 + "-" + "0123456789abcdef" * 2
    old = mine.replace(mine[:4], "0000", 1)
    (shelf.folder / old).write_bytes((shelf.folder / mine).read_bytes())
    others = (
        "notes.txt",
        "notes.json",
        "a*b.json",
        f"{key}.txt",
        f"{key}.json",
        f"{key}.0.parquet",
    )
    for name in others:
        (shelf.folder / name).write_text("somebody's work")
    (shelf.folder / "sub.json").mkdir()
    long_ago = time.time() - kept_scans.EXPIRES_S - 60
    for path in shelf.folder.iterdir():
        os.utime(path, (long_ago, long_ago))
    shelf.tidy()
    assert copies(shelf) == sorted((*others, "sub.json"))
    Shelf(shelf.folder, cap_bytes=0).tidy()
    assert copies(shelf) == sorted((*others, "sub.json"))


def test_all_copies_together_stay_below_the_cap(tmp_path, shelf):
    logs = []
    for i in range(4):
        logs.append(tmp_path / f"{i}.log")
        logs[-1].write_text(lines(200 + i))
    settle()
    sizes = []
    for path in logs:
        with open_log.asked(str(path), 30, 1, shelf):
            pass
        sizes.append(sum(p.stat().st_size for p in shelf.folder.iterdir()) - sum(sizes))
        settle()
    small = Shelf(shelf.folder, cap_bytes=sizes[2] + sizes[3] + 100)
    small.tidy()
    left = [Identity.of(str(p)).key + ".0.parquet" in copies(shelf) for p in logs]
    assert left == [False, False, True, True]
    tiny = Shelf(shelf.folder, cap_bytes=10)
    fresh = tmp_path / "fresh.log"
    fresh.write_text(lines(300))
    settle()
    with open_log.asked(str(fresh), 30, 1, tiny):
        pass
    assert Identity.of(str(fresh)).key + ".0.parquet" not in copies(shelf)


def test_copies_are_private(ask, log, shelf):
    ask(log)
    assert stat.S_IMODE(shelf.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE((shelf.folder / n).stat().st_mode) for n in copies(shelf)} == {0o600}


def test_a_copy_that_others_could_have_written_is_not_trusted(ask, log, shelf):
    ask(log)
    for name in copies(shelf):
        (shelf.folder / name).chmod(0o666)
    assert not ask(log)[1]


@pytest.mark.parametrize("ending", [".json", ".parquet"])
@pytest.mark.parametrize("damage", [b"", b"{}", b"PAR1" + bytes(200) + b"PAR1", None])
def test_a_damaged_copy_is_no_copy(ask, log, shelf, ending, damage):
    right, _ = ask(log)
    (path,) = shelf.folder.glob(f"*{ending}")
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    assert ask(log) == (right, False)


def test_a_copy_with_bytes_changed_inside_is_no_copy(ask, log, shelf):
    right, _ = ask(log)
    (path,) = shelf.folder.glob("*.parquet")
    data = bytearray(path.read_bytes())
    data[-40:-8] = bytes(32)
    path.write_bytes(data)
    assert ask(log)[0] == right


def test_an_unwritable_state_directory_costs_the_copy_only(ask, log, tmp_path):
    place = tmp_path / "not a folder"
    place.write_text("")
    assert ask(log, Shelf(place / "scans")) == ask(log, None)


def test_pipes_and_nothing_have_no_identity(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    empty = tmp_path / "empty"
    empty.write_text("")
    for path in (fifo, empty, tmp_path, tmp_path / "none", "/proc/self/status", "/dev/zero"):
        assert Identity.of(str(path)) is None


def test_the_command_keeps_after_the_first_pass_and_no_keep_does_not(locard, log, shelf):
    assert locard("logs", log, "--no-keep").returncode in {0, 1}
    assert copies(shelf) == []
    assert locard("logs", log).returncode in {0, 1}
    assert len(copies(shelf)) == 2
    before = [(shelf.folder / n).stat().st_mtime_ns for n in copies(shelf)]
    done = locard("logs", log, "--by", "status", "-o", "json")
    assert json.loads(done.stdout)["rows"][0]["count"] == 500
    assert [(shelf.folder / n).stat().st_mtime_ns for n in copies(shelf)] == before


def test_a_named_pipe_is_read_and_its_writer_lives(tmp_path, locard):
    """It is not opened to see whether it is kept: closing it again would end its writer."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    lines = "".join(f'{{"time":"2026-11-20T10:00:{i:02}Z","level":"info"}}\n' for i in range(60))
    writer = subprocess.Popen(
        [sys.executable, "-c", "import sys; open(sys.argv[1], 'w').write(sys.argv[2] * 200)", str(pipe), lines]
    )  # fmt: skip
    try:
        done = locard(
            "logs", str(pipe), "--by", "level", "--state", str(tmp_path / "state"), "-o", "jsonl"
        )
        assert json.loads(done.stdout)["count"] == 12_000
        assert writer.wait(timeout=30) == 0
    finally:
        writer.kill()
        writer.wait()
