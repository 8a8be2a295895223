"""`locard waits`: the whole command on a real process."""

from __future__ import annotations

from observing_support import working

from support import needs_root

pytestmark = needs_root


def test_the_screen_says_what_the_threads_do(locard):
    with working("ready()\ntime.sleep(600)") as target:
        target._process.stdin.write("go\n")
        target._process.stdin.flush()
        done = locard("waits", f"pid/{target.pid}", "--for", "1s", "-q")
    assert done.returncode == 0, done.stderr
    assert "sleeps (clock_nanosleep)" in done.stdout
    assert "looks" in done.stdout
