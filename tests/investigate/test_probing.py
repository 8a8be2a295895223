"""What a probe's output is, so that redaction leaves its numbers alone."""

from __future__ import annotations

import pytest

from locard import catalogue
from locard.guard import needs
from locard.guard.redact import Redactor
from locard.investigate import probing
from locard.model.evidence import Output


@pytest.mark.parametrize("entry", catalogue.entries("probe"), ids=lambda e: e.name)
def test_every_command_but_the_kernels_log_says_how_its_output_is_built(entry):
    free = {t.argv[0] for t in probing.load(entry).COMMANDS if t.output == "text"}
    # What other people's tracers print is free text, too: paths, arguments, names.
    tracers = {n.program for n in needs.ALL if "--engine" in n.adds or n.of}
    assert free <= {"dmesg"} | tracers


@pytest.mark.parametrize(
    ("written", "stdout", "kept"),
    [
        ("counters", b"cpu 4111111111111111", b"cpu 4111111111111111"),
        ("exposition", b"x_total 4111111111111111", b"x_total 4111111111111111"),
        ("json", b'{"n": 4111111111111111}', b'{"n": 4111111111111111}'),
    ],
)
def test_numbers_stay_and_standard_error_is_text(written, stdout, kept):
    output = Output(("x", "--password", "hunter2"), stdout, b"login failed: password=hunter2")
    clean, count = probing.redacted(output, Redactor(b"k" * 32), written)
    assert clean.stdout == kept
    assert b"hunter2" not in clean.stderr
    assert "hunter2" not in clean.argv
    assert count == 1


def _clean(stdout, written, left_s, **how):
    output = Output(("x",), stdout, **how)
    return probing.redacted(output, Redactor(b"k" * 32), written, left_s)[0]


def test_what_takes_more_than_its_share_of_the_time_is_not_looked_at_and_it_is_said():
    page = b"a_total 1\n" * 50_000
    assert _clean(page, "exposition", 180.0).stdout == page
    short = _clean(page, "exposition", 2.0)
    assert (short.stdout, short.truncated) == (b"", True)
    assert "0.5 MB: not read, for want of time" in short.problem
    part = _clean(page, "counters", 1.0)
    assert part.truncated
    assert 0 < len(part.stdout) < len(page)
    assert part.stdout.endswith(b"1\n")
    assert "for want of time" in part.problem


def test_a_page_that_was_cut_counts_too_little_to_be_read():
    clean = _clean(b"a_total 1\n", "exposition", 180.0, truncated=True)
    assert clean.stdout == b""
    assert "not read" in clean.problem
    assert _clean(b"a 1\n", "counters", 180.0, truncated=True).stdout == b"a 1\n"


def test_the_reason_why_a_command_did_not_run_holds_no_secret():
    clean = _clean(b"", "text", 180.0, problem="refused: password=hunter2pw")
    assert clean.problem.startswith("refused: password=<secret:")


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (b"", "grep ended with exit code 1 and said nothing"),
        (b"grep: /x: no\n", "grep: /x: no"),
        (b"x" * 400 + b"\nthe reason\n", "the reason"),
        (b"locard: what\n why: because\n next: Try.\n" + b"x" * 400, "what: because. Try."),
    ],
)
def test_a_command_that_failed_says_why(stderr, said):
    output = Output(("grep", "x"), b"", stderr, exit_code=1)
    assert said in probing._complaint(output)
