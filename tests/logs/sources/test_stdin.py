from __future__ import annotations

import gzip
import json
import subprocess

import pytest
import zstandard

from locard.logs.input import log_source
from locard.logs.sources import stdin
from locard.model.errors import SourceUnreadableError

RECORDS = [json.dumps({"time": 1763812800 + i, "status": 503 if i % 2 else 200}) for i in range(50)]


@pytest.mark.parametrize("prefix", ["", "2025-11-22T12:00:00.5Z stdout F ", "[pod/pay-1/app] "])
def test_kubectl_logs_in_a_pipe(locard, prefix):
    text = "".join(f"{prefix}{r}\n" for r in RECORDS)
    body = locard.json("logs", "-", input=text)["log_summary"]
    assert body["records"] == 50
    assert body["skipped"] == []
    assert body["first"] == 1763812800.0


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_compressed_input(locard, tmp_path, pack):
    data = pack("".join(f"{r}\n" for r in RECORDS).encode())
    piped = subprocess.run(
        locard.argv("logs", "-", "-o", "json"),
        input=data, capture_output=True, check=False,
    )  # fmt: skip
    assert json.loads(piped.stdout)["log_summary"]["records"] == 50
    path = tmp_path / "log.packed"
    path.write_bytes(data)
    with path.open("rb") as file:
        redirected = subprocess.run(
            locard.argv("logs", "-", "-o", "json"),
            stdin=file, capture_output=True, check=False,
        )  # fmt: skip
    assert json.loads(redirected.stdout)["log_summary"]["records"] == 50


def test_a_closed_input_says_so(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(SourceUnreadableError, match="closed"):
        stdin.open("-", log_source.Wants())
