"""Observes some processes through one eBPF program for a while and prints what it counted, a JSON a line.

`far/ebpf.py` and `far/symbols.py` stand before this in the same namespace, a program's own part behind them,
which may set functions of the observation: SETUP (before it is loaded), ATTACH, TICK, LAST (before it is
detached), EXTRA (after), and FALL_BACK(refused, seconds, pids) in its place. Arguments: seconds, settings as JSON, pids. Settings: `set` {variable:
value}, `attach` [program], `attempts` [[programs left out]], `optional` [program], `rows` {iterator: variable of its row}, `share` (most of the
target's CPU time that it may cost), `cost_ns` (a call of the program, measured).

  {"began": ns, "attached": [...], "missing": {program: why}, "kernel": ...}
  {"event": ring, ...}           an event
  {"map": name, "key": [...], "value": [...], "rows": [[...], ...]}
  {"over": seconds}              it looks no more; what follows is what was counted
  {"gone": [pid], "after": seconds, "heirs": [pid], "of": N}   the target ended; what it began is looked at on
  {"iterator": name, ...}        a row of an iterator, at the end
  {"thread": tid, "pid", "comm", "nstid"}
  {"end": ns, "why": ..., "asked": seconds, "cost_s": own CPU, "hits": calls of the program, "losses": {...}}
  {"refused": step, "errno", "why", "said", "facts"}   in place of all this, where the kernel took it not
"""

import ctypes
import json
import os
import select
import signal
import socket
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.ebpf import Object, Refused, summed, surroundings, why_not
    from locard.far.processes import (
        Ends,
        alive,
        control_group,
        cpu_s,
        family,
        inner_tid,
        own_space,
        parent_and_birth,
        tell_io_urings,
        tell_tracers,
        threads_of,
    )

EVERY_S = 0.1
COMMS_EVERY_S = 0.5
MOST_EVENTS = 200000
MOST_ROWS = 20000  # of one map
CHUNK = 400
LOSSES = ("events", "entries", "calls_32bit", "io_uring", "hits")
HITS = 4
FAMILIES = {int(socket.AF_INET): 4, int(socket.AF_INET6): 16}
SETTLES_S = 0.5  # before a cost is judged
MOST_HEIRS = 8  # are named
STOPPED = []  # type: list[int] # the signals by which it was told to end before its time


def emit(row: "dict[str, Any]") -> None:
    """One line of output."""
    sys.stdout.write(json.dumps(row, separators=(",", ":")) + "\n")


def path_of(names: "dict[str, Any]") -> str:
    """Names from the innermost out as a path; what did not fit is an ellipsis at its beginning."""
    text = names["text"]
    if isinstance(text, str):
        text = text.encode("utf-8", "backslashreplace")
    parts = [p for p in text[: names["size"]].split(b"\0") if p and p != b"/"]
    path = "/".join(p.decode("utf-8", "backslashreplace") for p in reversed(parts))
    return ("…/" if names["cut"] else "/") + path


def address_of(family: int, raw: bytes, port: int) -> str:
    """`10.0.0.7:5432`, `[fd00::2]:443`; a v4-mapped address as v4."""
    size = FAMILIES.get(family)
    if size is None:
        return ""
    if size == 16 and raw[:12] == b"\0" * 10 + b"\xff\xff":
        family, raw, size = socket.AF_INET, raw[12:], 4
    host = socket.inet_ntop(family, raw[:size])
    return ("[%s]:%d" if size == 16 else "%s:%d") % (host, port)


def plain(value: "Any") -> "Any":
    """A value as JSON can hold it: paths and socket ends in words, long lists by what is not zero."""
    if isinstance(value, dict):
        if "cut" in value and "text" in value:
            return path_of(value)
        if "family" in value and "far_port" in value:
            family = value["family"]
            return {
                "family": family, "protocol": value["protocol"],
                "local": address_of(family, value["local"], value["local_port"]),
                "far": address_of(family, value["far"], value["far_port"]),
            }  # fmt: skip
        return {k: plain(v) for k, v in value.items() if k != "pad"}
    if isinstance(value, list):
        if len(value) >= 16 and all(isinstance(v, int) for v in value):
            return {str(k): v for k, v in enumerate(value) if v}
        return [plain(v) for v in value]
    if isinstance(value, bytes):
        return value.split(b"\0")[0].decode("utf-8", "backslashreplace")
    return value


