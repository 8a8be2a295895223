"""A real docker: LOCARD_DOCKER names an image with a shell (DOCKER_HOST says where, as ever)."""

from __future__ import annotations

import os
import subprocess

import pytest

from support import wait_until

IMAGE = os.environ.get("LOCARD_DOCKER", "")
pytestmark = pytest.mark.skipif(not IMAGE, reason="no docker: LOCARD_DOCKER names no image")

TALK = """while :; do i=0; while [ $i -lt 200 ]; do i=$((i+1))
echo '{"status":200,"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}'; done; sleep 0.2; done"""


def docker(*words):
    return subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=True, timeout=60
    ).stdout


@pytest.fixture
def container():
    """Start one with a script and options; removed at the end."""
    names = []

    def run(script, *options):
        name = f"locard-{os.getpid()}-{len(names)}"
        names.append(name)
        docker(
            "run", "-d", "--network", "none", "--name", name, *options, IMAGE, "sh", "-c", script
        )
        return name

    yield run
    for name in names:
        subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False, timeout=60)


def beginning(locard, name):
    (one,) = locard.json("logs", f"container/{name}", "--no-keep")["log_summary"]["beginnings"]
    return one


def first_line(name):
    return docker("logs", "--timestamps", name).partition(" ")[0]


@pytest.mark.parametrize(
    ("driver", "kept"),
    [("json-file", "docker keeps 2 files of 40k of it"), ("local", "docker keeps 2 files of 40k")],
)
def test_a_log_that_docker_rotates(container, locard, driver, kept):
    rotates = ("--log-opt", "max-size=40k", "--log-opt", "max-file=2")
    name = container(TALK, "--log-driver", driver, *rotates)
    wait_until(lambda: first_line(name), 30)
    begun = first_line(name)
    wait_until(lambda: first_line(name) > begun, 60)
    wait_until(lambda: beginning(locard, name)["kind"] == "may-be-rotated", 30)
    one = beginning(locard, name)
    assert one["detail"].startswith(kept)
    assert one["at"] > one["began"]
    assert any("its first line was written at" in e for e in one["evidence"])


def test_a_log_that_is_whole_begins_with_its_container_and_ends_with_it(container, locard):
    name = container("echo '{\"status\":200}'; sleep 1; echo '{\"status\":503}'")
    wait_until(lambda: "exited" in docker("inspect", "--format", "{{.State.Status}}", name), 30)
    one = beginning(locard, name)
    assert one["kind"] == "started"
    assert one["ended"] >= one["at"]
    docker("start", name)
    wait_until(lambda: docker("logs", name).count("200") == 2, 30)
    again = beginning(locard, name)  # docker goes on with the same log
    assert (again["kind"], again["at"]) == ("started", one["at"])
