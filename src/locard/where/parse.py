"""From the text of `--where` to its parts.

    status >= 500 and upstream in (ledger, "cards api") and not path ~ "^/health"

Comparisons are = == != < <= > >=, `in (…)`, `~` and `!~` (regular expressions), `is null`,
`is not null`, `exists` and `contains` (an array has that element, a text that part); they are joined by `and`, `or`, `not` and parentheses. Values stand bare
or in quotes, field names bare, in backquotes or in quotes; `items[0].id` is in an array. Times are written as ISO 8601,
HH:MM[:SS] or `10m ago`, durations as `250ms`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locard.model.errors import UsageError
from locard.where.syntax import (
    Compare,
    Contains,
    Every,
    Exists,
    Field,
    Match,
    Not,
    OneOf,
    Some,
    Value,
)

if TYPE_CHECKING:
    from typing import NoReturn

    from locard.where.syntax import Node

LONGEST = 10_000
DEEPEST = 50
_KEYWORDS = {"and", "or", "not", "in", "is", "null", "exists"}
_TOKEN = re.compile(
    r"""\s*(?:(?P<op>==|!=|<=|>=|!~|=~|&&|\|\||[=<>~(),])
        | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
        | `(?P<name>[^`]+)`
        | (?P<word>[^\s()=!<>~,"'`&|]+))""",
    re.VERBOSE | re.DOTALL,
)
_COMPARISONS = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def parse(text: str) -> Node:
    """The parts of an expression; raises UsageError that names the column of the mistake."""
    if len(text) > LONGEST:
        raise UsageError(
            "the expression is too long", f"it has over {LONGEST} characters", "Split the question."
        )
    parser = _Parser(text, _tokens(text))
    node = parser.some()
    if parser.now.kind != "end":
        parser.fail("`and`, `or` or the end")
    return node


def mistake(text: str, at: int, what: str, next_step: str) -> UsageError:
    """The error that points at a column of the expression."""
    begin = max(0, at - 50)
    shown = "".join(c if c.isprintable() else " " for c in text[begin : at + 25])
    return UsageError(
        f"the expression does not fit at column {at + 1}",
        f"{what}\n          {shown}\n          {' ' * (at - begin)}^",
        next_step,
    )


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # op, text, name, word, keyword, end
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    found = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            what = "the quote is not closed" if text[at] in "\"'`" else f"{text[at]!r} has no place"
            raise mistake(text, at, what, "Put text in double quotes.")
        kind, value, at = match.lastgroup, match[match.lastgroup], match.end()
        start = match.start(match.lastgroup)
        if kind == "text":
            # Only quotes and backslashes are escaped, so that "\d+" stays a regular expression.
            value = re.sub(r"""\\(["'\\])""", r"\1", value[1:-1])
        elif kind == "word" and value.lower() in _KEYWORDS:
            kind = "keyword"
        elif value in {"&&", "||"}:
            kind, value = "keyword", {"&&": "and", "||": "or"}[value]
        found.append(_Token(kind, value.lower() if kind == "keyword" else value, start))
    return [*found, _Token("end", "", len(text))]


@dataclass(slots=True)
class _Parser:
    text: str
    tokens: list[_Token]
    place: int = 0
    depth: int = field(default=0)

    @property
    def now(self) -> _Token:
        return self.tokens[self.place]

    def fail(self, expected: str) -> NoReturn:
        found = f"found {self.now.text!r}" if self.now.kind != "end" else "it ends there"
        raise mistake(
            self.text,
            self.now.at,
            f"expected {expected}, {found}",
            "Write for example: status >= 500 and upstream in (a, b)",
        )

    def take(self, kind: str, *texts: str) -> _Token | None:
        token = self.now
        if token.kind != kind or (texts and token.text not in texts):
            return None
        self.place += 1
        return token

    def some(self) -> Node:
        items = [self.every()]
        while self.take("keyword", "or"):
            items.append(self.every())
        return items[0] if len(items) == 1 else Some(tuple(items))

    def every(self) -> Node:
        items = [self.opposite()]
        while self.take("keyword", "and"):
            items.append(self.opposite())
        return items[0] if len(items) == 1 else Every(tuple(items))

    def opposite(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise mistake(
                self.text, self.now.at, f"nested over {DEEPEST} deep", "Write it flatter."
            )
        node = Not(self.opposite()) if self.take("keyword", "not") else self.test()
        self.depth -= 1
        return node

    def test(self) -> Node:
        if self.take("op", "("):
            node = self.some()
            if not self.take("op", ")"):
                self.fail("`)`")
            return node
        if self.take("keyword", "exists"):
            return Exists(self.field())
        return self.about(self.field())

    def field(self) -> Field:
        token = self.take("word") or self.take("name") or self.take("text")
        if token is None:
            self.fail("a field name")
        return Field(token.text, token.at)

    def about(self, about: Field) -> Node:
        if self.take("keyword", "exists"):
            return Exists(about)
        if self.take("keyword", "is"):
            negated = self.take("keyword", "not")
            if not self.take("keyword", "null"):
                self.fail("`null`")
            return Exists(about) if negated else Not(Exists(about))
        negated = self.take("keyword", "not")
        if self.take("keyword", "in"):
            inside: Node = OneOf(about, self.values())
            return Not(inside) if negated else inside
        if self.take("word", "contains"):
            holds: Node = Contains(about, self.value())
            return Not(holds) if negated else holds
        if negated:
            self.fail("`in` or `contains`")
        op = self.take("op", "~", "=~", "!~")
        if op:
            match = Match(about, self.value())
            return Not(match) if op.text == "!~" else match
        op = self.take("op", *_COMPARISONS)
        if op is None:
            self.fail("a comparison (= != < <= > >= ~ in contains, is null)")
        return self.compared(about, _COMPARISONS[op.text])

    def compared(self, about: Field, op: str) -> Node:
        if op in {"=", "!="} and self.take("keyword", "null"):  # as jq users write it
            return Exists(about) if op == "!=" else Not(Exists(about))
        value = self.value()
        return Compare(about, op, value)

    def values(self) -> tuple[Value, ...]:
        if not self.take("op", "("):
            self.fail("`(` and values")
        found = [self.value()]
        while self.take("op", ","):
            found.append(self.value())
        if not self.take("op", ")"):
            self.fail("`,` or `)`")
        return tuple(found)

    def value(self) -> Value:
        token = self.take("text")
        if token:
            return Value(token.text, True, token.at)
        token = self.take("word")
        if token is None:
            self.fail("a value")
        if self.take("word", "ago"):
            return Value(f"{token.text} ago", False, token.at)
        return Value(token.text, False, token.at)
