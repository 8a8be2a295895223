"""What another program says in its error reaches neither the terminal nor the record with its secrets."""

from __future__ import annotations

import json
import os
import sqlite3

import pytest

from locard.guard.redact import Redactor

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghijklmnop"
SAYS = f"printf '\\033[31m password=hunter2SECRET token={TOKEN}\\n' >&2; exit 1\n"
WAITS = json.dumps(
    {
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": {"containers": [{"name": "c"}]},
        "status": {
            "containerStatuses": [
                {"name": "c", "state": {"waiting": {"reason": "password=hunter2SECRET"}}}
            ]
        },
    }
)


@pytest.fixture
def clients(tmp_path):
    """Makes every client of a cluster, an engine and ssh a script; the environment that has them."""

    def make(script):
        folder = tmp_path / "clients"
        folder.mkdir()
        for name in ("kubectl", "docker", "podman", "ssh"):
            path = folder / name
            path.write_text("#!/bin/sh\n" + script)
            path.chmod(0o755)
        return {
            **os.environ,
            "PATH": f"{folder}:{os.environ['PATH']}",
            "LOCARD_SSH": f"{folder}/ssh",
        }

    return make


@pytest.mark.parametrize(
    "words",
    [
        ("container/x",),
        ("deployment/x",),
        ("logs", "deployment/x"),
        ("logs", "container/x"),
        ("doctor", "deployment/x"),
        ("doctor", "deployment/x", "-o", "json"),
        ("doctor", "container/x"),
        ("host", "--on", "host/q"),
        ("host", "--hosts", "q,r"),
    ],
    ids=" ".join,
)
def test_a_complaint_is_quoted_without_its_secrets(locard, clients, words):
    done = locard(*words, env=clients(SAYS))
    assert "hunter2SECRET" not in done.stdout + done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert "password=<secret:" in done.stdout + done.stderr or "--hosts" in words


def test_a_reason_of_the_cluster_is_shown_and_recorded_without_them(locard, clients, state):
    done = locard("pod/x", "pod/x", env=clients(f"echo '{WAITS}'\n"))
    assert "waits (password=<secret:" in done.stdout
    assert "hunter2SECRET" not in done.stdout + done.stderr
    (ledger,) = (state / "incidents").glob("*.ledger")
    assert b"hunter2SECRET" not in ledger.read_bytes()


def test_why_a_place_was_not_reached_is_recorded_without_them(locard, clients, tmp_path, state):
    script = (
        'case "$*" in *"-- bad "*) printf "banner: password=hunter2SECRET\\n" >&2; sleep 1; exit 255;; esac\n'
        'for last; do :; done\n[ "$1" = -V ] && exit 0\nexec /bin/sh -c "$last"\n'
    )
    done = locard("host", "--hosts", "good,bad", env=clients(script))
    assert done.returncode == 4
    (ledger,) = (state / "incidents").glob("*.ledger")
    with sqlite3.connect(ledger) as rows:
        (entry,) = [r for r in rows.execute("select * from entries") if "banner: " in str(r)]
    assert "banner: password=<secret:" in str(entry)


@pytest.mark.parametrize(
    "words",
    [
        ("host", "--hosts", "user:S3cretPW99x@web5,web6"),
        ("host", "--on", "host/user:S3cretPW99x@web5"),
        ("--hosts", "user:S3cretPW99x@web5", "host"),
        ("host/user:S3cretPW99x@web5",),
    ],
    ids=" ".join,
)
def test_a_password_that_was_typed_is_not_said_again(locard, words):
    done = locard(*words)
    assert done.returncode == 2
    assert "user:…@web5" in done.stderr
    assert "S3cretPW99x" not in done.stdout + done.stderr


def test_what_was_asked_for_stays_in_an_error():
    for text in ("host/alice@web.example.com was not reached", "connect to host 8.8.8.8 port 22"):
        assert Redactor.passing().credentials(text) == text
