"""Inventories that only Ansible reads: by its own program, which is a script here."""

from __future__ import annotations

import os

import pytest

from locard.investigate import inventory
from shell_hosts import make_ssh


@pytest.fixture
def env(tmp_path):
    program = tmp_path / "ansible-inventory"
    program.write_text(
        '#!/bin/sh\ncase "$2" in *broken*) echo "ERROR! no inventory" >&2; exit 1;; esac\n'
        'echo \'{"_meta": {"hostvars": {"web-1": {}, "web-2": {}}}}\'\n'
    )
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "LOCARD_SSH": str(make_ssh(tmp_path))}


def test_what_only_ansible_reads(tmp_path):
    (tmp_path / "hosts.yml").write_text("all:\n")
    (tmp_path / "hosts.ini").write_text("web-1\n")
    assert inventory.is_one(str(tmp_path / "hosts.yml"))
    assert inventory.is_one(str(tmp_path))
    assert not inventory.is_one(str(tmp_path / "hosts.ini"))
    assert not inventory.is_one("web-1,web-2")


def test_its_hosts_are_asked(locard, tmp_path, env):
    (tmp_path / "hosts.yml").write_text("all:\n")
    document = locard.json("host", "--hosts", tmp_path / "hosts.yml", "-q", env=env)
    assert {m["ref"] for m in document["members"]} == {"host/web-1", "host/web-2"}


def test_its_complaint_is_said(locard, tmp_path, env):
    (tmp_path / "broken.yml").write_text("all:\n")
    done = locard("host", "--hosts", tmp_path / "broken.yml", env=env)
    assert done.returncode == 2
    assert "no inventory" in done.stderr
