"""Which arguments of a command line are secrets: by the option's name, and by what a program is known for.

`-p 80` is a port, `sshpass -p x` a password: a short option counts only with a program that is known to
take a secret with it.
"""

# ruff: noqa: SIM905 - lists of words are read as words

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.guard.secret_names import is_said, is_secret, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MYSQL = ("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlcheck", "mysqlbinlog", "mysqlsh",
          "mariadb", "mariadb-dump", "mariadb-admin", "xtrabackup", "mariabackup")  # fmt: skip
# Options whose value is the next argument, or follows at once.
_SEPARATE: dict[str, tuple[str, ...]] = {
    "redis-cli": ("-a",), "valkey-cli": ("-a",), "sshpass": ("-p",), "mongo": ("-p",), "mongosh": ("-p",),
    "mongodump": ("-p",), "mongorestore": ("-p",), "mongostat": ("-p",), "cqlsh": ("-p",), "sqlcmd": ("-P",),
    "bcp": ("-P",), "osql": ("-P",), "isql": ("-P",), "ldapsearch": ("-w",), "ldapmodify": ("-w",),
    "ldapadd": ("-w",), "ldapwhoami": ("-w",), "ldappasswd": ("-w", "-s", "-a"), "mosquitto_pub": ("-P",),
    "mosquitto_sub": ("-P",), "docker": ("-p",), "podman": ("-p",), "helm": ("-p",), "skopeo": ("-p",),
    "snmpget": ("-A", "-X", "-c"), "snmpwalk": ("-A", "-X", "-c"), "ipmitool": ("-P",), "unzip": ("-P",),
    "zip": ("-P",), "nodetool": ("-pw",), "beeline": ("-p",), "influx": ("-t",), "etcdctl": (),
    "openssl": ("-k", "-K"), "aria2c": (), "ncat": (), "pscp": ("-pw",), "plink": ("-pw",), "amqp-publish": (),
    "kcat": (), "vault": (), "gpg": (),
}  # fmt: skip
_ATTACHED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_MYSQL, ("-p",)),
    "sshpass": ("-p",), "7z": ("-p",), "7za": ("-p",), "7zz": ("-p",), "rar": ("-p", "-hp"), "unrar": ("-p",),
    "redis-cli": ("-a",), "sqlcmd": ("-P",), "unzip": ("-P",), "zip": ("-P",), "xfreerdp": ("/p:",),
    "ipmitool": ("-P",), "snmpget": ("-c",), "snmpwalk": ("-c",), "mongo": (), "ldapsearch": ("-w",),
}  # fmt: skip
# `user:password` or `user%password`: what stands behind the first mark.
_PAIRED: dict[str, tuple[tuple[str, ...], str]] = {
    "curl": (("-u", "--user", "-U", "--proxy-user"), ":"),
    "http": (("-a", "--auth"), ":"), "https": (("-a", "--auth"), ":"), "xh": (("-a", "--auth"), ":"),
    "ab": (("-A", "-P"), ":"), "smbclient": (("-U", "--user"), "%"), "rpcclient": (("-U", "--user"), "%"),
    "lftp": (("-u", "--user"), ","), "etcdctl": (("--user",), ":"), "nexus": (("-u",), ":"),
}  # fmt: skip
# Programs that somebody's message may repeat the command line of.
PROGRAMS = frozenset({*_SEPARATE, *_ATTACHED, *_PAIRED})
_WRAPPERS = frozenset(
    ("env sudo nice ionice nohup timeout time exec strace ltrace setsid stdbuf doas").split()
)
_HEADER_OPTIONS = ("-H", "--header", "--proxy-header")
_OPTION_NAMES = frozenset(
    ["auth", "key", "pass", "pw", "requirepass", "masterauth", "masteruserpass", "userpass"]
)
_LOGIN = frozenset({"docker", "podman", "helm", "skopeo"})
_OPTION = re.compile(
    r"(?P<dashes>--?|/)(?P<name>[A-Za-z][\w.-]{1,63})(?:(?P<sep>[=:])(?P<value>.+))?", re.DOTALL
)
_HEADER = re.compile(r"(?P<name>[\w-]{1,64})[ ]?:[ ]*(?P<value>.+)", re.DOTALL)
_OPENSSL = re.compile(r"(?:pass|PASS):(?P<value>.+)", re.DOTALL)
_PLACES = re.compile(
    r"(?:/|\./|~/)\S*|\S+\.(?:pem|key|crt|cer|p12|pfx|jks|pub|gpg|asc|json|ya?ml|txt)"
)
_NUMBER = re.compile(r"[0-9][0-9.,kKmMgG-]{0,8}")


