"""The verdict in words, once for every report: what changed, when, who, doing what, why, next."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model.facts import StackSamples
from locard.model.finding import Role, Severity
from locard.model.place import HERE, typed_at
from locard.model.wording import with_flags
from locard.report import log_tables
from locard.report.logs_said import bad_ones
from locard.report.sentences import Said, say

if TYPE_CHECKING:
    import datetime as dt

    from locard.model.claim import Slot
    from locard.model.finding import Support
    from locard.model.investigation import Investigation
    from locard.model.log_facts import LogSummary
    from locard.model.target import Process

_PATH = re.compile(r"(?P<option>--?[\w-]+=)?(?:[\w.@%+~-]*/)+(?P<name>[\w.@%+~:-]*)")
_CODE = frozenset(
    {"-c", "-e", "-r", "-E", "--eval", "--execute"}
)  # what stands behind is a program
_TITLE = 48  # characters of a command line

_CLOCK_S = 1.0  # of difference between clocks that is not worth a word


@dataclass(frozen=True, slots=True)
class Story:
    """What a person reads first. Empty tuples are said as such by the reports."""

    title: str
    state: tuple[Said, ...]  # a target that is stopped, traced or dying
    verdict: tuple[Said, ...]
    log: tuple[Said, ...]  # which one the sentences speak of
    changed: tuple[Said, ...]
    onset: tuple[Said, ...]
    other_logs: tuple[Said, ...]
    bad_means: tuple[Said, ...]
    affected: tuple[Said, ...]
    unaffected: tuple[Said, ...]
    unknown: tuple[Said, ...]
    coverage: tuple[Said, ...]  # why no rate is claimed, where none can be
    log_says: tuple[Said, ...]
    bad_ones_say: tuple[Said, ...]  # counts before → since the onset
    doing: tuple[Said, ...]
    also_seen: tuple[Said, ...]
    healthy: tuple[Said, ...]
    not_looked_at: tuple[Said, ...]
    agreeing: tuple[Said, ...]  # the layers that speak for the leading factor
    opposing: tuple[Said, ...]
    next_commands: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The verdict as one text."""
        return " ".join(said.text for said in (*self.state[:1], *self.verdict))


def story(found: Investigation, tz: dt.tzinfo | None = None) -> Story:
    """The claims of an investigation as sentences; times in `tz`, the local zone where None."""
    logged = chosen_log(found)
    telling = log_tables.telling(logged[1], tz) if logged else ()
    says = tuple(Said(text, (logged[0],)) for text in telling) if logged else ()

    def of(slot: Slot) -> tuple[Said, ...]:
        return tuple(say(item, tz) for item in found.claims if item.claim.slot == slot)

    return Story(
        title=title(found),
        state=of("state"),
        verdict=of("verdict"),
        log=of("log"),
        changed=of("changed"),
        onset=of("onset"),
        other_logs=of("other_logs"),
        bad_means=of("bad_means"),
        affected=of("affected"),
        unaffected=of("unaffected"),
        unknown=of("unknown"),
        coverage=of("coverage"),
        log_says=(*of("log_says"), *says),
        bad_ones_say=_bad_ones_say(found),
        doing=of("doing"),
        also_seen=of("also_seen"),
        healthy=of("healthy"),
        not_looked_at=of("not_looked_at"),
        agreeing=_layers_of(found, "evidence_for"),
        opposing=_layers_of(found, "evidence_against"),
        next_commands=next_commands(found),
    )


def _bad_ones_say(found: Investigation) -> tuple[Said, ...]:
    """Rows of counts and quoted messages, of each log that has some."""
    return tuple(
        Said(text, (evidence.id,)) for evidence, log in found.logs() for text in bad_ones(log)
    )


def chosen_log(found: Investigation) -> tuple[str, LogSummary] | None:
    """The log that the claims speak of, with its evidence id."""
    named = next((c.claim for c in found.claims if c.claim.slot == "log"), None)
    logs = [(e.id, s) for e, s in found.logs()]
    mine = (p for p in logs if named and p[1].source == named.text("log"))
    return next(mine, logs[0] if logs else None)


def title(found: Investigation) -> str:
    """`proc/gunicorn (5 processes) on vm`."""
    count = len(found.target.processes)
    many = f" ({count} process{'es' if count != 1 else ''})" if count else ""
    name = ""
    if found.target.kind == "pid" and found.target.processes:
        name = f" {_program(found.target.processes[0])}"
    return f"{found.target.ref}{name}{many} {where(found)}{_clock(found)}"


