"""`locard investigate` as a user runs it, on a real process."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import pytest

from locard.ledger.state import StateDirectory
from locard.model.errors import StateError
from locard.model.evidence import Layer
from locard.report.schema import schema
from support import children_of, is_alive, needs_root, wait_until

LAYERS = [layer.value for layer in Layer]


@pytest.fixture
def shop(start, tmp_path):
    process = start("shop.py", tmp_path / "shop.log")
    process.log = tmp_path / "shop.log"
    return process


@pytest.fixture
def healthy(start, tmp_path):
    process = start("shop.py", tmp_path / "shop.log", "healthy")
    process.log = tmp_path / "shop.log"
    return process


def test_the_whole_method_on_a_real_process(locard, shop):
    document = locard.json("investigate", f"pid/{shop.pid}")
    jsonschema.validate(document, schema())
    assert document["exit_code"] == 1
    assert [state["layer"] for state in document["layers"]] == LAYERS
    assert all(state["status"] == "ran" for state in document["layers"]), document["layers"]
    found_at = document["onset"]
    truth = time.time() - 30
    assert abs(found_at["latest"] - truth) < 40
    assert "one-segment-affected" in {f["rule"] for f in document["findings"]}
    assert {"region"} == {f for c in document["correlates"][:1] for f, _ in c["values"]}
    cited = {s["evidence"] for f in document["findings"] for s in f["supports"]}
    assert cited <= {e["id"] for e in document["evidence"]}
    assert document["timings"]["first_finding_s"] <= document["timings"]["verdict_s"]


def test_the_record_replays_without_the_target(locard, shop):
    live = locard.json("investigate", f"pid/{shop.pid}")
    shop.kill()
    shop.wait()
    replayed = locard("incident", "replay", live["incident"], "-o", "json")
    assert replayed.returncode == 0, replayed.stderr
    assert "the same findings" in replayed.stderr
    again = json.loads(replayed.stdout)
    for same in ("findings", "contributing_factors", "onset", "activities", "evidence", "layers"):
        assert again[same] == live[same], same


def test_nothing_found_in_a_healthy_service(locard, healthy):
    document = locard.json("investigate", f"pid/{healthy.pid}")
    assert document["onset"] is None
    assert [f for f in document["findings"] if f["role"] == "mechanism"] == []


def test_secrets_and_personal_data_are_not_stored(locard, shop, state):
    locard("investigate", f"pid/{shop.pid}", "-q")
    verified = locard.json("incident", "verify")
    assert verified["entries"] > 0
    with_mail = re.compile(rb"u[0-9]+@example\.com")
    with StateDirectory(state).open("last") as ledger:
        digests = {r["stdout"] for e in ledger.entries("evidence") for r in e.body["ran"]}
        assert not any(with_mail.search(ledger.output(d)) for d in digests)


def test_secrets_of_the_command_line_are_not_stored(locard, shop, state):
    url = f"http://bob:s3cretpw@127.0.0.1:{shop.line.strip()}/metrics?token=t0kent0ken"
    locard("investigate", f"pid/{shop.pid}", "--metrics", url, "-q")
    with StateDirectory(state).open("last") as ledger:
        bodies = json.dumps([e.body for e in ledger.entries()])
    assert "s3cretpw" not in bodies
    assert "t0kent0ken" not in bodies


def test_a_dry_run_shows_no_secrets(locard, start, state):
    code = "import time; print(1, flush=True); time.sleep(300)"
    shop = start("-c", code, "--password", "hunter2pw", "--port", "5432")
    url = "http://u:hunter3pw@127.0.0.1:9/metrics"
    for form in ("text", "json"):
        shown = locard(
            "investigate", f"pid/{shop.pid}", "--metrics", url, "--dry-run", "-o", form
        ).stdout
        assert "hunter" not in shown
        assert "127.0.0.1:9/metrics" in shown
    assert f"pid {shop.pid}" in locard("investigate", f"pid/{shop.pid}", "--dry-run").stdout


def test_a_dry_run_runs_nothing_and_shows_what_would_run(locard, shop, state):
    planned = locard.json("investigate", f"pid/{shop.pid}", "--dry-run")
    jsonschema.validate(planned, schema())
    assert not state.exists()
    text = locard("investigate", f"pid/{shop.pid}", "--dry-run").stdout
    for command in planned["commands"]:
        if command["argv"]:
            assert command["impact"] in {"reads", "samples"}
            assert command["bound_s"] > 0
            assert shlex.join(command["argv"]) in text
    ran = locard.json("investigate", f"pid/{shop.pid}")
    done = {tuple(r["argv"]) for e in ran["evidence"] for r in e["ran"]}
    would = {tuple(c["argv"]) for c in planned["commands"]}
    assert done <= would, "a command ran that the dry run had not shown"


def test_the_record_shows_each_command_before_it_ran(locard, shop, state):
    ran = locard.json("investigate", f"pid/{shop.pid}")
    with StateDirectory(state).open("last") as ledger:
        entries = list(ledger.entries())
    announced = [e.body["argv"] for e in entries if e.kind == "command"]
    assert sorted(announced) == sorted(r["argv"] for e in ran["evidence"] for r in e["ran"])
    kept = [e.seq for e in entries if e.kind == "evidence"]
    first = {tuple(e.body["argv"]): e.seq for e in reversed(entries) if e.kind == "command"}
    for seq, evidence in zip(kept, (e for e in entries if e.kind == "evidence"), strict=True):
        assert all(first[tuple(r["argv"])] < seq for r in evidence.body["ran"])
    assert entries[0].kind == "opened"
    assert entries[-1].kind == "closed"


def test_only_what_was_allowed_runs(locard, shop):
    document = locard.json("investigate", f"pid/{shop.pid}", "--allow", "reads")
    assert {r["impact"] for e in document["evidence"] for r in e["ran"]} <= {"reads", "samples"}
    refused = [r for e in document["evidence"] for r in e["ran"] if r["impact"] == "samples"]
    assert refused
    assert all("--allow samples" in r["problem"] and r["exit_code"] is None for r in refused)
    assert document["exit_code"] == 4


def test_reports_can_be_made_from_the_record(locard, shop, tmp_path):
    page = tmp_path / "r.html"
    done = locard("investigate", f"pid/{shop.pid}", "--html", page)
    assert done.returncode == 1, done.stderr
    assert "region=east" in done.stdout
    assert page.read_text().startswith("<!doctype html>")
    for form in ("markdown", "html", "json"):
        shown = locard("incident", "show", "-o", form)
        assert shown.returncode == 0
        assert "region" in shown.stdout


# What goes wrong, each with a clear word and what is left of the result.


def test_no_such_target(locard):
    done = locard("investigate", "pid/4194000")
    assert done.returncode == 3
    assert "no process 4194000" in done.stderr
    assert "next:" in done.stderr


def test_a_target_that_dies_in_the_middle(locard, shop):
    running = subprocess.Popen(
        locard.argv("investigate", f"pid/{shop.pid}", "-o", "json"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in running.stderr:
        if "e1 stored" in line:
            shop.kill()
            shop.wait()
            break
    out, _ = running.communicate(timeout=100)
    document = json.loads(out)
    assert running.returncode == document["exit_code"] == 4
    assert any("ended during the investigation" in p for p in document["partial"])
    assert document["onset"] is not None, "what was found before is kept"


def test_the_budget_runs_out(locard, shop):
    document = locard.json("investigate", f"pid/{shop.pid}", "--budget", "2.5s")
    assert document["exit_code"] == 4
    assert any("time budget" in p for p in document["partial"])
    runs = [p for layer in document["layers"] for p in layer["probes"]]
    assert any("time b" in p["why"] for p in runs), "cut short, or never begun"
    skipped = [p for p in runs if p["status"] == "skipped" and "budget" in p["why"]]
    assert all("--budget" in p["unlock"] for p in skipped)


def test_an_interrupt_keeps_what_there_is(locard, shop):
    running = subprocess.Popen(
        locard.argv("investigate", f"pid/{shop.pid}", "-o", "json"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in running.stderr:
        if "e1 stored" in line:
            running.send_signal(signal.SIGINT)
            break
    out, err = running.communicate(timeout=60)
    document = json.loads(out)
    assert document["exit_code"] == 4, err
    assert any("interrupted" in p for p in document["partial"])
    assert document["evidence"]


def test_an_unwritable_state_directory(locard, shop, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = locard("investigate", f"pid/{shop.pid}", "--state", blocked / "x")
    assert done.returncode == 3
    assert "cannot write the state directory" in done.stderr
    assert "--state" in done.stderr


@needs_root
def test_a_state_directory_that_fills_up(locard, shop, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        document = locard.json("investigate", f"pid/{shop.pid}", "--state", disk / "s")
        assert document["exit_code"] == 4
        assert any("not recorded" in p and "full" in p for p in document["partial"])
        assert document["findings"], "the answer is given all the same"
        assert document["head"] is None
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@needs_root
def test_without_root_it_says_which_capability_is_missing(locard, shop, tmp_path):
    """Another user's locard on root's process: runs what it still can."""
    shop.log.chmod(0o644)
    state = tmp_path / "theirs"
    state.mkdir()
    os.chown(state, 65534, 65534)
    # The interpreter may lie in root's home; reading it is all that the other user is given.
    nobody = ["setpriv", "--reuid", "65534", "--clear-groups",
              "--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]  # fmt: skip
    if subprocess.run([*nobody, "true"], capture_output=True, check=False).returncode:
        pytest.skip("setpriv cannot change the user here")
    metrics = f"http://127.0.0.1:{shop.line.strip()}/metrics"
    words = (
        "investigate",
        f"pid/{shop.pid}",
        "--logs",
        shop.log,
        "--metrics",
        metrics,
        "-o",
        "json",
    )
    done = subprocess.run(
        [*nobody, *locard.argv(*words)], capture_output=True, text=True, check=False,
        env={**os.environ, "LOCARD_STATE": str(state)},
    )  # fmt: skip
    assert "CAP_SYS_PTRACE" in done.stderr
    document = json.loads(done.stdout)
    assert document["onset"] is not None
    assert {s["layer"]: s["status"] for s in document["layers"]}["host"] in {"ran", "partial"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "Check that the service"),
        (random.Random(1).randbytes(50_000), "Point locard at"),
        (b"plain words, no structure\n" * 100, ""),
        (b'{"a":1}\n' * 100, ""),
    ],
    ids=["empty", "binary", "text", "no time"],
)
def test_logs_that_say_little(locard, shop, tmp_path, content, says):
    path = tmp_path / "odd.log"
    path.write_bytes(content)
    document = locard.json("investigate", f"pid/{shop.pid}", "--logs", path)
    logs = document["layers"][0]
    assert logs["status"] in {"ran", "partial", "no_data"}
    assert document["onset"] is None
    assert document["layers"][4]["status"] == "ran"
    assert says in json.dumps(logs)


ENDLESS = """
import sys
with open(sys.argv[1], "w") as f:
    while True:
        f.write('{"time":"2026-01-01T00:00:00Z","status":200}\\n')
