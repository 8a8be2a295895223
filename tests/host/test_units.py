"""Units of systemd as recorded from a machine that has it; this one has another init."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from locard.host import units
from locard.model.evidence import Output
from locard.model.target import Context, Process, Target
from support import run_probe

GROUP = "0::/system.slice/batch.service"
AT = 1795812600.0
RESTARTED, FAILED = units._RESTARTED, units._FAILED


def context(*pids):
    processes = tuple(Process(p, 1, 0, 0.0, 0, "a", ("a",)) for p in pids)
    return Context(Target("proc/batch", "proc", "batch", "vm", processes))


def own(init="systemd"):
    text = f"/proc/1/comm:{init}\n/proc/uptime:1000.00 1.0\n"
    return Output(("grep", "", "/proc/1/comm", "/proc/uptime"), text.encode())


def groups(group=GROUP):
    argv = ("grep", "-s", "-H", "", "/dev/null", "/proc/7/cgroup")
    return Output(argv, f"/proc/7/cgroup:{group}\n".encode())


def shown(*blocks, every=False):
    what = "*.service" if every else "batch.service"
    return Output(("/usr/bin/systemctl", "show", "--", what), "\n\n".join(blocks).encode())


def block(
    name="batch.service", *, restarts=0, up_s=990, state="active", sub="running", result="success"
):
    return (
        f"Id={name}\nNRestarts={restarts}\nResult={result}\nActiveState={state}\nSubState={sub}\n"
        f"ActiveEnterTimestampMonotonic={up_s * 1_000_000}"
    )


def said(*entries):
    lines = [
        json.dumps({"__REALTIME_TIMESTAMP": str(int((AT - ago) * 1e6)), "UNIT": unit, **more})
        for unit, ago, more in entries
    ]
    return Output(("journalctl", "--output=json"), "\n".join(lines).encode(), started=AT)


def restarted(ago, unit="batch.service"):
    return (unit, ago, {"MESSAGE_ID": RESTARTED})


def failed(ago, result="oom-kill", unit="batch.service"):
    return (unit, ago, {"MESSAGE_ID": FAILED, "UNIT_RESULT": result})


def reading(*outputs):
    (fact,) = units.read(outputs)
    return fact.readings[0]


def test_restarts_are_dated_by_the_journal():
    found = reading(
        own(),
        shown(block(restarts=9)),
        said(failed(40), restarted(39), restarted(20), restarted(5)),
    )
    assert (found.subject, found.value, found.verdict, found.of) == (
        "unit batch.service", 3, "critical", "target",
    )  # fmt: skip
    assert found.detail == (
        "active (running) for 10 s; 9 restarts by systemd since it was started by hand; "
        "the last one 5 s ago; it ended by oom-kill (1 time)"
    )


def test_without_a_journal_the_last_start_counts_once():
    found = reading(own(), shown(block(restarts=9)))
    assert (found.value, found.verdict) == (1, "warning")
    assert "the journal that could be read tells of none" in found.detail


def test_restarts_of_long_ago_are_history():
    long_ago = own()
    text = long_ago.stdout.replace(b"1000.00", b"900000.00")
    found = reading(Output(long_ago.argv, text), shown(block(restarts=9)))
    assert (found.value, found.verdict) == (0, "ok")
    assert reading(long_ago, shown(block(restarts=9))).verdict == "warning"


def test_a_unit_that_was_never_restarted_is_ok_with_its_state():
    found = reading(own(), shown(block()))
    assert (found.value, found.verdict) == (0, "ok")
    assert found.detail == "active (running) for 10 s"


@pytest.mark.parametrize(
    ("state", "sub", "result"),
    [("activating", "auto-restart", "exit-code"), ("failed", "failed", "start-limit-hit")],
)
def test_one_that_does_not_come_up_is_critical(state, sub, result):
    found = reading(own(), shown(block(state=state, sub=sub, result=result, up_s=0)))
    assert found.verdict == "critical"
    assert result in found.detail
    assert reading(own(), shown(block(up_s=0))).verdict == "ok"


def test_units_that_ended_for_want_of_memory():
    (fact,) = units.read(
        [own(), shown(block(restarts=2)), said(failed(9), failed(5), failed(4, "signal"))]
    )
    (kills,) = [r for r in fact.readings if r.name == "system.unit.oom_kills"]
    assert (kills.subject, kills.value, kills.verdict, kills.of) == (
        "unit batch.service", 2, "critical", "target",
    )  # fmt: skip
    (fact,) = units.read([own(), shown(block(restarts=2)), said(failed(4, "signal"))])
    assert len(fact.readings) == 1


def test_messages_of_others_and_rubbish_do_not_count():
    rubbish = Output(("journalctl",), b'{"UNIT": 7}\n[]\nnull\n{"UNIT": "batch.service"}\n\xff\n')
    assert reading(own(), shown(block()), said(restarted(5, "other.service")), rubbish).value == 0
    assert reading(own(), shown(block()), said(restarted(5)), rubbish).value == 1


def test_of_a_host_those_that_were_restarted_are_told_and_the_rest_is_counted():
    blocks = [block(f"u{n}.service") for n in range(20)] + [block("batch.service", restarts=1)]
    (fact,) = units.read([own(), shown(*blocks, every=True), said(restarted(5))])
    first, rest = fact.readings
    assert (first.subject, first.value) == ("unit batch.service", 1)
    assert (rest.verdict, rest.detail) == (
        "ok", "20 services of 21 not restarted by systemd in the last hour",
    )  # fmt: skip


def planned(asked, *answers):
    plan = units.plan(asked)
    steps, left = [next(plan)], list(answers)
    try:
        while True:
            steps.append(plan.send(left.pop(0) if left else Output(steps[-1].argv, b"")))
    except StopIteration:
        return steps


def test_only_the_targets_units_are_asked():
    steps = planned(context(7), own(), groups())
    assert steps[2].argv[-1] == "batch.service"
    assert steps[3].argv[-1] == "UNIT=batch.service"
    assert "*.service" in planned(context(), own())[1].argv


def test_a_unit_is_known_though_its_process_has_ended():
    """Between two of its lives there is nobody to ask: no command may hang on the pid."""
    target = Target("unit/batch", "unit", "batch", "vm", context(7).target.processes)
    by_group = replace(context(7), memory_cgroups=("/sys/fs/cgroup/system.slice/batch.service",))
    for asked in (Context(target), by_group):
        steps = planned(asked, own())
        assert [s.argv[-1] for s in steps[1:]] == ["batch.service", "UNIT=batch.service"]
        assert not any(s.pids for s in steps)


@pytest.mark.parametrize(
    "group",
    [
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service",
        "0::/init.scope",
        "0::/system.slice/-x.service",
        "0::/system.slice/a\x1b[31m.service",
        "5:memory:/x.service",
    ],
)
def test_groups_that_name_no_unit_of_the_system(group):
    assert len(planned(context(7), own(), groups(group))) == 2
    assert len(planned(context(7), own(), groups())) == 4


def test_without_systemd_nothing_is_asked():
    assert len(planned(context(7), own(init="bash"))) == 1
    assert len(planned(context(7), own(), groups())) == 4


def test_this_machine_as_it_is():
    outputs, facts = run_probe(units, context())
    assert outputs[0].exit_code in {0, 1}
    with open("/proc/1/comm") as file:  # noqa: PTH123 - one line
        has_systemd = file.read().strip() == "systemd"
    assert bool(facts) <= has_systemd
