"""Why a kernel refuses eBPF, and what would unlock it: by the errno, the kernel's words, and where it was tried.

`facts` are those of `surroundings` in far/ebpf.py: the permissions of the very process that was refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

EPERM, ENOENT, EACCES = 1, 2, 13
# Numbers of linux/capability.h. Kernels before 5.8 have only the one for all.
PERFMON, BPF, SYS_ADMIN, SYS_PTRACE = 38, 39, 21, 19
_NAMES = {PERFMON: "CAP_PERFMON", BPF: "CAP_BPF", SYS_ADMIN: "CAP_SYS_ADMIN", SYS_PTRACE: "CAP_SYS_PTRACE"}  # fmt: skip
_FILTER = (
    "a seccomp profile that permits bpf(2) and perf_event_open(2): one is in force here, and those of many"
    " container engines permit them only with CAP_SYS_ADMIN (--security-opt seccomp=FILE)"
)
_OWN_BUILD = "not part of this build"


def unlock(number: Any, said: str, facts: Mapping[str, Any]) -> str:  # noqa: PLR0911 - one return a cause
    """What would make the kernel take it: the first that explains the refusal; empty where nothing does."""
    if _OWN_BUILD in said:
        return "a build for this machine, with libelf-dev and zlib1g-dev where locard is installed"
    if "cannot be read" in said:
        add = f" (in a container: --cap-add {_NAMES[SYS_PTRACE]})"
        return f"run as root with {_NAMES[SYS_PTRACE]}{add}, or as the process's user"
    if "another pid namespace" in said:
        return (
            "mount a /proc of the same pid namespace there, or start the container with --pid host"
        )
    if not facts.get("btf", "yes") or "BTF is required" in said:
        return "a kernel with BTF (CONFIG_DEBUG_INFO_BTF=y): /sys/kernel/btf/vmlinux is missing"
    if facts.get("lockdown") == "confidentiality":
        return "kernel lockdown is in confidentiality mode: it forbids reading memory by eBPF"
    if number in {EPERM, EACCES}:
        return _permission(number, said, facts)
    if number == ENOENT:
        return "this kernel lacks the event" + (
            ", as far as can be seen without tracefs (mount -t tracefs tracefs /sys/kernel/tracing)"
            if "such event" in said and not facts.get("tracefs", "yes")
            else ""
        )
    return ""


def _permission(number: int, said: str, facts: Mapping[str, Any]) -> str:
    if facts.get("users"):
        return (
            "it runs in a user namespace of its own (a rootless container?), whose capabilities the kernel"
            " does not take for eBPF: run locard on the host, as root"
        )
    lacks = lacking(facts, "perf event" in said)
    filtered = facts.get("seccomp") not in {None, "", "0"}
    if lacks:
        names = " and ".join(_NAMES[n] for n in lacks)
        add = " ".join(f"--cap-add {_NAMES[n]}" for n in lacks)
        root = str(facts.get("user", "")) == "0"
        words = f"it takes {names}, which {'root lacks here' if root else 'root has'} (in a container: {add})"
        return f"{words}; and {_FILTER}" if filtered else words
    if number == EACCES:
        return ""  # the verifier's: no permission persuades it
    if filtered:
        return _FILTER
    if not facts:
        return "it takes CAP_BPF and CAP_PERFMON, which root has"
    return "a security module or a sandbox forbids it: no capability is missing"


def lacking(facts: Mapping[str, Any], by_perf: bool = False) -> tuple[int, ...]:
    """The capabilities that are missing. `by_perf`: functions one by one, for which CAP_SYS_ADMIN is asked."""
    held = _held(facts)
    if held is None or held >> SYS_ADMIN & 1:
        return ()
    last = str(facts.get("last_capability", ""))
    if last.isdigit() and int(last) < BPF:
        return (SYS_ADMIN,)
    lacks = tuple(n for n in (BPF, PERFMON) if not held >> n & 1)
    return lacks or ((SYS_ADMIN,) if by_perf else ())


def _held(facts: Mapping[str, Any]) -> int | None:
    try:
        return int(str(facts.get("capabilities", "")), 16)
    except ValueError:
        return None
