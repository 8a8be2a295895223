"""`locard heap`: the whole command on a real process whose leak is known, and on its near miss."""

from __future__ import annotations

import json
import re
import subprocess


def test_the_type_its_holder_and_the_finding(locard, start):
    program = start("leaking.py", "cache", stdin=subprocess.PIPE)
    done = locard("heap", f"pid/{program.pid}", "--for", "2s", "-q")
    said = re.sub(r"\s+", " ", done.stdout)
    assert done.returncode == 1, done.stderr
    assert re.search(r"grows steadily: __main__\.Client \+2\d/s", said)
    assert "<- functools._lru_cache_wrapper Client.branch (currsize" in said
    assert "finding: memory-leak: Memory grows: __main__.Client" in said
    assert "no stop" in said


def test_the_near_miss_is_no_finding(locard, start):
    program = start("leaking.py", "churn", stdin=subprocess.PIPE)
    done = locard("heap", f"pid/{program.pid}", "--for", "2s", "-q", "--allow", "injects")
    assert done.returncode == 0, done.stdout
    assert "nothing grew steadily among" in done.stdout
    assert "finding" not in done.stdout


def test_json_has_the_growth_and_the_record(locard, start):
    program = start("leaking.py", "dict", stdin=subprocess.PIPE)
    told = locard.json("heap", f"pid/{program.pid}", "--for", "2s", "--looks", "4", "-q")
    (found,) = told["evidence"]
    assert found["ran"][0]["impact"] in {"reads", "samples"}
    (heap,) = found["facts"]
    assert heap["pid"] == program.pid
    assert len(heap["looks"]) == 4
    client = next(t for t in heap["types"] if t["name"] == "__main__.Client")
    assert (client["trend"], client["holding"]["name"], client["holding"]["key"]) == (
        "steady",
        "__main__",
        "DICT",
    )
    (finding,) = told["findings"]
    assert finding["rule"] == "memory-leak"


def test_containers_texts_and_what_is_held_by_one_name(locard, start):
    for how, words in {
        "text": "dict <- module __main__ (TEXTS)",
        "growing": "bytearray <- module __main__ (LOG)",
        "circles": "they hold one another, and wait for the collector",
        "frame": "variable own of work (",
        "native": "native memory",
    }.items():
        program = start("leaking.py", how, stdin=subprocess.PIPE)
        done = locard("heap", f"pid/{program.pid}", "--for", "2s", "-q")
        assert done.returncode == (how in {"text", "growing", "circles"}), done.stdout + done.stderr
        assert words in re.sub(r"\s+", " ", done.stdout)


def test_too_many_objects_are_partial(locard, start):
    program = start("leaking.py", "cache", stdin=subprocess.PIPE)
    done = locard("heap", f"pid/{program.pid}", "--for", "1s", "--most", "1000", "-q", "-o", "json")
    assert done.returncode == 4
    assert not json.loads(done.stdout)["findings"]
