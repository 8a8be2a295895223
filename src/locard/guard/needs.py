"""The programs that commands start, what each adds and how to get it: `locard doctor` reads these."""

from __future__ import annotations

from locard.guard.command import Need

PYTHON = Need(
    "python3",
    "everything that is read beside the target: threads, sockets, disks, processes",
    "apt-get install python3-minimal (3.6 or later), or enter by a debug image",
)
PY_SPY = Need("py-spy", "stacks of Python before 3.8", "pip install py-spy")
DMESG = Need("dmesg", "OOM kills from the kernel's log", "apt-get install util-linux")
JOURNALCTL = Need("journalctl", "logs of systemd units", "run where systemd runs")
SYSTEMCTL = Need("systemctl", "the limits and restarts of systemd units", "run where systemd runs")
SYSTEMD_ANALYZE = Need(
    "systemd-analyze", "how much journald lets a unit write", "run where systemd runs"
)
DOCKER = Need("docker", "containers of docker, and their logs", "apt-get install docker-cli")
PODMAN = Need("podman", "containers of podman, and their logs", "apt-get install podman")
KUBECTL = Need(
    "kubectl", "pods and deployments, and their logs", "apt-get install kubernetes-client"
)
SUDO = Need(
    "sudo",
    "declared reads as root, without a password",
    "ask for the rules of: locard doctor --sudoers",
)
STRACE = Need("strace", "locard syscalls --engine strace", "apt-get install strace")
LTRACE = Need("ltrace", "locard libcalls --engine ltrace", "apt-get install ltrace")
PERF = Need(
    "perf",
    "locard syscalls --engine perf",
    "apt-get install linux-perf (Ubuntu: linux-tools-generic)",
)
BPFTRACE = Need(
    "bpftrace",
    "one-liners of your own: locard trace -e; locard syscalls, libcalls --engine bpftrace",
    "apt-get install bpftrace",
)
# As distributions call them: bcc of Debian, libbpf-tools of Debian, and both elsewhere.
BCC_ENDINGS = ("-bpfcc", "-libbpf", "")
_BCC = (
    "opensnoop", "execsnoop", "tcpconnect", "tcpconnlat", "tcpretrans", "biolatency", "runqlat", "offcputime",
    "fileslower",
)  # fmt: skip


def bcc(tool: str) -> tuple[Need, ...]:
    """A tool of bcc under each of its names."""
    get = (
        "apt-get install bpfcc-tools linux-headers-$(uname -r); Debian 13 and later: libbpf-tools, which need no"
        " headers (Red Hat: dnf install bcc-tools, and /usr/share/bcc/tools on PATH)"
    )
    return tuple(
        Need(f"{tool}{ending}", "locard trace --engine bcc", get, of="bcc")
        for ending in BCC_ENDINGS
    )


ALL = (
    PYTHON, PY_SPY, DMESG, JOURNALCTL, SYSTEMCTL, SYSTEMD_ANALYZE, DOCKER, PODMAN, KUBECTL, SUDO, STRACE,
    LTRACE, PERF, BPFTRACE, *(need for tool in _BCC for need in bcc(tool)),
)  # fmt: skip
