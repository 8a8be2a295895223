"""`locard libcalls`: the whole command on a real process."""

from __future__ import annotations

from observing_support import working

from support import needs_root


@needs_root
def test_the_screen_counts_what_was_asked_for(locard):
    code = "ready()\nwhile True: time.sleep(0.005); os.getppid()"
    with working(code) as target:
        target._process.stdin.write("go\n")
        target._process.stdin.flush()
        done = locard("libcalls", f"pid/{target.pid}", "-e", "getppid@libc*", "--for", "1s", "-q")
    assert done.returncode == 0, done.stderr
    assert "getppid" in done.stdout
    assert "[uprobes]" in done.stdout


def test_its_help_shows_the_filter(locard):
    assert "-e" in locard("libcalls", "--help").stdout
