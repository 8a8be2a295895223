"""`locard trace`: the list, one program for real, and what is refused."""

from __future__ import annotations

from observing_support import working

from locard import catalogue
from locard.cli.commands import trace
from support import needs_root


def test_the_list_has_every_program_with_what_it_shows(locard):
    done = locard("trace")
    assert done.returncode == 0
    names = [line.split()[0] for line in done.stdout.splitlines() if line[2:3].strip()]
    assert {"opens", "tcp-retransmits", "exec", "run-queue"} <= set(names)
    assert "syscalls" not in names


@needs_root
def test_a_program_by_name(locard, tmp_path):
    code = f"ready()\nwhile True: open({str(tmp_path)!r} + '/x', 'w').close(); time.sleep(0.01)"
    with working(code) as target:
        target._process.stdin.write("go\n")
        target._process.stdin.flush()
        done = locard("trace", "opens", f"pid/{target.pid}", "--for", "1s", "-q")
    assert done.returncode in {0, 1}, done.stderr
    assert f"{tmp_path}/x" in done.stdout


def test_the_names_that_people_know_lead_to_ours(locard):
    for known, ours in trace.KNOWN_AS.items():
        assert catalogue.entry("probe", ours, "kernel"), known
    assert "--port" in locard("trace", "tcpconnlat-bpfcc", "--help").stdout


def test_a_name_that_is_near_is_suggested(locard):
    done = locard("trace", "open", "pid/1")
    assert done.returncode == 2
    assert "opens" in done.stderr


def test_its_flags_are_in_its_help(locard):
    done = locard("trace", "tcp-connect-latency", "--help")
    assert "--port" in done.stdout
    assert "--for" in done.stdout


def test_the_help_lists_the_programs_with_what_each_shows(locard):
    text = " ".join(locard("trace", "--help").stdout.split())
    for entry in trace._programs().values():
        assert f" {entry.name} {entry.summary()}" in text


def test_the_help_of_a_program_is_what_it_says_of_itself(locard):
    done = locard("trace", "opens", "--help")
    assert done.stdout.startswith("usage: locard trace opens ")
    text = " ".join(done.stdout.split())
    for words in (
        "Files that the target opens",
        "Shows: each path",
        "Impact: samples.",
        "Limits: the path",
    ):
        assert words in text
    assert "--failed" in text


def test_an_unknown_name_is_said_before_its_flags_and_near_ones_are_named(locard):
    done = locard("trace", "openz", "pid/1", "--min", "3")
    assert "no program 'openz'" in done.stderr
    assert "opens" in done.stderr
    assert "dns-latency" in locard("trace", "dns", "pid/1").stderr
    assert "locard trace opens pid/1" in locard("trace", "pid/1").stderr


def test_a_flag_of_an_observation_without_a_program_says_whose_it_is(locard):
    assert "trace NAME" in locard("trace", "--for", "3s").stderr
