"""Addresses of a process to names: functions, data, zeroed data, of programs and of libraries."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from compiled_targets import compiled, running

from support import needs_root

FAR = Path(__file__).parents[2] / "src" / "locard" / "far"
_SOURCE = """
int counter = 5;
pthread_mutex_t table_lock;
static char unnamed[64];
void work(void) { counter++; }
int main(void) { printf("%p %p %p %p\\n", (void *)work, (void *)&counter, (void *)&table_lock, (void *)printf);
  fflush(stdout); ready(); return unnamed[0]; }
"""


@pytest.fixture(scope="module")
def symbols():
    spec = importlib.util.spec_from_file_location("symbols", FAR / "symbols.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_root
@pytest.mark.parametrize("flags", [("-pie", "-fPIE"), ("-no-pie",)])
def test_functions_data_and_zeroed_data_have_their_names(symbols, tmp_path, flags):
    with running(compiled(tmp_path, _SOURCE, *flags)) as target:
        work, counter, table_lock, _ = (int(w, 16) for w in target.line.split())
        found = symbols.Symbols(target.pid)
        assert found.name(work)["symbol"] == "work"
        assert found.name(counter)["symbol"] == "counter"
        assert found.name(table_lock + 8) == {
            "file": found.name(table_lock)["file"], "symbol": "table_lock", "offset": 8,
        }  # fmt: skip
        assert found.name(1) == {}
        found.close()


def test_what_is_no_elf_file_is_refused(symbols, tmp_path):
    import os

    path = tmp_path / "x"
    path.write_bytes(b"#!/bin/sh\n" + bytes(100))
    fd = os.open(path, os.O_RDONLY)
    with pytest.raises(ValueError, match="no 64-bit ELF"):
        symbols.Elf(fd)
    os.close(fd)
