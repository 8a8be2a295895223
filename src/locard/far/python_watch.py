"""Watches functions in CPython processes and prints what was seen, a JSON a line.

Stands behind `far/python_session.py` in one namespace. Arguments: `watch SETTINGS PID…`, `list`, or `reset PID…`.
Settings: `spec` [names], `most` events, `depth`, `where`, `show`, `only` (exceptions), `before`, `callers`, `locals`,
`share` (most of the CPU time that it may cost), `seconds`, `tree`, `stats` (count only), `others` (search other living
functions of the names).

  {"pid", "python", "stopped_ms", "others": interpreters that are not looked at}
  {"function": w, "pid", "name", "module", "kind", "file", "line", "said": [...], "counted", "inside": threads now}
  {"pid", "ev": "call" | "stats" | "on" | "off" | "fault", "w", ...}      as the agent says it (far/agent/hooks.py)
  {"pid", "refused": why, "next_step", "near", "unknown"}                 nothing was put into this one
  {"pid", "spec", "means", "file", "line", "watched"}                     a name leads to another function by now
  {"pid", "searched": objects, "also": functions} · {"pid", "gone": true}
  {"pid", "left": [...], "children", "threads": [before, after]}          after the end: what is still there
  {"end": why, "asked": seconds}
"""

import json
import os
import pwd
import signal
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.memory import Memory
    from locard.far.processes import alive
    from locard.far.python_access import refused
    from locard.far.python_expression import ExpressionError, condition, values
    from locard.far.python_functions import UnknownError, counting_words
    from locard.far.python_layout import UnreadableError
    from locard.far.python_listeners import has_c_profiler
    from locard.far.python_names import Found
    from locard.far.python_search import living
    from locard.far.python_session import Session, live_agents, write_memory
    from locard.far.python_stacks import Reader
    from locard.far.python_thread import Mail
    from locard.far.symbols import Symbols
    from locard.far.thread_stop import RefusedError

POLL_S = 0.02
RENAMED_S = 0.5
SLACK_S = 5.0  # an agent ends by itself so long after the time that was asked for
MOST_FUNCTIONS = 64
MOST_SEARCHED = 8  # processes in which other living functions of a name are searched
STOPPED = []  # type: list[int]


def emit(**row: "Any") -> None:
    """One line of output, at once."""
    sys.stdout.write(json.dumps(row, separators=(",", ":")) + "\n")
    sys.stdout.flush()


