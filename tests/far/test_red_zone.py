"""Probes inside functions: the trial on this kernel, what is concluded of it both ways, and the refusal that follows."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path

import pytest

import locard.far
from locard.far import ebpf, red_zone
from locard.guard.command import Impact
from locard.guard.gate import Gate
from locard.kernel import probe_safety
from locard.model.evidence import Output
from locard.model.place import HERE
from locard.transport.reach import open_session


def tried():
    gate = Gate({"probe": (probe_safety.COMMAND,)}, Impact.READS, cap=Impact.INJECTS, why="")
    with contextlib.closing(open_session(HERE, lend_stdin=True).open()) as session:
        command = probe_safety.COMMAND.fill()
        return session.run(gate.admit("probe", command), command.bound_s)


def test_the_trial_here_says_what_it_saw():
    output = tried()
    row = json.loads(output.text)
    if not isinstance(row["entry"], dict):
        pytest.skip(f"probes cannot be tried here: {row}")
    assert row["entry"]["spoilt"] == 0, "at an entry nothing can be spoilt: the control passes"
    assert row["entry"]["hits"] == row["entry"]["tries"] == 1000
    assert row["inside"]["hits"] == 1000
    assert row["inside"]["after"] == 0
    found = probe_safety.read(output)
    assert found.safe is (row["inside"]["spoilt"] == 0)
    if not found.safe:
        assert row["inside"]["spoilt"] > 900, "from the second hit on"
        assert "overwrite" in found.words


class Library:
    """A C library whose trial comes out as asked."""

    def __init__(self, result, **counts):
        self.result, self.counts = result, counts

    def far_red_zone(self, entry, into):
        assert entry == 0
        for name, value in self.counts.items():
            setattr(into._obj, name, value)
        return self.result

    def far_attach_usdt(self, *_):
        return 0


@pytest.mark.parametrize(
    ("library", "words"),
    [
        (Library(0, tries=1000, hits=1000), ""),
        (Library(-errno.EOPNOTSUPP), ""),
        (Library(0, tries=1000, hits=1000, spoilt=999), "999 of 1000"),
        (Library(0, tries=1000, hits=3), "hit 3 times"),
        (Library(-errno.EACCES), "could not be tried"),
    ],
)
def test_only_a_trial_without_harm_lets_a_site_inside_be_attached_to(library, words):
    assert words in ebpf.inside_spoils(library)
    assert bool(ebpf.inside_spoils(library)) is bool(words)
    obj = ebpf.Object.__new__(ebpf.Object)
    obj.c, obj.spoils, obj.handle = library, None, None
    obj.said = lambda: ""
    if not words:
        obj.attach_usdt("p", 1, "/bin/x", "python", "gc__start")
        return
    with pytest.raises(ebpf.Refused, match=r"python:gc__start"):
        obj.attach_usdt("p", 1, "/bin/x", "python", "gc__start")


@pytest.mark.parametrize(
    ("row", "safe"),
    [
        (
            {"spoils": "", "inside": {"tries": 9, "spoilt": 0, "hits": 9, "after": 0}, "entry": 1},
            True,
        ),
        ({"spoils": "", "inside": errno.EOPNOTSUPP, "entry": errno.EOPNOTSUPP}, True),
        ({"spoils": "x", "inside": {"tries": 9, "spoilt": 8, "hits": 9, "after": 0}}, False),
        ({"spoils": "not permitted", "inside": 13, "entry": 13}, None),
        ([], None),
        ("", None),
    ],
)
def test_what_could_not_be_tried_is_not_safe(row, safe):
    assert probe_safety.read(Output(("python3",), json.dumps(row).encode())).safe is safe


def test_it_runs_in_this_process_too(capsys, monkeypatch):
    found = Path(locard.far.__path__[0])
    libraries = [p / f"libfar.{os.uname().machine}.so" for p in map(Path, locard.far.__path__)]
    library = next((p for p in libraries if p.exists()), None)
    if library is None:
        pytest.skip(f"no library in {found}")
    fd = os.open(library, os.O_RDONLY)
    monkeypatch.setattr(ebpf, "PARTS", {"library": fd}, raising=False)
    for name in ("RedZone", "Refused", "inside_spoils", "library"):
        monkeypatch.setattr(red_zone, name, getattr(ebpf, name), raising=False)
    assert red_zone.main() == 0
    assert "spoils" in json.loads(capsys.readouterr().out)
    os.close(fd)
