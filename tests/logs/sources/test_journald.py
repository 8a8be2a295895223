from __future__ import annotations

import shutil

import pytest

from locard.logs.sources import journald
from locard.model.errors import SourceUnreadableError


def test_the_argv_of_journalctl(program, read):
    program("journalctl", 'echo "$@"\n')
    assert read("unit/pay.service", since_s=600.0)[0] == [
        "--output=json --no-pager --quiet --unit=pay.service --since=-1200s"
    ]
    assert read("journal")[0] == ["--output=json --no-pager --quiet"]


@pytest.mark.skipif(not shutil.which("journalctl"), reason="journalctl is not installed")
def test_the_real_one_knows_these_options(read):
    lines, source = read("unit/none.service", since_s=1.0)
    assert lines == []
    assert not source.partial


def test_without_systemd(tmp_path, read, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceUnreadableError):
        read("journal")
    assert journald.fits("unit/x")
