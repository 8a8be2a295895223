"""What opens the door of a server: it works, it goes to that server alone, and it is seen nowhere."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import sqlite3
import subprocess
import time
import zlib
from pathlib import Path

import pytest

from metric_servers import CannedApi, Fake, refused, tls_server_context
from support import children_of, wait_until

END = 1_795_000_000
PASSWORD, TOKEN = "hunter2-Xq9z", "eyJ0b2tlbi5vZi5vdXJz"
GAUGE = [(END - 15 * k, 5) for k in range(600, -1, -1)]


@pytest.fixture
def serve():
    started = []

    def begin(answer, context=None):
        fake = Fake(answer, context)
        started.append(fake)
        return fake

    yield begin
    for fake in started:
        fake.close()


def api(series=(({"__name__": "queue_depth", "job": "a"}, GAUGE),), change=None):
    return CannedApi(series, change, lambda: END)


def guarded(needed, inside):
    """An API behind a login: headers that must be there."""

    def answer(path, query, handler):
        given = {name.lower(): value for name, value in handler.headers.items()}
        if any(given.get(name) != value for name, value in needed.items()):
            return refused(401, "who are you?")
        return inside(path, query, handler)

    return answer


def basic(words):
    return "Basic " + base64.b64encode(words.encode()).decode()


def history_in(document):
    (fact,) = [f for e in document["evidence"] for f in e["facts"] if "window_from" in f]
    return fact


def everything_in(folder):
    """The bytes of every file of a state directory, and what its ledgers hold packed, too."""
    found = []
    for path in (p for p in Path(folder).rglob("*") if p.is_file()):
        found.append(path.read_bytes())
        if found[-1].startswith(b"SQLite format 3"):
            with contextlib.closing(sqlite3.connect(path)) as base:
                for (table,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
                    rows = base.execute(f"SELECT * FROM {table}").fetchall()
                    cells = [c for row in rows for c in row if isinstance(c, bytes)]
                    found += [zlib.decompress(c) for c in cells if c[:1] == b"x"]
    assert any(b"queue_depth" in part or b"prometheus" in part for part in found)
    return b"".join(found)


def test_a_password_in_the_url_opens_the_door_and_is_seen_nowhere(locard, serve, state):
    hold = []

    def change(kind, _query):
        if kind == "interval" and not hold:
            hold.append(1)
            fake.over.wait(60)  # until its processes have been looked at

    fake = serve(guarded({"authorization": basic(f"anna:{PASSWORD}")}, api(change=change)))
    url = fake.url.replace("http://", f"http://anna:{PASSWORD}@")
    process = subprocess.Popen(
        locard.argv("metrics", url, "-o", "json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(lambda: hold, 60)
    lines = [_command_line(pid) for pid in _below(process.pid)]
    fake.over.set()
    out, err = process.communicate(timeout=60)
    assert lines
    assert not any(PASSWORD in line for line in lines)
    fact = history_in(json.loads(out))
    assert (fact["series"], fact["problem"]) == (1, "")
    assert PASSWORD not in out + err
    assert basic(f"anna:{PASSWORD}").partition(" ")[2] not in out + err
    assert PASSWORD.encode() not in everything_in(state)


def _below(pid):
    found = children_of(pid)
    return found.union(*map(_below, found))


def _command_line(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def test_a_token_and_a_tenant(locard, serve, state, tmp_path):
    fake = serve(guarded({"authorization": f"Bearer {TOKEN}", "x-scope-orgid": "shop"}, api()))
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    words = ("--bearer", token, "--header", "X-Scope-OrgID: shop")
    done = locard("metrics", fake.url, *words)
    assert done.returncode == 0, done.stdout
    assert TOKEN not in done.stdout + done.stderr
    assert TOKEN.encode() not in everything_in(state)
    done = locard("metrics", fake.url, "--bearer", token)
    assert done.returncode == 3
    assert "it wants a login (HTTP 401)" in done.stdout


@pytest.mark.parametrize(
    ("flag", "text"),
    [("--bearer", "two words"), ("--bearer", "ab\ncd"), ("--bearer", "naïve"), ("--header", "X-A: \x07bell")],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_before_and_not_shown(locard, tmp_path, flag, text):
    file = tmp_path / "given"
    file.write_text(text)
    given = file if flag == "--bearer" else f"@{file}"
    done = locard("metrics", "http://127.0.0.1:1", flag, given)
    assert done.returncode == 2
    assert flag in done.stderr
    assert text.split()[-1] not in done.stderr


def test_an_alertmanager_gets_its_own_login_and_not_that_of_the_server(
    locard, serve, state, tmp_path
):
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(END - 1200))
    alerts = json.dumps([{"labels": {"alertname": "Late"}, "startsAt": began}])
    manager = serve(
        guarded({"authorization": basic(f"bob:{PASSWORD}")}, lambda *_: (200, {}, alerts))
    )
    server = serve(guarded({"authorization": f"Bearer {TOKEN}"}, api()))
    token = tmp_path / "token"
    token.write_text(TOKEN)
    at = manager.url.replace("http://", f"http://bob:{PASSWORD}@")
    done = locard(
        "metrics", server.url, "--bearer", token, "--around", "alert", "--alertmanager", at
    )
    assert "Alert Late fired" in done.stdout
    assert done.returncode == 0
    assert PASSWORD not in done.stdout + done.stderr
    assert PASSWORD.encode() not in everything_in(state)
    done = locard("metrics", server.url, "--bearer", token, "--alertmanager", manager.url)
    assert "HTTP 401 who are you?" in " ".join(done.stdout.split())
    assert done.returncode == 4
    assert not [h for _, _, h in manager.asked if TOKEN in h.get("Authorization", "")]


def test_tls(locard, serve, tmp_path):
    fake = serve(api(), tls_server_context(tmp_path))
    done = locard("metrics", fake.url)
    assert done.returncode == 3
    words = " ".join(done.stdout.split())
    assert "no TLS connection came about: self-signed certificate. Next: --tls-ca FILE" in words
    for flags in (("--tls-ca", tmp_path / "server.pem"), ("--tls-skip-verify",)):
        assert history_in(locard.json("metrics", fake.url, *flags))["series"] == 1
    plain = serve(api())
    words = " ".join(locard("metrics", plain.url.replace("http", "https")).stdout.split())
    assert "no TLS connection came about" in words
    assert "http:// where it has no TLS" in words


def test_a_certificate_of_ours(locard, serve, state, tmp_path):
    fake = serve(api(), tls_server_context(tmp_path, ask_client=True))
    ca = ("--tls-ca", tmp_path / "server.pem")
    ours = ("--tls-cert", tmp_path / "client.pem", "--tls-key", tmp_path / "client.key")
    assert history_in(locard.json("metrics", fake.url, *ca, *ours))["series"] == 1
    secret = (tmp_path / "client.key").read_text().splitlines()[1]
    assert secret.encode() not in everything_in(state)
    done = locard("metrics", fake.url, *ca)
    assert done.returncode == 3
    assert "--tls-cert FILE" in " ".join(done.stdout.split())
    both = tmp_path / "both.pem"
    both.write_text((tmp_path / "client.key").read_text() + (tmp_path / "client.pem").read_text())
    assert history_in(locard.json("metrics", fake.url, *ca, "--tls-cert", both))["series"] == 1
    done = locard("metrics", fake.url, *ca, "--tls-cert", tmp_path / "server.pem")
    assert done.returncode == 3
    assert "--tls-cert and --tls-key are no certificate with its key" in " ".join(
        done.stdout.split()
    )


# -- exit codes, and what is somebody else's ----------------------------------------------------


def test_exit_codes(locard, serve):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert locard("metrics", f"http://127.0.0.1:{free.getsockname()[1]}").returncode == 3
    no = serve(lambda *_: refused(403, "no"))
    for form in ("text", "json", "csv"):
        assert locard("metrics", no.url, "-o", form).returncode == 3
    assert locard("metrics", serve(api(())).url).returncode == 0
    busy = serve(api(change=lambda kind, _: refused(429, "slow") if kind == "samples" else None))
    assert locard("metrics", busy.url).returncode == 4
    assert locard("metrics", no.url, serve(api()).url).returncode == 4


def test_a_server_that_hangs_does_not_use_up_the_budget(locard, serve):
    fake = serve(lambda *_: fake.over.wait(60) and None)
    done = locard("metrics", fake.url, "--budget", "4s")
    assert done.returncode == 3
    assert "it did not answer in time, and was asked no more" in " ".join(done.stdout.split())
    assert "time bound" not in done.stdout


def test_what_labels_hold_is_cleaned_counted_and_escaped(locard, serve, state):
    labels = {
        "__name__": "queue_depth", "job": "a\x1b[31mred\x07\nb\t<script>alert(1)</script>",
        "connection": 'password="hunter2-Xq9z"', "owner": "anna.smith@example.org",
    }  # fmt: skip
    rising = [(t, 5 if t < END - 600 else 500) for t, _ in GAUGE]
    odd = {"__name__": "mail of bob.jones@example.org", "job": "b"}
    fake = serve(api([(labels, rising), (odd, GAUGE)]))
    done = locard("metrics", fake.url)
    assert "<email:" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
    document = locard.json("metrics", fake.url)
    assert document["redacted"] >= 3
    page = locard("metrics", fake.url, "-o", "html").stdout
    table = locard("metrics", fake.url, "-o", "csv").stdout
    assert "<script>alert" not in page
    assert "\x1b" not in page + locard("metrics", fake.url, "-o", "markdown").stdout
    kept = everything_in(state)
    for secret in (PASSWORD, "anna.smith", "bob.jones"):
        assert secret not in done.stdout + json.dumps(document) + page + table
        assert secret.encode() not in kept


def test_the_screen_says_whose_clock_it_is(locard, serve):
    shifted = CannedApi((), None, lambda: time.time() + 90)
    shifted.series = [
        (
            {"__name__": "queue_depth", "job": "a"},
            [(t - END + time.time() + 90, v) for t, v in GAUGE],
        )
    ]
    done = locard("metrics", serve(shifted).url)
    assert "the server's clock is 90.0 s ahead of this one: its times are used as they are" in done.stdout  # fmt: skip
    assert "nothing is known since" not in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("http://127.0.0.1:99999",), ("http://127.0.0.1:abc",), ("http:///x",), ("http://[::1",),
        ("http://a b",), ("http://127.0.0.1:9/é",), ("http://",), ("127.0.0.1:9090",), (),
        ("http://127.0.0.1:9", "--alertmanager", f"http://u:{PASSWORD}@[x"),
        (f"http://u:{PASSWORD}@[x",), ("http://127.0.0.1:9", "--match", "sum(up)"),
        ("http://127.0.0.1:9", "--match", "up[5m]"), ("http://127.0.0.1:9", "--around", "tomorrow"),
        ("http://127.0.0.1:9", "--tls-key", "/dev/null"), ("http://127.0.0.1:9", "--tls-ca", "/nowhere"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told_before(locard, words):
    done = locard("metrics", *words)
    assert done.returncode == 2
    assert "why:" in done.stderr
    assert "next:" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_who_reads_a_part_of_it_gets_the_same_exit_code(locard, serve):
    no = serve(lambda *_: refused(403, "no"))
    process = subprocess.Popen(
        locard.argv("metrics", no.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    assert process.wait(60) == 3
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
