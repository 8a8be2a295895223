"""Tells how the target's processes look names up: their own /etc/resolv.conf, read through their root.

Stands before `far/observe.py` in one namespace.

  {"resolver": pid, "search": [...], "ndots": 1, "servers": [...]}
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.observe import Observation, emit
    from locard.far.processes import family

MOST_RESOLVERS = 64
MOST_CONF = 65536


def resolver(pid: int) -> "dict[str, Any]":
    """Search domains, ndots and servers of a process; nothing where it cannot be read."""
    search, ndots, servers = [], 1, []  # type: list[str], int, list[str]
    with open("/proc/%d/root/etc/resolv.conf" % pid, errors="backslashreplace") as file:
        lines = file.read(MOST_CONF).splitlines()
    for line in lines:
        words = line.split()
        if len(words) < 2 or words[0][:1] in "#;":
            continue
        if words[0] in ("search", "domain"):  # the last one counts
            search = words[1:]
        elif words[0] == "nameserver":
            servers.append(words[1])
        elif words[0] == "options":
            for word in words[1:]:
                if word.startswith("ndots:") and word[6:].isdigit():
                    ndots = int(word[6:])
    return {"search": search, "ndots": ndots, "servers": servers}


def tell_resolvers(observation: "Observation") -> None:
    """Once for each process."""
    for pid in family(observation.pids)[:MOST_RESOLVERS]:
        try:
            emit(dict(resolver(pid), resolver=pid))
        except OSError:
            continue


ATTACH = tell_resolvers