class Target:
    """One process with what is watched in it."""

    def __init__(self, pid: int, asked: "dict[str, Any]") -> None:
        """Put the agent in, and have it watch; raises what `start` raises."""
        self.pid, self.asked = pid, asked
        self.threads = thread_count(pid)
        self.session = Session(pid)
        self.profiled = False  # whether a profiler written in C looks at one of its threads
        self.open = set()  # type: set[int]
        self.given = 0  # how many functions the agent was told of
        self.meant = {}  # type: dict[str, tuple[int, ...]] # what each name leads to
        self.asked_at = time.monotonic()
        self.functions = self.resolve()

    def resolve(self) -> "list[Found]":
        """The functions of all names; raises UnknownError."""
        found = []  # type: list[Found]
        for spec in self.asked["spec"]:
            if "<locals>" in spec:
                found += self.inner(spec)
                continue
            behind = self.session.names.resolve(spec)
            self.meant[spec] = tuple(f.address for f in behind)
            for one in behind:
                one.spec = spec
            found += behind
        every = []  # type: list[Found]
        for one in found:
            if one.address not in [e.address for e in every]:
                every.append(one)
        return every[:MOST_FUNCTIONS]

    def inner(self, spec: str) -> "list[Found]":
        """The living functions of a name inside of another function, as decorators leave them; raises UnknownError."""
        names = self.session.names
        module, colon, name = spec.partition(":")
        if not colon or module not in names.modules:
            raise UnknownError(
                "a function inside of another is named as module:outer.<locals>.inner"
            )
        found, looked = living(names, {(module, name)}, set(), lambda: None)
        if not found:
            raise UnknownError(
                "no living function of that name was found (%d objects were looked at): one that is made anew in"
                " each call is watched by watching what makes it" % looked
            )
        for one in found:
            one.said = [one.said[0].replace("another living", "a living")]
        return found

    def start(self) -> None:
        """Put the agent in and exchange the code of the functions."""
        expires = time.time() + self.asked["seconds"] + SLACK_S
        inside = self.inside()
        if self.asked["tree"] and self.profiled:
            raise RefusedError(
                "a profiler written in C is set in it, and --tree would take its place",
                "leave --tree out",
            )
        commands = self.commands(0)  # first: where an expression does not fit, nothing is put in
        about = {
            "spec": self.asked["spec"],
            "by": os.environ.get("SUDO_USER") or os.environ.get("USER") or user_name(),
        }
        self.session.start(about, expires)
        emit(
            pid=self.pid, python="%d.%d" % self.session.layout.version, others=self.session.others,
            stopped_ms=round(self.session.stopped_s * 1e3, 3),
        )  # fmt: skip
        self.session.give(("left = [%d]\n" % self.asked["most"]).encode())
        for number, found in enumerate(self.functions):
            self.tell(number, found, inside)
        self.give(commands)

    def commands(self, first: int) -> "list[bytes]":
        """What the agent is told about the functions from that number on, many at a time so that they begin together.

        Raises ExpressionError where one lacks what an expression names.
        """
        texts = []  # type: list[bytes]
        for number, found in list(enumerate(self.functions))[first:]:
            text = self.command(number, found)
            if texts and len(texts[-1]) + len(text) < Mail.TEXT_SIZE:
                texts[-1] += b"\n" + text
            else:
                texts.append(text)
        return texts

    def give(self, commands: "list[bytes]") -> None:
        """Exchange the code of the functions that are not watched yet."""
        self.open.update(range(self.given, len(self.functions)))
        self.given = len(self.functions)
        for text in commands:
            self.session.give(text)

    def tell(self, number: int, found: "Found", inside: "dict[int, int]") -> None:
        """Say what is watched."""
        about = self.session.names.about(found.address)
        emit(
            function=number, pid=self.pid, name=about["name"], module=about["module"], kind=about["kind"],
            file=about["file"], line=about["line"], said=found.said, counted=found.counted,
            inside=inside.get(about["code"], 0), cached=bool(found.cache), spec=found.spec,
        )  # fmt: skip

    def search(self) -> None:
        """Watch the other living functions of the same names as well: references taken before a reload."""
        names = self.session.names
        self.look()
        if not self.open:
            return
        known = {f.address for f in self.functions}
        every = {(names.text_of(a, "module"), names.text_of(a, "qualname")) for a in known}
        # What one function makes again and again (closures, dataclasses up to 3.9) shares a name and nothing else.
        wanted = {(module, name) for module, name in every if "<locals>" not in name}
        others, looked = living(names, wanted, known | names.passed, self.look)
        for found in others[: MOST_FUNCTIONS - len(self.functions)]:
            try:
                self.command(len(self.functions), found)
            except ExpressionError as error:
                emit(
                    pid=self.pid,
                    ev="fault",
                    what="another living function of the name is not watched: %s" % error.what,
                )
                continue
            self.functions.append(found)
            self.tell(len(self.functions) - 1, found, {})
        self.give(self.commands(len(known)))
        emit(pid=self.pid, searched=looked, also=len(others))

    def command(self, number: int, found: "Found") -> bytes:
        """What the agent is told about one function."""
        asked = self.asked
        names = self.session.names.parameters(found.address)
        method = bool(names) and names[0] in ("self", "cls", "mcs")
        where = condition(asked["where"], names, method) if asked["where"] else "None"
        shown = values(asked["show"], names, method) if asked["show"] else []
        about = {
            "number": number, "steps": [tuple(s) for s in found.steps], "address": found.address,
            "most": asked["most"], "depth": asked["depth"], "only": asked["only"], "before": asked["before"],
            "callers": asked["callers"], "tree": asked["tree"], "locals": asked["locals"], "share": asked["share"],
            "ends": not asked["stats"], "every": 1_000_000_000, "show_params": "params" in asked["show"].split(",")[0],
            "cache": [tuple(s) for s in found.cache] if found.cache else None,
        }  # fmt: skip
        left = "[0]" if found.counted or asked["stats"] else "left"
        pairs = ",".join("(%r,%s)" % pair for pair in shown)
        return (
            "begin_watch(dict(%r, left=%s, where=%s, show=[%s]))" % (about, left, where, pairs)
        ).encode()

    def inside(self) -> "dict[int, int]":
        """How many threads are inside each code object now."""
        counts = {}  # type: dict[int, int]
        try:
            reader = Reader(self.pid)
            for interpreter in reader.interpreters():
                threads = reader.threads(interpreter)
                reader.stacks(threads)
                for thread in threads:
                    if has_c_profiler(reader.memory, reader.layout, thread.address):
                        self.profiled = True
                    for code in {frame[0] for frame in thread.frames}:
                        counts[code] = counts.get(code, 0) + 1
        except (UnreadableError, OSError, ValueError, struct.error):
            pass
        return counts

    def tells(self) -> bool:
        """Whether a function is still watched whose calls are told, not only counted."""
        return any(not self.functions[number].counted for number in self.open)

    def look(self) -> None:
        """Pass on what the agent told; `open` are those that are still watched."""
        self.pass_on(self.session.lines())
        if time.monotonic() - self.asked_at > RENAMED_S:
            self.asked_at = time.monotonic()
            self.ask_names()

    def ask_names(self) -> None:
        """Say where a name leads to another function by now: what is watched goes on being watched."""
        for spec, before in list(self.meant.items()):
            try:
                behind = self.session.names.resolve(spec)
                now = tuple(f.address for f in behind)
                if now == before:
                    continue
                self.meant[spec] = now
                about = self.session.names.about(behind[0].address)
                emit(
                    pid=self.pid, spec=spec, means="%s:%s" % (about["module"], about["name"]),
                    file=about["file"], line=about["line"], watched=now[0] in {f.address for f in self.functions},
                )  # fmt: skip
            except UnknownError as error:
                self.meant[spec] = ()
                if before:
                    emit(pid=self.pid, spec=spec, means="", why=error.why)
            except (OSError, ValueError, struct.error):
                continue

    def pass_on(self, lines: "list[dict[str, Any]]") -> None:
        """Print its lines, with times of the wall clock."""
        offset = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
        for line in lines:
            if "at" in line:
                line["at"] = round(line["at"] / 1e9 + offset, 6)
            if line.get("ev") == "off":
                self.open.discard(line["w"])
            line["pid"] = self.pid
            emit(**line)

    def end(self) -> None:
        """Take it out, and say what is left."""
        self.pass_on(self.session.let_go())
        left = []
        deadline = time.monotonic() + 2
        while not self.session.gone() and time.monotonic() < deadline:
            time.sleep(0.01)
        if not self.session.gone():
            left.append("the agent's memory at %x" % self.session.page)
            if is_stopped(self.pid):
                left.append(
                    "exchanged code: it is stopped, and takes both back by itself when it goes on"
                )
        emit(
            pid=self.pid, left=left, children=len(self.session.children),
            threads=[self.threads, thread_count(self.pid)], open=sorted(self.open),
        )  # fmt: skip
        self.session.close()