"""


def test_an_endless_log_ends_with_its_time_box(locard, shop, tmp_path):
    pipe = tmp_path / "endless.log"
    os.mkfifo(pipe)
    writer = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(pipe)],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        document = locard.json("investigate", f"pid/{shop.pid}", "--logs", pipe, "--budget", "12s")
    finally:
        writer.kill()
        writer.wait()
    assert document["exit_code"] == 4
    assert document["layers"][0]["status"] == "no_data", "nothing of it could be read in time"


@pytest.mark.parametrize("name", ["none.log", "folder/none.log"])
def test_a_missing_log_ends_at_once(locard, shop, tmp_path, state, name):
    done = locard("investigate", f"pid/{shop.pid}", "--logs", tmp_path / name)
    assert done.returncode == 3
    assert "no such file or directory" in done.stderr
    assert "runs" not in done.stderr  # nothing was looked at
    assert not state.exists()


def test_a_log_that_vanishes_and_a_hanging_endpoint(locard, shop, tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as hanging:
        document = locard.json(
            "investigate", f"pid/{shop.pid}",
            "--logs", f"{tmp_path}/none*.log",  # a pattern may fit later: told as its evidence
            "--metrics", f"http://127.0.0.1:{hanging.getsockname()[1]}/metrics",
        )  # fmt: skip
    states = {s["layer"]: s for s in document["layers"]}
    assert states["logs"]["status"] == "no_data"
    assert states["metrics"]["status"] == "partial"
    assert "time bound" in json.dumps(states["metrics"])
    assert states["runtime"]["status"] == "ran"
    assert document["exit_code"] == 4


def test_logs_from_standard_input(locard, shop):
    document = locard.json(
        "investigate", f"pid/{shop.pid}", "--logs", "-", input=shop.log.read_text()
    )
    assert document["onset"] is not None


def test_the_target_is_unharmed_and_no_child_is_left(locard, shop):
    threads = sorted(p.name for p in Path(f"/proc/{shop.pid}/task").iterdir())
    fds = sorted(p.name for p in Path(f"/proc/{shop.pid}/fd").iterdir())
    mine = set(children_of(os.getpid()))  # sessions that other tests keep
    locard("investigate", f"pid/{shop.pid}")
    assert Path(f"/proc/{shop.pid}/stat").read_text().split()[2] in {"S", "R"}, "it was stopped"
    # The thread that answered the last GET may still be ending.
    wait_until(lambda: sorted(p.name for p in Path(f"/proc/{shop.pid}/task").iterdir()) == threads)
    wait_until(lambda: sorted(p.name for p in Path(f"/proc/{shop.pid}/fd").iterdir()) == fds)
    assert "TracerPid:\t0" in Path(f"/proc/{shop.pid}/status").read_text()
    left = set(children_of(os.getpid())) - mine
    assert not any("locard" in c for c in map(command_line, left))


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


KILLS = 52


def test_killed_at_any_point_nothing_that_was_said_is_lost(locard, shop, state):
    """Kills spread over the whole length of an investigation, a few investigations at a time."""
    began = time.monotonic()
    locard("investigate", f"pid/{shop.pid}", "-q")
    whole_s = time.monotonic() - began

    def one(n):
        # Several at once take longer than one alone.
        return kill_after(locard, shop, state, f"kill-{n}", 3 * whole_s * (n + 0.5) / KILLS)

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(one, range(KILLS)))
    assert is_alive(shop.pid)
    assert len({len(ids) for ids in said}) > 2, "the kills hit different moments"


def kill_after(locard, shop, state, incident, seconds):
    """Kill one investigation; returns the ids of the evidence that it had said to be stored."""
    running = subprocess.Popen(
        locard.argv("investigate", f"pid/{shop.pid}", "--incident", incident),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(seconds)  # the moment of the kill is what varies
    children = children_of(running.pid)
    children |= {c for child in children for c in children_of(child)}
    running.kill()
    said = re.findall(r" (e[0-9]+) stored", running.stderr.read())
    running.wait()
    running.stderr.close()
    for child in children:
        wait_until(lambda pid=child: not is_alive(pid))
    try:
        ledger = StateDirectory(state).open(incident)
    except StateError:  # killed before the file was a ledger: then nothing was said to be stored
        assert not said
        return said
    with ledger:
        ledger.verify()
        stored = {e.body["id"] for e in ledger.entries("evidence")}
    assert set(said) <= stored
    return said


@pytest.mark.parametrize("name", ["{}", "./{}", "*.log", "../{folder}/{}"])
def test_a_relative_log_is_read_from_the_folder_of_the_command(locard, tmp_path, name):
    log = tmp_path / "app.log"
    lines = (
        json.dumps(
            {"time": f"2025-11-22T12:{i // 60:02}:{i % 60:02}Z", "status": 200, "message": "x"}
        )
        for i in range(600)
    )
    log.write_text("\n".join(lines))
    given = name.format("app.log", folder=tmp_path.name)
    done = locard("investigate", "host/local", "--logs", given, "-o", "json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert next(s for s in found["layers"] if s["layer"] == "logs")["status"] == "ran"


@pytest.mark.parametrize("path", ["nowhere/page.html", "."])
def test_a_page_that_cannot_be_written_is_said_before_anything_runs(locard, tmp_path, path):
    done = locard("investigate", "host/local", "--html", path, cwd=tmp_path)
    assert done.returncode == 3
    assert f"cannot write {path}" in done.stderr
    assert " runs " not in done.stderr
    assert not locard.json("incident", "list")["incidents"]


def test_a_page_that_fails_at_the_end_does_not_cost_the_verdict(locard, tmp_path):
    done = locard("investigate", "host/local", "--html", "/dev/full")
    assert done.returncode == 3
    assert "cannot write /dev/full" in done.stderr
    assert done.stdout.startswith("host/local on ")
    assert "/dev/full" not in done.stdout
    written = locard("investigate", "host/local", "--html", str(tmp_path / "x.html"), "-q")
    assert written.returncode in {0, 1}
    assert (tmp_path / "x.html").read_text().startswith("<!")


@pytest.mark.parametrize("words", [["--html", "x.html"], ["-o", "markdown"]])
def test_a_plan_writes_no_report(locard, words):
    done = locard("investigate", "host/local", "--dry-run", *words)
    assert done.returncode == 2
    assert "do not go together" in done.stderr
