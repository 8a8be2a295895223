"""What does not fit into the memory goes to a file below the state directory, and is gone afterwards."""

from __future__ import annotations

import json

from locard.logs import asking, memory, spill


def test_a_log_larger_than_the_memory_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("locard.logs.loading.SPILLING_MB", 40)
    path, state = tmp_path / "log", tmp_path / "state"
    with path.open("w") as file:
        for i in range(250_000):
            row = {"n": i, "id": f"request number {i} of a very long day {i * 7}", "k": i % 5}
            file.write(json.dumps(row) + "\n")
    with asking.scanned(str(path), 60, 1, state=state) as table:
        assert not table.partial
        (count,) = table.one(f"SELECT count(DISTINCT {table.columns['id']}) FROM raw")
        assert count == 250_000
        assert table.one("SELECT sum(temporary_storage_bytes) FROM duckdb_memory()")[0] > 0
    assert not list((state / "spill").iterdir())
    assert memory.SPILLING_MB < 500


def test_what_a_killed_one_left_is_removed(tmp_path):
    left = tmp_path / "spill" / "999999999"
    left.mkdir(parents=True)
    (left / "x").write_text("x")
    with spill.room(tmp_path) as folder:
        assert folder
        assert not left.exists()


def test_without_a_state_directory_there_is_no_room(tmp_path):
    (tmp_path / "state").write_text("no folder")
    for state in (None, tmp_path / "state"):
        with spill.room(state) as folder:
            assert folder == ""
