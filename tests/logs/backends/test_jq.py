"""jq: what locard writes for it, jq answers as locard does."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from dialect_questions import ANSWERABLE

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")


def shell(text):
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.stdout


def pipeline(locard, log, *words):
    done = locard("logs", log, *words, "--as", "jq", "--tz", "UTC", "-q")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("text", ANSWERABLE)
def test_jq_answers_as_locard_does(translated, text):
    ours, theirs = translated(text, ("time", "status", "upstream", "path"))
    said = [json.loads(line) for line in shell(theirs).splitlines()]
    # Lines that are no JSON are records of text here; jq has none of them.
    ours = [row for row in ours if any(value is not None for value in row)]
    assert ours == [(r["time"], str(r["status"]), r["upstream"], r["path"]) for r in said]
    assert 0 < len(ours) < 400


def test_jq_counts_as_locard_does(locard, log):
    words = ("--where", "level = ERROR", "--by", "upstream,http.method")
    theirs = shell(pipeline(locard, log, *words))
    ours = locard("logs", log, *words, "-o", "jsonl").stdout
    rows = [json.loads(x) for x in ours.splitlines()]
    got = {(str(r["upstream"] or "null"), r["http.method"]): r["count"] for r in rows}
    said = (line.split(None, 1) for line in theirs.splitlines())
    assert got == {tuple(value.split("\t")): int(count) for count, value in said}
    assert len(shell(pipeline(locard, log, "--by", "path", "--top", "3")).splitlines()) == 3


def test_around_and_trace(locard, log):
    for words in (("--around", "12:05", "--window", "10s"), ("--trace", "t9")):
        theirs = shell(pipeline(locard, log, *words, "--select", "path"))
        ours = locard("logs", log, *words, "--select", "path", "--tz", "UTC", "-o", "jsonl").stdout
        assert [json.loads(x) for x in ours.splitlines()] == [
            json.loads(x) for x in theirs.splitlines()
        ]
        assert theirs


def test_hostile_names_and_values_stay_inside_their_quotes(locard, tmp_path):
    path = tmp_path / "it's a; log"
    hostile = "'; touch pwned; echo '$(touch pwned)`touch pwned`\"\\(1)"
    path.write_text(json.dumps({hostile: hostile}) + "\n" + json.dumps({"a": 1}) + "\n")
    escaped = hostile.replace("\\", "\\\\").replace('"', '\\"')
    words = ("--where", f'"{escaped}" = "{escaped}"', "--top", "5")
    text = pipeline(locard, path, *words)
    done = subprocess.run(
        ["sh", "-c", text], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert json.loads(done.stdout) == {hostile: hostile}
    assert not (tmp_path / "pwned").exists()


def test_a_sample_cannot_be_said(say):
    text, unsaid = say("status >= 500", sample=5)
    assert text.startswith("jq -cR '")
    assert any("--sample" in item for item in unsaid)
