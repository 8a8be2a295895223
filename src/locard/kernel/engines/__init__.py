"""The tools that people know, as engines: strace, ltrace, perf trace, bpftrace and those of bcc.

One file a tool: its command, and what is read from what it prints, into the facts of locard's own programs.
Around each stands the same plan: which version it is, a look at the processes (who traces them already?),
the tool for its time, and a look at what it left.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Command, Impact, Template
from locard.kernel import _observing
from locard.model import params
from locard.model.errors import UsageError
from locard.model.evidence import INTERRUPTED
from locard.model.foreign_json import parsed
from locard.model.kernel_facts import ENDED_BY_YOU, NotObserved, Observed
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from locard.model.evidence import Output
    from locard.probe import Step

EBPF = "ebpf"
MOST_S = _observing.MOST_FOR_S + 30.0  # with what a tool takes to begin
STARTS_S = 20.0  # what a tool that ends by its own timer may take to begin and to tell
_EARLY_S = 0.3
_MOST_WORDS = 300

LOOK = Template(
    argv=("python3", "-I", "-S", "-", "{seconds:number}", "{pid:pid*}"),
    impact=Impact.READS,
    bound_s=10.0,
    by_hand="readlink /proc/self/ns/pid; cat $(printf '/proc/%s/status ' {pid})",
    program="kernel/_engine_far.py",
    needs=(needs.PYTHON,),
    output="json",
    prompt=True,
)

# Said before a tool runs, and kept with what it found.
WARNINGS = {
    "strace": "strace stops every thread of the target at each call, twice: 13 to 38 us each; a server was left"
    " a quarter of its throughput, a loop of calls 1 %",
    "ltrace": "ltrace writes breakpoints into the target's code and stops it at each call: a server was left a"
    " fifth of its throughput. When it lets go, a target with several threads can die: 2 of 8 did, with SIGTRAP;"
    " killed, it takes the target along or leaves it stopped",
    "perf": "perf trace copies every call to user space and loses events where they are many; a loop of calls"
    " was left 4 % of its speed",
    "bpftrace": "bpftrace hooks every process of the machine and compiles with LLVM: 1 to 3 s and some 100 MB to"
    " begin",
    "bcc": "tools of bcc hook every process of the machine; the Python ones compile with LLVM and the kernel's"
    " headers: 1 to 3 s and some 100 MB to begin",
}


def engine_param(*names: str) -> Any:
    """The parameter `--engine`: locard's own program, or one of these tools."""
    return params.text(
        EBPF,
        f"what counts: ebpf, locard's own program, or {' or '.join(names)}",
        pattern="|".join((EBPF, *names)),
    )


def check(asked: Any, *also: str) -> None:
    """Raises UsageError where a parameter was given that the tool does not know."""
    if asked.engine == EBPF:
        return
    known = {"for_s", "engine", *also}
    for f in dataclasses.fields(asked):
        if f.name not in known and getattr(asked, f.name) != f.default:
            flag = params.flags(f)[-1]
            raise UsageError(
                f"{flag} and --engine {asked.engine} do not go together",
                f"{asked.engine} is not asked for that here",
                f"Leave {flag} out, or leave out --engine: locard's own program does it.",
            )


@dataclass(frozen=True, slots=True)
class Ran:
    """What one tool was asked and said, with the looks before and after it."""

    tool: str  # the program's own name
    version: str
    output: Output
    seconds: float  # that it was to run
    before: dict[int, dict[str, Any]] = field(default_factory=dict)
    after: dict[int, dict[str, Any]] = field(default_factory=dict)
    ground: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All that it printed."""
        return f"{self.output.text}\n{self.errors}"

    @property
    def errors(self) -> str:
        """What it said on standard error."""
        return self.output.stderr.decode("utf-8", "replace")

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that it was about."""
        return tuple(self.before)

    @property
    def machine(self) -> str:
        """As uname says it."""
        return str(self.ground.get("machine", "")) or "x86_64"

    def pid_of(self, tid: int) -> int | None:
        """Whose thread it was before or after; None where that is not known."""
        for looked in (self.before, self.after):
            for pid, row in looked.items():
                if tid in row.get("threads", ()):
                    return pid
        return None


