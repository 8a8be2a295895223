from __future__ import annotations

import gzip
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard

from locard.far import line_times
from locard.logs.input import compression, following, log_source
from locard.logs.scan import loader
from locard.model.errors import SourceUnreadableError
from support import wait_until


def line(second, word="x"):
    hour, rest = divmod(second, 3600)
    return f'{{"time":"2025-11-22T{12 + hour:02}:{rest // 60:02}:{rest % 60:02}Z","m":"{word}"}}\n'


TEXT = "".join(line(i) for i in range(2000))


GZIP, ZSTD = gzip.compress, zstandard.ZstdCompressor().compress
PACKERS = pytest.mark.parametrize(("kind", "pack"), [("gzip", GZIP), ("zstd", ZSTD)])


@PACKERS
@pytest.mark.parametrize("form", ["one", "members", "padded"])
def test_compressed(tmp_path, read, kind, pack, form):
    path = tmp_path / f"app.log.{kind}"
    data = pack(TEXT.encode())
    if form == "members":
        data = pack(TEXT[:5000].encode()) + pack(TEXT[5000:].encode())
    path.write_bytes(data + b"\0" * 512 if form == "padded" else data)
    lines, source = read(path)
    assert "\n".join(lines) + "\n" == TEXT
    assert not source.partial


@PACKERS
def test_compressed_in_small_pieces(tmp_path, read, monkeypatch, kind, pack):
    monkeypatch.setattr(log_source, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(compression, "READ_BYTES", 7)
    path = tmp_path / f"app.log.{kind}"
    path.write_bytes(pack(TEXT.encode()) * 2)
    assert "\n".join(read(path)[0]) + "\n" == TEXT * 2


@PACKERS
def test_what_is_truncated_or_damaged_gives_what_it_has(tmp_path, read, kind, pack):
    many = "".join(line(i, f"{i * 7919 % 10007}") for i in range(30_000))
    path = tmp_path / f"app.log.{kind}"
    path.write_bytes(pack(many.encode())[:-99])
    lines, source = read(path)
    assert len(lines) > 10_000
    assert source.partial == f"its {kind} data ends in the middle"
    path.write_bytes(pack(TEXT.encode()) + pack(b"")[:4] + b"\xff" * 40)
    lines, source = read(path)
    assert len(lines) == 2000
    assert "damaged" in source.partial


@pytest.mark.parametrize(("kind", "magic"), [("gzip", b"\x1f\x8b"), ("zstd", b"\x28\xb5\x2f\xfd")])
def test_what_only_begins_like_one(tmp_path, read, kind, magic):
    path = tmp_path / "app.log.gz"
    path.write_bytes(magic + b"\xff\xff\xff" * 10)
    with pytest.raises(SourceUnreadableError, match=f"{kind} -t"):
        read(path)


@PACKERS
def test_compressed_through_a_fifo(tmp_path, read, kind, pack):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(path.write_bytes, pack(TEXT.encode()))
        lines, source = read(path)
        writing.result()
    assert "\n".join(lines) + "\n" == TEXT, kind
    assert not source.partial


def test_a_window_too_large_is_refused(tmp_path, read):
    """zstd --ultra --long=31 wants 2 GiB of memory to be read."""
    path = tmp_path / "app.log.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd\x00\xa8" + b"\0" * 30)  # a window of 2 GiB
    with pytest.raises(SourceUnreadableError, match="zstd"):
        read(path)


@PACKERS
def test_a_bomb_is_bounded(tmp_path, kind, pack):
    """Hundreds of megabytes of zeros in a few bytes: given up, and never a block much larger than one."""
    path = tmp_path / "bomb.gz"
    path.write_bytes(pack(b"\0" * (300 << 20)))
    source = log_source.open_source(str(path))
    try:
        assert all(len(b) <= 48 << 20 for b in source.blocks(60)), kind
    finally:
        source.close()
    assert source.partial == "it has no line ends"
    assert source.bytes_read <= 304 << 20


@pytest.mark.parametrize(
    "head", [b"BZh91AY&SY", b"\xfd7zXZ\x00\x00\x04", b"PK\x03\x04\x14\x00\x00\x00"]
)
def test_other_compressions_say_what_to_do(tmp_path, read, head):
    path = tmp_path / "app.log.x"
    path.write_bytes(head)
    with pytest.raises(SourceUnreadableError) as raised:
        read(path)
    assert "| locard logs -" in raised.value.next_step


