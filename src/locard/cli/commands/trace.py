"""Run one eBPF program against the target: opens, tcp-connect-latency, run-queue, …; alone, list them.

  locard trace
  locard trace opens pid/4242 --for 10s
  locard trace tcp-connect-latency proc/gunicorn --port 5432
  locard trace opens pid/4242 --engine bcc     (opensnoop, as bcc or libbpf-tools have it)
  locard trace -e 'tracepoint:syscalls:sys_enter_openat /pid == $1/ { @[comm] = count(); }' pid/4242

Each sums in the kernel what belongs to the target, says what it lost and what it cannot see.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard import catalogue
from locard.cli import observing
from locard.cli.parser import filled, width
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
    """The flags of the program that is named, and what it says of itself; without one, which there are."""
    every = _programs()
    if any(w.startswith("-e") for w in words):
        _own_arguments(parser)
        return
    plain = [w for w in words if not w.startswith("-") and w != "trace"]
    named = next((w for w in map(_ours, plain) if w in every), "")
    if named:
        parser.prog += f" {named}"
        parser.description = _about(every[named])
        observing.add_params(parser, f"kernel/{named}")
        return
    parser.epilog = "programs:\n\n" + "\n".join(
        f"  {name:<20} {entry.summary()}" for name, entry in every.items()
    )
    before = dict(zip(words[1:], words, strict=False))
    first = next((w for w in plain if not before.get(w, "").startswith("-") and "/" not in w), None)
    if first is not None and not {"-h", "--help"} & {*words}:
        raise _no_program(first, every)


def run(args: argparse.Namespace) -> int:
    """Observe and show, or list what there is."""
    if args.one_liner is not None:
        return _own(args)
    every = _programs()
    if args.name is None:
        for name, entry in every.items():
            known = [k for k, of in KNOWN_AS.items() if of == name]
            also = f" Known as {', '.join(known)}." if known else ""
            print(filled(f"  {name:<20} {entry.summary()}.{also}", width()))
        print()
        for words in _USE:
            print(filled(words, width()))
        return ExitCode.NOTHING_FOUND
    args.name = _ours(args.name)
    if args.name not in every:
        raise _no_program(args.name, every)
    return observing.run(args, f"kernel/{args.name}")


_USE = (
    "locard trace NAME TARGET observes, such as: locard trace opens pid/4242 --for 10s",
    "locard trace NAME --help says what it shows, what it costs, what it cannot see, and its flags.",
)


def _ours(name: str) -> str:
    """Our own name for what others call so."""
    return KNOWN_AS.get(name.removesuffix("-bpfcc"), name)


def _no_program(name: str, every: dict[str, Entry]) -> UsageError:
    if "/" in name:
        return UsageError(
            f"which program is to observe {name}?",
            f"there is: {', '.join(every)}",
            f"Write for example: locard trace opens {name}",
        )
    near = did_you_mean(name, [*every, *KNOWN_AS])
    if not near:
        words = set(name.replace("_", "-").split("-"))
        like = [n for n in every if words & set(n.split("-"))]
        near = f"did you mean {' or '.join(like)}?" if like else ""
    return UsageError(
        f"no program {name!r}",
        near or f"there is: {', '.join(every)}",
        "List them with what each shows: locard trace",
    )


def _about(entry: Entry) -> str:
    """What a program says of itself, for its help."""
    summary, _, rest = (entry.load().__doc__ or "").strip().partition("\n\n")
    sections = re.sub(r"\n +", " ", rest)
    return "\n\n".join((summary, *sections.splitlines()))


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
