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


def forge(state, incident):
    """A record whose target was changed by somebody who could not change the chain."""
    db = sqlite3.connect(StateDirectory(state).ledger_path(incident))
    db.execute("DROP TRIGGER entries_kept_1")
    db.execute("UPDATE entries SET body = replace(body, 'host/local', 'host/forged') WHERE seq = 1")
    db.commit()
    db.close()


@pytest.mark.parametrize("action", ["show", "replay"])
def test_what_does_not_verify_is_not_shown_as_if_it_were_true(locard, incident, state, action):
    done = locard("incident", action, incident)
    assert done.returncode == 0
    assert "host/local" in done.stdout
    forge(state, incident)
    for form in ("text", "json", "markdown", "html"):
        done = locard("incident", action, incident, "-o", form)
        assert done.returncode == 1
        assert "forged" not in done.stdout
        assert "THIS RECORD WAS CHANGED" in done.stderr
        if form == "text":
            assert "THIS RECORD WAS CHANGED" in done.stdout
    shown = locard("incident", action, incident, "--unverified")
    assert shown.returncode == 1
    assert "host/forged" in shown.stdout
    assert shown.stdout.startswith("THIS RECORD WAS CHANGED")


def test_the_list_is_a_table_that_fits(locard, incident, state):
    folder = StateDirectory(state).path / "incidents"
    (folder / "zz\x1b[31m.ledger").write_text("x")
    (folder / "broken.ledger").write_text("x" * 200)
    done = locard("incident", "list", "--tz", "UTC")
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["when", "(UTC)", "target", "state", "incident"]
    assert lines[1].strip() == "verdict"
    row = next(line for line in lines if "host/local" in line)
    assert "complete" in row or "partial" in row
    assert row.endswith(incident)
    assert "unreadable" in done.stdout
    assert "\x1b" not in done.stdout
    found = {i["incident"]: i for i in locard.json("incident", "list")["incidents"]}
    assert set(found) == {incident, "broken"}
    assert found[incident]["target"] == "host/local"
    assert found[incident]["started"] > 1.7e9
    assert found[incident]["verdict"]


def test_the_first_digits_of_the_head_are_enough(locard, incident):
    head = locard("incident", "verify", "last").stdout.split()[-1]
    assert locard("incident", "verify", "last", "--head", head[:12]).returncode == 0
    assert locard("incident", "verify", "last", "--head", "0f" * 6).returncode == 1
    assert locard("incident", "verify", "last", "--head", "0f").returncode == 2


def test_an_entry_that_is_none_of_locards_is_an_error(locard, incident, state):
    with StateDirectory(state).open(incident, write=True) as ledger:
        ledger.append("evidence", {"ran": [], "run": 7})
    done = locard("incident", "show", incident)
    assert done.returncode == 3
    assert "cannot be read" in done.stderr


def test_what_is_being_recorded_is_told_from_what_was_cut_short(locard, state):
    body = {"target": {"ref": "pid/7"}}
    with StateDirectory(state).begin("x", "INC-8") as begun:
        begun.ledger.append("opened", body)
        (running,) = locard.json("incident", "list")["incidents"]
    (cut,) = locard.json("incident", "list")["incidents"]
    assert (running["state"], cut["state"]) == ("running", "cut short")
    assert running["target"] == cut["target"] == "pid/7"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "last"], "takes no INCIDENT"),
        (["list", "-o", "markdown"], "no -o markdown"),
        (["verify", "-o", "html"], "no -o html"),
        (["erase", "-o", "json"], "no -o json"),
        (["list", "--head", "0f" * 6], "no --head"),
        (["show", "--reason", "x"], "no --reason"),
        (["show", "--digest", "x"], "no --digest"),
        (["verify", "--unverified"], "no --unverified"),
    ],
)
def test_what_an_action_does_not_take_is_said(locard, incident, words, said):
    done = locard("incident", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert incident


def test_the_list_does_not_call_a_forged_record_complete(locard, incident, state):
    (item,) = locard.json("incident", "list")["incidents"]
    assert item["state"] in {"complete", "partial"}
    forge(state, incident)
    (item,) = locard.json("incident", "list")["incidents"]
    assert item["state"] == "changed"
    assert "does not continue the chain" in item["verdict"]
    told = locard("incident", "list").stdout
    assert "changed" in told
    assert "complete" not in told
    assert "forged" not in told
