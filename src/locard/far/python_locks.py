"""Which lock of `_thread` each waiting thread of a CPython process stands at, and who owns it where it says so.

Stands behind `far/python_objects.py` in one namespace. A thread that the kernel has in futex(2) keeps the lock in
its innermost frames: as a local, or on the value stack as itself or as the `self` of its `acquire` or `__enter__`.
Up to 3.12 the kernel's futex address lies in the lock's own memory, which proves it (`sure`); later locks are one
byte and park elsewhere: then the only lock there is a candidate. An RLock records its owner, a plain lock does not.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.python_layout import Layout
    from locard.far.python_objects import Objects

KINDS = {"_thread.RLock": "RLock", "_thread.lock": "Lock"}
OF_IMPORT = "_ModuleLock"  # written in Python: name of the module and owner are its attributes
CALLS = (
    "builtin_function_or_method",
    "method",
)  # whose `self` may be a lock: at 24, the next word at 24 too
SELF_AT = 24
WORDS = 40  # of a frame's locals and stack that are looked at
DEEP = 3  # frames, from the innermost
OF_A_LOCK = 128  # bytes of a PyThread_type_lock, at most
PLACES = {(3, 8): 360, (3, 9): 360, (3, 10): 352, (3, 11): 72, (3, 12): 72}


class Locks:
    """Finds the locks of threads at one moment."""

    def __init__(self, objects: "Objects", layout: "Layout") -> None:
        """Nothing is read yet."""
        self.objects, self.memory = objects, objects.memory
        self.place = layout.at.get("frame.locals") or PLACES[layout.version]
        self.proves = layout.version <= (3, 12)
        self.kinds = {}  # type: dict[int, str]

    def find(self, waits: "dict[int, tuple[list[int], int]]") -> "dict[int, dict[str, Any]]":
        """By thread: {"kind", "at", "owner", "count", "sure"}; `waits`: its frames, innermost first, and its futex.

        `owner` is a pthread id, None where the lock records none, 0 where nobody has it.
        """
        seen = {key: self.words(frames[:DEEP]) for key, (frames, _) in waits.items()}
        self.learn({w for frames in seen.values() for words in frames for w in words})
        found = {}
        for key, frames in seen.items():
            for words in frames:
                lock = self.among(words, waits[key][1])
                if lock is not None:
                    found[key] = lock
                    break
        return found

    def words(self, frames: "list[int]") -> "list[list[int]]":
        """What looks like an object among the locals and on the stack of each frame."""
        found = []
        for raw in self.memory.each([(f + self.place, 8 * WORDS) for f in frames]):
            values = struct.unpack("<%dQ" % WORDS, raw) if raw else ()
            kept = [v & ~7 for v in values if 1 << 16 < v < 1 << 47]
            found.append(list(dict.fromkeys(kept)))
        return found

    def learn(self, addresses: "set[int]") -> None:
        """The name of the type of each, of objects that are locks or calls of one."""
        wanted = sorted(addresses)
        self.types = {}  # type: dict[int, tuple[str, bytes]]
        raws = self.memory.each([(a, 40) for a in wanted])
        fresh = {struct.unpack_from("<Q", raw, 8)[0] for raw in raws if raw} - set(self.kinds)
        for kind in fresh:
            self.kinds[kind] = self.named(kind)
        for address, raw in zip(wanted, raws):
            name = self.kinds[struct.unpack_from("<Q", raw, 8)[0]] if raw else ""
            if raw and name:
                self.types[address] = name, raw

    def named(self, kind: int) -> str:
        """The name of a type, "" where it is none that matters or no type at all."""
        try:
            name = self.objects.type_name(kind)
        except (OSError, ValueError):
            return ""
        return name if name in KINDS or name in CALLS or name == OF_IMPORT else ""

    def among(self, words: "list[int]", futex: int) -> "dict[str, Any] | None":
        """The lock that a thread waits for, of those in one frame."""
        locks = {}
        for word_ in words:
            name, raw = self.types.get(word_, ("", b""))
            if name == OF_IMPORT:
                return self.of_import(word_)
            where = word_
            if name in CALLS:
                where = struct.unpack_from("<Q", raw, SELF_AT)[0]
                name, raw = self.direct(where)
            if name in KINDS:
                locks[where] = name, raw
        if self.proves:
            # Locks lie side by side, closer than the largest is long: it is the last that begins before the futex.
            begins = {struct.unpack_from("<Q", locks[w][1], 16)[0]: w for w in locks}
            own = max((b for b in begins if b <= futex < b + OF_A_LOCK), default=0)
            if not own:
                return None
            name, raw = locks[begins[own]]
            return self.told(begins[own], name, raw, sure=True)
        if len(locks) == 1:
            ((where, (name, raw)),) = locks.items()
            return self.told(where, name, raw, sure=False)
        return None

    def direct(self, address: int) -> "tuple[str, bytes]":
        """Name of the type and first bytes of an object that was not among the words."""
        try:
            raw = self.memory.read(address, 40)
            kind = struct.unpack_from("<Q", raw, 8)[0]
            if kind not in self.kinds:
                self.kinds[kind] = self.named(kind)
        except OSError:
            return "", b""
        return self.kinds[kind], raw

    def of_import(self, address: int) -> "dict[str, Any] | None":
        """The lock of a module that is being imported, with the module's name."""
        try:
            held = self.objects.attributes(address)
            owner = self.objects.number(held["owner"])
            name = self.objects.text(held["name"])
        except (
            KeyError,
            OSError,
            ValueError,
            struct.error,
        ):  # its owner is None: nobody has it now
            return None
        return {
            "kind": "import lock",
            "name": name,
            "at": address,
            "owner": owner,
            "count": None,
            "sure": True,
        }

    @staticmethod
    def told(where: int, name: str, raw: bytes, *, sure: bool) -> "dict[str, Any]":
        """What is said of one lock."""
        owner, count = struct.unpack_from("<QQ", raw, 24)
        mine = name == "_thread.RLock"
        return {
            "kind": KINDS[name],
            "name": "",
            "at": where,
            "owner": owner if mine else None,
            "count": count if mine else None,
            "sure": sure,
        }
