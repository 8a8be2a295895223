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
    "kcat": (), "vault": (), "gpg": (), "redis-benchmark": ("-a",), "memtier_benchmark": ("-a",), "useradd": ("-p",),
    "usermod": ("-p",), "adduser": ("-p",), "rdesktop": ("-p",), "rabbitmqadmin": ("-p",), "check_mysql": ("-p",),
    "check_pgsql": ("-p",), "tsql": ("-P",), "ldapdelete": ("-w",), "ldapcompare": ("-w",), "snowsql": ("-p",),
    "ncftp": ("-p",), "ncftpput": ("-p",), "ncftpget": ("-p",),
}  # fmt: skip
_ATTACHED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_MYSQL, ("-p",)),
    "sshpass": ("-p",), "7z": ("-p",), "7za": ("-p",), "7zz": ("-p",), "rar": ("-p", "-hp"), "unrar": ("-p",),
    "redis-cli": ("-a",), "sqlcmd": ("-P",), "unzip": ("-P",), "zip": ("-P",), "xfreerdp": ("/p:",),
    "ipmitool": ("-P",), "snmpget": ("-c",), "snmpwalk": ("-c",), "mongo": (), "ldapsearch": ("-w",),
}  # fmt: skip
# `user:password` or `user%password`: what stands behind the first mark.
_PAIRED: dict[str, tuple[tuple[str, ...], str]] = {
    "curl": (("-u", "--user", "-U", "--proxy-user", "-E", "--cert", "--proxy-cert"), ":"),
    "hey": (("-a",), ":"), "oha": (("-a",), ":"), "check_http": (("-a", "-b"), ":"),
    "http": (("-a", "--auth"), ":"), "https": (("-a", "--auth"), ":"), "xh": (("-a", "--auth"), ":"),
    "ab": (("-A", "-P"), ":"), "smbclient": (("-U", "--user"), "%"), "rpcclient": (("-U", "--user"), "%"),
    "lftp": (("-u", "--user"), ","), "etcdctl": (("--user",), ":"), "nexus": (("-u",), ":"),
}  # fmt: skip
# Words after which the secret is that many arguments further on; -1 for the last one.
_POSITIONS: dict[str, dict[str, int]] = {
    "rabbitmqctl": {"add_user": 2, "change_password": 2, "authenticate_user": 2}, "nmcli": {"password": 1},
    "mc": {"set": 4, "add": 4}, "aws": {"aws_secret_access_key": 1, "aws_session_token": 1}, "htpasswd": {"-b": -1},
    "redis-cli": {"auth": -1, "AUTH": -1, "requirepass": 1, "masterauth": 1}, "valkey-cli": {"auth": -1, "AUTH": -1},
    "vault": {"login": 1}, "net": {"user": 2},
}  # fmt: skip
# `user/password@database` as the first argument that is no option.
_ORACLE = frozenset("sqlplus sqlldr rman expdp impdp exp imp".split())
_ORACLE_LOGIN = re.compile(r"[\w$#]{1,64}/(?P<value>[^@/]{1,128}+)(?:@.*)?", re.DOTALL)
# Where whose program it is is not known: a name and something that is no number, no group and no port.
_ANY_PAIRED = frozenset(["-u", "-U", "-a", "--user", "--username", "--login", "--account"])
USER_AND_GROUP = frozenset(
    (
        "docker podman nerdctl crictl ctr setpriv chroot start-stop-daemon gosu su-exec install systemd-run uwsgi rsync "
        "chown"
    ).split()
)
_PORTS = re.compile(r"[0-9.:\[\]-]+(?:/(?:tcp|udp|sctp))?")
# Programs that somebody's message may repeat the command line of.
PROGRAMS = frozenset({*_SEPARATE, *_ATTACHED, *_PAIRED, "rabbitmqctl", "htpasswd", "sqlplus"}) - {
    "hey",
    "oha",
}
_KNOWN = PROGRAMS | frozenset({*_PAIRED, *_POSITIONS, *_ORACLE})
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
_CURL = {
    **dict.fromkeys(("-x", "--proxy"), re.compile(r"[^:/@]{1,64}:(?P<value>[^@]{1,128})(?=@)")),
    **dict.fromkeys(("-b", "--cookie"), re.compile(r"[^=]{1,256}=(?P<value>)")),
}
_LEAST_ODD = 5
_USER = re.compile(r"[\w.@+\\-]{1,64}")
_NUMBER = re.compile(r"[0-9][0-9.,kKmMgG-]{0,8}")


