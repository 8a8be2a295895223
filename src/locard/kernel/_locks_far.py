"""What sort of lock a word in a process's memory belongs to, and which thread holds it; travels.

Told by the memory around the word, as glibc (nptl, 64 bit) and musl lay their locks out; where nothing fits it
is unknown. A condition variable is no lock: who waits for it waits for somebody's signal.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FUTEX_COMMAND = 0x7F
WAIT, LOCK_PI, WAIT_BITSET, LOCK_PI2 = 0, 6, 9, 13
WAITS = (WAIT, LOCK_PI, WAIT_BITSET, LOCK_PI2)
LOCK_BEFORE, LOCK_ROOM = 48, 112  # bytes before the word that are read, and in all
TID = 0x3FFFFFFF
MANY = 1 << 16  # readers or writers: more are none
MUTEX, CONDITION, UNKNOWN = "mutex", "condition variable", "unknown"
SEMAPHORE = "semaphore"
JOIN = "join: waits for a thread to end"
NO_HOLDER = (CONDITION, SEMAPHORE, UNKNOWN)  # after a few looks they are let alone


class LockMemory:
    """The memory around one lock word, and the threads that wait for it."""

    def __init__(
        self, raw: bytes, threads: "list[tuple[int, int, int]]", tid_of: "Callable[[int], int]"
    ) -> None:
        """Take (tid, futex operation, expected value) of who waits; `tid_of`: see `Waits.tid_of`."""
        self.raw, self.waiting, self.tid_of = raw, len(threads), tid_of
        self.op, self.value = threads[0][1] & FUTEX_COMMAND, threads[0][2] & 0xFFFFFFFF
        self.word = self.at(0)

    def at(self, offset: int) -> int:
        """The 32 bits at an offset from the word."""
        return int(struct.unpack_from("=I", self.raw, LOCK_BEFORE + offset)[0])

    def kind(self) -> "tuple[str, int]":
        """(words, tid of who holds it or 0)."""
        if self.op in (LOCK_PI, LOCK_PI2):
            return "mutex (priority inheritance)", self.tid_of(self.word & TID)
        for found in (self.join(), self.mutex(), self.rwlock(), self.semaphore(), self.condition()):
            if found[0]:
                return found
        return (MUTEX, 0) if self.value == 2 and self.word == 2 else (UNKNOWN, 0)

    def join(self) -> "tuple[str, int]":
        """pthread_join waits until the kernel clears the thread's own number."""
        awaited = self.tid_of(self.value) if self.word == self.value and self.value > 2 else 0
        return (JOIN, awaited) if awaited else ("", 0)

    def mutex(self) -> "tuple[str, int]":
        """glibc: lock, count, owner, and the lock is 2 where somebody waits. musl: the owner's number."""
        if self.word & 0x80000000 and self.tid_of(self.word & TID):
            return MUTEX, self.tid_of(self.word & TID)
        owner = self.tid_of(self.at(8)) if self.value == 2 and self.word in (1, 2) else 0
        return (MUTEX, owner) if owner else ("", 0)

    def rwlock(self) -> "tuple[str, int]":
        """glibc: readers, writers, phase word, writers' word, 2 x padding, writer, shared, padding, flags.

        Who waits has set the bit 2 in the word; the padding is zero. Anything else is another lock.
        """
        if self.value not in (2, 3) or self.word != self.value:
            return "", 0
        for base in (8, 12):
            readers, writers, writer = self.at(-base), self.at(4 - base), self.at(24 - base)
            zero = [self.at(k - base) for k in (16, 20, 36, 40, 44)]
            sane = readers >> 3 < MANY and writers < MANY and self.at(28 - base) < 2
            if any(zero) or not sane or self.at(48 - base) > 2 or not (writers or readers & 2):
                continue
            if self.tid_of(writer):
                return "rwlock, held by a writer", self.tid_of(writer)
            if readers >> 3 and not writer:
                return "rwlock, held by readers, a writer waits", 0
        return "", 0

    def semaphore(self) -> "tuple[str, int]":
        """glibc: the value, how many wait, whether it is shared. Locks of interpreters are semaphores."""
        waits = self.op == WAIT_BITSET and self.value == 0 and self.word == 0
        if waits and self.waiting <= self.at(4) < MANY and self.at(8) in (0, 128):
            return SEMAPHORE, 0
        return "", 0

    def condition(self) -> "tuple[str, int]":
        """glibc: how many threads ever waited stands first, how many do before the two words they wait on."""
        for base in (40, 44):
            waiting, ever, high = self.at(36 - base) >> 3, self.at(-base) >> 1, self.at(4 - base)
            if (
                self.op == WAIT_BITSET
                and self.waiting <= waiting < MANY
                and (high or ever >= waiting)
            ):
                return (CONDITION, 0) if high < MANY else ("", 0)
        return "", 0
