"""Run one eBPF program against the target: opens, tcp-connect-latency, run-queue, …; alone, list them.

  locard trace
  locard trace opens pid/4242 --for 10s
  locard trace tcp-connect-latency proc/gunicorn --port 5432
  locard trace opens pid/4242 --engine bcc     (opensnoop, as bcc or libbpf-tools have it)
  locard trace -e 'tracepoint:syscalls:sys_enter_openat /pid == $1/ { @[comm] = count(); }' pid/4242

Each sums in the kernel what belongs to the target, says what it lost and what it cannot see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard import catalogue
from locard.cli import observing
from locard.model.errors import ExitCode, UsageError, did_you_mean

if TYPE_CHECKING:
    import argparse

    from locard.catalogue import Entry

# What people know the same from: bcc's tools, the article, DESIGN's older names.
KNOWN_AS = {
    "opensnoop": "opens", "statsnoop": "opens", "execsnoop": "exec", "exitsnoop": "exec",
    "tcpconnect": "tcp-connect", "tcpconnlat": "tcp-connect-latency", "tcpretrans": "tcp-retransmits",
    "tcpdrop": "tcp-retransmits", "biolatency": "disk-latency", "biosnoop": "disk-latency",
    "runqlat": "run-queue", "runqslower": "run-queue", "cpudist": "run-queue",
    "offcputime": "off-cpu", "offwaketime": "off-cpu", "profile": "cpu-profile",
    "fileslower": "file-latency", "ext4slower": "file-latency", "xfsslower": "file-latency",
    "read-latency": "file-latency", "slow-io": "file-latency", "filetop": "file-latency",
    "syncsnoop": "fsync", "gethostlatency": "dns-latency", "memleak": "malloc-sizes",
    "sigsnoop": "signals", "killsnoop": "signals", "oomkill": "oom", "sslsniff": "tls-latency",
    "traceloop": "last-calls", "flight-recorder": "last-calls", "accept-latency": "accept-queue",
    "http-latency": "request-latency", "kyanos": "request-latency",
}  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "-e",
        dest="one_liner",
        metavar="PROGRAM",
        help="a bpftrace program of your own in place of NAME; $1 is the target's pid",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a program; alone: list them")
    observing.arguments(parser, None)


def more_arguments(parser: argparse.ArgumentParser, words: list[str]) -> None:
    """The flags of the program that is named."""
    every = _programs()
    found = (KNOWN_AS.get(w.removesuffix("-bpfcc"), w) for w in words if not w.startswith("-"))
    named = next((w for w in found if w in every), "")
    if any(w.startswith("-e") for w in words):
        _own_arguments(parser)
    elif named:
        observing.add_params(parser, f"kernel/{named}")


def run(args: argparse.Namespace) -> int:
    """Observe and show, or list what there is."""
    if args.one_liner is not None:
        return _own(args)
    if args.name is None:
        for name, entry in _programs().items():
            print(f"{name:<22}{entry.summary()}")
            known = [k for k, of in KNOWN_AS.items() if of == name]
            if known:
                print(f"{'':<22}  known as {', '.join(known)}")
        return ExitCode.NOTHING_FOUND
    args.name = KNOWN_AS.get(args.name.removesuffix("-bpfcc"), args.name)
    if args.name not in _programs():
        names = list(_programs())
        raise UsageError(
            f"no program {args.name!r}",
            did_you_mean(args.name, names) or f"there is: {', '.join(names)}",
            "List them: locard trace",
        )
    return observing.run(args, f"kernel/{args.name}")


def _own_arguments(parser: argparse.ArgumentParser) -> None:
    """The flag of a program of one's own."""
    parser.add_argument(
        "--for",
        dest="param_for_s",
        metavar="TIME",
        help="how long to observe, such as 30s (default 5s)",
    )


def _own(args: argparse.Namespace) -> int:
    """A bpftrace program: what stands in the place of a name is a target, none is this machine."""
    args.target = [w for w in (args.name, *args.target) if w] or ["host/local"]
    return observing.run(args, "kernel/bpftrace", {"program": args.one_liner})


def _programs() -> dict[str, Entry]:
    """The programs by name."""
    every = catalogue.entries("probe", "kernel")
    return {e.name: e for e in every if ".programs." in e.module}
