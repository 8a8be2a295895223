"""What is named as missing where the kernel refuses eBPF."""

from __future__ import annotations

import pytest

from locard.guard.kernel_refusal import EACCES, ENOENT, EPERM, PERFMON, SYS_ADMIN, lacking, unlock

ROOT = "000001ffffffffff"


def facts(**changed):
    return {
        "btf": "yes", "lockdown": "none", "tracefs": "yes", "seccomp": "0", "capabilities": ROOT,
        "user": "0", "users": "", "last_capability": "40", "kernel": "6.12",
    } | changed  # fmt: skip


def held(*numbers):
    return f"{sum(1 << n for n in numbers):016x}"


@pytest.mark.parametrize(
    ("number", "said", "around", "words"),
    [
        (EPERM, "", facts(capabilities=held(PERFMON)), "it takes CAP_BPF, which root lacks here"),
        (EPERM, "", facts(capabilities=held(), user="7"), "CAP_BPF and CAP_PERFMON, which root has"),
        (EPERM, "", facts(capabilities=held(), last_capability="37"), "it takes CAP_SYS_ADMIN"),
        (EPERM, "", facts(users="own", capabilities=ROOT), "a user namespace"),
        (EPERM, "", facts(seccomp="2"), "a seccomp profile"),
        (EPERM, "", facts(seccomp="2", capabilities=held()), "CAP_PERFMON); and a seccomp profile"),
        (EPERM, "", facts(), "security module"),
        (EPERM, "", {}, "it takes CAP_BPF and CAP_PERFMON"),
        (EPERM, "", facts(lockdown="confidentiality"), "lockdown"),
        (EPERM, "", facts(btf=""), "CONFIG_DEBUG_INFO_BTF"),
        (EACCES, "invalid access to map value", facts(), ""),
        (EACCES, "failed to create uprobe perf event: -EACCES", facts(capabilities=held(38, 39)), "it takes CAP_SYS_ADMIN"),
        (ENOENT, "attaching x: this kernel has no such event", facts(), "this kernel lacks the event"),
        (ENOENT, "attaching x: this kernel has no such event", facts(tracefs=""), "tracefs"),
        (0, "the C library for riscv64 is not part of this build", facts(), "a build for this machine"),
        (0, "/proc shows another pid namespace than ours", facts(), "--pid host"),
        (0, "the files that process 7 has mapped cannot be read", facts(), "CAP_SYS_PTRACE"),
        (22, "", facts(), ""),
        (None, "", {"capabilities": "no number"}, ""),
    ],
)  # fmt: skip
def test_each_refusal_is_explained_by_what_is_so(number, said, around, words):
    found = unlock(number, said, around)
    assert words in found
    assert bool(words) == bool(found)


def test_one_capability_stands_for_the_two():
    assert lacking(facts(capabilities=held(SYS_ADMIN))) == ()
    assert lacking(facts(capabilities=held(SYS_ADMIN)), by_perf=True) == ()
    assert lacking(facts(capabilities=held())) == (39, 38)