def bytes_of(sparse: "dict[str, int]") -> bytes:
    """An array of bytes by what is not zero: {"0": 3, "17": 3}."""
    found = bytearray(1 + max((int(k) for k in sparse), default=0))
    for index, value in sparse.items():
        found[int(index)] = value
    return bytes(found)


def names_of(obj: "Object") -> "list[str]":
    """The maps whose entries are results: what has a key and a value and is none of the machinery."""
    found = []
    for label in obj.types.named:
        name = label[4:]
        if not label.startswith("var ") or name in ("threads", "losses", "passes"):
            continue
        fields = {m[1] for _, m in fields_of(obj, label)}
        if "key" in fields and "value" in fields:
            found.append(name)
    return found


def fields_of(obj: "Object", label: str) -> "list[Any]":
    """The members of a variable of the object that is a struct."""
    number = obj.types.plain(obj.types.named[label])
    return (
        obj.types.members(number)
        if obj.types.types[number] and obj.types.types[number][0] == 4
        else []
    )


def tell_map(obj: "Object", name: str) -> None:
    """Print the entries of a map."""
    rows, head = [], None
    for count, (key, value) in enumerate(obj.entries(name)):
        if count == MOST_ROWS:
            emit({"cut": name, "rows": MOST_ROWS})
            break
        parts = [plain(key), plain(summed(value) if isinstance(value, list) else value)]
        named = [p if isinstance(p, dict) else {w: p} for p, w in zip(parts, ("key", "value"))]
        head = {"map": name, "key": list(named[0]), "value": list(named[1])}
        rows.append(list(named[0].values()) + list(named[1].values()))
        if len(rows) >= CHUNK:
            emit(dict(head, rows=rows))
            rows = []
    if head and rows:
        emit(dict(head, rows=rows))


class Names:
    """What threads call themselves, kept while they live."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.known = {}  # type: dict[int, tuple[int, str, int]]
        self.looked = self.took = 0.0

    def look(self, pids: "list[int]", anew: bool = False) -> None:
        """Read the names of threads of these processes and of their children: new ones, or all `anew`."""
        began = time.monotonic()
        for pid in family(pids):
            for tid in threads_of(pid):
                if tid in self.known and not anew:
                    continue
                try:
                    with open(
                        "/proc/%d/task/%d/comm" % (pid, tid), errors="backslashreplace"
                    ) as file:
                        comm = file.read().rstrip("\n")
                    inner = self.known[tid][2] if tid in self.known else inner_tid(pid, tid)
                except OSError:
                    continue
                self.known[tid] = (pid, comm, inner)
        self.took = time.monotonic() - began
        self.looked = began + self.took

    def due(self) -> bool:
        """Whether to look again: seldom where there are many threads."""
        return time.monotonic() - self.looked >= max(COMMS_EVERY_S, 100 * self.took)

    def tell(self) -> None:
        """Print them."""
        for tid, (pid, comm, inner) in sorted(self.known.items()):
            row = {"thread": tid, "pid": pid, "comm": comm}
            if inner != tid:
                row["nstid"] = inner
            emit(row)


def end_when_told() -> None:
    """From now on a signal ends the observation in its order: what was counted is told."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: STOPPED.append(number))


def nobody_reads() -> bool:
    """Whether the pipe in which it tells has no reader any more: then it ends at once."""
    poll = select.poll()
    poll.register(1, 0)
    return any(events & (select.POLLERR | select.POLLNVAL) for _, events in poll.poll(0))


def losses_of(obj: "Object") -> "dict[str, int]":
    """What was lost or seen that blinds the result; `hits` is how often the program ran."""
    counts = {}
    for key, values in obj.entries("losses"):
        counts[LOSSES[key]] = sum(values) if isinstance(values, list) else values  # of one CPU
    return counts


def tell_orphans(observation: "Observation") -> None:
    """Say which processes may be the target's that has ended: in its control group, without a parent, begun meanwhile."""
    if observation.settings.get("follow", True):
        return  # who follows its threads knows that there are none
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and alive(int(name)) and control_group(int(name)) in observation.groups:
            parent, born = parent_and_birth(int(name))
            if parent == 1 and born > observation.born:
                found.append(int(name))
    if found:
        emit({"orphans": sorted(found)[:MOST_HEIRS], "of": len(found)})