def is_stopped(pid: int) -> bool:
    """Whether a signal or a tracer holds a process."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False


def user_name() -> str:
    """Who we are, by name where the place knows one."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return "uid %d" % os.getuid()


def thread_count(pid: int) -> int:
    """How many threads it has; 0 where it is gone."""
    try:
        return len(os.listdir("/proc/%d/task" % pid))
    except OSError:
        return 0


def begin(pid: int, asked: "dict[str, Any]") -> "Target | None":
    """Watch in one process; None, and a line that says why, where that cannot be."""
    target = None
    why, step, near, unknown = "", "", (), False  # type: str, str, Any, bool
    try:
        target = Target(pid, asked)
        target.start()
        return target
    except UnknownError as error:
        why, near, unknown = error.why, error.near, True
        step = counting_words(Symbols(pid), error.code)
    except ExpressionError as error:
        why = "the expression does not fit: %s" % error.what
    except RefusedError as error:
        why, step = error.why, error.next_step
    except UnreadableError as error:
        why = str(error)
    except PermissionError as error:
        why = "not permitted: %s" % refused(pid, error)
    except (OSError, ValueError, struct.error) as error:
        why = "it could not be read: %s" % error
    if target is not None and target.session.page:
        target.end()
    emit(pid=pid, refused=why, next_step=step, near=list(near), unknown=unknown)
    return None


def watch(asked: "dict[str, Any]", pids: "list[int]") -> None:
    """Watch until all was told, the time is over, or somebody stops it."""
    targets = []
    for pid in pids:
        if STOPPED:
            break
        target = begin(pid, asked)
        if target is not None:
            targets.append(target)
    began = time.monotonic()
    for target in targets[:MOST_SEARCHED] if asked["others"] else ():
        try:
            target.search()
        except (OSError, ValueError, struct.error, RefusedError):
            continue  # it ended: the next look says so
    why = "refused" if not targets else ""
    while targets and not why:
        for target in list(targets):
            try:
                target.look()
            except OSError:
                if not alive(target.pid):
                    emit(pid=target.pid, gone=True)
                    targets.remove(target)
                    target.session.close()
        if STOPPED:
            why = "stopped"
        elif time.monotonic() - began > asked["seconds"]:
            why = "time"
        elif not any(t.tells() for t in targets):
            why = "told" if targets else "gone"
        time.sleep(POLL_S)
    for target in targets:
        target.end()
    emit(end=why or "gone", asked=asked["seconds"], took=round(time.monotonic() - began, 3))


def reset(pids: "list[int]") -> None:
    """Tell agents to end: those of some processes, or all."""
    for agent in live_agents():
        if pids and agent["pid"] not in pids:
            continue
        try:
            write_memory(Memory(agent["pid"]), agent["page"] + 4096 + Mail.OFF, b"\1")
            emit(reset=agent["pid"], about=agent["about"])
        except OSError as error:
            emit(pid=agent["pid"], refused="it could not be told to end: %s" % error, next_step="")


def watch_main(words: "list[str]") -> int:
    """`watch SETTINGS PID…`, `list [PID…]`, `reset [PID…]`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: STOPPED.append(number))
    if words[0] == "list":
        wanted = set(map(int, words[1:]))
        for agent in live_agents():
            if not wanted or agent["pid"] in wanted:
                emit(agent=agent)
        emit(end="listed")
    elif words[0] == "reset":
        reset([int(w) for w in words[1:]])
        emit(end="reset")
    else:
        watch(json.loads(words[1]), [int(w) for w in words[2:]])
    return 0


if __name__ == "__main__":
    sys.exit(watch_main(sys.argv[1:]))
