"""The server and its readers on each Python that this machine has, from 3.6 on."""

import os

import pytest

from locard.catalogue import entries
from locard.guard.command import Impact
from locard.guard.gate import Gate
from locard.investigate import ground_probes
from locard.model.place import Place
from locard.transport import bootstrap, session, ssh
from support import interpreters

VALUES = {"root": (), "log": (), "rounds": "2", "pause": "0.01"}


def readers():
    """Every program of ours that reads beside a target, with the template that starts it."""
    every = [ground_probes.PROCESS_TABLE, ground_probes.LOOK_AROUND]
    every += [
        t
        for e in entries("probe")
        for t in e.load().COMMANDS
        if t.program and t.impact <= Impact.SAMPLES
    ]
    return {t.program: t for t in every}


@pytest.mark.parametrize("version", list(interpreters()))
def test_what_is_sent_runs_on_it(version):
    path = interpreters()[version]
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
