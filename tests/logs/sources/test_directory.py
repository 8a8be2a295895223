from __future__ import annotations

import gzip
import os

import pytest

from locard.logs.input import rotation
from locard.model.errors import NotPermittedError, SourceUnreadableError


def line(second):
    return f'{{"time":"2025-11-22T12:{second // 60:02}:{second % 60:02}Z"}}\n'


@pytest.fixture
def folder(tmp_path):
    """A rotated set whose names say nothing true about its order, and strangers."""
    made = tmp_path / "logs"
    made.mkdir()
    (made / "app.log").write_text(line(300) + line(301))
    (made / "app.log.10").write_text(line(100))
    (made / "app.log.2.gz").write_bytes(gzip.compress((line(200) + line(201)).encode()))
    (made / "app.log-20251122").write_text(line(0).rstrip())
    (made / "app.pid").write_text("412\n")
    (made / "core").write_bytes(b"\x7fELF\0\0")
    return made


def test_content_time_orders_a_set(folder, read):
    lines, source = read(folder)
    assert lines == [line(i).strip() for i in (0, 100, 200, 201, 300, 301)]
    assert not source.partial


def test_a_pattern(folder, read):
    assert len(read(f"{folder}/app.log.*")[0]) == 3


def test_since_leaves_out_files_that_ended_before(folder, read):
    for name in ("app.log.10", "app.log-20251122"):
        os.utime(folder / name, (1, 1))
    assert len(read(folder, since_s=60.0)[0]) == 4


def test_what_is_not_there_is_said(tmp_path, read):
    for name in (tmp_path, f"{tmp_path}/*.log"):
        with pytest.raises(SourceUnreadableError) as raised:
            read(name)
        assert "ls" in raised.value.next_step


def test_a_file_that_vanishes_costs_only_itself(folder, read, monkeypatch):
    in_order = rotation.in_order

    def vanish(paths):
        found = in_order(paths)
        (folder / "app.log.10").unlink()
        return found

    monkeypatch.setattr(rotation, "in_order", vanish)
    lines, source = read(folder)
    assert len(lines) == 5
    assert source.partial == "app.log.10: no such file or directory"


def test_a_damaged_file_costs_only_itself(folder, read):
    whole = (folder / "app.log.2.gz").read_bytes()
    (folder / "app.log.2.gz").write_bytes(whole[:-12])
    lines, source = read(folder)
    assert line(301).strip() in lines
    assert "app.log.2.gz: its gzip data ends in the middle" in source.partial


def test_nothing_readable_raises(folder, read, monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(NotPermittedError):
        read(folder)


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("/l/app.log.3", "/l/app.log"),
        ("/l/app.log.2.gz", "/l/app.log"),
        ("/l/app.log-20251122", "/l/app.log"),
        ("/l/app-2025-11-22.log", "/l/app.log"),
        ("/l/app.2025-11-22-13.log.zst", "/l/app.log"),
        ("/l/app.log", "/l/app.log"),
        ("/l/app2.log", "/l/app2.log"),
    ],
)
def test_which_log_a_file_belongs_to(name, base):
    assert rotation.base_of(name) == base


def test_reading_leaves_no_trace(folder, read):
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    read(folder)
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before


def test_links_in_a_circle_cost_only_themselves(folder, read):
    (folder / "a.log").symlink_to(folder / "b.log")
    (folder / "b.log").symlink_to(folder / "a.log")
    (folder / "gone.log").symlink_to(folder / "nowhere")
    text, source = read(folder)
    assert line(301).strip() in text
    assert not source.partial


def test_of_too_many_files_logs_come_first_and_then_the_newest(folder, read, monkeypatch):
    monkeypatch.setattr("locard.logs.sources.directory._MOST_FILES", 3)
    for number in range(20):
        strange = folder / f"0{number:03}.dat"
        strange.write_text(line(number))
        os.utime(strange, (1e9 + number, 1e9 + number))
    os.utime(folder / "app.log.10", (1, 1))
    text, source = read(folder)
    assert "22 of its 25 files were left out" in source.partial
    assert line(301).strip() in text
    assert line(201).strip() in text
    assert line(100).strip() not in text  # the oldest of those named like logs
    assert line(19).strip() not in text
    monkeypatch.undo()
    assert not read(folder)[1].partial


def test_what_is_left_out_of_a_folder_is_counted_and_named(folder, read):
    (folder / "dump").write_bytes(b"\0\1\n" * 7)
    _, source = read(folder)
    assert source.not_read == (("not read, 2 files are binary: core, dump", 7),)
    assert source.left_by_name == "1 file is left out by name: app.pid"
    for name in ("core", "dump", "app.pid"):
        (folder / name).unlink()
    _, source = read(folder)
    assert (source.not_read, source.left_by_name) == ((), "")


def test_a_folder_and_a_pattern_say_the_same_of_a_binary_file(tmp_path, locard):
    (tmp_path / "app.log").write_text(line(1) + line(2))
    (tmp_path / "b.log").write_bytes(b"\0\1\2\n" * 5)
    for name in (tmp_path, f"{tmp_path}/*.log"):
        found = locard.json("logs", name, "--no-keep")["log_summary"]
        assert found["records"] == 2
        assert found["lines"] == 7
        assert sum(item["lines"] for item in found["skipped"]) == 5
    said = locard("logs", tmp_path, "--no-keep").stdout
    assert "5 lines: not read, 1 file is binary: b.log" in said


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("app.log.3.gz", "app.log"),
        ("app.log-20251122-1763812800", "app.log"),
        ("app.log-1763812800.gz", "app.log"),
        ("0.log.20251122-070211", "0.log"),
        ("app-2025-11-22T07-02-11.250.log.gz", "app.log"),
        ("app.2025-11-22-13.log", "app.log"),
        ("app.log", "app.log"),
        ("app-v12345.log", "app-v12345.log"),
        ("order-4711abc.log", "order-4711abc.log"),
    ],
)
def test_the_log_that_a_file_is_a_part_of(path, base):
    assert rotation.base_of(f"/var/log/{path}") == f"/var/log/{base}"


def test_what_is_written_meanwhile_is_no_older_file(tmp_path):
    (tmp_path / "web-1.log").write_text("".join(line(n) for n in range(900)))
    (tmp_path / "web-2.log").write_text("".join(line(n) for n in range(5, 900)))
    assert rotation.unread_before(str(tmp_path / "web-2.log"), []) == []
    (tmp_path / "web-1.log").write_text(line(0) + line(4))
    older = rotation.unread_before(str(tmp_path / "web-2.log"), [])
    assert older == [str(tmp_path / "web-1.log")]
