"""Profiles as pprof reads them: decoded here by the wire format, and by `go tool pprof` where Go is."""

from __future__ import annotations

import gzip
import shutil
import subprocess

import pytest

from locard.model.kernel_facts import CountedStack
from locard.report import pprof

STACKS = (
    CountedStack(("<module> (app/a.py:300)", "pay (app/shop.py:7)"), 30, "samples", "web", pid=7),
    CountedStack(("<module> (app/a.py:300)", "pay (app/shop.py:9)"), 10, "samples", "web", pid=7),
    CountedStack(("_start", "read_[k]"), 200, "samples", "io", pid=300),
)


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """(field, value) of a message; what has a length as bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        value, at = varint(data, at)
        if key & 7 == 2:
            value, at = data[at : at + value], at + value
        yield key >> 3, value


def packed(data):
    at, found = 0, []
    while at < len(data):
        value, at = varint(data, at)
        found.append(value)
    return found


def test_what_is_encoded_is_what_was_counted():
    whole = list(fields(gzip.decompress(pprof.encoded(STACKS, 2.5))))
    texts = [v.decode() for f, v in whole if f == 6]
    assert texts[0] == ""
    functions = {
        d[1]: (texts[d[2]], texts[d.get(4, 0)])
        for d in (dict(fields(v)) for f, v in whole if f == 5)
    }
    places = {}
    for _, value in (p for p in whole if p[0] == 4):
        location = dict(fields(value))
        line = dict(fields(location[4]))
        places[location[1]] = (*functions[line[1]], line.get(2, 0))
    found = []
    for _, value in (p for p in whole if p[0] == 2):
        sample = dict(fields(value))
        labels = [dict(fields(v)) for f, v in fields(value) if f == 3]
        found.append((
            [places[k] for k in packed(sample[1])], packed(sample[2]),
            {texts[d[1]]: texts[d[2]] if 2 in d else d[3] for d in labels},
        ))  # fmt: skip
    assert found == [
        ([("pay", "app/shop.py", 7), ("<module>", "app/a.py", 300)], [30], {"thread": "web", "pid": 7}),
        ([("pay", "app/shop.py", 9), ("<module>", "app/a.py", 300)], [10], {"thread": "web", "pid": 7}),
        ([("read_[k]", "", 0), ("_start", "", 0)], [200], {"thread": "io", "pid": 300}),
    ]  # fmt: skip
    counted = dict(fields(next(v for f, v in whole if f == 1)))
    assert (texts[counted[1]], texts[counted[2]]) == ("samples", "count")
    assert dict(whole)[10] == 2_500_000_000


def test_time_is_in_nanoseconds():
    whole = list(fields(gzip.decompress(pprof.encoded((CountedStack(("a",), 0.25, "s"),)))))
    sample = dict(fields(dict(whole)[2]))
    assert packed(sample[2]) == [250_000_000]


def test_go_reads_it(tmp_path):
    if shutil.which("go") is None:
        pytest.skip("no Go is installed, whose pprof would read it")
    file = tmp_path / "profile.pb.gz"
    file.write_bytes(pprof.encoded(STACKS, 2.5))
    done = subprocess.run(
        ["go", "tool", "pprof", "-top", file],
        capture_output=True, text=True, check=False,
        env={"PATH": "/usr/local/go/bin:/usr/bin:/bin", "HOME": str(tmp_path), "PPROF_TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Total samples = 240" in done.stdout
    assert "<module>" in done.stdout
