"""What a probe's output is, so that redaction leaves its numbers alone."""

from __future__ import annotations

import pytest

from locard import catalogue
from locard.guard.redact import Redactor
from locard.investigate import probing
from locard.model.evidence import Output


@pytest.mark.parametrize("entry", catalogue.entries("probe"), ids=lambda e: e.name)
def test_every_command_but_the_kernels_log_says_how_its_output_is_built(entry):
    free = [t.argv[0] for t in probing.load(entry).COMMANDS if t.output == "text"]
    assert free in ([], ["dmesg"])


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