def followed(obj: "Object") -> "list[int]":
    """Processes that run and whose threads the program follows, whoever their parent is by now."""
    found = []  # type: list[int]
    label = "var threads"
    if label not in obj.types.named or not hasattr(os, "pidfd_open"):
        return found
    sizes = (ctypes.c_uint32 * 4)()
    number = obj.c.far_map(obj.handle, b"threads")
    if number < 0 or obj.c.far_map_sizes(obj.handle, b"threads", sizes) < 0:
        return found
    value = ctypes.create_string_buffer(max(8, sizes[2]))
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid() or not alive(int(name)):
            continue
        try:
            fd = os.pidfd_open(int(name))
        except OSError:
            continue
        if (
            obj.c.far_get(number, struct.pack("=i", fd), value) >= 0
        ):  # by a descriptor of its process
            found.append(int(name))
        os.close(fd)
    return sorted(found)


class Observation:
    """One object at work."""

    def __init__(self, seconds: float, settings: "dict[str, Any]", pids: "list[int]") -> None:
        """Loads and attaches; raises Refused."""
        self.seconds, self.settings, self.pids = seconds, settings, pids
        self.names = Names()
        self.groups = {of for of in map(control_group, pids) if of}
        self.born = max([parent_and_birth(os.getpid())[1], *(parent_and_birth(p)[1] for p in pids)])
        self.missing = {}  # type: dict[str, str]
        self.attached = []  # type: list[str]
        self.events = 0
        self.cut = False
        self.ended = 0.0
        self.before = {}  # type: dict[int, tuple[str, int]] # for who looks at what was so before
        self.obj = Object("object")
        self.load()
        try:
            self.begin()
        except Refused:
            self.obj.detach()  # what is attached would cost the target twice, beside a next attempt
            raise

    def begin(self) -> None:
        """Attach everything, in the order that the program asks for."""
        if self.settings.get("follow", True):
            self.attach("follow")
        self.began = time.monotonic()
        if self.settings.get("mark_last"):
            # What a thread is in just now is told by programs that are attached.
            self.attach_all()
            self.mark()
        else:
            self.mark()
            self.began = time.monotonic()
            self.attach_all()

    def mark(self) -> None:
        """Take the threads that run now as the target's."""
        if self.settings.get("follow", True):
            for pid in family(self.pids):
                self.obj.iterate("mark", "", pid)

    def load(self) -> None:
        """Set what is asked for, and give it to the kernel."""
        for name, value in self.settings.get("set", {}).items():
            self.obj.set(name, bytes_of(value) if isinstance(value, dict) else value)
        for name in self.settings.get("leave_out", ()):
            self.obj.leave_out(name)
        self.space = own_space()
        if self.space:
            self.obj.set("observer_space", self.space)
        else:
            self.obj.leave_out("locate")
        setup = globals().get("SETUP")
        if setup:
            setup(self)
        self.obj.load()
        if self.space:
            self.obj.iterate("locate", "", os.getpid())
        if self.settings.get("names", True):
            self.names.look(self.pids)

    def attach_all(self) -> None:
        """The programs that are asked for; optional ones may be missing."""
        for name in self.settings.get("attach", ()):
            self.attach(name)
        for name in self.settings.get("optional", ()):
            try:
                self.attach(name)
            except Refused as refused:
                self.missing[name] = str(refused)
        attach = globals().get("ATTACH")
        if attach:
            attach(self)

    def attach(self, name: str) -> None:
        """Attach one program by its section."""
        self.obj.attach(name)
        self.attached.append(name)

    def drain(self) -> None:
        """Print the events that have come."""
        for ring in self.settings.get("rings", ()):
            for event in self.obj.drain(ring):
                self.events += 1
                if self.events > MOST_EVENTS:
                    self.cut = True
                    continue
                emit(dict(plain(event), event=ring))

    def over(self) -> str:
        """Why it must end before its time: what it costs the target, estimated; empty while it may go on."""
        share, each_ns = self.settings.get("share"), self.settings.get("cost_ns")
        took = time.monotonic() - self.judged_from
        if not share or not each_ns or took < SETTLES_S:
            return ""
        hits = losses_of(self.obj).get("hits", 0) - self.hits_before
        cost, used = hits * each_ns / 1e9, cpu_s(self.pids) - self.cpu_before
        base = max(took, used)
        if cost <= share * base:
            return ""
        return "overhead: %d events cost an estimated %.1f %% of %s, allowed are %.1f %%" % (
            hits, 100 * cost / base, "its CPU time" if base == used else "one CPU", 100 * share)  # fmt: skip

    def judge_from_now(self) -> None:
        """What it costs is judged against these processes from here on."""
        self.judged_from, self.cpu_before = time.monotonic(), cpu_s(self.pids)
        self.hits_before = losses_of(self.obj).get("hits", 0)

    def watch(self) -> str:
        """Until the time is over, the target ends, or it costs too much; why it ended."""
        self.judge_from_now()
        until = self.began + self.seconds
        every, looked = self.settings.get("every_s", EVERY_S), 0.0
        tick, named = globals().get("TICK"), self.settings.get("names", True)
        ends = Ends(self.pids)
        while not STOPPED:
            now = time.monotonic()
            if now >= until:
                return ""
            ended = ends.wait(min(every, until - now)) and bool(self.pids)
            self.drain()
            if tick:
                tick(self)
            if ended:
                # Twice: one that was begun while /proc was listed, by one that ended meanwhile, is in the second.
                follows = self.settings.get("follow", True)
                heirs = (followed(self.obj) or followed(self.obj)) if follows else []
                if not heirs:
                    tell_orphans(self)
                    return "ended: the target ended"
                emit(
                    {
                        "gone": self.pids,
                        "after": now - self.began,
                        "heirs": heirs[:MOST_HEIRS],
                        "of": len(heirs),
                    }
                )
                self.pids, ends = heirs, Ends(heirs)
                self.judge_from_now()
            if now - looked < EVERY_S:
                continue
            looked = now
            if nobody_reads():
                return "stopped"
            if named and self.names.due():
                self.names.look(self.pids)
            over = self.over()
            if over:
                return over
        return "stopped"

    def tell(self, why: str) -> None:
        """Print all that was counted."""
        for iterator, row in self.settings.get(
            "rows", {}
        ).items():  # while what they read is current
            for pid in [p for p in family(self.pids) if alive(p)]:
                for found in self.obj.iterate(iterator, row, pid):
                    emit(dict(plain(found), iterator=iterator))
        last = globals().get("LAST")
        if last:
            last(self)
        slow = self.settings.get("slow_to_detach")
        if not slow:
            self.obj.detach()
        self.drain()
        for name in names_of(self.obj):
            tell_map(self.obj, name)
        extra = globals().get("EXTRA")
        if extra:
            extra(self)
        if self.settings.get("names", True):
            self.names.look(self.pids, anew=True)
            self.names.tell()
        times = os.times()
        losses = losses_of(self.obj)
        if self.cut:
            losses["events"] = losses.get("events", 0) + self.events - MOST_EVENTS
        emit({"end": int(self.ended * 1e9), "took": self.ended - self.began, "asked": self.seconds, "why": why,
              "hits": losses.pop("hits", 0), "cost_s": times[0] + times[1], "losses": losses})  # fmt: skip
        if slow:
            sys.stdout.flush()  # the kernel may take longer to let go than there is time
            self.obj.detach()


