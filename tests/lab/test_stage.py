"""The harness: nothing gives the answer away, and nothing stays behind."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from locard import catalogue
from locard.lab import processes
from locard.lab.errors import LabError
from locard.lab.play import Casting, draw
from locard.lab.stage import Stage

SOURCE = Path(catalogue.__file__).parents[1]
NAMES = [e.name for e in catalogue.entries("scenario")]
WORDS = [
    "(?<!de)fault",
    "near.miss",
    "scenario",
    "contention",
    "degrad",
    "chaos",
    "inject",
    "victim",
]
HINTS = re.compile(
    "|".join([*(name.replace("-", "[-_. ]?") for name in NAMES), *WORDS]), re.IGNORECASE
)


def hints(text):
    """The telling words in a text, the interpreter's own path aside."""
    return HINTS.findall(text.replace(sys.prefix, "").replace(sys.base_prefix, ""))


def gone(pids, sessions):
    """Wait until none of these processes is left."""
    deadline = time.monotonic() + 20
    while any(processes.running(pid, sessions) for pid in pids):
        assert time.monotonic() < deadline, "a process outlived the lab"
        time.sleep(0.02)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_can_be_seen_names_the_answer(faulty, name):
    seen = faulty[name]
    assert len(seen.cmdlines) > 6
    assert not hints("\n".join(seen.cmdlines))
    assert not hints("\n".join(seen.environments))
    assert not hints("\n".join(seen.paths))
    assert not hints(seen.log)
    assert not hints(seen.metrics)
    assert not hints("\n".join(d for dumps in seen.dumps for d in dumps))


def test_the_programs_sources_name_no_answer():
    for path in (SOURCE / "locard" / "lab" / "programs").rglob("*.py"):
        assert not hints(path.read_text()), path


@pytest.mark.parametrize("name", NAMES)
def test_all_is_gone_afterwards(faulty, name):
    seen = faulty[name]
    assert not [pid for pid in seen.pids if processes.running(pid, seen.sessions)]
    assert not seen.root.exists()


def test_the_log_is_json_with_the_start_up_lines_of_life(faulty):
    lines = faulty["upstream-slow"].log.splitlines()
    plain = [line for line in lines if not line.startswith("{")]
    assert any("Starting gunicorn" in line for line in plain)
    requests = [r for r in map(json.loads, set(lines) - set(plain)) if "status" in r]
    assert len(requests) > 300
    for record in requests:
        assert record["time"].endswith("Z")
        assert {"level", "service", "instance", "trace_id", "path", "duration_ms"} <= set(record)
    assert len({r["pid"] for r in requests}) >= 2, "every worker takes requests"
    assert {r["status"] for r in requests if r["level"] == "error"} <= {502, 504}


def test_the_metrics_are_those_of_all_workers(faulty):
    seen = faulty["upstream-slow"]
    counted = sum(
        float(line.split()[-1])
        for line in seen.metrics.splitlines()
        if line.startswith("http_requests_total")
    )
    logged = seen.log.count('"status":')
    assert counted == pytest.approx(logged, rel=0.05)
    assert seen.metrics.count("process_open_fds{") == seen.scene.service.workers
    for upstream in seen.scene.service.upstreams:
        assert f'server_address="{upstream.name}"' in seen.metrics


@pytest.mark.parametrize("name", NAMES)
def test_no_request_is_missing_from_the_records_however_slow(faulty, name):
    """The last ones were still under way when the arrivals ended."""
    assert max(r.due for r in faulty[name].requests) > faulty[name].ended - 1


@pytest.mark.parametrize("name", NAMES)
def test_requests_start_when_they_are_due(faulty, name):
    seen = faulty[name]
    late = sorted(r.started - r.due for r in seen.requests)
    assert late[len(late) // 2] < 0.05
    rate = len(seen.requests) / (seen.ended - seen.began)
    assert rate == pytest.approx(seen.scene.load.rate_per_s, rel=0.25)


PARENT = """
import sys, time
from locard.lab.play import Casting, draw
from locard.lab.stage import Stage
scene = draw(Casting("upstream-slow", 3))
with Stage(scene.service, scene.load, 1) as stage:
    stage.start_traffic()
    print(stage.root, *stage.pids, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_all_is_gone_when_the_lab_is_killed(how, tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        root, *numbers = parent.stdout.readline().split()
        pids = [int(n) for n in numbers]
        sessions = {os.getsid(pid) for pid in pids}
        assert len(pids) >= 8
        parent.send_signal(how)
        parent.wait()
        gone(pids, sessions)
    assert Path(root).exists() == (how is signal.SIGKILL)


def test_a_process_that_dies_ends_the_wait_with_its_name():
    scene = draw(Casting("upstream-slow", 3))
    with Stage(scene.service, scene.load, 1, keep=False) as stage:
        os.kill(stage.master, signal.SIGKILL)
        with pytest.raises(LabError, match="payment-service ended with exit code -9"):
            stage.wait(20)


def test_a_missing_gunicorn_is_said():
    """With -S the interpreter sees no installed package: gunicorn is really missing.

    The command to install it is there to be pasted: one line, however narrow the screen is.
    """
    program = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r}); from locard.cli.main import main;"
        "sys.exit(main(['demo', 'upstream-slow']))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "40"},
    )  # fmt: skip
    assert done.returncode == 3
    assert "gunicorn is not installed" in " ".join(done.stderr.split())
    pasted = f"{shlex.quote(sys.executable)} -m pip install 'locard[lab]'"
    assert pasted in [line.strip() for line in done.stderr.splitlines()]
    assert "Traceback" not in done.stderr