def test_a_file_that_shrinks_says_so(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"a\n" * 100)
    source = log_source.open_source(str(path))
    os.truncate(path, 20)
    assert b"".join(source.blocks(5)) == b"a\n" * 10
    source.close()
    assert source.partial == "it shrank by 180 bytes while it was read"


def test_a_file_that_vanishes_while_it_is_read_is_read(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"a\n" * 100)
    source = log_source.open_source(str(path))
    path.unlink()
    assert b"".join(source.blocks(5)) == b"a\n" * 100
    source.close()


def test_since_seeks_in_a_big_file(tmp_path, read, monkeypatch):
    monkeypatch.setattr(line_times, "_NEAR", 4096)
    monkeypatch.setattr(line_times, "_PIECE", 1024)
    path = tmp_path / "app.log"
    path.write_text("".join(line(i) for i in range(20_000)))
    whole, _ = read(path, since_s=600.0)
    assert len(whole) == 20_000, "so small a file is read whole: a baseline may lie before"
    monkeypatch.setattr(line_times, "_AT_LEAST", 0)
    lines, source = read(path, since_s=600.0)
    first = line_times.time_of(lines[0].encode())
    last = line_times.time_of(lines[-1].encode())
    assert 1200 <= last - first <= 1400
    assert source.bytes_read < path.stat().st_size / 10
    assert all(text.startswith("{") for text in lines)


def test_since_without_times_reads_all(tmp_path, read):
    path = tmp_path / "app.log"
    path.write_text("no time here\n" * 50)
    assert len(read(path, since_s=60.0)[0]) == 50


def test_since_reads_on_in_the_rotated_files(tmp_path, read):
    (tmp_path / "app.log").write_text("".join(line(i) for i in range(3000, 3100)))
    (tmp_path / "app.log.1").write_text("".join(line(i) for i in range(2000, 3000)))
    (tmp_path / "app.log.2.gz").write_bytes(gzip.compress("".join(map(line, range(2000))).encode()))
    (tmp_path / "other.log").write_text(line(1))
    lines, _ = read(tmp_path / "app.log", since_s=600.0)
    assert lines == [line(i).strip() for i in range(3100)]
    assert len(read(tmp_path / "app.log", since_s=20.0)[0]) == 100
    assert len(read(tmp_path / "app.log")[0]) == 100


@pytest.fixture
def followed(tmp_path, monkeypatch):
    """A followed file: its path, and the lines that have come so far."""
    monkeypatch.setattr(following, "_POLL_S", 0.005)
    path, seen = tmp_path / "app.log", []
    path.write_text("one\n")
    source = log_source.open_source(str(path), log_source.Wants(follow=True))
    done = threading.Event()

    def work():
        for block in source.blocks(60):
            seen.extend(block.decode().splitlines())
            if "end" in seen:
                break
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: seen == ["one"])
    yield path, seen, source
    with path.open("a") as file:
        file.write("end\n")
    assert done.wait(20)
    thread.join()
    source.close()


def append(path, text):
    with path.open("a") as file:
        file.write(text)


def test_follow_gives_whole_lines_only(followed):
    path, seen, _ = followed
    append(path, "tw")
    append(path, "o\nthree\n")
    wait_until(lambda: seen == ["one", "two", "three"])


def test_follow_survives_rename_and_create(followed):
    path, seen, source = followed
    old = path.rename(path.with_suffix(".1"))
    append(old, "last words\n")
    path.write_text("new\n")
    wait_until(lambda: seen == ["one", "last words", "new"])
    assert source.rotations == 1


def test_follow_survives_copy_and_truncate(followed):
    path, seen, source = followed
    append(path, "two two two\n")
    wait_until(lambda: len(seen) == 2)
    os.truncate(path, 0)
    wait_until(lambda: source.rotations == 1)
    append(path, "a\n")
    wait_until(lambda: seen == ["one", "two two two", "a"])


def test_follow_ends_with_its_budget(tmp_path, read):
    path = tmp_path / "log"
    path.write_text("a\n")
    lines, source = read(path, budget=0.2, follow=True)
    assert (lines, source.partial) == (["a"], "the time budget ended")


def test_a_compressed_log_is_loaded(tmp_path):
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(TEXT.encode())[:-50])
    source = log_source.open_source(str(path))
    loaded = loader.load(source, 20, 1)
    source.close()
    assert loaded.records > 1000
    assert "gzip" in loaded.partial
