import os
import subprocess
import sys

import pytest

from locard.ledger.state import StateDirectory
from locard.model.errors import NotPermittedError, StateError, UsageError
from support import needs_root


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("LOCARD_STATE", str(tmp_path / "a"))
    assert StateDirectory.find(str(tmp_path / "b")).path == tmp_path / "b"
    assert StateDirectory.find().path == tmp_path / "a"
    monkeypatch.delenv("LOCARD_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "x"))
    assert StateDirectory.find().path == tmp_path / "x" / "locard"


def test_incidents_are_private_and_the_key_stays_outside(tmp_path):
    state = StateDirectory(tmp_path / "s")
    with state.begin("payment service; rm -rf /") as begun:
        begun.ledger.append("opened", {})
    incident, key = begun.incident, begun.key
    assert state.incidents() == (incident,)
    assert " " not in incident
    assert "/" not in incident
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "s" / "keys" / incident).stat().st_mode & 0o777 == 0o600
    assert key.hex().encode() not in state.ledger_path(incident).read_bytes()
    assert key not in state.ledger_path(incident).read_bytes()


def test_an_incident_that_is_named_goes_on_with_its_key(tmp_path):
    state = StateDirectory(tmp_path / "s")
    with state.begin("x", "INC-7") as begun:
        begun.ledger.append("note", 1)
    with state.begin("x", "INC-7") as again:
        again.ledger.append("note", 2)
        assert (again.incident, again.key) == ("INC-7", begun.key)
        assert again.ledger.verify().entries == 2


@pytest.mark.parametrize("content", [b"", b"short"])
def test_a_short_key_is_made_anew_only_where_no_record_used_it(tmp_path, content):
    state = StateDirectory(tmp_path / "s")
    with state.begin("x", "used") as begun:
        assert len(begun.key) == 32
    for incident in ("fresh", "used"):
        (tmp_path / "s" / "keys" / incident).write_bytes(content)
    with state.begin("x", "fresh") as begun:
        assert len(begun.key) == 32
        assert (tmp_path / "s" / "keys" / "fresh").read_bytes() == begun.key
    with pytest.raises(StateError, match="is damaged"):
        state.begin("x", "used")


WRITER = """
import sys
from pathlib import Path
from locard.ledger.state import StateDirectory
from locard.model.errors import StateError
try:
    with StateDirectory(Path(sys.argv[1])).begin("x", "INC-7") as begun:
        begun.ledger.append("note", 1)
        print("writes", flush=True)
        sys.stdin.read()
except StateError as error:
    print(error.what, flush=True)
"""


def test_two_processes_do_not_record_into_one_incident_at_once(tmp_path):
    argv = [sys.executable, "-c", WRITER, str(tmp_path / "s")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(argv, **pipes) as first:
        assert first.stdout.readline() == "writes\n"
        assert StateDirectory(tmp_path / "s").is_recorded_now("INC-7")
        second = subprocess.run(argv, capture_output=True, text=True, input="", check=True)
        assert "is being recorded by another locard" in second.stdout
        first.stdin.close()
        first.wait()
    assert not StateDirectory(tmp_path / "s").is_recorded_now("INC-7")
    third = subprocess.run(argv, capture_output=True, text=True, input="", check=True)
    assert third.stdout == "writes\n"
    with StateDirectory(tmp_path / "s").open("INC-7") as ledger:
        assert ledger.verify().entries == 2


def test_files_that_are_no_incident_are_not_listed(tmp_path):
    state = StateDirectory(tmp_path / "s")
    with state.begin("x", "INC-7"):
        pass
    folder = tmp_path / "s" / "incidents"
    (folder / "my copy (1)\x1b[31m.ledger").write_text("x")
    (folder / "link.ledger").symlink_to(folder / "INC-7.ledger")
    (folder / "deep.ledger").mkdir()
    assert state.incidents() == ("INC-7",)
    assert state.open("last").path.name == "INC-7.ledger"
    with pytest.raises(StateError, match="symbolic link"):
        state.open("link")


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden", "a\0b"])
def test_no_id_leaves_the_directory(tmp_path, name):
    with pytest.raises(UsageError):
        StateDirectory(tmp_path).ledger_path(name)


def test_no_incident_yet(tmp_path):
    with pytest.raises(StateError, match="no incident yet"):
        StateDirectory(tmp_path).open("last")


@needs_root
def test_a_folder_that_may_not_be_read_is_not_empty(tmp_path):
    state = StateDirectory(tmp_path / "state")
    with state.begin("shop"):
        pass
    os.seteuid(65534)
    try:
        with pytest.raises(NotPermittedError) as caught:
            state.incidents()
    finally:
        os.seteuid(0)
    assert "Permission denied" in caught.value.why
    assert len(state.incidents()) == 1


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "s").write_text("")
    with pytest.raises(StateError, match="cannot write the state directory"):
        StateDirectory(tmp_path / "s").begin("x")