def take_first(seconds: float, settings: "dict[str, Any]", pids: "list[int]") -> Observation:
    """The first of `attempts` (programs that are left out) that the kernel takes; raises Refused."""
    attempts = settings.get("attempts") or [[]]
    always = settings.get("leave_out", [])
    for left_out in attempts[:-1]:
        try:
            return Observation(seconds, dict(settings, leave_out=always + left_out), pids)
        except Refused:
            continue
    return Observation(seconds, dict(settings, leave_out=always + attempts[-1]), pids)


def main(argv: "list[str]") -> int:
    """Exit 0 with a report; 1 where the kernel did not take the program, said as a line."""
    seconds, settings, pids = float(argv[1]), json.loads(argv[2]), [int(a) for a in argv[3:]]
    try:
        observation = take_first(seconds, settings, pids)
    except Refused as refused:
        fall_back = globals().get("FALL_BACK")
        if fall_back:
            return int(fall_back(refused, seconds, pids))
        emit(
            {
                "refused": refused.step,
                "errno": refused.number,
                "why": str(refused),
                "said": why_not(refused),
                "facts": surroundings(),
            }
        )
        return 1
    end_when_told()
    emit({"began": int(observation.began * 1e9), "attached": observation.attached, "missing": observation.missing,
          "kernel": os.uname().release, "machine": os.uname().machine})  # fmt: skip
    tell_io_urings(pids)
    tell_tracers(pids)
    sys.stdout.flush()
    why = observation.watch()
    observation.ended = time.monotonic()
    emit({"over": observation.ended - observation.began})
    sys.stdout.flush()  # telling may be cut off
    observation.tell(why)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
