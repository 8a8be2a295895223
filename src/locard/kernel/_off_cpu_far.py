"""Names the stacks of threads that were off their CPU, beside the target: behind `_stacks_far.py`.

{"stack": [outermost…innermost], "value": ns, "count", "max_ns", "ready_ns", "tid", "pid", "state",
 "still": true where it was away at the end, "waker": [...], "waker_pid"}
{"away_since_before": tid, "pid", "state"}   a thread that slept the whole time
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from locard.far.observe import Observation, emit
    from locard.far.processes import alive, family
    from locard.kernel._stacks_far import Stacks

MOST_STACKS = 1000
# The frame of the switch itself and what stands inside it.
SWITCH = re.compile(
    r"^(__schedule|schedule|__bpf_trace_\w+|bpf_.*|__traceiter_\w+|schedule_\w+)_\[k\]$"
)
WAKE = re.compile(r"^(bpf_\w+|try_to_wake_up|__bpf_trace_\w+|__traceiter_\w+|ttwu_\w+)_\[k\]$")
# From here on out it is whoever was on that CPU, who has nothing to do with the wake-up.
INTERRUPT = re.compile(
    r"^(asm_)?(sysvec_\w+|common_interrupt|exc_nmi|el1h?_\w*irq\w*|el0t?_\w*irq\w*|gic_handle_irq"
    r"|do_interrupt_handler|irq_exit_rcu|__irq_exit_rcu|handle_softirqs|__do_softirq|do_softirq\w*)_\[k\]$"
)
STACKS = []  # type: list[Stacks]
AWAY = []  # type: list[dict[str, Any]]
STATES = "SDT"  # as the program numbers them


def without_switch(names: "list[str]") -> "list[str]":
    """A stack without the frames of the switch, which are the same in all."""
    while len(names) > 1 and SWITCH.match(names[-1]):
        names = names[:-1]
    return names


def who_woke(tgid: int, user: int, kernel: int) -> "list[str]":
    """A waker's stack: where it was an interrupt, only that and not who was interrupted."""
    pid = STACKS[0].observation.pids[0]  # whose kernel frames are everybody's
    names = STACKS[0].by_id(pid, -1, kernel)
    while len(names) > 1 and WAKE.match(names[-1]):
        names.pop()
    for k in range(len(names) - 1, -1, -1):
        if INTERRUPT.match(names[k]):
            outer = k
            while outer > 0 and INTERRUPT.match(names[outer - 1]):
                outer -= 1
            return ["[interrupt]"] + names[outer:]
    return (STACKS[0].by_id(tgid, user, -1) if tgid and user >= 0 else []) + names


def tell_one(key: "dict[str, Any]", row: "dict[str, Any]") -> None:
    """One line."""
    stacks = STACKS[0]
    row["stack"] = without_switch(stacks.by_id(key["tgid"], key["user"], key["kernel"]))
    row["tid"], row["pid"], row["state"] = key["tid"], key["tgid"], key["state"]
    row.setdefault("tids", [key["tid"]])
    if not row["stack"]:
        row["stack"] = ["[a stack that could not be taken]"]
    if key["waker_user"] >= 0 or key["waker_kernel"] >= 0:
        row["waker"] = who_woke(key["waker_tgid"], key["waker_user"], key["waker_kernel"])
        row["waker_pid"] = key["waker_tgid"]
    emit(row)


def look_at_end(observation: "Observation") -> None:
    """Who is away, while the program still sees who comes back."""
    for pid in family(observation.pids):
        if alive(pid):
            AWAY.extend(observation.obj.iterate("blocked", "blocked_row", pid))


def tell_stacks(observation: "Observation") -> None:
    """The stacks with the most time, those of threads that are still away first."""
    now = int(observation.ended * 1e9)
    for found in AWAY:
        key = found["key"]
        if found["before"]:
            emit(
                {"away_since_before": key["tid"], "pid": key["tgid"], "state": STATES[key["state"]]}
            )
        elif found["since"] < now:
            tell_one(key, {"value": now - found["since"], "count": 1, "still": True})
    rows = by_stack(observation.obj.entries("off_cpu"), observation.names.known)
    for key, row in rows[:MOST_STACKS]:
        tell_one(key, row)
    if len(rows) > MOST_STACKS:
        left = sum(row["value"] for _, row in rows[MOST_STACKS:]) / 1e9
        emit(
            {
                "unseen": "%d stacks with less time were not named: %.3g s of waits"
                % (len(rows) - MOST_STACKS, left)
            }
        )
    STACKS[0].tell()


def by_stack(
    entries: "Iterable[tuple[dict[str, Any], dict[str, Any]]]",
    names: "dict[int, tuple[int, str, int]]",
) -> "list[tuple[dict[str, Any], dict[str, Any]]]":
    """The same stack of all threads of one name, but for its number, as one; the most time first."""
    found = {}  # type: dict[tuple[Any, ...], tuple[dict[str, Any], dict[str, Any]]]
    for key, times in entries:
        same = tuple(value for name, value in sorted(key.items()) if name != "tid")
        same += (names.get(key["tid"], (0, "", 0))[1].rstrip("0123456789"),)
        if same not in found:
            found[same] = (key, {"value": 0, "count": 0, "max_ns": 0, "ready_ns": 0, "tids": []})
        row = found[same][1]
        row["value"] += times["total_ns"]
        row["count"] += times["count"]
        row["ready_ns"] += times["ready_ns"]
        row["max_ns"] = max(row["max_ns"], times["max_ns"])
        row["tids"].append(key["tid"])
    return sorted(found.values(), key=lambda kv: -kv[1]["value"])


def begin(observation: "Observation") -> None:
    """Who is away already; and the files, while the target lives."""
    AWAY.clear()
    for pid in family(observation.pids):
        observation.obj.iterate("already", "", pid)
    STACKS[:] = [Stacks(observation)]


def look_again(_observation: "Observation") -> None:
    """What was mapped meanwhile."""
    STACKS[0].refresh()


ATTACH, TICK, LAST, EXTRA = begin, look_again, look_at_end, tell_stacks
