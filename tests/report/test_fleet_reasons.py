"""Places that could not be looked at for the same reason stand together."""

import os
import resource
import subprocess

import pytest

from locard.model.fleet import Member
from locard.report import fleet_screen
from shell_hosts import make_ssh


def test_one_reason_for_all_that_share_it(locard, tmp_path):
    env = {**os.environ, "LOCARD_SSH": str(make_ssh(tmp_path))}
    done = locard("host", "--hosts", "down-1,down-2", env=env)
    assert done.stdout.count("connection refused: nothing listens on that port") == 1
    assert "host/down-1" in done.stdout
    assert "host/down-2" in done.stdout
    alone = locard("host", "host/down-1", env=env)
    assert "connect to host down-1 port 22" in alone.stderr  # the client's own words, of one


def test_a_record_that_could_not_be_written_is_not_named(locard, tmp_path):
    """A file may grow to what a ledger has at its beginning, and no further: the disk is full."""
    env = {**os.environ, "LOCARD_SSH": str(make_ssh(tmp_path))}
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))  # noqa: E731
    words = ("host", "--hosts", "a,b", "--state", str(tmp_path / "st"))
    with subprocess.Popen(
        locard.argv(*words), env=env, preexec_fn=limit, text=True,  # noqa: PLW1509 - one thread
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        out, err = running.communicate(timeout=60)
    assert "Going on without the record" in err
    (line,) = [line for line in out.splitlines() if line.startswith("record: ")]
    assert "NOT recorded: " in line
    assert ".ledger" not in line.partition("NOT")[0]
    assert "show last" not in out
    assert running.returncode == 4


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ((), "locard investigate host/a"),
        ((("address", "10.9.9.9"), ("user", "bob")), "locard investigate host/bob@10.9.9.9"),
        ((("address", "10.9.9.9"), ("port", "2222")), "locard incident show last"),
    ],
)
def test_the_next_command_reaches_the_same_host(options, command):
    assert fleet_screen._asking(Member("host/a", "host/a", options=options)) == command
    on = fleet_screen._asking(Member("pid/7 on host/a", "host/a", options=options))
    assert on == command.replace("investigate ", "investigate pid/7 --on ")
