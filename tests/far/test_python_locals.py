"""Variables on each CPython that this machine has: values of builtin types, names of all other types, nothing run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from far.test_python_stacks import EVERY, VERSIONS
from locard.far import python_source
from locard.runtime.python import _dump, stacks
from support import PROGRAMS, source_of


@pytest.mark.parametrize("version", EVERY)
def test_variables_are_what_they_are_and_nothing_of_the_target_runs(version):
    process = subprocess.Popen(
        [VERSIONS[version], "-B", PROGRAMS / "variables.py"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        pid = int(process.stdout.readline())
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-", "dump", "3", "1", str(pid)],
            input=source_of(stacks.OWN.program), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    finally:
        rest, _ = process.communicate()
    assert (process.returncode, rest) == (0, "")  # no "RAN"
    (thread,) = [i for i in _dump.items(done.stdout) if "frames" in i and "locals" in i]
    names = [f["name"] for f in thread["frames"]]
    found = thread["locals"][names.index("charge")]
    inner = found.pop("inner")
    assert inner == "<function>"
    assert found.pop("big") in {repr(2**200), "<int of more than 240 bits>"}
    assert found.pop("many").startswith("[0, 1, 2,")
    assert found.pop("long_text") == repr("x" * 200) + "... of 5000 characters"
    assert found == {
        "card": "'4111111111111111' (str)", "password": "'hunter2-not-to-be-seen'",
        "api_token": "'ghp_0123456789abcdefghijABCDEFGHIJ012345'",
        "number": "-7", "ratio": "2.5", "flag": "True", "nothing": "None", "text": "'pay'",
        "wide": "'größer €'", "sub": "<Text>", "data": "b'\\x00raw'",
        "items": "[1, 'two', [3, <list of 1>]]", "pair": "(1,)", "empty": "[]",
        "opts": "{'retries': 3, 'client_secret': 's3cr3t-in-a-dict', 5: 'five', 'deep': {'a': <dict of 1>}}",
        "evil": "<Evil>", "cart": "<Cart>", "kinds": "<set>", "fake": "<list>", "shared": "'closed over'",
    }  # fmt: skip
    line = thread["frames"][names.index("charge")]["source"]
    assert line["text"] == "sys.stdin.read()"


def test_a_source_is_looked_for_in_the_targets_root(tmp_path):
    root = tmp_path / "root"
    (root / "srv").mkdir(parents=True)
    (tmp_path / "app.py").write_text("ours = 1\n")
    (root / "srv" / "real.py").write_text("first\nsecond\n")
    (root / "srv" / "app.py").symlink_to("/srv/real.py")  # absolute: from the target's root
    (root / "srv" / "out.py").symlink_to("../../../../../../" + str(tmp_path / "app.py"))
    (root / "srv" / "round.py").symlink_to("round.py")
    files = python_source.Sources.__new__(python_source.Sources)
    files.root = python_source.os.open(root, python_source.os.O_RDONLY)
    files.files, files.began, files.rights = {}, 1e12, None
    assert files.line("/srv/app.py", 2) == {"text": "second", "note": ""}
    assert files.line("/srv/out.py", 1) == {"note": "the file is not there"}
    assert files.line(str(tmp_path / "app.py"), 1) == {"note": "the file is not there"}
    assert "cannot be opened" in files.line("/srv/round.py", 1)["note"]
    assert files.line("/srv", 1) == {"note": "no file of a source's size"}
    assert "no such line" in files.line("/srv/real.py", 99)["note"]
    assert files.line("<string>", 1) == {"note": "no file"}
    assert "relative" in files.line("app.py", 1)["note"]
    files.files.clear()
    files.began = 1.0
    assert files.line("/srv/real.py", 1) == {
        "text": "first", "note": "the file was changed after the process began",
    }  # fmt: skip
    files.close()


NAMES = """
import os, sys
source = "def wait():\\n    sys.stdin.read()\\n"
scope = {"sys": sys}
exec(compile(source, sys.argv[1], "exec"), scope)
if len(sys.argv) > 2: os.setgroups([]); os.setgid(65534); os.setuid(65534)
print("ready", flush=True)
scope["wait"]()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's process is only read by root")
@pytest.mark.parametrize("nobody", [False, True], ids=["root's", "nobody's"])
def test_a_source_is_read_with_the_rights_of_the_target(tmp_path, nobody):
    path = tmp_path / "private.py"
    path.write_text("first\nonly for root\n")
    path.chmod(0o600)
    process = subprocess.Popen(
        [sys.executable, "-c", NAMES, path, *["x"] * nobody],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-", "dump", "0", "1", str(process.pid)],
        input=source_of(stacks.OWN.program), capture_output=True, text=True, check=True,
    )  # fmt: skip
    frames = [f for i in _dump.items(done.stdout) for f in i.get("frames", ())]
    (told,) = [f["source"] for f in frames if f["name"] == "wait"]
    assert told.get("text") == (None if nobody else "only for root")
    assert ("Permission denied" in told["note"]) is nobody
    process.communicate()
