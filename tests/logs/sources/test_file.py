from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import threading

import pytest

from locard.logs import following, line_times, loading, reading
from locard.model.errors import SourceUnreadableError
from support import wait_until


def line(second, word="x"):
    hour, rest = divmod(second, 3600)
    return f'{{"time":"2025-11-22T{12 + hour:02}:{rest // 60:02}:{rest % 60:02}Z","m":"{word}"}}\n'


TEXT = "".join(line(i) for i in range(2000))


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(TEXT.encode()),
        gzip.compress(TEXT[:5000].encode()) + gzip.compress(TEXT[5000:].encode()),
        gzip.compress(TEXT.encode()) + b"\0" * 512,
    ],
    ids=["gzip", "members", "padded"],
)
def test_gzip(tmp_path, read, data):
    path = tmp_path / "app.log.gz"
    path.write_bytes(data)
    lines, source = read(path)
    assert "\n".join(lines) + "\n" == TEXT
    assert not source.partial


def test_gzip_in_small_pieces(tmp_path, read, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK_BYTES", 1000)
    path = tmp_path / "app.log.gz"
    path.write_bytes(gzip.compress(TEXT.encode()))
    assert "\n".join(read(path)[0]) + "\n" == TEXT


def test_truncated_and_damaged_gzip_give_what_they_have(tmp_path, read):
    whole = gzip.compress(TEXT.encode())
    path = tmp_path / "app.log.gz"
    path.write_bytes(whole[: len(whole) // 2])
    lines, source = read(path)
    assert len(lines) > 100
    assert source.partial == "its gzip data ends in the middle"
    path.write_bytes(gzip.compress(TEXT.encode()) + b"\x1f\x8bXXXXXXXXXXX")
    lines, source = read(path)
    assert len(lines) == 2000
    assert "damaged" in source.partial


def test_what_only_begins_like_gzip(tmp_path, read):
    path = tmp_path / "app.log.gz"
    path.write_bytes(b"\x1f\x8b\xff\xff\xff" * 10)
    with pytest.raises(SourceUnreadableError, match="gzip -t"):
        read(path)


def test_a_bomb_is_bounded(tmp_path):
    """A gigabyte of zeros in a megabyte: given up, and never a block larger than one."""
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(300):
            file.write(b"\0" * (1 << 20))
    source = reading.open_source(str(path))
    try:
        assert all(len(b) <= 3 * reading.BLOCK_BYTES for b in source.blocks(30))
    finally:
        source.close()
    assert source.partial == "it has no line ends"
    assert source.bytes_read <= (256 << 20) + reading.BLOCK_BYTES


@pytest.mark.skipif(not shutil.which("zstd"), reason="zstd is not installed")
def test_zstd(tmp_path, read):
    path = tmp_path / "app.log.zst"
    subprocess.run(["zstd", "-q", "-o", path], input=TEXT.encode(), check=True)
    lines, source = read(path)
    assert "\n".join(lines) + "\n" == TEXT
    assert not source.partial
    many = "".join(line(i, f"{i * 7919 % 10007}") for i in range(30_000))
    path.write_bytes(
        subprocess.run(
            ["zstd", "-qc"], input=many.encode(), capture_output=True, check=True
        ).stdout[:-99]
    )
    lines, source = read(path)
    assert len(lines) > 10_000
    assert "its command failed" in source.partial


def test_zstd_that_is_not_there_says_how_to_get_it(tmp_path, read, monkeypatch):
    path = tmp_path / "app.log.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd123")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceUnreadableError) as raised:
        read(path)
    assert "apt-get install zstd" in raised.value.next_step


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
    source = reading.open_source(str(path))
    os.truncate(path, 20)
    assert b"".join(source.blocks(5)) == b"a\n" * 10
    source.close()
    assert source.partial == "it shrank by 180 bytes while it was read"


def test_a_file_that_vanishes_while_it_is_read_is_read(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"a\n" * 100)
    source = reading.open_source(str(path))
    path.unlink()
    assert b"".join(source.blocks(5)) == b"a\n" * 100
    source.close()


def test_since_seeks_in_a_big_file(tmp_path, read, monkeypatch):
    monkeypatch.setattr(line_times, "_NEAR", 4096)
    monkeypatch.setattr(line_times, "_PIECE", 1024)
    path = tmp_path / "app.log"
    path.write_text("".join(line(i) for i in range(20_000)))
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
    source = reading.open_source(str(path), reading.Wants(follow=True))
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
    source = reading.open_source(str(path))
    loaded = loading.load(source, 20, 1)
    source.close()
    assert loaded.records > 1000
    assert "gzip" in loaded.partial
