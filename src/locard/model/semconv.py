"""Names of metrics and attributes, in one place.

The first groups are those of the OpenTelemetry semantic conventions 1.40 as they stand. Where the
conventions have no name, the last group makes one in the same form (namespace, what, unit in the
reading), so that it can be replaced here once they have.
"""

from __future__ import annotations

from typing import Final

# Metrics: system.*
SYSTEM_CPU_UTILIZATION: Final = "system.cpu.utilization"
SYSTEM_MEMORY_AVAILABLE: Final = "system.memory.linux.available"
SYSTEM_PAGING_UTILIZATION: Final = "system.paging.utilization"
SYSTEM_CONNECTIONS: Final = "system.network.connection.count"
SYSTEM_FILESYSTEM_UTILIZATION: Final = "system.filesystem.utilization"

# Metrics: process.*, container.*
PROCESS_CPU_UTILIZATION: Final = "process.cpu.utilization"
PROCESS_OPEN_FDS: Final = "process.unix.file_descriptor.count"
CONTAINER_WORKING_SET: Final = "container.memory.working_set"

# Attributes
CODE_FILE: Final = "code.file.path"
CODE_FUNCTION: Final = "code.function.name"
CODE_LINE: Final = "code.line.number"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
# Deprecated since 1.39, and still what most services write.
PEER_SERVICE: Final = "peer.service"

# Ours, in the same form
SYSTEM_LOAD_1M: Final = "system.linux.load_1m"
SYSTEM_RUN_QUEUE: Final = "system.cpu.run_queue"
SYSTEM_CPU_PRESSURE: Final = "system.psi.cpu.some"
SYSTEM_MEMORY_PRESSURE: Final = "system.psi.memory.full"
SYSTEM_MEMORY_DIRTY: Final = "system.memory.linux.dirty"
SYSTEM_OOM_KILLS: Final = "system.memory.oom_kills"
SYSTEM_OPEN_FILES: Final = "system.file_descriptor.count"
SYSTEM_LISTEN_OVERFLOWS: Final = "system.network.listen_overflows"
SYSTEM_TCP_RETRANSMITS: Final = "system.network.tcp.retransmits"
SYSTEM_FILESYSTEM_INODES: Final = "system.filesystem.inodes.utilization"
SYSTEM_THREADS: Final = "system.thread.count"
SYSTEM_EPHEMERAL_PORTS: Final = "system.network.ephemeral_ports.utilization"
PROCESS_DELETED_FILES: Final = "process.deleted_files.size"
PROCESS_USER_TASKS: Final = "process.user_tasks.count"
PROCESS_CLOSE_WAIT: Final = "process.network.close_wait.count"
PROCESS_SYN_SENT: Final = "process.network.syn_sent.count"
PROCESS_MEMORY_PRIVATE: Final = "process.memory.private"
CONTAINER_TASKS: Final = "container.task.count"
PROCESS_IO_CALLS: Final = "process.io.calls"
PROCESS_CONNECTIONS: Final = "process.network.connection.count"
PROCESS_ACCEPT_QUEUE: Final = "process.network.accept_queue"
CONTAINER_MEMORY_HIGH: Final = "container.memory.high"
SYSTEM_UNIT_RESTARTS: Final = "system.unit.restarts"
SYSTEM_UNIT_OOM_KILLS: Final = "system.unit.oom_kills"
CONTAINER_OOM_KILLS: Final = "container.memory.oom_kills"
CONTAINER_CPU_THROTTLED: Final = "container.cpu.throttled_share"
CONTAINER_CPU_THROTTLED_LIFETIME: Final = "container.cpu.throttled_share.lifetime"
CONTAINER_CPU_QUOTA_TIME: Final = "container.cpu.quota.accounted_time"
