"""The ledger: append-only, chained, exact after kill -9."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
import zlib

import pytest

from locard.ledger import store
from locard.ledger.store import Ledger, digest_of
from locard.model.errors import StateError, TamperedError, UsageError
from support import needs_root


def evidence(*blobs):
    digests = [digest_of(b) for b in blobs]
    return {"ran": [{"stdout": d, "stderr": digest_of(b"")} for d in digests]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.ledger"


@pytest.fixture
def filled(path):
    with Ledger.create(path) as ledger:
        ledger.append("opened", {"n": 1, "text": "snow ☃"})
        ledger.append("evidence", evidence(b"one", b"two"), (b"one", b"two", b""))
        ledger.append("evidence", evidence(b"one"), (b"one", b""))
    return path


def meddle(path, *statements):
    db = sqlite3.connect(path)
    for trigger in ("entries_kept_1", "entries_kept_2", "outputs_kept_1", "outputs_kept_2"):
        db.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_what_was_appended_can_be_read(filled):
    with Ledger.open(filled) as ledger:
        kinds = [e.kind for e in ledger.entries()]
        assert kinds == ["opened", "evidence", "evidence"]
        assert next(ledger.entries("opened")).body == {"n": 1, "text": "snow ☃"}
        assert ledger.output(digest_of(b"two")) == b"two"
        verified = ledger.verify()
        assert (verified.entries, verified.outputs, verified.head) == (3, 3, ledger.head)


def test_it_is_private_and_one_file_when_closed(filled):
    assert filled.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in filled.parent.iterdir() if p.name.startswith("x.")] == ["x.ledger"]


def test_it_goes_on_where_it_ended(filled):
    with Ledger.open(filled, write=True) as ledger:
        ledger.append("note", "later")
        assert ledger.verify().entries == 4


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = '{}' WHERE seq = 1",
        "DELETE FROM entries",
        "DELETE FROM outputs",
        "UPDATE outputs SET data = x'00'",
    ],
)
def test_sqlite_itself_refuses_changes(filled, statement):
    db = sqlite3.connect(filled)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(statement)
    db.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET body = '{\"n\":2}' WHERE seq = 1",
        "UPDATE entries SET at = at + 1 WHERE seq = 2",
        "UPDATE entries SET kind = 'note' WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 1",
        "DELETE FROM outputs",
        "UPDATE outputs SET data = x'789c030000000001'",
        "UPDATE outputs SET data = x'00'",
        "UPDATE outputs SET data = NULL, erased = 'x'",
        "INSERT INTO entries SELECT 9, at, kind, body, previous, hash FROM entries WHERE seq = 3",
    ],
)
def test_meddling_is_found(filled, statement):
    meddle(filled, statement)
    with Ledger.open(filled) as ledger, pytest.raises(TamperedError):
        ledger.verify()


def test_a_cut_tail_is_found_by_the_head_that_was_written_down(filled):
    with Ledger.open(filled) as ledger:
        head = ledger.head
    meddle(filled, "DELETE FROM entries WHERE seq = 3")
    with Ledger.open(filled) as ledger:
        ledger.verify()
        with pytest.raises(TamperedError, match="no longer in the record"):
            ledger.verify(head)


def test_erasing_leaves_a_tombstone_and_a_chain(filled):
    with Ledger.open(filled, write=True) as ledger:
        ledger.erase(digest_of(b"one"), "personal data")
        assert ledger.output(digest_of(b"one")) is None
        assert ledger.output(digest_of(b"two")) == b"two"
        verified = ledger.verify()
        assert verified.erased == 1
        assert list(ledger.entries())[-1].body["reason"] == "personal data"


def test_damage_and_other_files_are_told_apart(path, filled):
    other = path.with_name("text")
    other.write_text("this is no database at all, but long enough to be one " * 50)
    with pytest.raises(TamperedError):
        Ledger.open(other)
    empty = path.with_name("empty")
    empty.touch()
    with pytest.raises(StateError, match="no ledger"):
        Ledger.open(empty)
    with pytest.raises(StateError, match="no such file"):
        Ledger.open(path.with_name("none"))
    half = path.with_name("half")
    half.write_bytes(filled.read_bytes()[:4096])
    with pytest.raises(TamperedError), Ledger.open(half) as ledger:
        ledger.verify()


def test_a_database_of_another_program_is_not_touched(tmp_path):
    victim, link = tmp_path / "victim.db", tmp_path / "x.ledger"
    db = sqlite3.connect(victim)
    db.execute("CREATE TABLE t (x)")
    db.commit()
    db.close()
    before = victim.read_bytes()
    link.symlink_to(victim)
    for path in (victim, link):
        for write in (False, True):
            with pytest.raises(StateError, match="no ledger") as caught:
                Ledger.open(path, write=write)
            assert "may be removed" not in caught.value.next_step
    assert victim.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"victim.db", "x.ledger"}


def test_a_trigger_of_somebody_else_does_not_run(filled):
    db = sqlite3.connect(filled)
    db.execute("CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM outputs; END")
    db.commit()
    db.close()
    with Ledger.open(filled) as ledger:
        assert ledger.verify().entries == 3
    with pytest.raises(TamperedError, match="tables and triggers"):
        Ledger.open(filled, write=True)


def packed(size):
    stream = zlib.compressobj(9)
    return b"".join(stream.compress(b"\0" * (1 << 20)) for _ in range(size)) + stream.flush()


@pytest.mark.parametrize("says_its_size", [False, True])
def test_an_output_that_unpacks_to_more_than_it_says_is_not_unpacked(filled, says_its_size):
    bomb = packed(200)
    digest = digest_of(b"one")
    meddle(filled)
    db = sqlite3.connect(filled)
    size = 200 << 20 if says_its_size else 3
    db.execute("UPDATE outputs SET data = ?, size = ? WHERE digest = ?", (bomb, size, digest))
    db.commit()
    db.close()
    tracemalloc.start()
    with Ledger.open(filled) as ledger:
        assert ledger.output(digest_of(b"two")) == b"two"
        with pytest.raises(TamperedError):
            ledger.output(digest)
        with pytest.raises(TamperedError):
            ledger.verify()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20


def test_an_entry_larger_than_any_of_ours_is_not_read(filled):
    meddle(filled, "UPDATE entries SET body = hex(zeroblob(5000000)) WHERE seq = 2")
    with Ledger.open(filled) as ledger:
        for read in (ledger.verify, lambda: list(ledger.entries())):
            with pytest.raises(TamperedError, match="larger than"):
                read()


@pytest.mark.parametrize("body", ["[", '{"ran":[1]}', '{"ran":7}', "[" * 100_000])
def test_a_chain_around_rubbish_is_an_error_and_no_traceback(filled, body):
    with Ledger.open(filled, write=True) as ledger:
        seq, previous = 4, ledger.head
        db = sqlite3.connect(filled)
        row = (
            seq,
            1.0,
            "evidence",
            body,
            previous,
            store._hash(previous, seq, 1.0, "evidence", body),
        )
        db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", row)
        db.commit()
        db.close()
        with pytest.raises(TamperedError):
            ledger.verify()


def test_the_first_digits_of_a_head_are_enough(filled):
    with Ledger.open(filled) as ledger:
        heads = [e.hash for e in ledger.entries()]
        assert ledger.verify(heads[-1][:12]).head == heads[-1]
        assert ledger.verify(heads[0][:8].upper())
        with pytest.raises(TamperedError, match="no longer in the record"):
            ledger.verify("0f" * 8)
        for other in ("abc", "", "xyz" * 5):
            with pytest.raises(UsageError):
                ledger.verify(other)


def test_two_writers_make_one_chain(filled):
    with Ledger.open(filled, write=True) as one, Ledger.open(filled, write=True) as other:
        for n in range(5):
            one.append("note", n)
            other.append("note", n)
        assert one.verify().entries == 13


WRITER = """
import sys
from pathlib import Path
from locard.ledger.store import Ledger, digest_of
ledger = Ledger.create(Path(sys.argv[1]))
n = 0
while True:
    blob = (b"%d " % n) * 2000
    body = {"ran": [{"stdout": digest_of(blob), "stderr": digest_of(b"")}], "n": n}
    ledger.append("evidence", body, (blob, b""))
    print(n, flush=True)
    n += 1
