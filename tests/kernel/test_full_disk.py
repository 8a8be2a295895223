"""A state directory whose disk fills up midway: what was observed is told all the same, and what is missing."""

import json
import os
import subprocess
import sys

import pytest
from observing_support import working

WORK = """
ready(); tell()
while True:
    open("/etc/passwd").close(); time.sleep(.01)
"""


@pytest.fixture
def asked(tmp_path):
    """Ask about a program with a state directory of so much room."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a file system of its own")
    disk = tmp_path / "disk"
    disk.mkdir()

    def ask(size, *words):
        mount = ["mount", "-t", "tmpfs", "-o", f"mode=700,size={size}", "tmpfs", str(disk)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("cannot mount a tmpfs here")
        try:
            with working(WORK) as target:
                target.go()
                argv = [*words, f"pid/{target.pid}", "--for", "1s", "--state", str(disk)]
                return subprocess.run(
                    [sys.executable, "-m", "locard", *argv],
                    capture_output=True,
                    text=True,
                    check=False,
                )
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)

    return ask


@pytest.mark.parametrize("size", ["40k", "64k"])
def test_the_answer_is_whole_and_the_record_said_not_to_be(asked, size):
    done = asked(size, "waits", "-o", "json")
    document = json.loads(done.stdout)
    assert done.returncode == 4
    (fact,) = (f for e in document["evidence"] for f in e["facts"])
    assert fact["threads"]
    (why,) = (p for p in document["partial"] if "not recorded" in p)
    assert why.endswith("the disk is full")
    assert "Going on without the record." in done.stderr
    assert "Traceback" not in done.stderr


def test_so_it_is_on_the_screen(asked):
    done = asked("64k", "waits")
    assert "NOT recorded to its end" in done.stdout
    assert "share  threads" in done.stdout
    assert "NOT recorded" not in asked("10m", "waits").stdout


def test_with_no_room_at_all_nothing_is_begun(asked):
    done = asked("8k", "waits")
    assert done.returncode == 3
    assert "the disk is full" in done.stderr
    assert "Free space" in done.stderr
