"""Which declared commands may go through `sudo -n`, judged from what `sudo -n -l` prints. Pure.

Listing runs nothing and asks nothing. Only an argv that a probe declared is ever wrapped, with its
program's full path, and only where the rules there cover it: a refused try is a line in that
machine's journal, and perhaps a mail. No password is given (-S), no askpass program is started (-A),
no terminal is made to please `requiretty`.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.model.errors import UsageError
from locard.model.evidence import BY_SUDO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from locard.guard.command import Command
    from locard.model.evidence import Output

LIST = Template(("sudo", "-n", "-l"), Impact.READS, 10.0, needs=(needs.SUDO,))

# Why sudo would not even list, from its standard error.
_REASONS = (
    (r"password is required|incorrect password", "sudo wants a password there: not asked"),
    (
        r"must have a tty|no tty present|terminal is required",
        "sudo wants a terminal there (requiretty): none is made to please it",
    ),
    (
        r"not in the sudoers file|may not run sudo|not allowed to (?:run|execute)",
        "no rule in sudoers there is for this user",
    ),
    (
        r"no new privileges|effective uid is not 0|nosuid|must be setuid root",
        "sudo cannot become root there (no_new_privs, or a mount without setuid)",
    ),
    (r"sudoers|sudo\.conf", "sudo's own configuration is refused there"),
    (r"command not found|not installed|No such file", "sudo is not installed there"),
)
_ENTRY = re.compile(r"^ {2,7}(?=\S)|^\t(?=\S)")
_RUNAS = re.compile(r"\(([^)]*)\) ?")
_TAG = re.compile(
    r"(NOPASSWD|PASSWD|(?:NO)?EXEC|(?:NO)?SETENV|(?:NO)?LOG_INPUT|(?:NO)?LOG_OUTPUT|(?:NO)?MAIL"
    r"|(?:NO)?FOLLOW|(?:NO)?INTERCEPT): ?"
)
_OPTION = re.compile(r"(?:CWD|CHROOT|ROLE|TYPE|TIMEOUT|NOTBEFORE|NOTAFTER)=\S+ ")
_DIGEST = re.compile(r"sha(?:224|256|384|512):[A-Za-z0-9+/=]+(?:, )? ?")
_WILD = re.compile(r"(?<!\\)[*?\[]")
# Programs that tell anybody all they know, and files that everybody may read.
_FOR_ALL = frozenset({"sudo", "systemctl", "locard"})
_OPEN = re.compile(
    r"/dev/null|/proc|/proc/(?:cpuinfo|diskstats|loadavg|meminfo|mounts|partitions|stat|uptime|version|vmstat)"
    r"|/proc/(?:net|pressure|sys)/\S*|/sys/fs/cgroup/\S*"
)
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}\$?")


@dataclass(frozen=True, slots=True)
class Rule:
    """One command of one entry, as sudo lists it."""

    command: str  # "ALL", or a path and what it says of arguments; sudoers' own escapes
    password: bool
    as_root: bool
    denied: bool  # "!…"

    @property
    def wild(self) -> bool:
        """Whether a wildcard stands in it; in arguments it also covers what holds a `/` or `..`."""
        return bool(_WILD.search(self.command)) and not self.command.startswith("^")


@dataclass(frozen=True, slots=True)
class Listing:
    """What this user may do there by sudo, or why that is not known."""

    rules: tuple[Rule, ...] = ()
    problem: str = ""
    text: str = ""  # the listing itself; empty where there is a problem

    @property
    def warnings(self) -> tuple[str, ...]:
        """Rules over there that give more than they seem to."""
        return tuple(
            f"the rule `{_harmless(rule.command)}` there has a wildcard: it covers other files too,"
            " /etc/shadow by way of `..` among them"
            for rule in self.rules
            if rule.wild and not rule.denied and rule.as_root and " " in rule.command
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user is to know of sudo there."""
        return (self.problem,) if self.problem else self.warnings

    @property
    def everything(self) -> bool:
        """Whether any program may run as root without a password."""
        found = self.covering(("/any",))
        return found is not None and not (found.denied or found.password)

    def wrapped(self, argv: tuple[str, ...]) -> tuple[str, ...] | None:
        """The argv through `sudo -n`, where a rule covers it without a password; else None.

        The first word must be the full path there: rules are written with paths.
        """
        found = self.covering(argv)
        if found is None or found.denied or found.password:
            return None
        return (*BY_SUDO, *argv)

    def covering(self, argv: tuple[str, ...]) -> Rule | None:
        """The rule that decides on it: the last that fits, as in sudoers."""
        fitting = [rule for rule in self.rules if rule.as_root and _covers(rule, argv)]
        return fitting[-1] if fitting else None

    def why_not(self, argv: tuple[str, ...]) -> str:
        """Why `wrapped` gave nothing."""
        found = self.covering(argv)
        if self.problem:
            return self.problem
        if found is None or found.denied:
            return "no rule in sudoers there covers this command line"
        return "sudo wants a password for this command: not asked" if found.password else ""


