"""A question in the few terms that every dialect has to find words for."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locard.logs.ask.where_sql import written_ms
from locard.logs.fields.levels import RANKS, common_spellings
from locard.where import syntax, times

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.logs.ask.slice import Question
    from locard.logs.fields.meaning import Meaning
    from locard.where.syntax import Value
    from locard.where.times import Clock

_EXACT_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Number:
    """The field is a number, and compares to `value`; op is one of = < <= > >=."""

    name: str
    op: str
    value: float

    @property
    def digits(self) -> str:
        """The value as it is written everywhere."""
        return f"{self.value:.15g}"


@dataclass(frozen=True, slots=True)
class Text:
    """The field's text compares to `value`, byte by byte."""

    name: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Time:
    """The record's time compares to a Unix time in seconds."""

    name: str
    op: str
    value: float

    @property
    def iso(self) -> str:
        """In UTC, to the millisecond."""
        moment = dt.datetime.fromtimestamp(self.value, dt.UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Matches:
    """The pattern is found in the field's text."""

    name: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Present:
    """The record has the field."""

    name: str


@dataclass(frozen=True, slots=True)
class Opposite:
    """Not that."""

    item: Term


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of them."""

    items: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of them."""

    items: tuple[Term, ...]


Term = Number | Text | Time | Matches | Present | Opposite | AllOf | AnyOf
Atom = Number | Text | Time | Matches | Present


class CannotSayError(Exception):
    """A term for which the language has no words; the text says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The question: `terms` must all hold; fields by the names of the log."""

    terms: tuple[Term, ...]
    select: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    top: int | None = None
    time: str | None = None  # the field that holds the time
    level: str | None = None
    unsaid: tuple[str, ...] = ()  # what no backend is asked for
    numbers: frozenset[str] = frozenset()
    source: str = "-"


@dataclass(frozen=True, slots=True)
class Written:
    """The question in a language, and what that language could not say."""

    text: str
    unsaid: tuple[str, ...] = ()


@dataclass(slots=True)
class Sayer:
    """Collects the words for each term, and what has none."""

    words: list[str] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)

    def say(self, asked: Asked, word: Callable[[Term], str]) -> None:
        """The words of each term that must hold; those that cannot be said are left out."""
        self.unsaid += asked.unsaid
        for term in asked.terms:
            try:
                self.words.append(word(term))
            except CannotSayError as error:
                self.unsaid.append(str(error))


def asked_of(question: Question, meaning: Meaning, clock: Clock, source: str = "-") -> Asked:
    """The question in terms; raises UsageError as the question itself would."""
    reader = _Reader(meaning, clock, question.text)
    terms: list[Term] = []
    unsaid: list[str] = []
    if question.where is not None:
        nodes = (
            question.where.items if isinstance(question.where, syntax.Every) else (question.where,)
        )
        for node in nodes:
            if _is_about_arrays(node, meaning):
                unsaid.append(
                    f"a test of {syntax.fields_of(node)[0].name}: it is about arrays or what is in them"
                )
            else:
                found = reader.term(node)
                terms += found.items if isinstance(found, AllOf) else (found,)
    time = meaning.roles.get("time")
    if question.around is not None and time:
        low, high = question.around - question.window_s, question.around + question.window_s
        terms += [Time(time, ">=", low), Time(time, "<=", high)]
    if question.since_s is not None and time and meaning.last is not None:
        terms.append(Time(time, ">=", meaning.last - question.since_s))
    if question.trace is not None:
        terms.append(Text(meaning.roles.get("trace_id", "trace_id"), "=", question.trace))
    if question.sample is not None:
        unsaid.append("--sample: a uniform sample by seed is locard's own")
    return Asked(
        terms=tuple(terms),
        select=tuple(meaning.resolve(syntax.Field(name)) for name in question.select),
        by=tuple(meaning.resolve(syntax.Field(name)) for name in question.by),
        top=question.top,
        time=time,
        level=meaning.roles.get("level"),
        unsaid=tuple(unsaid),
        numbers=frozenset(meaning.numbers),
        source=source,
    )


def _is_about_arrays(node: syntax.Node, meaning: Meaning) -> bool:
    """Whether a test is about what few backends have words for."""
    if isinstance(node, syntax.Not):
        return _is_about_arrays(node.item, meaning)
    if isinstance(node, syntax.Every | syntax.Some):
        return any(_is_about_arrays(item, meaning) for item in node.items)
    found = meaning.find(node.field.name)
    return isinstance(node, syntax.Contains) or bool(found and meaning.json(found))