def steps(
    command: Command, version: Template | None, seconds: float, pids: tuple[int, ...]
) -> Generator[Step, Output, None]:
    """The plan around a tool: nothing is started that is not there, or on what is traced already."""
    if version is not None:
        known = yield version.fill()
        if known.problem:
            return
    look = LOOK.fill(seconds=f"{seconds:.3f}", pid=pids)
    before = yield look
    traces = command.impact >= Impact.PAUSES
    # Where nothing can be looked at, nothing is started: there is no python3 either, to end it in order.
    if before.problem or refused(
        _rows(before), traces=traces, numbered=command.argv[0] not in _INSIDE
    ):
        return
    yield command
    yield look


# Tools that take the numbers of the pid namespace in which they run.
_INSIDE = frozenset({"strace", "ltrace", "perf"})


def refused(rows: Iterable[dict[str, Any]], *, traces: bool, numbered: bool) -> str:
    """Why a tool may not be started on what was looked at; empty where it may."""
    for row in rows:
        if traces and row.get("tracer"):
            return (
                f"process {row['process']} is traced already, by {row.get('by') or 'a process'}"
                f" (pid {row['tracer']})"
            )
        if numbered and row.get("pids") is False:
            return (
                "its filter takes the machine's own pids, and this is a pid namespace with others"
            )
    return ""


