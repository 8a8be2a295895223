import pytest

from locard.ledger.state import StateDirectory
from locard.model.errors import StateError, UsageError


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("LOCARD_STATE", str(tmp_path / "a"))
    assert StateDirectory.find(str(tmp_path / "b")).path == tmp_path / "b"
    assert StateDirectory.find().path == tmp_path / "a"
    monkeypatch.delenv("LOCARD_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "x"))
    assert StateDirectory.find().path == tmp_path / "x" / "locard"


def test_incidents_are_private_and_the_key_stays_outside(tmp_path):
    state = StateDirectory(tmp_path / "s")
    incident, ledger, key = state.begin("payment service; rm -rf /")
    ledger.append("opened", {})
    ledger.close()
    assert state.incidents() == (incident,)
    assert " " not in incident
    assert "/" not in incident
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "s" / "keys" / incident).stat().st_mode & 0o777 == 0o600
    assert key.hex().encode() not in state.ledger_path(incident).read_bytes()
    assert key not in state.ledger_path(incident).read_bytes()


def test_an_incident_that_is_named_goes_on_with_its_key(tmp_path):
    state = StateDirectory(tmp_path / "s")
    _, ledger, key = state.begin("x", "INC-7")
    ledger.append("note", 1)
    ledger.close()
    incident, ledger, again = state.begin("x", "INC-7")
    ledger.append("note", 2)
    assert (incident, again) == ("INC-7", key)
    assert ledger.verify().entries == 2
    ledger.close()


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden", "a\0b"])
def test_no_id_leaves_the_directory(tmp_path, name):
    with pytest.raises(UsageError):
        StateDirectory(tmp_path).ledger_path(name)


def test_no_incident_yet(tmp_path):
    with pytest.raises(StateError, match="no incident yet"):
        StateDirectory(tmp_path).open("last")


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "s").write_text("")
    with pytest.raises(StateError, match="cannot write the state directory"):
        StateDirectory(tmp_path / "s").begin("x")
