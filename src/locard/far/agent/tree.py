"""Where the time of one call goes: what it calls, and what these call, by the profile function of its own thread.

It is set only while one call runs that is told, never where the thread has one already, and for at most `MOST_EVENTS`.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.agent.boot import Builtin, clock, own, quoted, watches
    from locard.far.agent.exchange import drive_code
    from locard.far.agent.reading import Code, among, is_ours, place_of, plain

set_profile, get_profile = own["setprofile"], own["getprofile"]
name_of_builtin = Builtin.__dict__["__name__"].__get__
OURS, BELOW = [], []  # type: list[Any], list[Any] # the nodes of what is locard's own, and of what that calls
MOST_EVENTS, MOST_LINES_TREE, DEEPEST_TREE = 50000, 60, 4


class Tree:
    """The calls below one call; nodes are [name, calls, ns, {child: node}].

    On the stack stand (node, when it began or 0 where it does not count, our own time until then). A gate is code of ours
    that stands before a watched function: what it calls counts for who called it. Time that is ours counts for nobody.
    """

    __slots__ = ("code", "cut", "events", "hook", "ours", "root", "stack", "unseen")

    def __init__(self, code: "Any") -> None:
        """`code`: of the function itself."""
        self.code, self.hook = code, self.event
        self.ours = 0
        self.root = ["", 1, 0, {}]  # type: list[Any]
        self.stack = []  # type: list[Any]
        self.events, self.cut, self.unseen = 0, 0, 0

    def begin(self) -> bool:
        """Look from now on; False where another one looks."""
        if get_profile() is not None or self.cut:
            return False
        self.stack = [(self.root, 0, 0)]
        set_profile(self.hook)
        return True

    def end(self) -> None:
        """Look no more, unless the call set another profiler."""
        if get_profile() is self.hook:
            set_profile(None)
        if self.cut:
            self.unseen += clock() - self.cut

    def event(self, frame: "Any", what: str, argument: "Any") -> None:
        """A call or a return in this thread; never raises."""
        try:
            self.events += 1
            if self.events > MOST_EVENTS:
                self.stop()
            elif what == "call":
                self.push(frame.f_code)
            elif what == "c_call":
                self.push(argument)
            elif len(self.stack) > 1:
                self.pop(clock())
        except BaseException as fault:
            self.stop()
            if not is_ours(fault):
                raise

    def stop(self) -> None:
        """Look no more at this call: what runs is counted until now."""
        if get_profile() is self.hook:
            set_profile(None)
        self.cut = clock()
        while len(self.stack) > 1:
            self.pop(self.cut)

    def pop(self, now: int) -> None:
        """The innermost ends."""
        node, began, ours = self.stack.pop()
        if node is OURS:
            self.ours += now - began
        elif node is not None and began:
            node[1] += 1
            node[2] += now - began - (self.ours - ours)

    def push(self, what: "Any") -> None:
        """A function begins."""
        above, counts, _ = self.stack[-1]
        if above is OURS or above is BELOW:
            self.stack.append((BELOW, 0, 0))
            return
        if what is self.code:
            self.stack.append((self.root, 0, 0))  # calls of itself belong to it
            return
        gate = what is drive_code or among(what, [watch.new for watch in watches])
        if gate or (not counts and type(what) is Builtin):
            self.stack.append((above, 0, 0))  # or how a gate works
            return
        if type(what) is Code and what.co_filename == "<locard>":
            self.stack.append((OURS, clock(), 0))
            return
        node = None
        if above is not None and len(self.stack) <= DEEPEST_TREE + 2 and len(self.stack) > 1:
            key = name_of_builtin(what) if type(what) is Builtin else id(what)
            node = above[3].get(key)
            if node is None and len(above[3]) < 200:
                node = above[3][key] = [label(what), 0, 0, {}]
        self.stack.append((node, clock(), self.ours))

    def lines(self, took: int) -> str:
        """[[depth, name, calls, us, us by itself], ...] as JSON, the longest first."""
        found = []  # type: list[str]
        self.list_below(self.root, 0, found)
        own = max(0, took - self.unseen - sum(n[2] for n in self.root[3].values())) / 1e3
        lines = ['[0,"by itself",1,%.1f,%.1f]' % (own, own), *found[:MOST_LINES_TREE]]
        if self.cut:
            unseen = self.unseen / 1e3
            lines.append(
                '[0,"not looked at any more, after %d events",1,%.1f,%.1f]'
                % (MOST_EVENTS, unseen, unseen)
            )
        return "[%s]" % ",".join(lines)

    def list_below(self, node: "list[Any]", depth: int, found: "list[str]") -> None:
        """The children of a node, and theirs."""
        for child in sorted(node[3].values(), key=lambda n: -n[2]):
            below = sum(n[2] for n in child[3].values())
            own = max(0, child[2] - below) / 1e3
            found.append(
                "[%d,%s,%d,%.1f,%.1f]" % (depth, quoted(child[0]), child[1], child[2] / 1e3, own)
            )
            self.list_below(child, depth + 1, found)


def label(what: "Any") -> str:
    """A code object with its place, or the name of what is written in C."""
    if type(what) is Builtin:
        return plain(name_of_builtin(what)) + " (C)"
    return place_of(what, what.co_firstlineno) if type(what) is Code else "C"
