"""What would go wrong in an application if a watch were careless: each was seen to go wrong once, and none may again."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest

from watch_here import EVERY, VERSIONS, begin, counts, lines, run, wait_for

WRITES = """
import os, sys
out = open(os.dup(1), "w")
def work(number):
    out.write("record %d\\n" % number)
print("ready", flush=True)
for line in sys.stdin:
    work(int(line))
"""
RECURS = """
import sys, threading
def f(n): return g(n)
def g(n): return f(n - 1) if n else 0
def leaf(n): return n
def down(k): return down(k - 1) if k else leaf(1)
print("ready", flush=True)
for line in sys.stdin:
    try: found = f(450) + down(int(line))
    except RecursionError: found = "RecursionError"
    print(found, sys.getrecursionlimit(), flush=True)
"""
INTERRUPTED = """
import ctypes, sys, threading, time
class Cancel(Exception): pass
seen, turns = [0], [0]
def work(x): return x
def turn():
    while True: work(1); turns[0] += 1
def worker():
    while True:
        try: turn()
        except Cancel: seen[0] += 1
thread = threading.Thread(target=worker, daemon=True); thread.start()
raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
print("ready", flush=True)
for line in sys.stdin:
    for number in range(int(line)):
        before, now = seen[0], turns[0]
        while turns[0] == now: time.sleep(0.0005)  # it is where it catches
        raise_in(ctypes.c_ulong(thread.ident), ctypes.py_object(Cancel))
        end = time.time() + 5
        while seen[0] == before and time.time() < end: time.sleep(0.0005)
    print(seen[0], flush=True)
"""
NAMES = """
import contextvars, sys
asked = []
class Name(str):
    def __eq__(self, other): asked.append("eq"); return True
    def __str__(self): asked.append("str"); return "x"
    def __hash__(self): return 1
class Thing: pass
Thing.__qualname__ = Name("Thing")
contextvars.ContextVar(Name("request")).set("1")
def pay(thing):
    pass
pay.__qualname__ = Name("pay")
pay.__code__ = pay.__code__.replace(co_filename=Name("shop.py"))
print("ready", flush=True)
for line in sys.stdin:
    pay(Thing())
    print(asked, flush=True)
"""


PROFILED = (
    "import ctypes as c; kind = c.PYFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_int, c.c_void_p);"
    "hook = kind(lambda *a: 0); c.PyDLL(None).PyEval_SetProfile(hook, None)"
)


@contextlib.contextmanager
def started(source, *words, python=sys.executable):
    """A program that waits for lines; it ends with its standard input."""
    process = subprocess.Popen(
        [python, "-B", "-W", "ignore", "-c", source, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        process.stdin.close()
        said = process.stderr.read()
        assert (process.wait(10), said) == (0, "")


def ask(process, line):
    """What it answers to a line."""
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


@contextlib.contextmanager
def watched(process, *spec, **asked):
    """While its functions are watched; gives a list that holds the watch's lines at the end."""
    watching = begin(process.pid, *spec, **{"seconds": 60.0, "share": 1e9, "stats": True, **asked})
    found = wait_for(watching, lambda r: r.get("ev") == "on")
    yield found
    watching.terminate()
    found += lines(watching)


@pytest.mark.parametrize("version", EVERY)
def test_a_file_keeps_its_last_lines_where_the_interpreter_ends_meanwhile(version):
    with started(WRITES, python=VERSIONS[version]) as process:
        watching = begin(process.pid, "__main__:work", stats=True)
        wait_for(watching, lambda r: r.get("ev") == "on")
        process.stdin.write("7\n8\n")
    assert process.stdout.read() == "record 7\nrecord 8\n"
    lines(watching)


@pytest.mark.parametrize("version", EVERY)
def test_functions_that_call_one_another_deep_go_on_as_before(version):
    with started(RECURS, python=VERSIONS[version]) as process:
        deepest = 0
        for depth in range(960, 1000):
            if ask(process, depth).startswith("RecursionError"):
                break
            deepest = depth
        with watched(process, "__main__:f", "__main__:leaf") as rows:
            assert ask(process, deepest).startswith("1 ")
        assert "deep" in [r["kind"] for r in rows if r.get("ev") == "off"]
        assert ask(process, deepest) == "1 1000"


@pytest.mark.parametrize("version", EVERY)
def test_what_other_threads_raise_in_one_that_is_watched_arrives(version):
    with (
        started(INTERRUPTED, python=VERSIONS[version]) as process,
        watched(process, "__main__:work"),
    ):
        assert ask(process, 100) == "100"


