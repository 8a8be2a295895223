"""/proc/PID/stat as grep prints it, each line behind the name of its file: a process's name may hold anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = re.compile(r"/proc/(\d+)/stat:(.*)", re.DOTALL)
_LEAST = 20  # fields, up to the start's


def stats(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """(pid, name, the fields behind the name) of each process; what is torn is left out.

    A line end in a name makes two lines of one file; the last parenthesis is the one that closes it.
    """
    whole: dict[int, list[str]] = {}
    for line in text.split("\n"):
        if found := _LINE.match(line):
            whole.setdefault(int(found[1]), []).append(found[2])
    for pid, lines in whole.items():
        said = "\n".join(lines)
        start, end = said.find("("), said.rfind(")")
        fields = said[end + 1 :].split()
        if 0 <= start < end and len(fields) >= _LEAST:
            yield pid, said[start + 1 : end], fields
