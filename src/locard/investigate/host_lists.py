"""Lists of hosts as texts: a host a line, an Ansible inventory (INI, or JSON of ansible-inventory). Pure.

Of Ansible's variables those of the connection are used: ansible_host, ansible_user, ansible_port and
ansible_ssh_private_key_file (their older names with `_ssh_` too); and a host of `ansible_connection=local` is this machine.
"""

from __future__ import annotations

import ipaddress
import math
import re
import shlex
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from locard.model.errors import UsageError
from locard.model.place import HERE, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOCAL_NAMES = frozenset({"local", "localhost"})
MOST_HOSTS = 5000
# `web[01:20].example.org` of an Ansible inventory.
_RANGE = re.compile(r"\[(?P<first>\d{1,9}):(?P<last>\d{1,9})\]")
_VARIABLES = {
    "address": ("ansible_host", "ansible_ssh_host"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "key": ("ansible_ssh_private_key_file", "ansible_private_key_file"),
}


def host_at(name: str, variables: Mapping[str, object] | None = None) -> Place:
    """The place of a host by its name and Ansible's variables; raises UsageError where it is none."""
    given = variables or {}
    if name in LOCAL_NAMES or str(given.get("ansible_connection", "")) == "local":
        return HERE
    host = name.rpartition("@")[2]
    if ":" in host and not _is_ipv6(host):
        raise UsageError(
            f"{_short(name)!r} is no host",
            "a host is NAME or USER@NAME; a port is given by your ssh configuration, or by ansible_port",
            "Write one host a line, or names with commas.",
        )
    options = []
    for option, names in _VARIABLES.items():
        value = next((str(given[n]) for n in names if given.get(n)), "")
        if value and value != name:
            options.append((option, value))
    return Place(f"host/{name}", "ssh", tuple(options))


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text.strip("[]"))
    except ValueError:
        return False
    return True


def of_lines(text: str) -> Iterator[Place]:
    """The hosts of a text: a host a line, groups and variables as in an INI inventory."""
    own: dict[str, dict[str, str]] = {}
    groups: dict[str, set[str]] = defaultdict(lambda: {"all"})  # of each host
    shared: dict[str, dict[str, str]] = defaultdict(dict)
    nested: dict[str, set[str]] = defaultdict(set)  # the groups that a group is in
    section = ""
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].split(";", 1)[0].strip()
        if line.startswith("["):
            section = line.strip("[]")
            continue
        if not line:
            continue
        group, _, kind = section.partition(":")
        if kind == "vars":
            name, _, value = line.partition("=")
            shared[group][name.strip()] = value.strip().strip("'\"")
        elif kind == "children":
            nested[line.split()[0]].add(group)
        else:
            first, *words = _words(line)
            for name in ranged(first):
                own.setdefault(name, {}).update(w.partition("=")[::2] for w in words if "=" in w)
                groups[name].add(group)
                if len(own) > MOST_HOSTS:
                    _refuse(len(own))
    for name, variables in own.items():
        yield host_at(name, {**_of_groups(groups[name], nested, shared), **variables})


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # a quote without its end
        return line.split()


def _of_groups(
    of: set[str], nested: Mapping[str, set[str]], shared: Mapping[str, dict[str, str]]
) -> dict[str, str]:
    """What the groups of a host say, the nearer ones last: a group knows better than one that it is in."""
    order, seen = [sorted(of - {"all"})], set(of)
    while order[-1]:
        outer = {g for group in order[-1] for g in nested.get(group, ())} - seen
        seen |= outer
        order.append(sorted(outer))
    found = dict(shared.get("all", {}))
    for groups in reversed(order):
        for group in groups:
            found.update(shared.get(group, {}))
    return found


def ranged(name: str) -> Iterator[str]:
    """The names that `web[01:20]` means; raises UsageError where they are too many."""
    sizes = [max(0, int(last) - int(first) + 1) for first, last in _RANGE.findall(name)]
    if math.prod(sizes) > MOST_HOSTS:
        _refuse(math.prod(sizes))
    yield from _ranged(name)


def _ranged(name: str) -> Iterator[str]:
    found = _RANGE.search(name)
    if found is None:
        yield name
        return
    width = len(found["first"])
    for number in range(int(found["first"]), int(found["last"]) + 1):
        yield from _ranged(name[: found.start()] + str(number).zfill(width) + name[found.end() :])


def of_inventory(data: object) -> tuple[Place, ...]:
    """The hosts in the JSON of `ansible-inventory --list`; raises UsageError."""
    if not isinstance(data, dict):
        return ()
    meta = data.get("_meta")
    known = meta.get("hostvars") if isinstance(meta, dict) else None
    variables: dict[str, Any] = known if isinstance(known, dict) else {}
    names: dict[str, None] = dict.fromkeys(map(str, variables))
    for group in data.values():
        listed = group.get("hosts") if isinstance(group, dict) else None
        names.update(dict.fromkeys(map(str, listed if isinstance(listed, list) else ())))
    if len(names) > MOST_HOSTS:
        _refuse(len(names))
    return tuple(
        host_at(name, of if isinstance(of := variables.get(name), dict) else {}) for name in names
    )


def _refuse(hosts: int) -> None:
    raise UsageError(
        f"{hosts:,} hosts or more", f"at most {MOST_HOSTS:,} are asked", "Ask for fewer."
    )


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:80] + "…"  # noqa: PLR2004 - as much as tells it
