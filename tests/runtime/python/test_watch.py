"""Watching functions of live processes, on each CPython that this machine has: what is seen, and that nothing is harmed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from observing_support import observe

from locard.kernel.probes import libcalls
from locard.model.errors import UsageError
from locard.runtime.python import watch
from support import wait_until
from watch_here import EVERY, VERSIONS, begin, clean, counts, lines, program, run, wait_for

NAMES = (
    "pay", "refund", "send", "rate", "encode", "encode[int]", "Order", "Order.total", "Order.check", "Order.make",
    "Order.double", "add_three", "handle", "deep",
)  # fmt: skip


@pytest.fixture(params=EVERY)
def python(request):
    """Each interpreter."""
    return VERSIONS[request.param]


def test_every_kind_of_name_leads_to_the_function_and_counts_its_calls(python):
    with program(python) as target:
        before = target.until(lambda t: t["calls"].get("rounds", 0) > 3)
        rows = run(target.pid, *("__main__:" + n for n in NAMES), seconds=2.0, stats=True)
        after = target.ask()
        clean(before, after)
        found = counts(rows)
        rounds = found["handle"]["returned"]
        assert rounds > 20
        assert (
            found["pay"] == {"returned": 2 * rounds}
            or abs(found["pay"]["returned"] - 2 * rounds) <= 4
        )
        for name in (
            "refund",
            "Order.total",
            "Order.check",
            "Order.make",
            "Order.scaled",
            "adder.<locals>.add_step",
        ):
            assert abs(found[name]["returned"] - rounds) <= 3, name
        assert abs(found["send"]["raised"] - found["send"]["returned"]) <= 2
        assert abs(found["Retry.__call__"]["returned"] - rounds) <= 3
        assert abs(found["encode"]["returned"] - 2 * rounds) <= 4
        assert abs(found["_"]["returned"] - rounds) <= 3
        assert found["rate"] == {}  # answered by the cache
        cached = [r["cache"] for r in rows if r.get("cache")]
        assert cached[-1][0] - cached[0][0] == pytest.approx(rounds, abs=3)
        said = {r["name"]: r["said"] for r in rows if "function" in r}
        assert said["pay"][0].startswith("the body behind the wrapper pay")
        assert "hidden.<locals>.inner" in said["refund"][0]
        assert said["Order.scaled"] == ["a partialmethod: it resolves to this one"]
        assert "a class: its __init__" in said["Order.__init__"][0]
        offs = [r["restored"] for r in rows if r.get("ev") == "off"]
        assert offs == [True] * sum("function" in r for r in rows)  # each lets go, and says so


def test_parameters_bear_the_names_of_the_body_and_values_are_cut(python):
    with program(python) as target:
        before = target.ask()
        rows = run(target.pid, "__main__:pay", most=2, seconds=10.0)
        calls = [r for r in rows if r.get("ev") == "call"]
        assert len(calls) == 2
        by_keyword = next(c for c in calls if c["params"]["currency"] == "EUR")
        assert list(by_keyword["params"]) == ["order", "amount", "rest", "currency", "more"]
        assert by_keyword["value"] == {
            "order": by_keyword["params"]["order"],
            "amount": by_keyword["params"]["amount"],
        }
        assert by_keyword["callers"][1].startswith("plain (")
        in_dollars = next(c for c in calls if c["params"]["currency"] == "USD")
        assert in_dollars["params"]["rest"] == [5]
        assert in_dollars["params"]["more"] == {"why": "test"}
        big = run(target.pid, "__main__:handle", most=4, depth=3, seconds=10.0)
        for call in (r for r in big if r.get("ev") == "call"):
            assert len(json.dumps(call)) < 8192
            payload = call["params"]["payload"]
            assert payload["number"].startswith("<int of 16610 bits>")
            assert payload["text"].endswith("4999800 more")
            assert payload["loud"] == "<Loud> EUR"
        clean(before, target.ask())


def test_conditions_never_run_code_of_the_application(python):
    with program(python) as target:
        before = target.ask()
        rows = run(
            target.pid, "__main__:handle", where='params[0].currency == "EUR" and cost_ms >= 0', seconds=2.0, stats=False
        )  # fmt: skip
        after = target.ask()
        clean(before, after)
        tested = [sum(r["tested"][k] for r in rows if r.get("ev") == "stats") for k in range(3)]
        calls = [r for r in rows if r.get("ev") == "call"]
        assert len(calls) == tested[1] > 3
        assert all(c["params"]["order"]["currency"] == "EUR" for c in calls)
        assert tested[2] == pytest.approx(sum(tested) / 2, abs=3)  # Spy and Liar
        assert tested[0] == pytest.approx(sum(tested) / 4, abs=3)


def test_generators_and_coroutines_are_passed_everything_on_and_timed_apart(python):
    with program(python) as target:
        before = target.until(lambda t: t["calls"].get("lives", 0) > 1)
        names = ["__main__:" + n for n in ("pages", "rows", "session", "fetch", "switch")]
        rows = run(target.pid, *names, seconds=3.0)
        after = target.until(lambda t: t["calls"]["pages"] - t["calls"]["pages cleaned"] <= 1)
        clean(before, after)
        calls = [(r["w"], r["state"], r) for r in rows if r.get("ev") == "call"]
        closed = [r for w, s, r in calls if (w, s) == (0, "closed")]
        assert closed
        assert all(r["cost_us"] > 25_000 > r["inside_us"] and r["values"] == 2 for r in closed)
        assert all("exception" not in r for r in closed)
        whole = [r for w, s, r in calls if (w, s) == (0, "returned")]
        assert all(r["values"] == 3 and r["value"] == 3 for r in whole)
        assert {s for w, s, _ in calls if w == 1} == {"closed"}
        sessions = [r for w, _, r in calls if w == 2]
        assert all((r["state"], r["thrown"]) == ("returned", "ValueError") for r in sessions)
        assert {s for w, s, _ in calls if w == 3} == {"returned", "cancelled"}
        assert all(r["value"] == "switched" for w, _, r in calls if w == 4)
        ended = after["calls"]["lives"] - before["calls"]["lives"]
        assert (
            after["calls"]["session saw ValueError"] - before["calls"]["session saw ValueError"]
            >= ended - 1
        )
        assert after["calls"]["sent"] > before["calls"]["sent"]


@pytest.mark.parametrize("moment", ["at once", "while it watches"])
def test_the_death_of_locard_leaves_nothing(python, moment):
    with program(python) as target:
        before = target.until(lambda t: t["calls"].get("rounds", 0) > 3)
        watching = begin(target.pid, "__main__:pay", "__main__:pages", seconds=60.0)
        if moment == "while it watches":
            wait_for(watching, lambda r: r.get("ev") == "call")
            assert target.ask()["changed"] == ["pay"] or "pages" in target.ask()["changed"]
        else:
            wait_until(lambda: target.ask()["threads"] > before["threads"])
        watching.kill()
        watching.wait()
        watching.stdout.close()
        after = target.until(lambda t: t["threads"] == before["threads"] and not t["changed"], 10.0)
        clean(before, after)


def test_a_forked_child_has_its_own_code_back_and_is_counted(python):
    with program(python) as target:
        before = target.ask()
        watching = begin(target.pid, "__main__:pay", seconds=3.0, stats=True)
        wait_for(watching, lambda r: r.get("ev") == "on")
        assert target.ask("fork") == {"child": True, "threads": 1}
        rest = lines(watching)
        assert [r["restored"] for r in rest if r.get("ev") == "off"] == [True]
        clean(before, target.ask())


def test_the_target_may_end_while_it_is_watched(python):
    with program(python) as target:
        watching = begin(target.pid, "__main__:pay", "__main__:fetch", seconds=30.0)
        wait_for(watching, lambda r: r.get("ev") == "call")
        target.process.stdin.close()
        assert target.process.wait(10) == 0
        rest = lines(watching)
        assert {"pid": target.pid, "gone": True} in rest


def test_a_function_that_calls_itself_deep_is_let_go_before_it_hurts(python):
    with program(python) as target:
        before = target.ask()
        rows = run(target.pid, "__main__:deep", seconds=1.5, stats=True)
        assert [r["why"] for r in rows if r.get("ev") == "off"] == [
            "calls of it stand more than 60 deep in one another"
        ]
        clean(before, target.ask())


def test_a_function_that_is_called_too_often_is_let_go():
    with program(sys.executable, "hot") as target:
        rows = run(target.pid, "__main__:add", seconds=20.0, stats=True, share=0.02)
        (off,) = [r for r in rows if r.get("ev") == "off"]
        assert "too often" in off["why"] or "cost" in off["why"]
        assert target.ask()["changed"] == []


def test_what_is_counted_and_the_end_are_told_also_where_calls_come_too_fast():
    with program(sys.executable, "hot") as target:
        rows = run(target.pid, "__main__:add", seconds=1.0, most=100_000, share=1000.0)
        (off,) = [r for r in rows if r.get("ev") == "off"]
        assert off["restored"]
        counted = [r for r in rows if r.get("ev") == "stats"]
        told = sum(r.get("ev") == "call" for r in rows)
        assert counted[-1]["dropped"] > 0 or told == 100_000
        assert sum(s[0] for r in counted for s in r["states"].values()) >= told
        assert target.ask()["changed"] == []


def test_a_name_that_means_something_else_by_now_is_said():
    with program() as target:
        watching = begin(target.pid, "__main__:handle", seconds=3.0, stats=True)
        wait_for(watching, lambda r: r.get("ev") == "on")
        target.ask("replace")
        rows = lines(watching)
        (renamed,) = [r for r in rows if "means" in r]
        assert renamed["spec"] == "__main__:handle"
        assert renamed["means"].endswith("<lambda>")
        assert [r["restored"] for r in rows if r.get("ev") == "off"] == [True]


def test_a_function_that_another_locard_watches_is_refused_and_the_first_goes_on():
    with program() as target:
        before = target.ask()
        first = begin(target.pid, "__main__:pay", seconds=4.0, stats=True)
        wait_for(first, lambda r: r.get("ev") == "stats")
        (off,) = [r for r in run(target.pid, "__main__:pay", seconds=1.0) if r.get("ev") == "off"]
        assert "another locard watches it already" in off["why"]
        assert "pay" in target.ask()["changed"]
        rest = lines(first)
        assert any(r.get("ev") == "stats" and r["states"] for r in rest)
        clean(before, target.until(lambda t: t["threads"] == before["threads"]))


def test_a_function_that_looks_at_its_caller_is_refused():
    with program() as target:
        before = target.ask()
        (off,) = [
            r for r in run(target.pid, "__main__:looks_up", seconds=2.0) if r.get("ev") == "off"
        ]
        assert "it looks at the frame of its caller (_getframe)" in off["why"]
        clean(before, target.ask())


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("__main__:stat", "builtin written in C"),
        ("__main__:nothing", "has no nothing"),
        ("nowhere:pay", "no module nowhere was imported"),
        ("__main__:BIG", "cannot be called"),
        ("__main__", "name something in it"),
        ("__main__:encode[list]", "no implementation for list"),
        ("__main__:pay.<locals>.x", "no living function of that name"),
    ],
)
def test_what_cannot_be_watched_is_refused_with_the_reason(spec, why):
    with program() as target:
        before = target.ask()
        refused = [r for r in run(target.pid, spec) if "refused" in r]
        assert why in refused[0]["refused"]
        assert target.ask()["threads"] == before["threads"]


@pytest.mark.parametrize("version", EVERY)
def test_a_builtin_written_in_c_is_counted_by_where_its_function_lies(version):
    with program(VERSIONS[version]) as target:
        (refused,) = [r for r in run(target.pid, "time:sleep") if "refused" in r]
        expression = re.search("'(0x[0-9a-f]+@[^']+)'", refused["next_step"]).group(1)
        trace = observe(libcalls, target.pid, for_s=0.5, expression=expression)
        (row,) = trace.rows
        assert row.count  # it sleeps all the time
        assert row.what in {"time_sleep", expression.partition("@")[0]}


def test_an_expression_with_an_unknown_parameter_is_refused_and_names_those_there_are():
    with program() as target:
        before = target.ask()
        rows = run(target.pid, "__main__:pay", where="orders > 3")
        (refused,) = [r["refused"] for r in rows if "refused" in r]
        assert "no orders" in refused
        assert "order, amount, rest, currency, more" in refused
        clean(before, target.until(lambda t: t["threads"] == before["threads"]))


def test_a_stopped_process_is_refused_and_stays_as_it_is():
    with program() as target:
        os.kill(target.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: " T " in Path(f"/proc/{target.pid}/stat").read_text())
            (refused,) = [r["refused"] for r in run(target.pid, "__main__:pay") if "refused" in r]
            assert refused == "it is stopped"
        finally:
            os.kill(target.pid, signal.SIGCONT)
        assert target.ask()["threads"] >= 3


def test_a_process_that_is_no_python_is_refused():
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        (refused,) = [r["refused"] for r in run(sleeper.pid, "x:y") if "refused" in r]
        assert "no _PyRuntime" in refused
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "no function was named"),
        ({"name": "a:b", "where": "params[0].x() == 1"}, "nothing is called here"),
        ({"name": "a:b", "where": "params[0"}, "--where does not fit"),
        ({"name": "a:b", "show": "__import__('os')"}, "nothing is called here"),
        ({"name": "a:b", "where": "[x for x in params]"}, "is not known here"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_runs(given, words):
    with pytest.raises(UsageError, match=None) as error:
        watch.check(watch.Params(**given))
    assert words in str(error.value)


def test_a_tree_shows_where_the_time_of_a_call_goes(python):
    with program(python) as target:
        before = target.ask()
        rows = run(target.pid, "__main__:plain", most=2, tree=True, seconds=20.0)
        calls = [r for r in rows if r.get("ev") == "call"]
        assert len(calls) == 2
        for call in calls:
            tops = {
                name.split(" (")[0].rpartition(".")[2]: calls
                for depth, name, calls, *_ in call["tree"]
                if not depth
            }
            assert tops["by itself"] == 1
            assert (tops["deep"], tops["handle"], tops["__call__"]) == (1, 1, 1)
            assert tops["around"] in {2, 3}  # pay, in dollars, and where nothing is given
            assert (
                sum(total for depth, _, _, total, _ in call["tree"] if depth == 0)
                <= call["cost_us"] * 1.01
            )
        clean(before, target.ask())


def test_a_tree_follows_a_coroutine_through_its_suspensions():
    with program() as target:
        before = target.ask()
        rows = run(target.pid, "__main__:alive", most=1, tree=True, seconds=20.0)
        (call,) = [r for r in rows if r.get("ev") == "call"]
        names = [name.split(" (")[0] for depth, name, *_ in call["tree"] if depth == 0]
        assert "fetch" in names
        assert not {"send", "drive", "Tree.end"} & set(names)
        clean(before, target.ask())


def test_a_module_may_be_named_by_its_file():
    with program() as target:
        rows = run(target.pid, "watched.py:pay", "programs/watched.py:refund", most=2)
        assert {r["name"] for r in rows if "function" in r} == {"pay", "refund"}
        by_method = run(target.pid, "watched.py:scaled", most=1)
        assert [r["name"] for r in by_method if "function" in r] == ["Order.scaled"]
        (refused,) = [r["refused"] for r in run(target.pid, "elsewhere.py:pay") if "refused" in r]
        assert "0 modules were read from a file elsewhere.py" in refused


def test_functions_inside_of_others_are_found_where_they_live():
    with program() as target:
        before = target.ask()
        rows = run(
            target.pid,
            "__main__:adder.<locals>.add_step",
            "__main__:hidden.<locals>.inner",
            seconds=1.5,
            stats=True,
        )
        found = counts(rows)
        assert found["adder.<locals>.add_step"]["returned"] > 10
        assert found["hidden.<locals>.inner"]["returned"] > 10
        assert any("held by __main__:refund" in s for r in rows for s in r.get("said", ()))
        clean(before, target.ask())
