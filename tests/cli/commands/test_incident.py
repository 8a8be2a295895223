import json
import sqlite3

import pytest

from locard.ledger.state import StateDirectory
from locard.ledger.store import digest_of


@pytest.fixture
def incident(locard):
    """A real one: the host alone, which needs no target process."""
    return locard.json("investigate", "host/local", "-q")["incident"]


def test_list_show_and_verify(locard, incident):
    assert incident in locard("incident").stdout
    assert [i["incident"] for i in locard.json("incident", "list")["incidents"]] == [incident]
    shown = locard("incident", "show", incident)
    assert shown.returncode == 0
    assert "host/local" in shown.stdout
    verified = locard("incident", "verify", "last")
    assert verified.returncode == 0
    head = verified.stdout.split()[-1]
    assert locard("incident", "verify", "last", "--head", head).returncode == 0
    assert locard("incident", "verify", "last", "--head", "0f" * 32).returncode == 1


def test_a_meddled_record_does_not_verify(locard, incident, state):
    db = sqlite3.connect(StateDirectory(state).ledger_path(incident))
    db.execute("DROP TRIGGER entries_kept_1")
    db.execute('UPDATE entries SET body = replace(body, "target", "tarqet") WHERE seq = 1')
    db.commit()
    db.close()
    done = locard("incident", "verify", incident)
    assert done.returncode == 1
    assert "does not continue the chain" in done.stderr


def test_an_output_can_be_read_and_erased(locard, incident):
    document = json.loads(locard("incident", "show", incident, "-o", "json").stdout)
    ran = next(r for e in document["evidence"] for r in e["ran"] if r["stdout_bytes"])
    prefix = ran["stdout"][:16]
    content = locard("incident", "output", incident, "--digest", prefix).stdout
    assert digest_of(content.encode()) == ran["stdout"]
    assert locard("incident", "erase", incident, "--digest", prefix).returncode == 2
    erased = locard("incident", "erase", incident, "--digest", prefix, "--reason", "asked to")
    assert erased.returncode == 0, erased.stderr
    assert locard("incident", "output", incident, "--digest", prefix).stdout == ""
    assert "1 erased" in locard("incident", "verify", incident).stdout
    assert locard("incident", "show", incident).returncode == 0


def test_a_second_investigation_may_join_an_incident(locard):
    for _ in range(2):
        assert locard("investigate", "host/local", "-q", "--incident", "INC-7").returncode in {0, 1}
    assert locard.json("incident", "list")["incidents"][0]["incident"] == "INC-7"
    assert locard("incident", "verify", "INC-7").returncode == 0
    assert locard("incident", "replay", "INC-7", "-q").returncode == 0


@pytest.mark.parametrize("words", [("show", "none"), ("show", "../x"), ("output", "last")])
def test_what_is_not_there(locard, incident, words):
    done = locard("incident", *words)
    assert done.returncode in {2, 3}
    assert "next:" in done.stderr
    assert incident


def test_no_incident_yet(locard):
    assert "no incident" in locard("incident").stdout
    assert locard("incident", "show").returncode == 3
