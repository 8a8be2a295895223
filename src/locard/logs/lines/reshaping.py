"""Logs that are no lines: which of the readers makes lines of them, told by how they begin."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from locard.logs.lines import delimited, json_values
from locard.logs.lines.line_format import expanders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def find_reshaping(head: bytes) -> Callable[[Iterator[bytes]], Iterator[bytes]] | None:
    """What makes a line of each record of a log that begins so; None where each record is a line."""
    if json_values.is_json_values(head):
        words = tuple(expander.word for _, expander in expanders())
        return functools.partial(json_values.lines_of, expanded=words)
    table = delimited.find_table(head)
    return None if table is None else functools.partial(delimited.lines_of, table=table)
