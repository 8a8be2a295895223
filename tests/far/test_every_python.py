"""The server and its readers on each Python that this machine has, from 3.6 on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from locard.catalogue import entries
from locard.guard.command import Impact
from locard.guard.gate import Gate
from locard.investigate import ground_probes
from locard.model.place import Place
from locard.transport import bootstrap, session, ssh

VALUES = {"root": (), "log": (), "rounds": "2", "pause": "0.01"}


def pythons():
    """The interpreters of other versions: on PATH, and where pyenv keeps them."""
    found = {}
    kept = [str(p) for p in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))]
    for path in (*(shutil.which(f"python3.{n}") for n in range(6, 16)), *kept):
        if path is None:
            continue
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=False
        ).stdout
        version = ".".join(said.removeprefix("Python ").split(".")[:2])
        if said.startswith("Python 3"):
            found.setdefault(version, path)
    return found or {".".join(map(str, sys.version_info[:2])): sys.executable}


def readers():
    """Every program of ours that reads beside a target, with the template that starts it."""
    every = [ground_probes.PROCESS_TABLE, ground_probes.LOOK_AROUND]
    every += [t for e in entries("probe") for t in e.load().COMMANDS if t.program]
    return {t.program: t for t in every}


@pytest.mark.parametrize("version", list(pythons()))
def test_what_is_sent_runs_on_it(version):
    path = pythons()[version]
    nonce = bootstrap.new_nonce()
    there = session.Session(
        Place("host/other", "ssh"),
        bootstrap.python_argv(nonce, path),
        nonce,
        explain=ssh.explain,
        environment=dict(os.environ),
    ).open()
    assert there.ground.python.startswith(f"{version}.")
    ran = 0
    for program, template in readers().items():
        text = " ".join(template.argv)
        given = {"pid": (os.getpid(),), **VALUES}
        values = {name: value for name, value in given.items() if f"{{{name}:" in text}
        if text.count("{") != len(values):
            continue  # asks for what this test has not
        gate = Gate({"p": (template,)}, Impact.SAMPLES, cap=Impact.INJECTS, why="")
        output = there.run(gate.admit("p", template.fill(**values)), 20.0)
        assert (program, output.exit_code, output.stderr) == (program, 0, b"")
        assert output.stdout
        ran += 1
    there.close()
    assert ran >= 4
