"""`locard libcalls` and `--flame` as typed: on a real program, what is refused, what is missing."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from compiled_targets import compiled, running

CALLS = r"""
static __attribute__((noinline)) void *kept(void) { void *p = malloc(77); __asm__ volatile("" :: "r"(p)); return p; }
int main() { ready(); for (int k = 0; k < 12000; k++) { free(kept()); usleep(5000); } puts("{}"); }
"""


def test_it_counts_and_writes_the_stacks(locard, tmp_path):
    program = compiled(tmp_path, CALLS, "-O1", "-fno-builtin", "-fno-omit-frame-pointer")
    page = tmp_path / "flame.html"
    with running(program) as target:
        target.begin()
        done = locard("libcalls", f"pid/{target.pid}", "--for", "700ms", "-e", "malloc+free@libc*",
                      "--stacks", "--max-overhead", "1000", "--flame", page)  # fmt: skip
    if "not observed" in done.stdout:
        return
    assert done.returncode in {0, 1}, done.stderr
    assert "malloc" in done.stdout
    assert "stays: a page [uprobes] in process" in done.stdout
    assert f"flame graph: {page}" in done.stdout
    assert "kept" in page.read_text()


def test_json_names_functions_and_what_stays(locard, tmp_path):
    program = compiled(tmp_path, CALLS, "-O1", "-fno-builtin")
    with running(program) as target:
        target.begin()
        found = locard.json(
            "libcalls", f"pid/{target.pid}", "--for", "500ms", "--max-overhead", "1000"
        )
    (fact,) = [f for e in found["evidence"] for f in e["facts"]]
    if "rows" in fact:
        assert {r["what"] for r in fact["rows"]} >= {"malloc", "free"}
        assert fact["observed"]["left"]


def test_no_stack_no_flame_graph(locard, tmp_path):
    program = compiled(tmp_path, CALLS, "-O1", "-fno-builtin")
    page = tmp_path / "flame.json"
    with running(program) as target:
        done = locard("libcalls", f"pid/{target.pid}", "--for", "200ms", "--flame", page)
    assert done.returncode != 0
    assert "no stack came" in done.stderr
    assert not page.exists()


def test_words_that_cannot_be(locard):
    assert locard("libcalls").returncode == 2
    done = locard("libcalls", "pid/1", "-e", "+")
    assert done.returncode == 2
    assert "which functions" in done.stderr


def test_the_plan_says_what_stays(locard, tmp_path):
    program = compiled(tmp_path, CALLS, "-O1")
    with running(program) as target:
        plan = json.loads(locard("libcalls", f"pid/{target.pid}", "--dry-run", "-o", "json").stdout)
    assert "[uprobes]" in json.dumps(plan)


def test_a_broken_pattern_is_a_usage_error(locard):
    for word in ("[", "malloc+SSL_[rw", "/a(/", "malloc@lib[c"):
        done = locard("libcalls", "pid/1", "-e", word)
        assert done.returncode == 2, word
        assert "cannot be" in done.stderr
    for word in ("SSL_[rw]*", "[]a]x", "-strlen", "/ma(lloc|x)/", "malloc-free@libc*"):
        done = locard("libcalls", f"pid/{os.getpid()}", "-e", word, "--dry-run")
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [(), ("--engine", "ltrace", "--allow", "pauses")])
def test_what_the_plan_shows_is_what_is_recorded(locard, start, words):
    """Of what is refused, too: ltrace injects."""
    if words and not shutil.which("ltrace"):
        pytest.skip("ltrace is not installed")
    target = start("-c", "print(1, flush=True); import time; time.sleep(600)")
    asked = ("libcalls", f"pid/{target.pid}", "--for", "300ms", *words, "-o", "json")
    plan, found = (json.loads(locard(*asked, *more).stdout) for more in (["--dry-run"], []))
    assert [c["argv"] for c in plan["commands"]] == [
        ran["argv"] for e in found["evidence"] for ran in e["ran"]
    ]