def where(found: Investigation) -> str:
    """Where it runs, as it was typed, and what the machine calls itself there."""
    host, name = found.target.host, found.place.partition("/")[2]
    if found.place == HERE.ref or host == name:
        return f"on {host}"
    return f"at {found.place} ({host})"


def _clock(found: Investigation) -> str:
    """That the clock there is wrong, where it is: times of logs and of the record do not meet then."""
    ground = found.ground
    ahead = ground.clock_ahead_s if ground else None
    within = (ground.clock_within_s or 0.0) if ground else 0.0
    if ahead is None or abs(ahead) <= _CLOCK_S + within:
        return ""
    return f", whose clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} ours"


def _program(process: Process) -> str:
    """The command line without folders, as far as it tells programs apart."""
    words = list(map(_without_folders, process.cmdline[:8], ("", *process.cmdline[:7])))
    words = words or [process.comm]
    if len(process.cmdline) == 1 and " " in process.cmdline[0]:  # a title that the process wrote
        words = process.cmdline[0].split()[:4]
    text = " ".join(w for w in words if w)
    return text if len(text) <= _TITLE else text[: _TITLE - 1] + "…"


def _without_folders(word: str, before: str) -> str:
    """A path by its last part, an option's too; code is none, whatever slashes it has."""
    found = _PATH.fullmatch(word)
    if found is None or (before in _CODE and not word.startswith("/")):
        return word
    return (found["option"] or "") + (found["name"] or word)


def _layers_of(found: Investigation, side: str) -> tuple[Said, ...]:
    """Each layer once, with the evidence of it that speaks for or against the leading factor."""
    cited: dict[str, list[str]] = {}
    for factor in found.contributing_factors[:1]:
        supports: tuple[Support, ...] = getattr(factor, side)
        for support in supports:
            ids = cited.setdefault(support.layer.value, [])
            if support.evidence not in ids:
                ids.append(support.evidence)
    return tuple(Said(layer, tuple(ids)) for layer, ids in cited.items())


def next_commands(found: Investigation) -> tuple[str, ...]:
    """Complete command lines: the leading factor's, else the lead's, else those of who is hit.

    What background findings suggest stands with them: the first screen says one thing to do next.
    """
    by_id = {f.id: f for f in found.findings}
    ranked = [by_id[f.finding] for f in found.contributing_factors if f.finding in by_id]
    commands = [c for f in ranked for c in f.next_commands]
    commands += lead_commands(found)
    scope = sorted(
        (f for f in found.findings if f.role is Role.SCOPE),
        key=lambda f: list(Severity).index(f.severity),
    )
    commands += [c for f in scope for c in f.next_commands]
    if not commands:
        commands = _further(found)
    return tuple(dict.fromkeys(commands))


def _further(found: Investigation) -> list[str]:
    """Where nothing was found: the log itself, or a log that could be named."""
    chosen = chosen_log(found)
    if chosen is not None and chosen[1].source != "-":
        return [typed_at(_reads(chosen[1]), found.at)]
    asked = f"locard investigate {shlex.quote(found.target.ref)}"
    return [f"{typed_at(asked, found.at)} --logs FILE"]


def _reads(log: LogSummary) -> str:
    """The command that reads a log again."""
    command = f"locard logs {shlex.quote(log.source)}"
    return with_flags(command, log.source, log.flags)


def lead_commands(found: Investigation) -> list[str]:
    """What one would type to follow what most busy threads do; empty where that is not the verdict."""
    for item in found.claims:
        claim = item.claim
        if claim.slot != "verdict" or claim.kind != "threads_lead":
            continue
        pids = [a.pids[0] for a in found.activities if a.work == "busy" and a.pids]
        if address := claim.text("peer"):
            host, _, port = address.rpartition(":")
            return [f"ss -tnpi dst {host} dport = :{port}"]
        return [_look_at(found, pids[0])] if pids else []
    return []


def _look_at(found: Investigation, pid: int) -> str:
    """What shows the stacks of a process: ours where it is Python, else its threads."""
    for item in found.evidence:
        for fact in item.facts:
            if isinstance(fact, StackSamples) and any(s.pid == pid for s in fact.stacks):
                return f"locard stacks pid/{pid}"
    return f"top -H -b -n 1 -p {pid}"