"""


@pytest.mark.parametrize("after", [1, 2, 3, 5, 8, 13, 21, 34])
def test_kill_at_any_moment_loses_nothing_that_was_said(path, after):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    for _ in range(after):
        said = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.stdout.read().split()
    writer.wait()
    writer.stdout.close()
    said = max([said, *map(int, rest)])
    with Ledger.open(path, write=True) as ledger:
        verified = ledger.verify()
        kept = [e.body["n"] for e in ledger.entries("evidence")]
        assert kept == list(range(len(kept)))
        assert len(kept) >= said + 1
        ledger.append("note", "goes on")
        assert ledger.verify().entries == verified.entries + 1


def test_an_unwritable_place_is_said(tmp_path):
    with pytest.raises(StateError) as caught:
        Ledger.create(tmp_path / "none" / "x.ledger")
    assert "--state" in caught.value.next_step


@needs_root
def test_a_full_disk_is_said_and_the_record_stays_whole(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        ledger = Ledger.create(disk / "x.ledger")

        def fill():
            for n in range(1000):
                blob = os.urandom(20_000)
                ledger.append("evidence", evidence(blob) | {"n": n}, (blob, b""))

        with pytest.raises(StateError, match="disk is full"):
            fill()
        stored = len(list(ledger.entries()))
        assert stored > 0
        ledger.close()
        with Ledger.open(disk / "x.ledger") as again:
            assert again.verify().entries == stored
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
