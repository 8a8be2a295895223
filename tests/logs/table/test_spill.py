"""What does not fit into the memory goes to a file below the state directory, and is gone afterwards."""

from __future__ import annotations

import json
from pathlib import Path

from locard.logs.ask import open_log
from locard.logs.table import memory, spill


def test_a_log_larger_than_the_memory_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("locard.logs.scan.loader.SPILLING_MB", 40)
    path, state = tmp_path / "log", tmp_path / "state"
    with path.open("w") as file:
        for i in range(250_000):
            row = {"n": i, "id": f"request number {i} of a very long day {i * 7}", "k": i % 5}
            file.write(json.dumps(row) + "\n")
    with open_log.scanned(str(path), 60, 1, state=state) as table:
        assert not table.partial
        (count,) = table.one(f"SELECT count(DISTINCT {table.columns['id']}) FROM raw")
        assert count == 250_000
        assert table.one("SELECT sum(temporary_storage_bytes) FROM duckdb_memory()")[0] > 0
    assert not list((state / "spill").iterdir())
    assert memory.SPILLING_MB < 500


def test_what_a_killed_one_left_is_removed(tmp_path):
    with spill.room(tmp_path) as folder:
        left = Path(folder).with_name("room-0123456789abcdef")
        left.mkdir(mode=0o700)
        (left / "x").write_text("x")
        with spill.room(tmp_path) as other:
            assert other != folder
            assert not left.exists()  # nobody holds it
            assert Path(folder).exists()  # somebody does
    assert not list((tmp_path / "spill").iterdir())


def test_links_and_what_it_has_not_made_are_left_alone(tmp_path):
    elsewhere = tmp_path / "elsewhere" / "room-0123456789abcdef"
    elsewhere.mkdir(parents=True)
    (tmp_path / "spill").mkdir(mode=0o700)
    (tmp_path / "spill" / "4242").mkdir()
    (tmp_path / "spill" / "room-1").symlink_to(elsewhere)
    with spill.room(tmp_path) as folder:
        assert folder
    assert elsewhere.exists()
    assert (tmp_path / "spill" / "4242").exists()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "spill").symlink_to(elsewhere.parent)
    with spill.room(tmp_path / "state") as folder:
        assert folder == ""
    assert elsewhere.exists()


def test_without_a_state_directory_there_is_no_room(tmp_path):
    (tmp_path / "state").write_text("no folder")
    for state in (None, tmp_path / "state"):
        with spill.room(state) as folder:
            assert folder == ""
