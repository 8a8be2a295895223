"""Logs in UTF-16, as Windows' tools write them. (gzip and zstd: see sources/test_file.py)"""

from __future__ import annotations

import codecs
import subprocess
import sys

import pytest

from locard.logs.input import log_source
from locard.logs.input.log_source import Wants
from locard.logs.scan import loader
from locard.model.errors import SourceUnreadableError

LINES = "".join(
    f'{{"time":{1763812800 + i},"level":"error","msg":"żółw 漢字 \U0001f422 {i}"}}\r\n'
    for i in range(3000)
)
WRITTEN = {
    "LE": codecs.BOM_UTF16_LE + LINES.encode("utf-16-le"),
    "BE": codecs.BOM_UTF16_BE + LINES.encode("utf-16-be"),
    "LE without a mark": LINES.encode("utf-16-le"),
    "BE without a mark": LINES.encode("utf-16-be"),
}


def load(name):
    source = log_source.open_source(str(name))
    try:
        return loader.load(source, 20, 1)
    finally:
        source.close()


@pytest.mark.parametrize("written", WRITTEN)
def test_utf_16_is_read_right(tmp_path, written, monkeypatch):
    monkeypatch.setattr(
        "locard.logs.input.compression.READ_BYTES", 1001
    )  # in the middle of characters
    monkeypatch.setattr(log_source, "BLOCK_BYTES", 4099)
    path = tmp_path / "app.log"
    path.write_bytes(WRITTEN[written])
    table = load(path)
    assert (table.records, table.lines, table.skipped, table.partial) == (3000, 3000, (), "")
    found = [v for (v,) in table.rows(f"SELECT {table.columns['msg']} FROM raw ORDER BY _n")]
    assert found == [f"żółw 漢字 \U0001f422 {i}" for i in range(3000)]


def test_from_a_pipe_too(tmp_path):
    path = tmp_path / "app.log"
    path.write_bytes(WRITTEN["LE"])
    with (
        path.open("rb") as file,
        subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE) as cat,
    ):
        done = subprocess.run(
            [sys.executable, "-m", "locard", "logs", "-", "--top", "1", "-o", "jsonl"],
            stdin=cat.stdout, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert '"msg": "\\u017c\\u00f3\\u0142w' in done.stdout
    assert "3,000 records" in done.stderr


def test_half_a_character_at_the_end_is_said(tmp_path):
    path = tmp_path / "app.log"
    path.write_bytes(WRITTEN["LE"][:-1])
    table = load(path)
    assert table.records == 3000
    assert table.partial == "its UTF-16 data ends in the middle"


def test_what_cannot_be_converted_says_how_to(tmp_path):
    path = tmp_path / "app.log"
    path.write_bytes(codecs.BOM_UTF32_LE + LINES.encode("utf-32-le"))
    with pytest.raises(SourceUnreadableError) as error:
        load(path)
    assert "iconv -f UTF-32" in error.value.next_step
    path.write_bytes(WRITTEN["LE"])
    with pytest.raises(SourceUnreadableError) as error:
        log_source.open_source(str(path), Wants(follow=True))
    assert "iconv -f UTF-16" in error.value.next_step


def test_nuls_in_a_plain_log_are_none(tmp_path):
    path = tmp_path / "app.log"
    path.write_bytes(b"\0\0\0\0" + LINES.encode())
    assert load(path).records >= 2999
