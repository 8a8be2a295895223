"""The compiled objects: one for each machine, the same programs and maps in both, opened by libbpf."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

import locard.far
import locard.kernel.programs
from locard.far import ebpf

_FOLDER = Path(locard.kernel.programs.__path__[0])
_SOURCES = sorted(p.name.removesuffix(".bpf.c") for p in _FOLDER.glob("*.bpf.c"))
_MACHINES = ("x86_64", "aarch64")
_FUNCTION = 12  # BTF_KIND_FUNC
_EBPF = 247


@pytest.fixture
def library(monkeypatch):
    folders = map(Path, locard.far.__path__)
    found = next(
        (p for f in folders if (p := f / f"libfar.{os.uname().machine}.so").exists()), None
    )
    if found is None:
        pytest.skip("this build has no C library for eBPF")
    fd = os.open(found, os.O_RDONLY)
    monkeypatch.setattr(ebpf, "PARTS", {"library": fd}, raising=False)
    yield
    os.close(fd)


def _path(name: str, machine: str) -> Path:
    return _FOLDER / "objects" / machine / f"{name}.o"


class Opened:
    """What libbpf finds in an object: programs by name, maps by name with their sizes, types of results."""

    def __init__(self, name: str, machine: str):
        fd = os.open(_path(name, machine), os.O_RDONLY)
        ebpf.PARTS["object"] = fd
        obj = ebpf.Object("object")
        os.close(fd)
        types = obj.types
        named = {t[1] for t in types.types if t and t[0] == _FUNCTION}
        self.programs = {n for n in named if not obj.c.far_leave_out(obj.handle, n.encode())}
        self.maps = {}
        for label in types.named:
            sizes = (ctypes.c_uint32 * 4)()
            of = label.removeprefix("var ").encode()
            if not obj.c.far_map_sizes(obj.handle, of, sizes):
                self.maps[label] = list(sizes)
        self.results = {
            label: _layout(types, types.pointed(label.removeprefix("var ")))
            for label in types.named
            if label.startswith("var ") and label.endswith(("_event", "_row"))
        }
        obj.c.far_close(obj.handle)


def _layout(types, number):
    """The fields of a struct with their offsets, those of structs in it too."""
    return [
        (offset, label, types.width(kind), _layout(types, types.plain(kind)))
        if types.types[types.plain(kind)][0] == ebpf.STRUCT
        else (offset, label, types.width(kind))
        for offset, (kind, label, _) in types.members(number)
    ]


@pytest.mark.parametrize("name", _SOURCES)
def test_there_is_an_object_for_each_machine(name):
    for machine in _MACHINES:
        head = _path(name, machine).read_bytes()[:20]
        assert head[:4] == b"\x7fELF"
        assert int.from_bytes(head[18:20], "little") == _EBPF


def test_no_object_is_without_its_source():
    for machine in _MACHINES:
        found = {p.name.removesuffix(".o") for p in (_FOLDER / "objects" / machine).iterdir()}
        assert found == set(_SOURCES)


@pytest.mark.parametrize("name", _SOURCES)
def test_both_machines_have_the_same_programs_maps_and_results(name, library):
    here, there = (Opened(name, machine) for machine in _MACHINES)
    assert here.programs
    assert here.maps
    assert there.programs == here.programs
    assert there.maps == here.maps
    assert there.results == here.results
    if "var threads" in here.maps and "mark" in here.programs:
        assert "follow" in here.programs


def test_objects_that_differ_are_told_apart(library):
    """The comparison sees what it compares."""
    opens, exec_ = (Opened(name, "aarch64") for name in ("opens", "exec"))
    assert opens.programs != exec_.programs
    assert opens.maps != exec_.maps
    assert opens.results != exec_.results


def test_the_machines_differ_where_they_have_to(library):
    """An object for the other machine is no copy: registers lie elsewhere."""
    same = [
        n for n in _SOURCES if _path(n, "x86_64").read_bytes() == _path(n, "aarch64").read_bytes()
    ]
    assert "syscalls" not in same
    assert "libcalls" not in same
    assert "waits" not in same
