"""Names of other programs as a command: each leads to a command that locard has."""

from __future__ import annotations

import pytest

from locard import catalogue
from locard.cli import other_tools
from locard.cli.commands.trace import KNOWN_AS


@pytest.mark.parametrize("name", [*KNOWN_AS, *other_tools._TOOLS])
def test_each_leads_to_a_command_and_a_probe_that_there_are(name):
    command, *words = other_tools.instead_of(name).split()
    assert command in {e.name for e in catalogue.entries("command")}
    if command in {"trace", "probe"} and not words[0].startswith("-"):
        assert words[0] in {e.name for e in catalogue.entries("probe")}
    # A tool that has the name of a command of ours is that command: bcc's profile samples stacks too.
    assert name == "profile" or name not in {e.name for e in catalogue.entries("command")}


@pytest.mark.parametrize(
    ("words", "step"),
    [
        ("strace -f -p 4242", "locard syscalls pid/4242"),
        ("ltrace pid/3", "locard libcalls pid/3"),
        ("opensnoop-bpfcc --pid=7", "locard trace opens pid/7"),
        ("perf top", "locard trace cpu-profile TARGET"),
        ("bpftrace", "locard trace -e 'PROGRAM' TARGET"),
        ("py-spy dump --pid 12", "locard stacks pid/12"),
        ("py-spy top --pid 12", "locard top pid/12"),
        ("py-spy record -d 3 --pid 12", "locard profile pid/12"),
    ],
)
def test_the_step_is_the_command_with_the_target_that_was_given(locard, words, step):
    done = locard(*words.split())
    assert done.returncode == 2
    assert f"next: Write: {step}" in done.stderr


def test_a_word_that_is_no_tool_is_none(locard):
    assert other_tools.no_tool(["payment"], "payment") is None
    assert "locard syscalls" not in locard("payment").stderr