def _rows(output: Output) -> list[dict[str, Any]]:
    found = []
    for line in output.text.splitlines():
        try:
            row = parsed(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            found.append(row)
    return found


_OURS = re.compile(r"python3?(?:\.[0-9]+)?")
_LOOK_WORDS = 5  # python -I -S - seconds


def ran(outputs: Sequence[Output], tools: Iterable[str]) -> Ran | NotObserved | None:
    """What a tool of these said; None where none was asked."""
    names = set(tools)
    of_tools = [o for o in outputs if o.program in names]
    if not of_tools:
        return None
    tool = of_tools[0].program
    looks = [o for o in outputs if _OURS.fullmatch(o.program) and len(o.argv) >= _LOOK_WORDS]
    first = _rows(looks[0]) if looks else []
    asks_version = [o for o in of_tools if is_version(o)]
    output = next((o for o in of_tools if not is_version(o)), None)
    if output is None:
        problem = next((o.problem for o in asks_version if o.problem), "")
        problem = problem or refused(first, traces=True, numbered=tool not in _INSIDE)
        if not problem:
            problem = next((o.problem for o in looks if o.problem), "it was not started")
        return NotObserved(tool, problem, unlock(tool, problem))
    if output.problem.startswith("refused: "):  # by the gate, whose words stand beside the facts
        return None
    if output.exit_code is None and not output.stdout and not output.timed_out:
        return NotObserved(tool, output.problem or "it gave nothing", unlock(tool, output.problem))
    try:
        seconds = float(looks[0].argv[4]) if looks else output.duration_s
    except ValueError:
        seconds = output.duration_s
    said = (
        asks_version[0].text + asks_version[0].stderr.decode("utf-8", "replace")
        if asks_version
        else ""
    )
    after = _rows(looks[1]) if len(looks) > 1 else []
    return Ran(
        tool,
        _version(said),
        output,
        seconds,
        _processes(first),
        _processes(after) or {int(r["gone"]): r for r in after if isinstance(r.get("gone"), int)},
        next((r for r in first if "machine" in r), {}),
    )


def _processes(rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {
        r["process"]: r
        for r in rows
        if isinstance(r.get("process"), int) and isinstance(r.get("threads"), list)
    }


_VERSION_WORDS = 2


def is_version(output: Output) -> bool:
    """Whether a tool was only asked which one it is."""
    return len(output.argv) == _VERSION_WORDS and output.argv[1] in {"--version", "-V"}


def _version(said: str) -> str:
    found = re.search(r"\bv?([0-9]+\.[0-9][0-9A-Za-z.+~-]*)", said)
    return found[1].rstrip(".") if found else ""


def observed(
    it: Ran,
    engine: str,
    *,
    seconds: float | None = None,
    lost: Sequence[str] = (),
    blind: Sequence[str] = (),
) -> Observed:
    """How it went: whether the target ended meanwhile, what it left of it."""
    # What a tool takes to end counts nothing any more.
    took = seconds if seconds is not None else min(it.output.duration_s, it.seconds)
    gone = [p for p in it.pids if p not in it.after] if it.after else []
    gone = gone or [p for p, row in it.after.items() if "gone" in row]
    every = bool(it.pids) and len(gone) >= len(it.pids)
    early = took < it.seconds - _EARLY_S
    words = "the target ended" if every else ""
    stopped = it.output.problem == INTERRUPTED
    if stopped:
        words = f"{ENDED_BY_YOU} after {took:.1f} s of {it.seconds:g} s"
    losses = [*lost, *([it.output.problem] if it.output.problem and not stopped else [])]
    if early and not every and not it.output.problem:
        why = complaint(it)
        losses.append(f"{it.tool} ended after {took:.1f} s by itself" + (f": {why}" if why else ""))
    return Observed(
        seconds=round(took, 3),
        engine=f"{engine} {it.version}".strip(),
        attached=tuple(
            f"process {p} with {count(len(r['threads']), 'thread')}" for p, r in it.before.items()
        ),
        lost=tuple(losses),
        blind=tuple(blind),
        ended=words,
        cut=stopped,
        left=tuple(_left(it)),
    )


def _left(it: Ran) -> Iterable[str]:
    for pid, row in it.after.items():
        if row.get("state") in {"T", "t"}:
            yield f"process {pid} stands still: kill -CONT {pid}"
        if row.get("tracer"):
            yield f"process {pid} is still traced, by {row.get('by') or 'a process'} (pid {row['tracer']})"


_UNTOLD = ("Traceback", "  File", "    ", "WARNING", "Attaching ", "INFO", "^")
_TELLS = (
    "ermission denied",
    "not permitted",
    "kernel headers",
    "failed to create kprobe",
    "ERROR",
    "rror:",
)


def complaint(it: Ran) -> str:
    """The line in which a tool says why it failed."""
    every = [*it.errors.splitlines(), *it.output.text.splitlines()]
    lines = [x for x in every if x.strip() and not x.startswith((*_UNTOLD, "{"))]
    # bpftrace complains of a limit that plays no part on today's kernels.
    told = [x for x in lines if any(w in x for w in _TELLS) and "MEMLOCK" not in x]
    told.sort(key=lambda x: "kernel headers" not in x)
    return (told or [*lines[-1:]] or [""])[0].strip()[:_MOST_WORDS]


def failed(it: Ran, program: str) -> NotObserved:
    """A tool that ended with nothing to read."""
    why = complaint(it) or f"it ended with exit code {it.output.exit_code} and said nothing"
    return NotObserved(program, f"{it.tool}: {why}", unlock(it.tool, it.text))


_HEADERS = (
    "the tools of bcc compile with the kernel's headers: apt-get install linux-headers-$(uname -r);"
    " those of libbpf-tools need none, nor does locard's own program: leave --engine out"
)
# What would make a tool work, by what it said.
_UNLOCKS = (
    (r"traced already", "end that tracer first: a process has one"),
    (r"pid namespace", "run locard on the host itself, or leave --engine out"),
    (r"kernel headers|Failed to compile BPF", _HEADERS),
    (
        r"kprobe",
        "this kernel takes no kprobes; locard's own program needs none: leave --engine out",
    ),
)
_DENIED = re.compile(r"not permitted|ermission denied|EPERM|super-user|\broot\b")


def unlock(tool: str, said: str) -> str:
    """What would make a tool work, by what it said; empty where that is not known."""
    if "is not installed" in said:
        return next((f"get it: {n.get}" for n in needs.ALL if n.program == tool), "")
    known = next((words for form, words in _UNLOCKS if re.search(form, said)), "")
    if known or not _DENIED.search(said):
        return known
    if tool in {"strace", "ltrace"}:
        return "it takes CAP_SYS_PTRACE, or its user (kernel.yama.ptrace_scope)"
    return "it takes root: CAP_BPF and CAP_PERFMON, and tracefs"


def bounded(command: Command, seconds: float) -> Command:
    """The command with a bound: the end of a tool that is interrupted then."""
    return dataclasses.replace(command, bound_s=min(seconds, command.template.bound_s))