@pytest.mark.parametrize("version", EVERY)
def test_names_of_a_class_of_the_application_are_not_asked(version):
    with started(NAMES, python=VERSIONS[version]) as process:
        assert ask(process, "go") == "[]"
        with watched(process, "__main__:pay", stats=False, callers=True, most=3) as rows:
            assert ask(process, "go") == "[]"
        (call,) = [r for r in rows if r.get("ev") == "call"]
        assert call["params"]["thing"] == {"@": "Thing"}


CHANGES = """
import sys, threading
def work(): return "old"
def other(): return "new"
hooks = getattr(threading, "_threading_atexits", [])
print("ready", flush=True)
for line in sys.stdin:
    if line == "change\\n": work.__code__ = other.__code__
    print(work(), len(hooks), flush=True)
"""


@pytest.mark.parametrize("version", EVERY)
def test_code_that_somebody_else_exchanged_meanwhile_stays(version):
    with started(CHANGES, python=VERSIONS[version]) as process:
        plain = ask(process, "ask")
        with watched(process, "__main__:work") as rows:
            assert ask(process, "ask").startswith("old ")
            ask(process, "change")
        assert [r["restored"] for r in rows if r.get("ev") == "off"] == [False]
        assert ask(process, "ask") == plain.replace("old", "new")  # nor is a hook of ours left


ENDS = """
import os, sys, threading
class Connection:
    def __del__(self): os.write(1, b"closed\\n")
connection = Connection()
def work(): pass
print("ready", flush=True)
sys.stdin.readline()
work()
"""


@pytest.mark.parametrize("version", EVERY)
def test_what_modules_hold_is_finalised_in_order_where_the_interpreter_ends(version):
    if version == "3.8":
        pytest.skip("threading tells nobody of the end before 3.9")
    with started(ENDS, python=VERSIONS[version]) as process:
        watching = begin(process.pid, "__main__:work", stats=True)
        wait_for(watching, lambda r: r.get("ev") == "on")
        process.stdin.write("go\n")
    assert process.stdout.read() == "closed\n"
    lines(watching)


FAILS = """
import sys
def work(payload): raise ValueError("no " + payload["name"], payload)
print("ready", flush=True)
for line in sys.stdin:
    try: work({"name": "x", **{str(n): "y" * 300 for n in range(30)}})
    except ValueError: print("raised", flush=True)
"""


def test_a_call_with_large_arguments_that_raises_is_told():
    with started(FAILS) as process:
        with watched(process, "__main__:work", stats=False, most=2, depth=3) as rows:
            assert ask(process, "go") == "raised"
        (call,) = [r for r in rows if r.get("ev") == "call"]
        assert call["exception"]["@"] == "ValueError"
        assert call["exception"]["args"][0] == "no x"
        assert call["exception"]["at"].startswith("work (")
        assert not [r for r in rows if r.get("ev") == "fault"]


@pytest.mark.parametrize(
    ("source", "asked", "why"),
    [
        ("sys.addaudithook(lambda *a: None)", {}, "it has audit hooks"),
        ("import _thread; _thread.get_native_id = lambda: 7", {}, "get_native_id was replaced"),
        (
            PROFILED,
            {"tree": True},
            "a profiler written in C",
        ),
    ],
    ids=["audit hooks", "replaced", "profiler"],
)
@pytest.mark.parametrize("version", EVERY)
def test_who_would_hear_of_it_is_a_reason_to_refuse(version, source, asked, why):
    text = "import sys\ndef work(): pass\n{}\nprint('ready', flush=True)\nfor line in sys.stdin: pass\n"
    with started(text.format(source), python=VERSIONS[version]) as process:
        (refused,) = [
            r["refused"] for r in run(process.pid, "__main__:work", **asked) if "refused" in r
        ]
        assert why in refused
    with started(text.format("pass"), python=VERSIONS[version]) as process:
        rows = run(process.pid, "__main__:work", seconds=0.2, **asked)
        assert counts(rows) == {"work": {}}


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ("warnings.warn('old', DeprecationWarning, 2)", True),
        ("warnings.warn('old', stacklevel=3)", True),
        ("traceback.format_stack()", True),
        ("logging.info('x', stack_info=True)", True),
        ("warnings.warn('old')", False),
    ],
)
def test_a_function_that_tells_of_its_callers_is_refused(body, refused):
    text = f"import sys, warnings, traceback, logging\ndef work():\n    {body}\nprint('ready', flush=True)\nfor line in sys.stdin: pass\n"
    with started(text) as process:
        offs = [r for r in run(process.pid, "__main__:work", seconds=0.2) if r.get("ev") == "off"]
        assert [r["kind"] for r in offs] == ["refused" if refused else "ended"]
