"""Attaches to library functions, and names what was counted; beside the target, Python 3.6, standard library only.

Stands behind `_attacher_far.py` and `_stacks_far.py` and before `far/observe.py` in one namespace. Settings:
`expression` (as ltrace's), `returns` (attach to returns too), `stacks`.
"""

import ctypes
import re
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.observe import Observation, emit, losses_of
    from locard.far.processes import alive, family
    from locard.kernel._attacher_far import Attacher, left_pages
    from locard.kernel._functions_far import File, Functions
    from locard.kernel._stacks_far import Stacks

PLAIN, SIZE_FIRST, SIZE_PRODUCT, SIZE_SECOND, SIZE_THIRD, FREES, MOVES, MOVES_BY_POINTER = range(8)
MOST_WRAPPERS = 24
MOST_STACKS = 200
MANY_SITES = 400  # a grace period of the kernel each, to be let go of: 10 ms on a busy machine
KINDS = (
    (re.compile(r"(__libc_)?(malloc|valloc|pvalloc|xmalloc|g_malloc0?)|_Zn[aw][mj].*|je_malloc|tc_malloc"), SIZE_FIRST),
    (re.compile(r"(__libc_)?calloc|xcalloc|je_calloc|tc_calloc"), SIZE_PRODUCT),
    (re.compile(r"(__libc_)?(realloc|memalign)|aligned_alloc|xrealloc|g_realloc|je_realloc|tc_realloc"), SIZE_SECOND),
    (re.compile(r"(__)?posix_memalign"), SIZE_THIRD),
    (re.compile(r"(__libc_)?c?free|g_free|_Zd[al]Pv.*|je_free|je_sdallocx|tc_free"), FREES),
    (re.compile(r"SSL_(read|write|peek)|(gnutls_record_)(recv|send)|PR_(Read|Write|Recv|Send)"
                r"|mbedtls_ssl_(read|write)|wolfSSL_(read|write)|BIO_(read|write)"), MOVES),
    (re.compile(r"SSL_(read|write|peek)_ex"), MOVES_BY_POINTER),
)  # fmt: skip


def kind_of(names: "list[str]") -> int:
    """What a function's arguments mean, by any of its names."""
    for form, kind in KINDS:
        if any(form.fullmatch(name) for name in names):
            return kind
    return PLAIN


class Calls:
    """The library calls of one observation."""

    def __init__(self, observation: "Observation") -> None:
        """Attaches to all that the expression takes."""
        settings = observation.settings
        self.observation = observation
        self.returns = bool(settings.get("returns"))
        self.functions = Functions(str(settings["expression"]))
        self.attacher = Attacher(
            observation, self.functions, "enter", "leave" if self.returns else ""
        )
        self.attacher.prepare = self.prepare
        self.stacks = Stacks(observation) if settings.get("stacks") else None
        self.ranges = {}  # type: dict[int, list[tuple[int, int]]]
        self.before = {pid: left_pages(pid) for pid in family(observation.pids)}
        self.each_ns = 0.0
        self.attacher.begin()
        if self.attacher.sites > MANY_SITES:
            settings["slow_to_detach"] = True
            words = (
                "the kernel takes long to let go of %d probes in %d functions: what was counted is told before that is"
                " over. Name fewer functions, such as -e 'SSL_*@libssl*'"
            )
            emit({"unseen": words % (self.attacher.sites, len(self.functions.every))})

    def put(self, name: str, key: int, value: bytes) -> None:
        """Write an entry of a map."""
        obj = self.observation.obj
        fd = obj.check("map %s" % name, obj.c.far_map(obj.handle, name.encode()))
        number = ctypes.c_uint32(key)
        obj.check("writing %s" % name, obj.c.far_put(fd, ctypes.byref(number), value))

    def prepare(self, pid: int, file: "File") -> None:
        """Tell the program what the functions of a file are, before they are attached to."""
        mine = self.ranges.setdefault(pid, [])
        for function in file.functions:
            kind = kind_of(function.names)
            if kind:
                self.put("kinds", function.id, struct.pack("=I", kind))
            if SIZE_FIRST <= kind <= FREES and not (self.returns and function.returns):
                place = self.functions.lies(pid, function)
                if place and len(mine) < MOST_WRAPPERS:
                    mine.append(place)
        if mine:
            from_ = [f for f, _ in mine] + [0] * (MOST_WRAPPERS - len(mine))
            to = [t for _, t in mine] + [0] * (MOST_WRAPPERS - len(mine))
            self.put("wrappers", pid, struct.pack("=%dQ" % (2 * MOST_WRAPPERS), *(from_ + to)))

    def tick(self) -> None:
        """What began or was loaded meanwhile."""
        self.attacher.again()
        self.cost()
        if self.stacks:
            self.stacks.refresh()

    def cost(self) -> None:
        """Judge the cost by what a call was measured to cost at sites such as these."""
        hits = losses_of(self.observation.obj).get("hits", 0)
        each = self.attacher.each_ns(hits)
        if each:
            self.each_ns = self.observation.settings["cost_ns"] = each

    def tell(self) -> None:
        """Print what the counts are about, and what stays."""
        self.cost()
        emit({"each_ns": self.each_ns})
        self.functions.tell(self.returns)
        self.attacher.tell()
        if self.stacks:
            rows = sorted(self.observation.obj.entries("stacks"), key=lambda kv: -kv[1]["count"])
            for key, sums in rows[:MOST_STACKS]:
                user = self.stacks.trace(key["user"])
                if user and user[1:2] != [key["caller"]]:
                    user.insert(1, key["caller"])
                names = self.stacks.by_addresses(key["tgid"], user)
                emit({"stack": names or ["[unknown]"], "value": sums["count"], "bytes": sums["bytes"],
                      "of": key["function"], "pid": key["tgid"]})  # fmt: skip
            self.stacks.tell()
        for pid in sorted(self.functions.mapped):
            if alive(pid):
                pages = left_pages(pid)
                emit({"left": pid, "pages": pages, "before": self.before.get(pid, [])})


HELD = []  # type: list[Calls] # the one of this observation


def begin_calls(observation: "Observation") -> None:
    """ATTACH."""
    HELD.append(Calls(observation))


def tick_calls(_observation: "Observation") -> None:
    """TICK."""
    HELD[0].tick()


def tell_calls(_observation: "Observation") -> None:
    """EXTRA."""
    HELD[0].tell()


ATTACH = begin_calls
TICK = tick_calls
EXTRA = tell_calls
