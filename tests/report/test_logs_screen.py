"""The screen of `locard logs`: one screen at 80 columns, the key finding and its command last."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace

import pytest

from locard.model.log_facts import (
    AffectedValue,
    BlastRadius,
    ChangeLine,
    Correlate,
    Coverage,
    ExampleTrace,
    ExceptionCount,
    MeasureShape,
    NumberChange,
    TemplateChange,
)
from locard.report.logs_screen import LINES
from report.conftest import HOSTILE, START, investigation, log
from rules.builders import logs_screen as screen

UTC = dt.UTC


def full(**fields):
    """A log of which every part has more to say than a screen can hold."""
    many = tuple(AffectedValue(f"{HOSTILE[-4:]}{n}", 0.01, 0.5, 0.4, 0.6, 200) for n in range(9))
    spared = tuple(AffectedValue(f"s{n}", 0.01, 0.01, 0.0, 0.02, 200) for n in range(9))
    values = {
        "templates": tuple(
            TemplateChange("new", f"{HOSTILE} {n}", 0, 9, HOSTILE) for n in range(9)
        ),
        "numbers": tuple(NumberChange(HOSTILE, 1, 50.0, 5000.0, HOSTILE) for _ in range(9)),
        "exceptions": tuple(ExceptionCount(HOSTILE, HOSTILE, 0, n, n) for n in range(1, 9)),
        "changes": tuple(
            ChangeLine("config", HOSTILE, START + 40, START + 40, 1, 0, 5.0, 55.0) for _ in range(9)
        ),
        "examples": (
            ExampleTrace("typical", "$(reboot)", 400.0),
            ExampleTrace("slowest", "t-2", 1800.0),
        ),
        "blast_radius": tuple(
            BlastRadius(f"f{n}", many[:n], spared[n:], many) for n in range(1, 9)
        ),
        "bad_means": "status >= 500, or slower than 150 ms",
        "gaps": ("no duration: slow requests cannot be seen", "no upstream field", "no pod field"),
    }
    return log(**{**values, **fields})


def shown(summary):
    mechanism, scope = investigation().findings
    scope = replace(scope, values=mechanism.values)
    return list(screen(summary, (mechanism, scope), UTC))


def test_one_screen_however_much_there_is_to_say():
    lines = shown(full())
    assert LINES - 5 <= len(lines) <= LINES
    commands = [line for line in lines if line.startswith("  locard ")]
    assert all(len(line) <= 80 for line in lines if line not in commands)
    text = "\n".join(lines)
    for head in (
        "affected ", "unaffected ", "unknown ", "near onset ", "exceptions ", "numbers ",
        "bad ones say ", "messages ", "cannot tell:",
    ):  # fmt: skip
        assert head in text, "each part has a line"
    assert "no upstream or pod field" in " ".join(text.split())


def test_the_key_finding_is_last_and_its_command_with_it():
    lines = shown(full())
    assert lines[-1] == "  ss -tnp dst 127.0.0.1"
    assert "  locard logs /var/log/pay.log --trace '$(reboot)'" in lines
    key = next(n for n, line in enumerate(lines) if line.startswith("The upstream bank"))
    other = next(n for n, line in enumerate(lines) if line.startswith("Only region=east"))
    assert other < key


def test_without_a_finding_the_next_command_shows_the_onset():
    lines = list(screen(full(examples=(), source="/var/log/a b"), (), UTC))
    assert lines[-1] == ("  locard logs '/var/log/a b' --around 2026-11-18T11:07:20Z --window 6s")


def test_errors_alone_do_not_say_that_everyone_is_hit():
    part = full(coverage=Coverage("errors-only", "it says so"), correlates=())
    text = " ".join(" ".join(screen(part, (), UTC)).split())
    assert "cannot be told from errors alone" in text
    assert "everyone" not in text


def test_nothing_hostile():
    text = "".join(shown(full()))
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize("kind", ["errors-only", "sampled", "rate-limited"])
def test_a_log_without_every_request_claims_no_rate(kind):
    from locard.investigate.logs_alone import conclude

    part = full(coverage=Coverage(kind, "as it says"), changes=())
    findings = conclude(part).findings
    assert findings
    text = " ".join(screen(part, findings, UTC))
    assert "no rate is claimed" in text
    # Those of the onsets are no rates of requests.
    assert set(re.findall(r"[\d.]+ ?%", text)) <= {"95 %", "90 %"}


def test_the_onset_has_its_day_where_the_log_has_several():
    text = "\n".join(shown(full(last=START + 86400 * 2)))
    assert "from         2026-11-18 11:06:40 to 2026-11-20 11:06:40 UTC" in text
    assert "onset        2026-11-18 11:07:19 to 11:07:21 UTC (95 %), step" in text


def test_what_was_read_in_part_says_so_first():
    lines = shown(replace(full(), gaps=("read in part: it was interrupted",)))
    assert "  partial      read in part: it was interrupted" in lines[:9]


def test_a_rise_of_a_part_says_whose_it_is():
    some = Correlate((("region", "eu"), ("upstream", "bank")), 50, 45.0, 0.9, 12.0, 1e-9)
    rose = MeasureShape("errors", "step", before=0.004, after=0.17)
    lines = shown(log(changed=("errors",), of_part=True, correlates=(some,), shapes=(rose,)))
    said = "Errors rose for region=eu and upstream=bank only, from 0.40 % to 17 %: too few to show among all"
    assert said in " ".join(" ".join(lines).split())
    assert any(line.endswith("after of all") for line in lines)
