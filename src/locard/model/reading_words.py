"""Readings of the checklist in words: what was measured, how much, of how much, in units that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import semconv

if TYPE_CHECKING:
    from locard.model.facts import Reading

_MIB, _GIB = 1 << 20, 1 << 30
_MEASURES = {
    semconv.SYSTEM_CPU_UTILIZATION: "CPU time",
    semconv.SYSTEM_MEMORY_AVAILABLE: "available memory",
    semconv.SYSTEM_PAGING_UTILIZATION: "swap in use",
    semconv.SYSTEM_CONNECTIONS: "connections",
    semconv.SYSTEM_FILESYSTEM_UTILIZATION: "space in use",
    semconv.SYSTEM_FILESYSTEM_INODES: "inodes in use",
    semconv.SYSTEM_LOAD_1M: "load average of 1 min",
    semconv.SYSTEM_RUN_QUEUE: "threads that run or wait for a CPU",
    semconv.SYSTEM_CPU_PRESSURE: "time in which some task waited for a CPU (PSI)",
    semconv.SYSTEM_MEMORY_PRESSURE: "time in which all tasks waited for memory (PSI)",
    semconv.SYSTEM_MEMORY_DIRTY: "memory that waits to be written",
    semconv.SYSTEM_OOM_KILLS: "processes ended by the OOM killer",
    semconv.SYSTEM_OPEN_FILES: "open files",
    semconv.SYSTEM_LISTEN_OVERFLOWS: "connections dropped at a full accept queue",
    semconv.SYSTEM_TCP_RETRANSMITS: "TCP segments sent again",
    semconv.SYSTEM_THREADS: "threads",
    semconv.SYSTEM_EPHEMERAL_PORTS: "ephemeral ports in use",
    semconv.PROCESS_CPU_UTILIZATION: "CPUs in use",
    semconv.PROCESS_OPEN_FDS: "open file descriptors",
    semconv.PROCESS_DELETED_FILES: "deleted files that are still open",
    semconv.PROCESS_USER_TASKS: "threads of this user",
    semconv.PROCESS_CLOSE_WAIT: "connections in CLOSE_WAIT",
    semconv.PROCESS_SYN_SENT: "connections without an answer yet (SYN_SENT)",
    semconv.PROCESS_MEMORY_PRIVATE: "private memory",
    semconv.PROCESS_IO_CALLS: "read and write calls a second",
    semconv.PROCESS_CONNECTIONS: "connections",
    semconv.PROCESS_ACCEPT_QUEUE: "connections that wait to be accepted",
    semconv.CONTAINER_WORKING_SET: "memory in use",
    semconv.CONTAINER_MEMORY_HIGH: "memory beside its memory.high",
    semconv.SYSTEM_UNIT_RESTARTS: "restarts by systemd in the last hour",
    semconv.SYSTEM_UNIT_OOM_KILLS: "times that it ended for want of memory in the last hour, as systemd says",
    semconv.CONTAINER_TASKS: "processes and threads",
    semconv.CONTAINER_OOM_KILLS: "processes ended by the OOM killer",
    semconv.CONTAINER_CPU_THROTTLED: "periods in which the CPU quota stopped it",
    semconv.CONTAINER_CPU_THROTTLED_LIFETIME: "such periods since the group was made",
    semconv.CONTAINER_CPU_QUOTA_TIME: "time counted under the CPU quota",
}


def measure(name: str) -> str:
    """What a reading measures; the end of its name where there is no better word."""
    return _MEASURES.get(name) or name.rpartition(".")[2].replace("_", " ")


def amount(value: float, unit: str) -> str:
    """A number with its unit; a count needs none beside the words of its measure."""
    if unit == "1":
        return f"{value:.1%}"
    if unit == "By":
        return f"{value / _GIB:.1f} GiB" if value >= _GIB else f"{value / _MIB:.0f} MiB"
    if unit == "%":
        return f"{value:g} %"
    if unit.startswith("{"):
        return f"{value:.4g}" if value != int(value) else f"{value:.0f}"
    return f"{value:.4g} {unit}"


def words(reading: Reading) -> str:
    """One reading as a sentence: whose, what, how much, of how much."""
    shares_all = reading.unit == "1" and reading.limit == 1.0
    limit = (
        "" if reading.limit is None or shares_all else f" of {amount(reading.limit, reading.unit)}"
    )
    detail = f" ({reading.detail})" if reading.detail else ""
    value = amount(reading.value, reading.unit)
    return f"{reading.subject}: {measure(reading.name)} {value}{limit}{detail}"


def short(reading: Reading) -> str:
    """The same without its detail, the subject last."""
    return f"{measure(reading.name)} {amount(reading.value, reading.unit)} ({reading.subject})"
