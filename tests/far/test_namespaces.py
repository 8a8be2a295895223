"""Files that run in one namespace: none may take a name from another."""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from pathlib import Path

import pytest

import locard
from locard import catalogue
from locard.runtime.python import watch

PACKAGE = Path(locard.__file__).parent
# What a program's own part sets of far/observe.py, and what is the same in both.
SHARED = {"TYPE_CHECKING", "STOPPED", "ATTACH", "emit"}


def programs():
    """Every program of several files that a probe has."""
    found = {"agent": tuple(path for _, path in watch.AGENT)}
    for entry in catalogue.entries("probe"):
        for template in entry.load().COMMANDS:
            if template.program and "+" in template.program:
                found[template.program] = tuple(template.program.split("+"))
    return found


def own_names(path):
    """What a file defines at its top level, without the parts for type checkers."""
    for node in ast.parse((PACKAGE / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))


@pytest.mark.parametrize("files", list(programs().values()), ids=lambda f: f[-1])
def test_no_two_files_of_a_program_define_the_same_name(files):
    where = defaultdict(set)
    for path in files:
        for name in own_names(path):
            where[name].add(path)
    twice = {name: sorted(paths) for name, paths in where.items() if len(paths) > 1}
    assert {n: p for n, p in twice.items() if n not in SHARED} == {}


def test_the_agent_names_every_builtin_that_it_uses():
    """It runs with a copy of those alone, looked over before: see far/agent/boot.py."""
    used = set()
    for _, path in watch.AGENT:
        tree = ast.parse((PACKAGE / path).read_text())
        used |= {
            n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and hasattr(builtins, n.id)
        }
    (names,) = [
        node.value
        for node in ast.parse((PACKAGE / watch.AGENT[0][1]).read_text()).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "NAMES"
    ]
    assert used <= set(ast.literal_eval(names).split())
