"""Code objects of CPython: their names, and the line of an instruction by each version's table of lines.

Stands before `far/python_stacks.py` in one namespace; standard library only, 3.6 or later.
"""


class Code:
    """A code object's names, and its lines by instruction."""

    __slots__ = ("base", "file", "first", "known", "lines", "name", "version")

    def __init__(
        self,
        name: str,
        file: str,
        first: int,
        lines: bytes,
        base: int,
        version: "tuple[int, int]",
    ) -> None:
        """`base`: the address of its first instruction."""
        self.name, self.file, self.first, self.lines = name, file, first, lines
        self.base, self.version = base, version
        self.known = {}  # type: dict[int, int]

    def line(self, place: int) -> int:
        """The line of an instruction: its address (3.11 and later), else its index as the frame keeps it."""
        found = self.known.get(place)
        if found is None:
            if self.version >= (3, 11):
                found = line_of_locations(self.lines, self.first, place - self.base)
            elif self.version >= (3, 10):
                found = line_of_pairs(self.lines, self.first, place * 2)
            else:
                found = line_of_increments(self.lines, self.first, place)
            self.known[place] = found
        return found


def line_of_increments(table: bytes, line: int, offset: int) -> int:
    """Up to 3.9: pairs of an increment in bytes of code and one in lines (Objects/lnotab_notes.txt)."""
    address = 0
    for at in range(0, len(table) - 1, 2):
        address += table[at]
        if address > offset:
            break
        step = table[at + 1]
        line += step - 256 if step >= 128 else step
    return line


def line_of_pairs(table: bytes, line: int, offset: int) -> int:
    """3.10: pairs of a length in bytes of code and a step in lines, -128 for none (PEP 626)."""
    end, shown = 0, line
    for at in range(0, len(table) - 1, 2):
        end += table[at]
        step = table[at + 1]
        step = step - 256 if step >= 128 else step
        if step != -128:
            line += step
            shown = line
        if end > offset:
            return shown
    return shown


def line_of_locations(table: bytes, line: int, offset: int) -> int:
    """From 3.11: one entry a run of instructions, its first byte says kind and length (Objects/locations.md)."""
    at = end = 0
    while at < len(table):
        first = table[at]
        kind = first >> 3 & 15
        end += ((first & 7) + 1) * 2
        at += 1
        if kind in (13, 14):
            step, at = signed(table, at)
            line += step
            if kind == 14:  # end line, and two columns
                for _ in range(3):
                    _, at = unsigned(table, at)
        elif 10 <= kind < 13:
            line += kind - 10
            at += 2
        elif kind < 10:
            at += 1
        if end > offset:
            return line
    return line


def unsigned(table: bytes, at: int) -> "tuple[int, int]":
    """A number in groups of six bits, the lowest first, and where the next begins."""
    value = shift = 0
    while at < len(table):
        byte = table[at]
        value |= (byte & 63) << shift
        at += 1
        shift += 6
        if not byte & 64:
            break
    return value, at


def signed(table: bytes, at: int) -> "tuple[int, int]":
    """The same with its sign in the lowest bit."""
    value, at = unsigned(table, at)
    return (-(value >> 1) if value & 1 else value >> 1), at
