"""One-liners of the user's own: what they count, and what is refused."""

from __future__ import annotations

import pytest
from engines_support import STEADY, goes_on, need, steps
from observing_support import context, working

from locard.guard.command import Impact
from locard.guard.gate import Gate
from locard.kernel.probes import bpftrace
from locard.model.errors import RefusedError, UsageError
from locard.model.kernel_facts import NotObserved
from support import needs_root


def asked(program: str) -> bpftrace.Params:
    return bpftrace.Params(for_s=1.0, program=program)


@needs_root
def test_counts_of_the_target_only():
    need("bpftrace")
    program = (
        "tracepoint:syscalls:sys_enter_getppid /pid == $1/ { @[comm, pid] = count(); @sum = sum(2); }"
        ' END { printf("bye %d\\n", $1); }'
    )
    with working(STEADY) as target:
        target.go()
        (found,) = steps(bpftrace, target.pid, for_s=1.0, program=program)
        goes_on(target)
    if isinstance(found, NotObserved):
        pytest.skip(found.problem)
    counted = next(r for r in found.rows if str(target.pid) in r.what and r.count > 1)
    total = next(r for r in found.rows if r.what == "@sum")
    assert total.value == 2 * counted.count
    assert [r.what for r in found.rows if r.result == "printed"] == [f"bye {target.pid}"]
    assert not found.partial


@pytest.mark.parametrize(
    "program",
    [
        'BEGIN { system("id"); }',
        'BEGIN { sys/**/tem("id"); } // system',
        "kprobe:x { override(1); }",
        "BEGIN { signal(9); }",
        'BEGIN { cat("/etc/shadow"); }',
        "#include </etc/shadow>\nBEGIN { }",
        "BEGIN { } #define x system",
        "uretprobe:/bin/bash:readline { }",
        "ur:/bin/bash:readline { }",
        "usdt:/bin/x:a:b { }",
        "uprobe:/bin/bash:readline+4 { }",
        "u:/bin/bash:0x1234 { }",
        "watchpoint:0x1:8:w { }",
        'import "x"; BEGIN { }',
        "--unsafe",
        "",
    ],
)
def test_what_acts_or_harms_is_refused_by_words_and_by_the_gate(program):
    with pytest.raises(UsageError, match="refused"):
        bpftrace.check(asked(program))
    with pytest.raises(RefusedError):
        bpftrace.bpftrace.SCRIPT.fill(program=program, pid=())


@pytest.mark.parametrize(
    "program",
    [
        "tracepoint:syscalls:sys_enter_openat { @[str(args.filename)] = count(); }",
        'profile:hz:99 /pid == $1/ { @[ustack, comm] = count(); } BEGIN { printf("%d\\n", $#); }',
        "uprobe:/usr/lib/libstdc++.so.6:_Znwm /pid == $1/ { @ = hist(arg0); }",
        "kprobe:vfs_read { @bytes = sum(arg2 + 16); }",
    ],
)
def test_what_reads_is_taken(program):
    bpftrace.check(asked(program))
    gate = Gate({"p": bpftrace.COMMANDS}, Impact.SAMPLES, cap=Impact.INJECTS, why="")
    plan = bpftrace.plan(context(7), asked(program))
    step = next(plan)
    for _ in range(3):
        gate.admit("p", step)
        step = plan.send(bpftrace.SAMPLES[0].outputs[0])
    assert not any("unsafe" in word for word in step.argv)


def test_a_uprobe_takes_one_process():
    with pytest.raises(UsageError, match="one target process"):
        next(bpftrace.plan(context(7, 8), asked("uprobe:/bin/bash:readline { @ = count(); }")))
