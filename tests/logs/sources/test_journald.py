from __future__ import annotations

import shutil

import pytest

from locard.logs.sources import _journal_limits, journald
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


DROPPED = (
    '{"N_DROPPED":"3160","__REALTIME_TIMESTAMP":"1795812850521667","OBJECT_SYSTEMD_UNIT":"pay.service",'
    '"MESSAGE":"Suppressed 3160 messages from pay.service"}'
)


def test_the_limit_of_a_unit_is_asked_once_its_log_is_read(program, read):
    program(
        "journalctl",
        f"case \"$*\" in *a596d6fe7bfa4994*) echo '{DROPPED}';; *) echo '{{}}';; esac\n",
    )
    program(
        "systemctl",
        "printf 'LogRateLimitIntervalUSec=1min 30s\nLogRateLimitBurst=400\nActiveState=active\n'\n",
    )
    program("systemd-analyze", "echo '#RateLimitBurst=10000'\n")
    _, source = read("unit/pay")
    (limit,) = source.limits()
    assert (limit.unit, limit.burst, limit.interval_s) == ("pay.service", 400, 90.0)
    assert limit.running
    assert [(d.lines, round(d.at)) for d in limit.drops] == [(3160, 1795812851)]
    _, whole = read("journald")
    (told,) = whole.limits()
    assert (told.unit, told.burst, len(told.drops)) == ("pay.service", 0, 1)


UNSET = "LogRateLimitIntervalUSec=0\nLogRateLimitBurst=0\nActiveState=active\n"


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        ("#RateLimitIntervalSec=30s\n#RateLimitBurst=10000\n", (10_000, 30.0)),
        ("#RateLimitBurst=10000\nRateLimitBurst=50\nRateLimitIntervalSec=1h\n", (50, 3600.0)),
        ("RateLimitIntervalSec=0\n", (0, 0.0)),
        ("", (10_000, 30.0)),
    ],
)
def test_a_unit_without_a_limit_has_that_of_journald(config, limit):
    found = _journal_limits.of_unit("pay.service", UNSET, config, "")
    assert (found.burst, found.interval_s) == limit
    if not config:
        assert found.evidence[0].startswith("what journald does by default")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30.0), ("1min 30s", 90.0), ("500ms", 0.5), ("2h", 7200.0), ("90", 90.0),
     ("infinity", 0.0), ("", 0.0), ("x5", 0.0)],
)  # fmt: skip
def test_time_spans_of_systemd(text, seconds):
    assert _journal_limits.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "said",
    ["{", "[]", "null", '{"N_DROPPED": 7}', '{"N_DROPPED":"x","__REALTIME_TIMESTAMP":"1"}', "\x00"],
)
def test_rubbish_of_the_journal_is_no_drop(said):
    limit = _journal_limits.of_unit("pay.service", UNSET, "", f"{said}\n{DROPPED}\n")
    assert [d.lines for d in limit.drops] == [3160]


def test_older_systemd_names_the_group():
    said = '{"N_DROPPED":"5","__REALTIME_TIMESTAMP":"1","MESSAGE":"Suppressed 5 messages from /system.slice/pay.service"}'
    (drop,) = _journal_limits.of_unit("pay.service", "", "", said).drops
    assert drop.unit == "pay.service"
