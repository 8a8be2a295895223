"""`locard host`: here, at a host, and at many of which some cannot be reached."""

from __future__ import annotations

import os

import pytest

from shell_hosts import make_ssh


@pytest.fixture
def env(tmp_path):
    return {**os.environ, "LOCARD_SSH": str(make_ssh(tmp_path))}


def test_this_host(locard):
    document = locard.json("host")
    assert document["target"]["ref"] == "host/local"
    assert [layer["layer"] for layer in document["layers"]] == ["host"]
    names = {r["name"] for e in document["evidence"] for f in e["facts"] for r in f["readings"]}
    assert "system.memory.linux.available" in names
    assert {e["place"] for e in document["evidence"]} == {"host/local"}


def test_another_host_says_so_in_record_and_commands(locard, env):
    document = locard.json("host", "host/web-1", env=env)
    assert {e["place"] for e in document["evidence"]} == {"host/web-1"}
    ran = [r for e in document["evidence"] for r in e["ran"]]
    assert ran
    assert all(r["place"] == "host/web-1" for r in ran)
    assert all(r["by_hand"].startswith("ssh web-1 ") for r in ran)
    assert document["ground"]["python"]
    assert abs(document["ground"]["clock_ahead_s"]) < 5
    again = locard.json("incident", "show", "last", env=env)
    assert again["evidence"] == document["evidence"]


def test_a_plan_for_another_host_shows_place_and_argv(locard, env):
    done = locard("host", "host/web-1", "--dry-run", env=env)
    assert done.returncode == 0, done.stderr
    assert "at host/web-1" in done.stdout
    assert "ssh web-1 " in done.stdout


def test_many_hosts_of_which_some_are_down(locard, env):
    done = locard("host", "--hosts", "a,b,down-1,c", env=env)
    assert done.returncode == 4, done.stderr
    assert "3 of 4 targets looked at" in done.stdout
    assert "host/down-1" in done.stdout
    assert "connection refused" in done.stdout
    assert "host/down-1" in done.stderr, "each is told as soon as it is known"
    document = locard.json("host", "--hosts", "a,b,down-1,c", "-q", env=env)
    assert document["kind"] == "fleet"
    assert document["compared"] == 3
    reached = {m["ref"]: m["reached"] for m in document["members"]}
    assert reached == {"host/a": True, "host/b": True, "host/down-1": False, "host/c": True}


def test_of_a_fleet_of_which_one_was_seen_nothing_is_said(locard, env):
    document = locard.json("host", "--hosts", "a,down-1,down-2", "-q", env=env)
    assert document["exit_code"] == 4
    assert document["differences"] == []
    assert "1 of 3" in document["not_compared"]


def test_nobody_can_be_reached(locard, env):
    done = locard("host", "--hosts", "down-1,down-2", "-q", env=env)
    assert done.returncode == 3
    assert "0 of 2" in done.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("host", "host/web-1", "--on", "host/b"), "do not go together"),
        (("host", "--on", "web-1"), "no place"),
        (("host", "--hosts", "no-such-*"), "no host fits"),
        (("host", "host/-oProxyCommand=x"), "no host"),
    ],
)
def test_what_cannot_be_asked(locard, env, words, why):
    done = locard(*words, env=env)
    assert done.returncode == 2, done.stderr
    assert why in done.stderr
