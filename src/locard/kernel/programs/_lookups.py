"""DNS questions put together to lookups: what one thread asks for one name, search list and all.

A program asks once; the resolver asks for each suffix of the search list, for A and for AAAA. A lookup is
the questions of one thread for one name until one of them is answered with records. The same question
twice begins another lookup, unless the first had no answer or failed: then it was asked again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

OK, NXDOMAIN, NO_ANSWER, WAITS, NO_RECORDS = (
    "ok",
    "NXDOMAIN",
    "no answer",
    "no answer yet",
    "no records",
)
_CODES = {1: "FORMERR", 2: "SERVFAIL", 3: NXDOMAIN, 4: "NOTIMP", 5: "REFUSED"}
_TYPES = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 64: "SVCB", 65: "HTTPS"}  # fmt: skip
_FAILED = {NO_ANSWER, WAITS, "SERVFAIL", "REFUSED", "NOTIMP", "FORMERR"}
_APART_NS = 20_000_000  # between A and AAAA of one lookup, where two threads ask
_MOST_OPEN = 32


@dataclass(slots=True)
class Question:
    """One question; `ended` is None where it has no answer."""

    name: str
    type: str
    result: str
    began: int
    ended: int | None
    tid: int
    tgid: int
    server: str
    again: int = 0


@dataclass(slots=True)
class Lookup:
    """The questions for one name. `bases` are the names that all of them may have been asked for."""

    bases: list[str]
    questions: list[Question] = field(default_factory=list)

    @property
    def base(self) -> str:
        """The name that was looked up: one that was asked for, else what all have in common."""
        names = {q.name for q in self.questions}
        if len(names) == 1:
            return next(iter(names))
        return next((b for b in self.bases if b in names), self.bases[0])

    @property
    def began(self) -> int:
        """When the first was asked."""
        return min(q.began for q in self.questions)

    @property
    def took_ns(self) -> int | None:
        """From the first question to the last answer; None while one has none."""
        ends = [q.ended for q in self.questions if q.ended is not None]
        return max(ends) - self.began if ends else None

    @property
    def result(self) -> str:
        """Ok where one question was answered with records; else what the last answer says."""
        results = [q.result for q in self.questions]
        return (
            OK if OK in results else next((r for r in reversed(results) if r != NXDOMAIN), NXDOMAIN)
        )

    @property
    def nxdomain(self) -> int:
        """How many answers say that there is no such name."""
        return sum(q.result == NXDOMAIN for q in self.questions)

    @property
    def needed(self) -> int:
        """How many were asked for the very name, without a suffix."""
        return sum(q.name == self.base for q in self.questions)


def name_of(wire: str) -> str:
    """A name as it travels (a length before each label) as people write it, in lower case."""
    labels, at = [], 0
    while at < len(wire):
        size = ord(wire[at])
        labels.append(wire[at + 1 : at + 1 + size])
        at += 1 + size
    return ".".join(labels).lower() or "."


def type_of(number: int) -> str:
    """A, AAAA, …; the number where it has no name here."""
    return _TYPES.get(number, f"type {number}")


def result_of(code: int, records: int) -> str:
    """ok, "no records" (NODATA), or the code's name."""
    if code:
        return _CODES.get(code, f"rcode {code}")
    return OK if records else NO_RECORDS


def bases_of(name: str, search: list[str]) -> list[str]:
    """The names that a program may have asked for, so that the resolver asks for this: the shortest first."""
    found = [name]
    for suffix in search:
        tail = "." + suffix.strip(".").lower()
        if len(tail) > 1 and name.endswith(tail) and len(name) > len(tail):
            found.append(name[: -len(tail)])
    return sorted(set(found), key=len)


def lookups(questions: list[Question], searches: dict[int, list[str]]) -> list[Lookup]:
    """All of them, in order; `searches`: the search list by process, 0 for any other."""
    ordered = sorted(questions, key=lambda q: q.began)
    spread = _spread(ordered)
    found: list[Lookup] = []
    current: dict[tuple[int, int], list[Lookup]] = {}
    for question in ordered:
        bases = bases_of(question.name, searches.get(question.tgid, searches.get(0, [])))
        key = (question.tgid, 0 if question.tgid in spread else question.tid)
        open_ = current.setdefault(key, [])
        for lookup in reversed(open_):
            shared = [b for b in lookup.bases if b in bases]
            if shared and _goes_on(lookup, question):
                lookup.bases = shared
                lookup.questions.append(question)
                break
        else:
            open_.append(Lookup(bases, [question]))
            found.append(open_[-1])
            del open_[: -_MOST_OPEN if question.tgid in spread else -1]
    return found


def _spread(ordered: list[Question]) -> set[int]:
    """Processes where A and AAAA of a name are asked by different threads at once, as Go does."""
    last: dict[tuple[int, str], Question] = {}
    apart: dict[int, int] = {}
    for question in ordered:
        before = last.get((question.tgid, question.name))
        if (
            before is not None
            and {before.type, question.type} == {"A", "AAAA"}
            and question.began - before.began < _APART_NS
        ):
            step = 1 if before.tid != question.tid else -1
            apart[question.tgid] = apart.get(question.tgid, 0) + step
        last[question.tgid, question.name] = question
    return {tgid for tgid, n in apart.items() if n > 0}


def _goes_on(lookup: Lookup, question: Question) -> bool:
    done = [q.ended for q in lookup.questions if q.result == OK and q.ended is not None]
    if done and question.began > min(done):
        return False
    same = [q for q in lookup.questions if (q.name, q.type) == (question.name, question.type)]
    return not same or same[-1].result in _FAILED
