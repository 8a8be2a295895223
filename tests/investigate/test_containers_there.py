"""Targets in real containers, from beside them and from inside, as a user asks for them."""

import json
import os

import pytest


@pytest.fixture(scope="module")
def boxes(containers):
    sleeps = ("/usr/bin/python3", "-c", "import time; time.sleep(1e6)")
    containers.with_python("serves", "--read-only", "--user", "1000", command=sleeps)
    containers.run("tools", "busybox", "--read-only")
    containers.run("bare-bone", "distroless")
    containers.run("over", "busybox", command=("/bin/sh", "-c", "exit 3"))
    return containers


@pytest.fixture
def ask(boxes, locard):
    env = {**os.environ, "PATH": f"{boxes.client.parent}:{os.environ['PATH']}"}
    return lambda *words: locard("host", *words, env=env)


@pytest.mark.parametrize("name", ["serves", "tools", "bare-bone"])
def test_from_beside_every_container_that_runs_is_one_process(ask, name):
    done = ask(f"container/{name}", "-o", "json")
    found = json.loads(done.stdout)
    assert [p["comm"] for p in found["target"]["processes"]] in (["python3"], ["sleep"])
    assert done.returncode in (0, 1)


@pytest.mark.parametrize("name", ["serves", "tools"])
def test_from_inside_what_looks_is_not_taken_for_the_target(ask, name):
    found = json.loads(ask("pid/1", "--on", f"container/{name}", "-o", "json").stdout)
    assert len(found["target"]["processes"]) == 1
    assert not [e for e in found["evidence"] if "began" in json.dumps(e.get("headline", ""))]


def test_from_inside_a_container_without_a_shell_one_is_sent_beside_it(ask):
    done = ask("pid/1", "--on", "container/bare-bone")
    assert done.returncode == 3
    assert "neither a shell nor a python3" in done.stderr
    assert "container:bare-bone" in done.stderr


def test_one_that_has_ended_says_how(ask):
    done = ask("container/over")
    assert done.returncode == 3
    assert "exit code 3" in done.stderr
    assert "is not running" in ask("pid/1", "--on", "container/over").stderr


def test_a_log_is_read_where_there_is_no_python(boxes, locard):
    loop = 'i=0; while [ $i -lt 50 ]; do i=$((i+1)); echo "2026-11-27T10:00:00Z INFO line $i"; done >/tmp/app.log; exec sleep 100000'
    boxes.run("logs", "busybox", "--tmpfs", "/tmp:rw,mode=1777", command=("/bin/sh", "-c", loop))
    env = {**os.environ, "PATH": f"{boxes.client.parent}:{os.environ['PATH']}"}
    found = locard.json("logs", "/tmp/app.log", "--on", "container/logs", env=env)
    assert found["log_summary"]["records"] == 50
    several = locard("logs", "/tmp/*.log", "--on", "container/logs", env=env)
    assert several.returncode == 3
    assert "no python3" in several.stderr
