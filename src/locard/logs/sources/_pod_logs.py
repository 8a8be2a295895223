"""The stream of kubectl logs: without what kubectl says in place of a log, and with the last words of runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locard.cluster import asking, asks
from locard.cluster.last_words import telling_line
from locard.cluster.no_log import LogFilter
from locard.cluster.states import states, with_words
from locard.logs.input import piped
from locard.logs.input.piped import PipedSource, open_command
from locard.model.errors import SourceUnreadableError
from locard.model.place import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.cluster.asking import Asked
    from locard.guard.command import Command
    from locard.logs.input.log_source import Wants
    from locard.model.evidence import Output
    from locard.model.workload import ContainerState, WorkloadStates

_MOST_ASKED = 8  # runs whose last lines are read
_TAIL = 4096  # bytes of what came last of a container
_HEAD = re.compile(rb"^\[pod/[^\]\n]*\] (?:\d{4}-\S+ )?", re.MULTILINE)
Words = dict[tuple[str, str], tuple[str, bool]]


@dataclass(slots=True)
class PodLogs(PipedSource):
    """Lines of the pods that are meant. `watched` are containers whose last lines are kept."""

    filtered: LogFilter = field(default_factory=LogFilter)
    watched: tuple[bytes, ...] = ()  # `[pod/NAME/CONTAINER] `
    answered: bool = (
        False  # the cluster has told the pods: a log that is lacking is no failure to reach it
    )
    last: dict[bytes, bytes] = field(default_factory=dict)

    def blocks(self, budget_s: float) -> Iterator[bytes]:
        """Blocks of whole lines, of logs alone."""
        for block in super(PodLogs, self).blocks(budget_s):
            lines = self.filtered(block)
            for head in self.watched:
                at = lines.rfind(head)
                if at >= 0:
                    begin = max(0, lines.rfind(b"\n", 0, max(0, at - _TAIL)) + 1)
                    self.last[head] = lines[begin : at + _TAIL]
            yield lines

    def _read(self, want: int, deadline: float) -> bytes:
        try:
            return super(PodLogs, self)._read(want, deadline)
        except SourceUnreadableError as error:
            if not self.answered:
                raise
            self.partial = f"its command failed: {error.why}"
            return b""


def run(command: Command) -> Output:
    """A declared question, through the gate: the user's own kubectl is asked here."""
    return piped.ask(command, asks.COMMANDS, HERE, "kubernetes")


def open_logs(name: str, command: Command, asked: Asked, wants: Wants) -> PodLogs:
    """Start kubectl; `states` of the source are read once the lines were."""
    opened = open_command(
        name,
        command,
        asks.COMMANDS,
        place=HERE,
        get="install kubectl, or pipe it in: kubectl logs … | locard logs -",
    )
    source = PodLogs(name, -1, None, owned=False, running=opened.running, by_hand=opened.by_hand)
    if asked.answers is None:
        return source
    first = states(asked.answers, previous=wants.previous)
    source.answered = True
    source.filtered = LogFilter(asked.others)
    source.watched = tuple(
        f"[pod/{c.pod}/{c.name}] ".encode()
        for c in first.containers
        if c.condition != "running" or c.kind == "init" or (wants.previous and c.last)
    )
    source.workload = lambda: _states(source, asked, wants)
    return source


def _states(source: PodLogs, asked: Asked, wants: Wants) -> WorkloadStates | None:
    """How the pods stand, what was before them, and what containers said before they ended."""
    if wants.follow:
        asked = asking.ask_pods_again(asked, run)
    answers = asked.answers
    if answers is None:
        return None
    asking.add_events(answers, asks.place(wants.namespace, wants.context), run)
    answers.said = tuple(source.filtered.said)
    found = states(answers, previous=wants.previous)
    words = dict(_words_in_stream(source, found, wants))
    words.update(_words_asked(found, wants, words))
    return with_words(found, words)


def _words_in_stream(
    source: PodLogs, found: WorkloadStates, wants: Wants
) -> Iterator[tuple[tuple[str, str], tuple[str, bool]]]:
    """What runs that ended said last, where that stood in the lines that were read."""
    for one in found.containers:
        head = f"[pod/{one.pod}/{one.name}] ".encode()
        lines = [line for line in source.last.get(head, b"").split(b"\n") if line.startswith(head)]
        said = telling_line(_HEAD.sub(b"", b"\n".join(lines)).decode("utf-8", "replace"))
        if said:
            # While a container waits, kubectl gives the log of the run that ended last.
            before = wants.previous or one.condition not in {"ended", "running"}
            yield (one.pod, one.name), (said, before)


def _words_asked(found: WorkloadStates, wants: Wants, known: Words) -> Words:
    """The same of runs that failed and whose lines were not read: a few, each by a question of its own."""
    words: Words = {}
    where = asks.place(wants.namespace, wants.context)
    lacking = [c for c in found.containers if _failed(c) and (c.pod, c.name) not in known]
    for one in lacking[:_MOST_ASKED]:
        runs = [True, False] if one.last and one.last.failed else [False]
        # The kubelet may have removed the run before, where another one has ended since.
        for before in runs:
            if not before and one.condition == "running":
                continue
            output = run(asks.words(where, one.pod, one.name, previous=before))
            lines = LogFilter()(_prefixed(output.stdout, one))
            said = telling_line(_HEAD.sub(b"", lines).decode("utf-8", "replace"))
            if output.exit_code == 0 and said:
                words[one.pod, one.name] = (said, before)
                break
    return words


def _prefixed(data: bytes, one: ContainerState) -> bytes:
    """Lines with the head that `LogFilter` knows them by."""
    head = f"[pod/{one.pod}/{one.name}] ".encode()
    return b"".join(head + line + b"\n" for line in data.split(b"\n") if line)


def _failed(one: ContainerState) -> bool:
    return one.last_end is not None and one.last_end.failed
