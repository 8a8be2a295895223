"""The generic reader of eBPF programs: paths, socket ends, sparse lists, and tables read piece by piece."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
from pathlib import Path

import pytest
from observing_support import observing, readers, skip_if_refused, working

from locard.kernel.probes import libcalls, syscalls, waits
from locard.kernel.programs import opens
from support import needs_root, wait_until

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


class Table:
    """What the reader needs of an object: the entries of one map."""

    def __init__(self, size):
        self.size = size

    def entries(self, _name):
        return (({"a": n}, {"count": n}) for n in range(self.size))


@pytest.mark.parametrize(("size", "cut"), [(5, False), (6, True)])
def test_a_table_is_cut_only_where_something_was_left(observe, monkeypatch, size, cut):
    said = []
    monkeypatch.setattr(observe, "MOST_ROWS", 5)
    monkeypatch.setattr(observe, "emit", said.append)
    observe.tell_map(Table(size), "opens")
    assert sum(len(row.get("rows", ())) for row in said if "map" in row) == 5
    assert [row for row in said if "cut" in row] == ([{"cut": "opens", "rows": 5}] if cut else [])


def test_sums_over_cpus_keep_the_ends():
    spec = importlib.util.spec_from_file_location("ebpf", FAR / "ebpf.py")
    ebpf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ebpf)
    values = [
        {"count": 1, "max_ns": 7, "min_ns": 3, "slots": [1, 0]},
        {"count": 2, "max_ns": 5, "min_ns": 4, "slots": [0, 1]},
    ]
    assert ebpf.summed(values) == {"count": 3, "max_ns": 7, "min_ns": 3, "slots": [1, 1]}


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


_DAEMON = """
ready()
if os.fork(): sys.exit()
os.setsid()
if os.fork(): os._exit(0)
ready(os.getpid())
for _ in range(300):
    os.close(os.open("/etc/hostname", os.O_RDONLY))
print("worked", flush=True)
"""
_LONG_GONE = "ready(); tell(worked=1)"


def _daemon_of(probe, **asked):
    """Observe a target that leaves a daemon, which works when its parents have ended; the fact, the daemon's pid."""
    with working(_DAEMON) as target, observing(probe, target.pid, **asked) as seen:
        daemon = int(target.go())
        wait_until(lambda: any(_waits_for(reader, daemon) for reader in readers()))
        target.go()
    return seen.fact, daemon


def _waits_for(reader, pid):
    """Whether a process holds a descriptor of another one, by which it waits for its end."""
    with contextlib.suppress(OSError):
        every = [i.read_text() for i in Path(f"/proc/{reader}/fdinfo").iterdir()]
        return any(f"Pid:\t{pid}\n" in text for text in every)
    return False


@needs_root
@pytest.mark.parametrize("probe", [opens, syscalls])
def test_a_daemon_is_looked_at_when_who_began_it_has_ended(probe):
    fact, daemon = _daemon_of(probe, max_overhead=1000.0)
    skip_if_refused(fact)
    rows = fact.calls if probe is syscalls else fact.rows
    assert sum(r.count for r in rows if r.what in {"openat", "/etc/hostname"}) >= 300
    assert "what it had begun was looked at on: 1 process" in fact.observed.ended
    assert str(daemon) in fact.observed.ended
    assert fact.observed.ended.endswith("the target ended")


@needs_root
def test_who_has_no_descendant_ends_at_once():
    with working(_LONG_GONE) as target:
        with observing(opens, target.pid, max_overhead=1000.0) as seen:
            target.go()
        assert seen.trace.observed.ended == "the target ended"
        assert not seen.trace.observed.blind


@needs_root
@pytest.mark.parametrize("probe", [waits, libcalls])
def test_a_daemon_that_cannot_be_followed_is_named(probe):
    with working(_DAEMON) as target:
        with observing(probe, target.pid) as seen:
            daemon = int(target.go())
        skip_if_refused(seen.fact)
        target.go()
    assert seen.fact.observed.ended == "the target ended"
    assert f"were not looked at: pid/{daemon}" in str(seen.fact.observed.blind).replace(
        "was not", "were not"
    )