def by_hand(words: str, argv: tuple[str, ...]) -> str:
    """What an engineer would type for an argv: by sudo what runs by sudo."""
    return f"sudo {words}" if is_wrapped(argv) else words


def read_listing(stdout: str, stderr: str, exit_code: int | None) -> Listing:
    """The rules in the output of `sudo -n -l` in the C locale."""
    head, marker, body = stdout.partition("may run the following commands")
    if not marker:
        said = f"{stderr}\n{head}"
        known = (words for pattern, words in _REASONS if re.search(pattern, said))
        silent = "sudo did not answer there" if exit_code is None else ""
        return Listing(
            problem=next(known, silent or f"sudo ended with exit {exit_code} and listed no rules")
        )
    rules: list[Rule] = []
    for entry in _entries(body):
        rules += _rules(entry)
    if not rules:
        return Listing(problem="no rule in sudoers there is for this user")
    return Listing(tuple(rules), text=stdout)


def unescaped(listing: bytes) -> bytes:
    """A listing without the backslashes of sudoers before , : = and themselves: as the words are typed."""
    return re.sub(rb"\\([,:=\\])", rb"\1", listing)


def of_output(output: Output) -> Listing:
    """The rules in what LIST gave."""
    said = output.stderr.decode("utf-8", "replace") + "\n" + output.problem
    return read_listing(output.stdout.decode("utf-8", "replace"), said, output.exit_code)


@functools.lru_cache(maxsize=256)
def listed(text: str) -> Listing:
    """The rules in a listing that was kept."""
    return read_listing(text, "", 0)


def through(command: Command, argv: tuple[str, ...], text: str) -> tuple[str, ...]:
    """The argv of a command as it runs where `text` is the listing: through sudo where a rule covers it.

    What reads or samples and ends by itself: root's processes are not ours to end over there.
    """
    quiet = command.impact <= Impact.SAMPLES and not command.template.streams
    if not text or not quiet or command.via != "exec":
        return argv
    wanted = command.program is not None or root_reads_more(argv)
    return (listed(text).wrapped(argv) if wanted else None) or argv


def root_reads_more(argv: tuple[str, ...]) -> bool:
    """Whether root could see more than anybody: not of the kernel's figures for all, nor of units.

    Each call by sudo is a line in that machine's journal, and costs a PAM session.
    """
    if argv[0].rpartition("/")[2] in _FOR_ALL:
        return False
    paths = [word for word in argv[1:] if word.startswith("/")]
    return not paths or not all(_OPEN.fullmatch(path) for path in paths)


def is_wrapped(argv: tuple[str, ...]) -> bool:
    """Whether an argv runs as root by sudo."""
    return argv[:3] == BY_SUDO


def _entries(body: str) -> list[str]:
    """The entries, each on one line: what is indented further goes on."""
    entries: list[str] = []
    for line in body.split("\n")[1:]:
        if _ENTRY.match(line):
            entries.append(line.strip())
        elif line.startswith("        ") and entries:
            entries[-1] += " " + line.strip()
    return entries


def _rules(entry: str) -> list[Rule]:
    """The rules of an entry; tags and run-as users hold until others are named."""
    found: list[Rule] = []
    password, as_root = True, True
    for part in re.split(r"(?<!\\), (?![^(]*\))", entry):
        text = part.strip()
        while True:
            if runas := _RUNAS.match(text):
                as_root, text = _is_root(runas[1]), text[runas.end() :]
            elif tag := _TAG.match(text):
                password = {"PASSWD": True, "NOPASSWD": False}.get(tag[1], password)
                text = text[tag.end() :]
            elif other := _OPTION.match(text) or _DIGEST.match(text):
                text = text[other.end() :]
            else:
                break
        if text:
            denied = text.startswith("!")
            found.append(Rule(text.lstrip("!").strip(), password, as_root, denied))
    return found


