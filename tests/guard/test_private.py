"""Folders and files that nobody else can have made or can change."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from locard.guard import private
from locard.model.errors import StateError
from support import needs_root


def test_folders_are_made_private_and_used_again(tmp_path):
    for _ in range(2):
        with private.folder(tmp_path / "a" / "state", "one", "two", make=True) as fd:
            assert os.fstat(fd).st_ino == (tmp_path / "a/state/one/two").stat().st_ino
    assert (tmp_path / "a/state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a/state/one/two").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("links", ["state", "state/one"])
def test_no_link_is_followed(tmp_path, links):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "one").mkdir(parents=True)
    if "/" in links:
        (tmp_path / "state").mkdir()
    (tmp_path / links).symlink_to(elsewhere)
    with (
        pytest.raises(StateError, match="symbolic link"),
        private.folder(tmp_path / "state", "one", make=True),
    ):
        pass


def test_a_folder_that_others_may_write_is_not_used(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o770)
    with pytest.raises(StateError, match="others may write"), private.folder(state):
        pass
    state.chmod(0o700)
    with private.folder(state):
        pass


@needs_root
def test_a_folder_of_somebody_else_is_not_used(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    with private.folder(state):
        pass
    os.chown(state, 65534, 65534)
    with pytest.raises(StateError, match="belongs to uid 65534"), private.folder(state, make=True):
        pass


def test_a_file_is_written_whole_and_once(tmp_path):
    with private.folder(tmp_path) as fd:
        assert private.write_once(fd, "key", b"one")
        assert not private.write_once(fd, "key", b"two")
        handle = private.open_file(fd, "key", tmp_path / "key")
    assert os.read(handle, 9) == b"one"
    os.close(handle)
    assert [p.name for p in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_file_of_ours_is_not_opened(tmp_path, kind):
    (tmp_path / "real").write_text("x")
    path = tmp_path / "key"
    if kind == "link":
        path.symlink_to(tmp_path / "real")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with private.folder(tmp_path) as fd, pytest.raises(StateError):
        private.open_file(fd, "key", path, write=kind != "folder")


HOLDER = """
import sys
from pathlib import Path
from locard.guard import private
with private.folder(Path(sys.argv[1]), "spill", make=True) as below:
    name, held = private.room(below, "room-")
    print(name, flush=True)
    sys.stdin.read()
"""


def test_a_room_stays_while_its_process_lives_and_no_longer(tmp_path):
    argv = [sys.executable, "-c", HOLDER, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(argv, **pipes) as holder:
        room = tmp_path / "spill" / holder.stdout.readline().strip()
        (room / "left").write_text("x")
        (tmp_path / "spill" / "123").mkdir()  # not made by us: no lock tells of it
        with private.folder(tmp_path, "spill") as below:
            private.remove_unlocked(below, "room-")
            assert (room / "left").exists()
            holder.kill()
            holder.wait()
            private.remove_unlocked(below, "room-")
    assert [p.name for p in (tmp_path / "spill").iterdir()] == ["123"]
