"""Callers of code that keeps no frame pointers, by the unwind tables of its files; x86-64 only.

Stands behind `far/symbols.py` in one namespace; standard library only, Python 3.6 or later. A thread's registers
and a copied piece of its stack are enough: `Unwinder.walk` gives the addresses, innermost first. Files carry the
tables (.eh_frame) even when stripped, since exceptions need them; code made at run time has none: there the
frame pointer is followed.
"""

import bisect
import os
import struct
from array import array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.symbols import Elf, Mapping, Symbols

BX, BP, SP, R12, R13, R14, R15, PC = 3, 6, 7, 12, 13, 14, 15, 16
KEPT = (BX, BP, R12, R13, R14, R15)  # what a callee gives back
GNU_EH_FRAME = 0x6474E550
X86_64 = 62
MOST_FRAMES = 127
MOST_RULES = 200000
WIDTHS = {
    0x02: ("<H", 2),
    0x03: ("<I", 4),
    0x04: ("<Q", 8),
    0x0A: ("<h", 2),
    0x0B: ("<i", 4),
    0x0C: ("<q", 8),
}


class Broken(Exception):  # noqa: N818 - what it is
    """A table that is none."""


def uleb(data: bytes, at: int) -> "tuple[int, int]":
    """An unsigned number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if byte < 0x80:
            return value, at


def sleb(data: bytes, at: int) -> "tuple[int, int]":
    """A signed number of variable length, and where it ends."""
    begin = at
    value, at = uleb(data, at)
    bits = 7 * (at - begin)
    return (value - (1 << bits) if value >> (bits - 1) & 1 else value), at


class Rule:
    """How to get from a frame to its caller's: where it ends (the CFA), and where registers were kept."""

    __slots__ = ("expression", "kept", "offset", "register", "signal")

    def __init__(self) -> None:
        """As a table begins."""
        self.register, self.offset = SP, 8
        self.expression = b""
        # by register: ("o", offset from the CFA), ("e", expression), ("u", None): there is no caller
        self.kept = {}  # type: dict[int, tuple[str, Any]]
        self.signal = False

    def copy(self) -> "Rule":
        """Another one that is the same."""
        other = Rule()
        other.register, other.offset, other.expression = self.register, self.offset, self.expression
        other.kept, other.signal = dict(self.kept), self.signal
        return other