@dataclass(slots=True)
class _Reader:
    meaning: Meaning
    clock: Clock
    text: str

    def term(self, node: syntax.Node) -> Term:
        if isinstance(node, syntax.Not):
            return Opposite(self.term(node.item))
        if isinstance(node, syntax.Every):
            return AllOf(tuple(self.term(item) for item in node.items))
        if isinstance(node, syntax.Some):
            return AnyOf(tuple(self.term(item) for item in node.items))
        return self.test(node, self.meaning.resolve(node.field, self.text))

    def test(
        self,
        node: syntax.Compare | syntax.OneOf | syntax.Match | syntax.Contains | syntax.Exists,
        name: str,
    ) -> Term:
        if isinstance(node, syntax.Contains):  # of a text: others are not asked for
            return Matches(name, re.escape(node.value.text))
        if isinstance(node, syntax.Exists):
            return Present(name)
        if isinstance(node, syntax.Match):
            return Matches(name, node.pattern.text)
        if isinstance(node, syntax.OneOf):
            return AnyOf(tuple(self.atom(name, "=", value) for value in node.values))
        if node.op == "!=":
            return Opposite(self.atom(name, "=", node.value))
        return self.atom(name, node.op, node.value)

    def atom(self, name: str, op: str, value: Value) -> Term:
        if self.meaning.is_role(name, "time"):
            return Time(name, op, times.moment(value.text, self.clock))
        if self.meaning.is_role(name, "duration"):
            wanted_ms = written_ms(value)
            if wanted_ms is not None:
                return Number(name, op, wanted_ms / (self.meaning.own_unit_ms(name) or 1.0))
        if self.meaning.is_role(name, "level") and value.text.lower() in RANKS:
            return _levels(name, op, value.text.lower())
        digits = sum(c.isdigit() for c in value.text)
        if value.number is not None and (op != "=" or digits <= _EXACT_DIGITS):
            return Number(name, op, value.number)
        return Text(name, op, value.text)


def _levels(name: str, op: str, level: str) -> AnyOf:
    """The common spellings of a level, or of the levels from, or up to, it."""
    words = []
    if op == "=":
        words += [level, *common_spellings(level)]
    else:
        rank = RANKS[level]
        holds = {">=": rank.__le__, ">": rank.__lt__, "<=": rank.__ge__, "<": rank.__gt__}[op]
        words += [w for w, r in RANKS.items() if holds(r) and len(w) > 1]
    spelled = [form for word in words for form in (word, word.upper(), word.capitalize())]
    return AnyOf(tuple(Text(name, "=", word) for word in dict.fromkeys(spelled)))


def negated(term: Term) -> Term:
    """The opposite with every `Opposite` pushed down to a test (De Morgan)."""
    if isinstance(term, Opposite):
        return pushed(term.item)
    if isinstance(term, AllOf):
        return AnyOf(tuple(negated(item) for item in term.items))
    if isinstance(term, AnyOf):
        return AllOf(tuple(negated(item) for item in term.items))
    return Opposite(term)


def pushed(term: Term) -> Term:
    """The same with negation only right before tests, for languages that have no other."""
    if isinstance(term, Opposite):
        return negated(term.item)
    if isinstance(term, AllOf | AnyOf):
        return type(term)(tuple(pushed(item) for item in term.items))
    return term


def double_quoted(text: str) -> str:
    """Text in double quotes, with quotes and backslashes escaped."""
    return json.dumps(text, ensure_ascii=False)


def sole_texts(term: AnyOf) -> tuple[str, tuple[str, ...]] | None:
    """The field and the texts of `field in (texts)`, where the term is one."""
    names = {t.name for t in term.items if isinstance(t, Text) and t.op == "="}
    values = tuple(t.value for t in term.items if isinstance(t, Text) and t.op == "=")
    return (names.pop(), values) if len(names) == 1 and len(values) == len(term.items) else None


def escaped_unless_escaped(pattern: str, char_class: str) -> str:
    """A pattern with a backslash before each of these characters that has none of its own."""
    return re.sub(
        rf"(\\.)|([{char_class}])", lambda m: m[1] or "\\" + m[2], pattern, flags=re.DOTALL
    )


def sayable(names: tuple[str, ...], mark: str, language: str, unsaid: list[str]) -> tuple[str, ...]:
    """Those of the names that can be quoted by a mark; the others are told and left out."""
    unsaid += [f"the field {n!r}: {language} cannot quote its name" for n in names if mark in n]
    return tuple(name for name in names if mark not in name)


def is_plain(name: str) -> bool:
    """Whether a name is a letter or underscore, then letters, digits and underscores."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None
