from __future__ import annotations

import json

import pytest

from locard.logs import reading
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


def test_a_closed_input_says_so(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(SourceUnreadableError, match="closed"):
        stdin.open("-", reading.Wants())