class Tables:
    """The unwind tables of one file."""

    def __init__(self, elf: "Elf") -> None:
        """Reads the index only; raises Broken where there is none."""
        self.elf = elf
        self.rules = {}  # type: dict[int, Rule | None]
        self.commons = {}  # type: dict[int, Any]
        head = os.pread(elf.fd, 64, 0)
        phoff, phsize, phnum = (
            struct.unpack_from("<Q", head, 32)[0],
            *struct.unpack_from("<HH", head, 54),
        )
        raw = os.pread(elf.fd, phsize * phnum, phoff)
        for k in range(phnum):
            kind, _, offset, address, _, size, _, _ = struct.unpack_from(
                "<IIQQQQQQ", raw, k * phsize
            )
            if kind == GNU_EH_FRAME:
                self.index(os.pread(elf.fd, size, offset), address)
                return
        raise Broken

    def index(self, data: bytes, address: int) -> None:
        """The sorted list of functions: where each begins, and where its table lies."""
        version, pointer, count, table = struct.unpack_from("<BBBB", data)
        if version != 1 or count != 0x03 or table != 0x3B or pointer & 0x0F not in WIDTHS:
            raise Broken
        at = 4 + WIDTHS[pointer & 0x0F][1]
        entries = struct.unpack_from("<I", data, at)[0]
        pairs = array("i")
        pairs.frombytes(data[at + 4 : at + 4 + 8 * entries])
        self.base = address
        self.starts, self.places = pairs[0::2], pairs[1::2]

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the file by address."""
        offset = self.elf.file_offset(address)
        if offset is None:
            raise Broken
        return os.pread(self.elf.fd, size, offset)

    def rule(self, address: int) -> "Rule | None":
        """The rule at an address; None where the tables know nothing of it."""
        if address not in self.rules:
            if len(self.rules) > MOST_RULES:
                self.rules.clear()
            try:
                self.rules[address] = self.look_up(address)
            except (Broken, struct.error, IndexError):
                self.rules[address] = None
        return self.rules[address]

    def look_up(self, address: int) -> "Rule | None":
        """The same, read anew."""
        at = bisect.bisect_right(self.starts, address - self.base) - 1
        if at < 0:
            return None
        place = self.base + self.places[at]
        data = self.read(place, 4096)
        length, back = struct.unpack_from("<II", data)
        if length in (0, 0xFFFFFFFF) or back == 0:
            raise Broken
        if length + 4 > len(data):
            data = self.read(place, length + 4)
        common = self.common(place + 4 - back)
        start, at = self.pointer(data, 8, common["encoding"], place)
        size, at = self.pointer(data, at, common["encoding"] & 0x0F, 0)
        if not start <= address < start + size:
            return None
        if common["augmented"]:
            skip, at = uleb(data, at)
            at += skip
        rule = Rule()
        rule.signal = common["signal"]
        run = Run(common, rule)
        run.go(common["code"], start, address)
        run.first = run.rule.copy()
        run.go(data[at : length + 4], start, address)
        return run.rule

    def pointer(self, data: bytes, at: int, encoding: int, place: int) -> "tuple[int, int]":
        """A pointer as it is encoded, and where it ends."""
        form, size = WIDTHS.get(encoding & 0x0F, ("<Q", 8))
        value = struct.unpack_from(form, data, at)[0]
        if encoding & 0x70 == 0x10:  # from where it stands
            value += place + at
        elif encoding & 0x70:
            raise Broken
        return value, at + size

    def common(self, place: int) -> "dict[str, Any]":
        """What several functions have in common (CIE)."""
        if place in self.commons:
            return self.commons[place]  # type: ignore[no-any-return]
        data = self.read(place, 512)
        length, zero, version = struct.unpack_from("<IIB", data)
        if zero or length in (0, 0xFFFFFFFF):
            raise Broken
        end = data.index(b"\0", 9)
        words = data[9:end].decode("latin-1")
        code, at = uleb(data, end + 1)
        step, at = sleb(data, at)
        at = at + 1 if version == 1 else uleb(data, at)[1]
        found = {"factor": code, "step": step, "encoding": 0, "augmented": words.startswith("z"),
                 "signal": "S" in words}  # type: dict[str, Any] # fmt: skip
        if found["augmented"]:
            size, at = uleb(data, at)
            rest = at + size
            for word in words[1:]:
                if word == "R":
                    found["encoding"] = data[at]
                    at += 1
                elif word == "L":
                    at += 1
                elif word == "P":
                    at += 1 + WIDTHS.get(data[at] & 0x0F, ("<Q", 8))[1]
            at = rest
        elif words:
            raise Broken
        found["code"] = data[at : length + 4]
        self.commons[place] = found
        return found


class Run:
    """The instructions of a table, up to an address."""

    def __init__(self, common: "dict[str, Any]", rule: Rule) -> None:
        """Nothing has run yet."""
        self.common, self.rule = common, rule
        self.first = rule
        self.stack = []  # type: list[Rule]

    def go(self, code: bytes, at: int, until: int) -> None:
        """Run them while they are about addresses up to `until`."""
        k, end = 0, len(code)
        while k < end:
            op = code[k]
            k += 1
            high, low = op & 0xC0, op & 0x3F
            if high == 0x40:
                at += low * self.common["factor"]
            elif high == 0x80:
                value, k = uleb(code, k)
                self.rule.kept[low] = ("o", value * self.common["step"])
            elif high == 0xC0:
                self.restore(low)
            elif op in (0x02, 0x03, 0x04):
                size = 1 << (op - 2)
                at += int.from_bytes(code[k : k + size], "little") * self.common["factor"]
                k += size
            elif op:
                k = self.other(op, code, k)
            if at > until:
                return

    def restore(self, register: int) -> None:
        """As it was when the function began."""
        if register in self.first.kept:
            self.rule.kept[register] = self.first.kept[register]
        else:
            self.rule.kept.pop(register, None)

    def other(self, op: int, code: bytes, k: int) -> int:
        """An instruction with its operands; where the next one begins."""
        rule = self.rule
        if op == 0x0A:
            self.stack.append(rule.copy())
        elif op == 0x0B:
            if not self.stack:
                raise Broken
            self.rule = self.stack.pop()
        elif op == 0x0C:
            rule.register, k = uleb(code, k)
            rule.offset, k = uleb(code, k)
            rule.expression = b""
        elif op == 0x0D:
            rule.register, k = uleb(code, k)
        elif op == 0x0E:
            rule.offset, k = uleb(code, k)
        elif op == 0x0F:
            size, k = uleb(code, k)
            rule.expression = code[k : k + size]
            k += size
        elif op == 0x2E:  # the size of arguments
            _, k = uleb(code, k)
        else:
            register, k = uleb(code, k)
            k = self.kept(op, register, code, k)
        return k

    def kept(self, op: int, register: int, code: bytes, k: int) -> int:
        """An instruction about one register."""
        rule, step = self.rule, self.common["step"]
        if op == 0x05:
            value, k = uleb(code, k)
            rule.kept[register] = ("o", value * step)
        elif op == 0x06:
            self.restore(register)
        elif op == 0x07:
            rule.kept[register] = ("u", None)
        elif op == 0x08:
            rule.kept.pop(register, None)
        elif op == 0x10:
            size, k = uleb(code, k)
            rule.kept[register] = ("e", code[k : k + size])
            k += size
        elif op == 0x11:
            value, k = sleb(code, k)
            rule.kept[register] = ("o", value * step)
        elif op == 0x12:
            rule.register = register
            value, k = sleb(code, k)
            rule.offset, rule.expression = value * step, b""
        elif op == 0x13:
            raise Broken
        else:
            raise Broken
        return k


class Piece:
    """Registers and a piece of the stack, as they were at one moment."""

    def __init__(self, registers: "dict[int, int]", start: int, data: bytes) -> None:
        """`start` is where the piece lies in the process."""
        self.registers, self.start, self.data = registers, start, data

    def word(self, address: int) -> int:
        """Eight bytes of it; raises Broken outside."""
        at = address - self.start
        if at < 0 or at + 8 > len(self.data):
            raise Broken
        return int(struct.unpack_from("<Q", self.data, at)[0])

    def value(self, code: bytes, first: "int | None" = None) -> int:
        """The value of an expression of a table."""
        stack = [] if first is None else [first]
        k = 0
        while k < len(code):
            op = code[k]
            k += 1
            if 0x30 <= op < 0x50:
                stack.append(op - 0x30)
            elif 0x70 <= op < 0x91:
                value, k = sleb(code, k)
                stack.append(self.registers.get(op - 0x70, 0) + value)
            elif op == 0x06:
                stack.append(self.word(stack.pop()))
            elif op in (0x08, 0x09):
                stack.append(code[k])
                k += 1
            elif op == 0x12:
                stack.append(stack[-1])
            elif op == 0x23:
                value, k = uleb(code, k)
                stack.append(stack.pop() + value)
            else:
                right, left = stack.pop(), stack.pop()
                stack.append(self.both(op, left, right))
        return stack[-1] & (1 << 64) - 1

    @staticmethod
    def both(op: int, left: int, right: int) -> int:
        """An operation on two values."""
        if op == 0x1A:
            return left & right
        if op == 0x22:
            return left + right
        if op == 0x1C:
            return left - right
        if op == 0x24:
            return left << (right & 63)
        if op == 0x2A:
            return int(left >= right)
        raise Broken


class Unwinder:
    """The frames of one process."""

    def __init__(self, symbols: "Symbols") -> None:
        """By its mappings, which are read again by whoever owns them."""
        self.symbols = symbols
        self.tables = {}  # type: dict[tuple[str, str], Tables | None]
        self.whole = self.cut = 0

    def of(self, mapping: "Mapping") -> "Tables | None":
        """The tables of a mapped file."""
        if mapping.inode not in self.tables:
            self.tables[mapping.inode] = None
            elf = self.symbols.elf(mapping)
            if elf is not None and elf.machine == X86_64:
                try:
                    self.tables[mapping.inode] = Tables(elf)
                except (Broken, struct.error, OSError):
                    pass
        return self.tables[mapping.inode]

    def rule(self, address: int) -> "tuple[Rule | None, bool]":
        """The rule at an address, and whether there is code at all."""
        mapping = self.symbols.mapping(address)
        if mapping is None or "x" not in mapping.permissions:
            return None, False
        if not mapping.path.startswith("/"):
            return None, True
        tables = self.of(mapping)
        elf = self.symbols.elf(mapping)
        at = elf.address(address - mapping.start + mapping.offset) if elf else None
        return (tables.rule(at) if tables is not None and at is not None else None), True

    def walk(self, registers: "dict[int, int]", start: int, data: bytes) -> "list[int]":
        """The addresses of a stack, innermost first."""
        piece = Piece(dict(registers), start, data)
        found = []  # type: list[int]
        behind_call = False
        while len(found) < MOST_FRAMES:
            address = piece.registers[PC]
            rule, code = self.rule(address - 1 if behind_call else address)
            if not code:
                break
            found.append(address)
            try:
                more = self.step(piece, rule)
            except (Broken, IndexError):
                self.cut += 1
                return found
            if not more:
                break
            behind_call = rule is None or not rule.signal
        self.whole += 1
        return found

    def step(self, piece: Piece, rule: "Rule | None") -> bool:
        """From a frame to its caller's; whether there is one."""
        registers = piece.registers
        if rule is None:  # no table: code made at run time keeps frame pointers
            frame = registers[BP]
            if frame < registers[SP]:
                raise Broken
            registers[PC], registers[BP] = piece.word(frame + 8), piece.word(frame)
            registers[SP] = frame + 16
            return registers[PC] != 0
        if rule.expression:
            end = piece.value(rule.expression)
        else:
            end = registers.get(rule.register, 0) + rule.offset
        how, where = rule.kept.get(PC, ("o", -8))
        if how == "u":
            return False
        new = dict(registers)
        new[PC] = piece.word(end + where if how == "o" else piece.value(where, end))
        for register in KEPT:
            how, where = rule.kept.get(register, ("u", None))
            if (
                how == "o" and end + where >= registers[SP]
            ):  # below it: it has been given back already
                new[register] = piece.word(end + where)
            elif how == "e":
                new[register] = piece.word(piece.value(where, end))
        if SP in rule.kept and rule.kept[SP][0] == "e":  # out of a signal's frame
            new[SP] = piece.word(piece.value(rule.kept[SP][1], end))
        else:
            new[SP] = end
        if new[SP] <= registers[SP] and not rule.signal:
            raise Broken
        piece.registers = new
        return new[PC] != 0
