"""The generic reader of eBPF programs: paths, socket ends, sparse lists, and tables read piece by piece."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest
from observing_support import observing, working

from locard.kernel.probes import syscalls
from support import needs_root

FAR = Path(__file__).parents[2] / "src" / "locard" / "far"


@pytest.fixture(scope="module")
def observe():
    spec = importlib.util.spec_from_file_location("observe", FAR / "observe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_names_from_the_innermost_out_become_a_path(observe):
    names = {"size": 12, "cut": 0, "text": b"a.txt\0srv\0/\0" + bytes(20)}
    assert observe.path_of(names) == "/srv/a.txt"
    assert observe.path_of(dict(names, cut=1)) == "…/srv/a.txt"
    assert observe.path_of({"size": 0, "cut": 0, "text": b"junk"}) == "/"


def test_socket_ends_in_words_v4_mapped_ones_as_v4(observe):
    ends = {
        "family": int(socket.AF_INET6), "protocol": 6, "local_port": 80, "far_port": 4000,
        "local": bytes(10) + b"\xff\xff" + bytes([127, 0, 0, 2]), "far": bytes(15) + b"\1",
    }  # fmt: skip
    assert observe.plain({"ends": ends}) == {
        "ends": {
            "family": int(socket.AF_INET6),
            "protocol": 6,
            "local": "127.0.0.2:80",
            "far": "[::1]:4000",
        }
    }


def test_long_lists_are_told_by_what_is_not_zero_and_back(observe):
    assert observe.plain([0] * 16 + [7]) == {"16": 7}
    assert observe.plain([1, 2]) == [1, 2]
    assert observe.bytes_of({"0": 3, "17": 1}) == bytes([3]) + bytes(16) + bytes([1])


_MANY = """
ready()
for number in range(3000):
    fd = os.open(sys.argv[1] + "/" + str(number), os.O_CREAT | os.O_RDWR); os.write(fd, b"x"); os.close(fd)
tell(files=3000)
"""


@needs_root
def test_a_table_that_is_larger_than_one_piece_is_read_whole(tmp_path):
    """3,000 entries with a histogram each, per CPU, are more than 4 MiB."""
    with working(_MANY, tmp_path) as target:
        with observing(syscalls, target.pid, for_s=60.0, max_overhead=1000.0) as seen:
            target.go()
        seen.calls  # noqa: B018 - skips where eBPF is refused
    from locard.kernel import _observing

    rows = _observing.told(seen.outputs[0]).map("descriptors")
    writes = [r for r in rows if r["number"] in (1, 64) and r["bytes"] == 1]
    assert len(writes) == 3000