def secrets(argv: Sequence[str]) -> Iterator[tuple[str, int | None]]:
    """Each argument, and where in it a secret begins; None where it is to be judged as text."""
    program = _program(argv)
    after = ""  # the option that the next argument belongs to
    for place, part in enumerate(argv):
        if after and place:
            start = _value_of(program, after, part, argv)
            after = ""
            if start is not None:
                yield part, start
                continue
        start = _own(program, part) if place else None
        if start is None and part[:1] == "-" and "=" not in part:
            after = part
        yield part, start


def _program(argv: Sequence[str]) -> str:
    for part in argv[:8]:
        name = part.rpartition("/")[2]
        if name in _WRAPPERS or part.startswith("-") or "=" in part or name.isdigit():
            continue
        return name
    return ""


def _own(program: str, part: str) -> int | None:
    """A secret that stands in the argument with its option."""
    for option in _ATTACHED.get(program, ()):
        if part.startswith(option) and len(part) > len(option) and not part.startswith("--"):
            return len(option)
    options, mark = _PAIRED.get(program, ((), ""))
    for option in options:
        joined = f"{option}=" if option.startswith("--") else option
        if part.startswith(joined) and mark in part[len(joined) :]:
            return part.index(mark, len(joined)) + 1
    if program == "openssl" and (found := _OPENSSL.fullmatch(part)):
        return found.start("value")
    header = next((len(o) for o in ("-H", "--header=") if part.startswith(o)), 0)
    if header and (start := _header(part[header:])) is not None:
        return header + start
    found = _OPTION.fullmatch(part)
    if found and found["value"] and _takes(found["name"], found["value"]):
        return found.start("value")
    return None


def _value_of(program: str, option: str, part: str, argv: Sequence[str]) -> int | None:
    """A secret that is the argument after its option."""
    if option in _SEPARATE.get(program, ()) and (program not in _LOGIN or "login" in argv):
        return 0
    options, mark = _PAIRED.get(program, ((), ""))
    if option in options:
        return part.index(mark) + 1 if mark in part else None
    if program == "curl" and option in {"-b", "--cookie"}:
        return part.index("=") + 1 if "=" in part else None
    if option in _HEADER_OPTIONS:
        return _header(part)
    found = _OPTION.fullmatch(option)
    is_option = part.startswith("--") or re.fullmatch(r"-[A-Za-z]?", part)
    if found and not found["value"] and not is_option and _takes(found["name"], part):
        return 0
    return None


def _header(text: str) -> int | None:
    found = _HEADER.fullmatch(text)
    if found is None or found["name"].lower().endswith(("authorization", "cookie")):
        return None  # its schemes and parts are known to the rules of text
    kind = kind_of(found["name"])
    known = kind or found["name"].lower().endswith(("-auth", "-key", "-token"))
    return found.start("value") if known and not is_said(found["value"]) else None


def _takes(name: str, value: str) -> bool:
    """Whether an option of that name takes a secret, and this is one."""
    last = re.split(r"[._-]", name)[-1].lower()
    kind = kind_of(name)
    if kind in {"authorization", "cookie"}:
        return not is_said(value)
    if last in _OPTION_NAMES or kind == "weak":
        is_place = _PLACES.fullmatch(value) or _NUMBER.fullmatch(value)
        return not is_place and not is_said(value)
    return bool(kind) and is_secret(kind, value, name=name)