def _is_root(users: str) -> bool:
    """Whether a run-as list lets root be; groups stand behind the colon."""
    names = [name.strip() for name in users.partition(":")[0].split(",")]
    if any(name in ("!root", "!#0", "!ALL") for name in names):
        return False
    return any(name in ("root", "ALL", "#0") for name in names)


def _covers(rule: Rule, argv: tuple[str, ...]) -> bool:
    if rule.command == "ALL":
        return True
    if not argv or not argv[0].startswith("/") or rule.command.startswith(("^", "sudoedit")):
        return False
    path, _, arguments = rule.command.partition(" ")
    given = " ".join(argv[1:])
    if path.endswith("/"):  # a folder: what lies in it, with any arguments
        return not arguments and argv[0].rpartition("/")[0] + "/" == path
    if not _fits(path, argv[0], inside_path=True):
        return False
    if not arguments:
        return True
    return not given if arguments == '""' else _fits(arguments, given, inside_path=False)


def _fits(pattern: str, text: str, *, inside_path: bool) -> bool:
    """Sudo's own match: wildcards, where a `*` in a path passes no `/`; a backslash escapes."""
    if inside_path and pattern.count("/") != text.count("/"):
        return False
    translated = re.sub(r"\\(.)", lambda m: f"[{m[1]}]" if m[1] in "*?[" else m[1], pattern)
    return fnmatch.fnmatchcase(text, translated)


def snippet(user: str, templates: Iterable[Template], paths: Mapping[str, str]) -> str:
    """What to put into /etc/sudoers.d for these commands: exact lines, full paths, no wildcard.

    Those without placeholders stand for themselves, and the others are named in remarks. `paths` tells
    where programs lie there.
    """
    if not _USER.fullmatch(user):
        raise UsageError(
            f"{_harmless(user)!r} is no user",
            "a rule in sudoers is for one user by name",
            "Name the user that ssh logs in as.",
        )
    exact: dict[str, None] = {}
    open_ended: dict[str, None] = {}
    left: dict[str, None] = {}
    for template in templates:
        argv = template.argv
        reads = template.impact <= Impact.READS and template.program is None
        if not reads or template.via != "exec" or not root_reads_more(argv):
            continue
        path = argv[0] if argv[0].startswith("/") else paths.get(argv[0], "")
        if any("{" in word for word in argv):
            open_ended[_remark(argv)] = None
        elif not path.startswith("/"):
            left[f"{_remark(argv)}: {argv[0]} was not found there"] = None
        elif argv[-1] == "" or any(set(word) & set('\n"') for word in argv):
            left[f"{_remark(argv)}: its words cannot be written in sudoers"] = None
        else:
            exact[_line(path, argv[1:])] = None
    head = (
        "# For /etc/sudoers.d/locard; check it with: visudo -c -f FILE\n"
        "# Each line is one exact command that reads. No wildcards: a star also covers `..` and `/`.\n"
    )
    body = "".join(f"{user} ALL=(root) NOPASSWD: {line}\n" for line in exact)
    remarks = "".join(f"# not granted: {words}\n" for words in left)
    if open_ended:
        remarks += (
            "# Not granted, since they name a process or a file of one target, which no exact line knows:\n"
            + "".join(f"#   {words}\n" for words in open_ended)
        )
    return head + body + remarks


def _line(path: str, arguments: tuple[str, ...]) -> str:
    """Arguments are compared as one text: an empty one is a second space, which must be escaped."""
    if not arguments:
        return f'{_escaped(path)} ""'  # with none at all
    joined = " ".join(_escaped(word) for word in arguments)
    return f"{_escaped(path)} " + re.sub(r"^ | (?= )", r"\\ ", joined)


def _escaped(word: str) -> str:
    """A word as sudoers reads it: its separators and its wildcards are meant as they are.

    A backslash is read twice: by the reader of the file and where wildcards are compared.
    """
    return re.sub(r"([,:=*?\[\]!# \t])|^\^", r"\\\g<0>", word.replace("\\", "\\" * 4))


def _remark(argv: tuple[str, ...]) -> str:
    return _harmless(" ".join(argv))


def _harmless(text: str) -> str:
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return plain if len(plain) <= 90 else plain[:89] + "…"  # noqa: PLR2004 - a line to read
