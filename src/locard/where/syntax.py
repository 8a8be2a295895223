"""What an expression of `--where` is made of.

An expression is true or false for every record, never unknown: a test of a field that the record
does not have is false, and `!=`, `!~` and `not` are the plain opposites, so they are true of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Field:
    """A field as it was written. `at` is its place in the expression, from 0."""

    name: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Value:
    """A value as it was written; `quoted` ones are text unless the field is a time."""

    text: str
    quoted: bool = False
    at: int = 0

    @property
    def number(self) -> float | None:
        """Its number, unless it is quoted or none."""
        if self.quoted or not NUMBER.fullmatch(self.text):
            return None
        return float(self.text)


@dataclass(frozen=True, slots=True)
class Compare:
    """`field op value`, with op one of = != < <= > >=."""

    field: Field
    op: str
    value: Value


@dataclass(frozen=True, slots=True)
class OneOf:
    """`field in (values)`."""

    field: Field
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """`field ~ pattern`: somewhere in the text, in RE2's syntax."""

    field: Field
    pattern: Value


@dataclass(frozen=True, slots=True)
class Contains:
    """`field contains value`: an array has that element, a text that part."""

    field: Field
    value: Value


@dataclass(frozen=True, slots=True)
class Exists:
    """The record has the field, and not as null."""

    field: Field


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    item: Node


@dataclass(frozen=True, slots=True)
class Every:
    """All of them (`and`)."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of them (`or`)."""

    items: tuple[Node, ...]


Node = Compare | OneOf | Match | Contains | Exists | Not | Every | Some


def fields_of(node: Node) -> tuple[Field, ...]:
    """The fields of an expression, in the order in which they stand."""
    if isinstance(node, Not):
        return fields_of(node.item)
    if isinstance(node, Every | Some):
        return tuple(f for item in node.items for f in fields_of(item))
    return (node.field,)