def secrets(argv: Sequence[str]) -> Iterator[tuple[str, int | None]]:
    """Each argument, and where in it a secret begins; None where it is to be judged as text."""
    first = program = _program(argv)
    at = _positions(argv)
    after = ""  # the option that the next argument belongs to
    for place, part in enumerate(argv):
        name = part.rpartition("/")[2]
        if place and name in _KNOWN and not at.get(place):
            program = name  # which another one starts: `docker exec db mysql`, `sudo -u x curl`
        start = _value_of(program, after, part, argv) if after and place else None
        if start is None and place:
            start = at.get(place, _own(program, part))
        is_port = program != first and start is not None and _PORTS.fullmatch(part[start:])
        if is_port:  # `docker run --name mongo -p 27017:27017`
            start = None
        after = part if start is None and part[:1] == "-" and "=" not in part else ""
        yield part, start


def _positions(argv: Sequence[str]) -> dict[int, int]:
    """Arguments that are secrets by where they stand, with the place in each where it begins."""
    found: dict[int, int] = {}
    program = ""
    for place, part in enumerate(argv):
        name = part.rpartition("/")[2]
        if name in _POSITIONS or name in _ORACLE:
            program = name
            continue
        step = _POSITIONS.get(program, {}).get(part, 0)
        target = len(argv) - 1 if step < 0 else place + step
        if step and place < target < len(argv) and not argv[target].startswith("-"):
            found.update({} if is_said(argv[target]) else {target: 0})
        login = _ORACLE_LOGIN.fullmatch(part) if program in _ORACLE else None
        if login:
            found[place] = login.start("value")
    return found


def _program(argv: Sequence[str]) -> str:
    for part in argv[:8]:
        name = part.rpartition("/")[2]
        if name in _WRAPPERS or part.startswith("-") or "=" in part or name.isdigit():
            continue
        return name
    return ""


def pair(option: str, text: str) -> int | None:
    """Where the password of `name:password` begins, of an option that takes such a pair in many programs."""
    user, mark, word = text.partition(":")
    if option not in _ANY_PAIRED or not mark or not _USER.fullmatch(user):
        return None
    if not _is_odd(word) or user == word:
        return None
    return len(user) + 1


def _is_odd(word: str) -> bool:
    """Whether it is no id, no port, no group and no place: letters with digits or signs, as in a password."""
    if len(word) < _LEAST_ODD or "/" in word or not any(c.isalpha() for c in word):
        return False
    return any(c.isdigit() or c in "!@#$%^&*?+=~" for c in word)


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
    name, _, value = part.partition("=")
    start = pair(name, value) if program not in USER_AND_GROUP else None
    return None if start is None else len(name) + 1 + start


def _value_of(program: str, option: str, part: str, argv: Sequence[str]) -> int | None:
    """A secret that is the argument after its option."""
    if option in _SEPARATE.get(program, ()) and (program not in _LOGIN or "login" in argv):
        return 0
    options, mark = _PAIRED.get(program, ((), ""))
    is_bundle = program == "curl" and option[:1] == "-" and option[1:].isalpha()  # `-sSu`
    if option in options or (is_bundle and f"-{option[-1]}" in options):
        return part.index(mark) + 1 if mark in part else None
    if program not in USER_AND_GROUP and (start := pair(option, part)) is not None:
        return start
    if program == "curl" and option in _CURL:
        found = _CURL[option].match(part)
        return found.start("value") if found else None
    return _header(part) if option in _HEADER_OPTIONS else _named(option, part)


def _named(option: str, part: str) -> int | None:
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
