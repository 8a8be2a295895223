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
    try:
        lines, source = read("unit/none.service", since_s=1.0)
    except SourceUnreadableError as error:
        assert "journal files" in str(error)  # noqa: PT017 - only where this machine has no journal
    else:
        assert lines == []
        assert not source.partial


@pytest.mark.parametrize("name", ["journal", "journald", "unit/pay.service"])
@pytest.mark.parametrize("said", ["No journal files were found.", ""])
def test_why_there_is_nothing_is_asked_of_journalctl(program, read, name, said):
    program(
        "journalctl", f'case "$*" in *lines=0*) echo "-- No entries --"; echo "{said}" >&2;; esac\n'
    )
    if not said:
        assert read(name)[0] == []
        return
    with pytest.raises(SourceUnreadableError) as raised:
        read(name)
    assert raised.value.why == "No journal files were found"


def test_without_systemd(tmp_path, read, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceUnreadableError):
        read("journal")
    assert journald.fits("unit/x")
