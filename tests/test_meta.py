"""An extension without docstring, test or sample fails here, not in a reviewer's memory."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path

import pytest
from formats_support import check

from locard import catalogue
from locard.far import look_around, read_log
from locard.guard.command import Command, Impact, Template, Wait
from locard.guard.gate import Gate
from locard.investigate import ground_probes
from locard.model.evidence import Output, Scope
from locard.model.target import Context, Process, Skip, Target
from locard.transport.prepared import GET_PROGRAM

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "locard"
PROBES = catalogue.entries("probe")
RULES = catalogue.entries("rule")
SECTIONS = {
    "probe": ("Shows:", "How:", "Impact:", "Limits:", "Source:"),
    "rule": ("Pattern:", "Evidence:", "Against:", "Next:"),
    "scenario": (),
    "command": (),
    "dialect": (),
    "format": ("Source:",),
    "source": ("Reads:",),
}
EVERY = [e for kind in SECTIONS for e in catalogue.entries(kind)]

A_PROCESS = Process(4242, 1, 100, 0.0, 0, "python3", ("python3", "app.py"))
FULL = Context(
    Target("pid/4242", "pid", "4242", "here", (A_PROCESS,)),
    ("/var/log/app.log", "-"),
    ("http://127.0.0.1:9/metrics", "http://127.0.0.1:9090"),
)
EMPTY = Context(Target("host/local", "host", "local", "here"))


def ids(entries):
    return [f"{e.kind}/{e.name}" for e in entries]


def file_of(entry):
    parts = entry.module.split(".")[1:]
    return ROOT / "tests" / Path(*parts[:-1]) / f"test_{parts[-1]}.py"


def test_every_kind_has_extensions():
    assert {e.kind for e in EVERY} == set(SECTIONS)


@pytest.mark.parametrize("entry", EVERY, ids=ids(EVERY))
def test_docstring(entry):
    doc = inspect.cleandoc(entry.load().__doc__ or "")
    first = doc.partition("\n")[0]
    assert re.fullmatch(r".{10,119}\.", first), "the first line is its help line"
    assert entry.summary() == first.rstrip("."), "read from the file as it is when imported"
    lines = doc.splitlines()
    places = [
        next((n for n, line in enumerate(lines) if line.startswith(s)), None)
        for s in SECTIONS[entry.kind]
    ]
    assert None not in places, f"the docstring lacks one of {SECTIONS[entry.kind]}"
    assert places == sorted(places)


@pytest.mark.parametrize("entry", EVERY, ids=ids(EVERY))
def test_has_a_test(entry):
    path = file_of(entry)
    assert path.exists(), f"{entry.module} has no {path.relative_to(ROOT)}"
    assert re.search(r"^\s*def test_", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize("entry", RULES, ids=ids(RULES))
def test_rule_fires_and_stays_quiet(entry):
    names = {
        n.name for n in ast.walk(ast.parse(file_of(entry).read_text()))
        if isinstance(n, ast.FunctionDef)
    }  # fmt: skip
    assert any(n.startswith("test_fires") for n in names), "no test in which it fires"
    assert any(n.startswith("test_quiet") for n in names), "no near miss in which it stays quiet"
    assert callable(entry.load().judge)


@pytest.mark.parametrize("entry", PROBES, ids=ids(PROBES))
def test_probe_keeps_the_protocol(entry):
    probe = entry.load()
    assert probe.COMMANDS
    assert all(isinstance(t, Template) for t in probe.COMMANDS)
    assert all(
        0 < t.bound_s <= (3660 if t.streams else 630 if t.parts or t.ends != "killed" else 180)
        for t in probe.COMMANDS
    )
    for context in (FULL, EMPTY):
        skip = probe.applies(context)
        assert skip is None or (isinstance(skip, Skip) and skip.why and skip.unlock)
        assert isinstance(probe.scope(context), Scope)
    assert probe.applies(FULL) is None


@pytest.mark.parametrize("entry", PROBES, ids=ids(PROBES))
def test_probe_samples_are_read_as_they_say(entry):
    probe = entry.load()
    assert probe.SAMPLES, "a probe shows what it reads"
    for sample in probe.SAMPLES:
        shown = repr(probe.read(sample.outputs))
        assert sample.has
        assert all(part in shown for part in sample.has)


@pytest.mark.parametrize("entry", PROBES, ids=ids(PROBES))
def test_probe_plans_only_what_it_declares(entry):
    """Its plan survives empty answers, and the gate admits every step at the declared impact."""
    probe = entry.load()
    gate = Gate({entry.name: probe.COMMANDS}, Impact.INJECTS, cap=Impact.INJECTS, why="")
    plan = probe.plan(FULL)
    steps = []
    try:
        step = next(plan)
        while True:
            steps.append(step)
            assert len(steps) < 1000
            if isinstance(step, Wait):
                assert step.seconds <= 10
                step = next(plan)
            else:
                gate.admit(entry.name, step)
                step = plan.send(Output(step.argv, b""))
    except StopIteration:
        pass
    assert any(isinstance(s, Command) for s in steps)


@pytest.mark.parametrize("entry", PROBES, ids=ids(PROBES))
def test_probe_reads_rubbish_without_a_word(entry):
    """Whatever a command prints, reading it never raises."""
    probe = entry.load()
    rubbish = [b"", b"\0" * 100, b"\xff\xfe{", b"{}", b"[]", b"null", b"a:b:c\n" * 50, b"{" * 5000]
    rubbish += [o.stdout[: len(o.stdout) // 2] for s in probe.SAMPLES for o in s.outputs]
    template = probe.COMMANDS[0]
    for data in rubbish:
        for count in (0, 1, 2, 7):
            probe.read([Output(template.argv, data, stderr=data)] * count)
    probe.read([Output(template.argv, b"", exit_code=None, timed_out=True, problem="stopped")])


FORMATS = catalogue.entries("format")
SOURCES = catalogue.entries("source")


@pytest.mark.parametrize("entry", FORMATS, ids=ids(FORMATS))
def test_format_reads_its_own_samples(entry):
    module = entry.load()
    assert len(module.SAMPLES) >= 3, "a format shows at least three lines that it reads"
    check(module.SAMPLES)
    for form in getattr(module, "TEXT", ()):
        assert form.groups, "a pattern has named groups"
        assert re.compile(form.pattern).groups == len(form.groups), "and no other ones that capture"


@pytest.mark.parametrize("entry", SOURCES, ids=ids(SOURCES))
def test_source_keeps_the_protocol(entry):
    module = entry.load()
    assert module.NAMES
    assert all(module.fits(n) or "/" in n for n in module.NAMES)
    assert isinstance(module.RANK, int)
    assert callable(module.open)
    assert all(t.impact is Impact.READS for t in module.COMMANDS)


FORBIDDEN = {
    "system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "execv", "execve", "execvp",
    "execvpe", "execl", "execle", "execlp", "execlpe", "spawnl", "spawnv", "spawnve", "spawnvp",
}  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        p
        for p in SOURCE.rglob("*.py")
        # What is sent to a place starts there what the gate has admitted here.
        if p.relative_to(SOURCE).parts[0] not in {"transport", "lab"}
        and p.relative_to(SOURCE).as_posix() != "far/children.py"
        # What runs inside a watched process is given to it in parts, and runs what it was given.
        and p.relative_to(SOURCE).parts[:2] != ("far", "agent")
    ],
    ids=lambda p: str(p.relative_to(SOURCE)),
)
def test_only_transport_starts_processes(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            forbidden = node.value.id == "os" and node.attr in FORBIDDEN
            assert not forbidden, f"{path}:{node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec", "__import__"}, f"{path}:{node.lineno}"


STREAMED = sorted(
    {t.program for e in PROBES for t in e.load().COMMANDS if t.program}
    | {t.program for declared in ground_probes.DECLARED.values() for t in declared if t.program}
    | {str(p.relative_to(SOURCE)) for p in (SOURCE / "far").glob("*.py")}
    | {str(p.relative_to(SOURCE)) for p in (SOURCE / "kernel").glob("_*_far.py")}
    | {GET_PROGRAM}
)


def test_the_readers_agree_on_what_may_hang():
    """Each is sent alone, so each has its own list of file systems."""
    assert len(set(read_log.FAR)) == len(read_log.FAR)
    assert set(read_log.FAR) == look_around._FAR_MOUNTS
    kinds = (*read_log.FAR, "fuse", "fuse.sshfs", "fuseblk", "fusectl", "ext4", "overlay", "tmpfs")
    for kind in kinds:
        table = f"2 1 0:9 / /srv rw - {kind} x rw\n".encode()
        assert bool(read_log.far_type("/srv/a.log", table)) == look_around.is_far(kind), kind


def source_of(program):
    """What is streamed: one file, or several that are joined."""
    return "\n".join((SOURCE / name).read_text("utf-8") for name in program.split("+"))


@pytest.mark.parametrize("program", [p for p in STREAMED if "+" in p])
def test_parts_that_are_streamed_together_do_not_overwrite_each_other(program):
    """They share one namespace: a name of one part that another one sets anew changes both."""
    seen = {}
    same = {"TYPE_CHECKING", "emit", "ATTACH", "LAST"}  # the last part decides about the latter
    for part in program.split("+"):
        for node in ast.parse(source_of(part)).body:
            names = [node.name] if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
            if isinstance(node, ast.Assign):
                names += [
                    n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)
                ]
            for name in set(names) - same:
                assert seen.setdefault(name, part) == part, f"{name} in {seen[name]} and {part}"


@pytest.mark.parametrize("program", STREAMED)
def test_streamed_readers_need_only_the_standard_library(program):
    """What is streamed to the far python3 cannot import locard or anything installed."""
    tree = ast.parse(source_of(program))
    for_checkers = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_checkers:
            continue
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.partition(".")[0] in sys.stdlib_module_names, f"{program}:{node.lineno}"


@pytest.mark.parametrize("program", STREAMED)
def test_streamed_readers_are_written_for_python_3_6(program):
    """Syntax, and the methods that one reaches for and 3.6 does not have."""
    text = source_of(program)
    tree = ast.parse(text, feature_version=(3, 6))
    with pytest.raises(SyntaxError):
        ast.parse("(a := 1)", feature_version=(3, 6))
    later = {"removeprefix", "removesuffix", "total", "isascii", "fromisoformat", "cached_property"}
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & later
    run = [k for n in ast.walk(tree) if isinstance(n, ast.Call) for k in n.keywords]
    assert not {k.arg for k in run} & {"capture_output", "text"}, "subprocess.run of 3.7"


def test_only_the_policy_makes_a_gate():
    """So that nothing runs which the policy was not asked about."""
    makers = [
        p.relative_to(SOURCE).as_posix()
        for p in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(p.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Gate"
    ]
    assert makers == ["guard/policy.py"]


def test_probes_are_told_apart_by_layer_and_name():
    keys = [(e.layer, e.name) for e in PROBES]
    assert len(set(keys)) == len(keys)


def test_what_is_started_is_declared_as_needed():
    """`locard doctor` can say of each program what it adds: none is forgotten."""
    everywhere = {"locard", "python3", "GET", "grep", "find", "cat"}
    for entry in [*PROBES, *catalogue.entries("source")]:
        for template in entry.load().COMMANDS:
            if template.argv[0] not in everywhere:
                assert template.argv[0] in {n.program for n in template.needs}, template.argv


FAR_POOLS = sorted((SOURCE / "far" / "pools").glob("[a-z]*.py"))


@pytest.mark.parametrize("file", FAR_POOLS, ids=lambda f: f.stem)
def test_a_library_whose_pool_is_known_has_a_test_and_a_program(file):
    assert (ROOT / "tests" / "far" / "pools" / f"test_{file.stem}.py").exists()
    assert (ROOT / "tests" / "programs" / "pools" / f"{file.stem}_pool.py").exists()


def globals_of(name):
    """The names that a file of a streamed program binds at its top."""
    for node in ast.parse((SOURCE / name).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name))


# Those of the kernel wing are put together on purpose so that a later file can take a name over.
PROGRAMS = sorted(
    {t.program for e in PROBES for t in e.load().COMMANDS if t.program and "python_" in t.program}
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_two_files_of_a_streamed_program_bind_the_same_name(program):
    """They are run in one namespace: the later one would change what the earlier one means."""
    seen = {}
    for file in program.split("+"):
        for name in set(globals_of(file)) - {"TYPE_CHECKING"}:
            assert name not in seen, f"{name} stands in {seen[name]} and {file}"
            seen[name] = file
