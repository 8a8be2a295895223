"""The looks at Python's heap, as their probe: several processes, what is no Python, what comes back broken."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest

from locard.model import heap_words
from locard.model.evidence import Output
from locard.model.heap_facts import HeapGrowth
from locard.model.kernel_facts import NotObserved
from locard.runtime.python import heap
from runtime.python.test_stacks import context
from support import run_probe

SHORT = heap.Params(for_s=1.0, looks=3)


def test_each_process_has_its_own_growth(start):
    programs = [start("leaking.py", how, stdin=subprocess.PIPE) for how in ("list", "churn")]
    _, facts = run_probe(heap, context(*(p.pid for p in programs)), params=SHORT)
    found = {f.pid: f for f in facts}
    assert set(found) == {p.pid for p in programs}
    leading = [heap_words.leading(found[p.pid]) for p in programs]
    assert leading[0] is not None
    assert leading[1] is None


TUPLES = """
import sys, threading, time
kept = []
def keep():
    number = 0
    while True:
        for _ in range(20): number += 1; kept.append((number, float(number)))
        time.sleep(0.02)
threading.Thread(target=keep, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_type_that_the_collector_tracks_in_part_grows_by_all_of_it(start):
    program = start("-c", TUPLES, stdin=subprocess.PIPE)
    _, (found,) = run_probe(heap, context(program.pid), params=heap.Params(for_s=3.0, looks=4))
    rates = {t.name: t.per_s for t in found.types}
    (container,) = [c for c in found.containers if c.name == "list"]
    for name in ("tuple", "float", "int"):
        assert rates[name] == pytest.approx(container.per_s, rel=0.15), rates
    assert [t.kept for t in found.types if t.name == "tuple"] == [None]


def test_what_is_no_python_is_said():
    process = subprocess.Popen(["sleep", "60"])
    try:
        _, facts = run_probe(heap, context(process.pid), params=SHORT)
        _, unasked = run_probe(heap, context(process.pid))
    finally:
        process.kill()
        process.wait()
    (refused,) = facts
    assert isinstance(refused, NotObserved)
    assert "no _PyRuntime" in refused.problem
    assert heap_words.headline(unasked[0]) == "no process of it is known to be a CPython"


def test_a_target_that_ends_is_said(start):
    program = start("leaking.py", "cache", stdin=subprocess.PIPE)
    ends = subprocess.Popen(["sh", "-c", f"sleep 1; kill {program.pid}"])
    _, facts = run_probe(heap, context(program.pid), params=heap.Params(for_s=4.0, looks=5))
    ends.wait()
    (found,) = facts
    assert isinstance(found, HeapGrowth)
    assert found.ended == "the target ended"
    assert found.partial


def sample():
    (fact,) = heap.read(heap.SAMPLES[0].outputs)
    return fact


def test_types_of_one_name_are_told_apart():
    told = json.loads(heap.SAMPLES[0].outputs[0].text)
    types = told["processes"][0]["types"]
    types.append(dict(types[0], type=10))
    (fact,) = heap.read((Output(argv=("heap",), stdout=json.dumps(told).encode()),))
    names = [t.name for t in fact.types if t.name.startswith("__main__.RepoClient")]
    assert names == ["__main__.RepoClient (type at 0x9)", "__main__.RepoClient (type at 0xa)"]


def test_a_cache_with_a_bound_is_one_that_fills():
    found = sample()
    assert heap_words.leading(found) is found.types[0]
    holding = found.types[0].holding
    steps = (*holding.steps[:-1], replace(holding.steps[-1], most=1000))
    bounded = replace(found.types[0], holding=replace(holding, steps=steps))
    filling = replace(found, types=(bounded, *found.types[1:]))
    assert heap_words.leading(filling) is None
    assert "a container that fills: 250 of at most 1,000" in heap_words.headline(filling)


def test_an_investigation_looks_only_where_memory_grows(start):
    quiet, leak = (start("leaking.py", how, stdin=subprocess.PIPE) for how in ("steady", "cache"))
    outputs, facts = run_probe(heap, context(quiet.pid))
    assert not [o for o in outputs if "heap" in o.argv]
    (fact,) = facts
    assert "the objects were not looked at" in heap_words.headline(fact)
    assert not fact.partial
    outputs, facts = run_probe(heap, context(quiet.pid, leak.pid))
    assert [f.pid for f in facts] == [leak.pid]
    assert heap_words.leading(facts[0]).name == "__main__.Client"
