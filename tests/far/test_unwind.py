"""The unwinder on tables as compilers write them, on what is none, and on a stack that ends in the middle."""

from __future__ import annotations

import ast
import os
import random
import struct
import subprocess
from pathlib import Path

import pytest
from compiled_targets import compiled

from locard.far import symbols, unwind


@pytest.fixture(autouse=True)
def namespace(monkeypatch):
    """The parts run in one namespace at the place."""
    for name in ("Elf", "Mapping", "Symbols"):
        monkeypatch.setattr(unwind, name, getattr(symbols, name), raising=False)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="its tables are x86-64's")
def test_rules_agree_with_readelf_everywhere(tmp_path):
    """Every row of readelf's interpreted tables is what our rule says there."""
    code = "int f(int n) { char room[300]; room[n & 7] = n; return n < 2 ? n : f(n - 1) + f(n - 2) + room[1]; }"
    program = compiled(
        tmp_path, code + " int main(int c, char **v) { return f(c) + puts(v[0]); }", "-O2"
    )
    elf = symbols.Elf(os.open(program, os.O_RDONLY))
    tables = unwind.Tables(elf)
    said = subprocess.run(
        ["readelf", "--debug-dump=frames-interp", "-W", str(program)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    rows = 0
    for line in said.splitlines():
        words = line.split()
        if len(words) < 3 or len(words[0]) != 16 or "FDE" in words or "CIE" in words:
            continue
        try:
            address = int(words[0], 16)
        except ValueError:
            continue
        register, _, offset = words[1].partition("+")
        if register not in {"rsp", "rbp"}:
            continue
        rule = tables.rule(address)
        if rule is None:  # a row of a CIE
            continue
        rows += 1
        assert (rule.register, rule.offset) == ({"rsp": 7, "rbp": 6}[register], int(offset)), line
    assert rows > 10
    elf.close()


def test_numbers_of_variable_length():
    assert unwind.uleb(b"\xe5\x8e\x26", 0) == (624485, 3)
    assert unwind.sleb(b"\x9b\xf1\x59", 0) == (-624485, 3)
    assert unwind.sleb(b"\x7f", 0) == (-1, 1)


def test_rubbish_is_broken_and_never_more():
    """Whatever stands in a table, looking it up gives a rule, None, or Broken: nothing else, and it ends."""
    draw = random.Random(4)
    common = {"factor": 1, "step": -8, "encoding": 0x1B, "augmented": True, "signal": False}
    for _ in range(3000):
        code = bytes(draw.randrange(256) for _ in range(draw.randrange(40)))
        run = unwind.Run(common, unwind.Rule())
        try:
            run.go(code, 0, 10)
            piece = unwind.Piece({7: 64}, 64, bytes(64))
            piece.value(code, 3)
        except (unwind.Broken, IndexError, struct.error, OverflowError):
            pass


class OnePage:
    """A process with one mapping of code that was made at run time."""

    def __init__(self):
        self.maps = [symbols.Mapping("1000-2000 r-xp 00000000 00:00 0 \n")]

    def mapping(self, address):
        return self.maps[0] if 0x1000 <= address < 0x2000 else None

    def elf(self, _mapping):
        return None


def test_frame_pointers_are_followed_where_there_is_no_table_and_the_end_of_the_piece_is_the_end():
    stack = bytearray(64)
    struct.pack_into(
        "<QQ", stack, 16, 0x8040, 0x1500
    )  # the caller's frame pointer, the return address
    walker = unwind.Unwinder(OnePage())
    registers = {unwind.PC: 0x1100, unwind.SP: 0x8000, unwind.BP: 0x8010}
    assert walker.walk(registers, 0x8000, bytes(stack)) == [0x1100, 0x1500]
    assert (walker.whole, walker.cut) == (0, 1)


def test_it_runs_on_python_3_6():
    for name in (
        "far/unwind.py",
        "kernel/_stacks_far.py",
        "kernel/_functions_far.py",
        "kernel/_attacher_far.py",
        "far/red_zone.py",
    ):
        source = Path(unwind.__file__).parent.parent / name
        ast.parse(source.read_text("utf-8"), feature_version=(3, 6))
