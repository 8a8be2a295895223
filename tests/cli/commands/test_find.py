"""The command that finds functions of a live process by name. See also tests/runtime/python/test_find.py."""

from __future__ import annotations

from watch_here import program


def test_names_are_listed_with_what_stands_behind_them(locard):
    with program() as target:
        done = locard("find", str(target.pid), "__main__:ref*", "-q")
        assert done.returncode == 0
        assert "__main__:refund  function" in done.stdout
        assert "in its closure" in done.stdout


def test_two_patterns_are_one_too_many(locard):
    done = locard("find", "pid/1", "a", "b")
    assert done.returncode == 2
    assert "find takes one" in done.stderr
