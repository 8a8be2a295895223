"""Watches functions: their calls are counted and told here, and their code is put back when it is over."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.agent.boot import (
        clock,
        cpu_clock,
        dropped,
        get_thread,
        mail,
        modules,
        own,
        quoted,
        say,
        watches,
    )
    from locard.far.agent.exchange import (
        VERSION,
        Signature,
        drive,
        exchanged,
        get_code,
        note_thrown,
        set_code,
    )
    from locard.far.agent.reading import (
        Function,
        Module,
        Shown,
        UnreadableError,
        among,
        is_ours,
        plain,
        show,
    )
    from locard.far.agent.telling import (
        bucket_of,
        cache_of,
        callers_of,
        error_of,
        get_frame,
        hide_frame,
        locals_of,
        shown,
        state_of,
        trace_id,
    )
    from locard.far.agent.tree import Tree

get_limit, set_limit = own["getrecursionlimit"], own["setrecursionlimit"]
MORE_FRAMES = 200  # frames that ours may add to a stack, and what a hook needs
# Of recursion, as it was and as it is now: the application's own depth stays what it was.
limit = [0, 0]
inside = [0]  # plain calls that began and have not ended, and lives, all functions together
DEEPEST = (
    60  # frames of ours in one thread, then it lets go: they count towards the recursion limit
)
PER_CALL = 1500 if VERSION < (3, 11) else 1000  # ns that a call costs more: bench/RESULTS.md


told = []  # type: list[tuple[int, int, int]] # (thread, when, ns) of calls that were told lately
MOST_TOLD = 200


def told_since(began: int) -> int:
    """How long this thread told of calls since a moment: inside of a call that is no time of its own."""
    thread = get_thread()
    return sum([ns for who, at, ns in told[:] if at > began and who == thread])


def exit_hooks() -> "Any":
    """What `threading` calls when the interpreter begins to end (3.9 and later); None where it has no such list."""
    threading = modules.get("threading")
    if type(threading) is not Module:
        return None
    found = Module.__dict__["__dict__"].__get__(threading).get("_threading_atexits")
    return found if type(found) is list else None


def let_go_at_exit() -> None:
    """Called by the interpreter when it begins to end: what is held by us could not be freed in order."""
    for watch in watches[:]:
        try:
            watch.undo(
                "exit", "the main thread has ended, and with it the interpreter begins to end"
            )
        except BaseException as fault:
            if not watch.fault(fault):
                raise


def make_room() -> None:
    """Before the first function: our frames do not count towards the limit of recursion; we hear of the end."""
    hooks = exit_hooks()
    if hooks is not None and not watches:
        hooks.append(let_go_at_exit)
    if not limit[1]:
        limit[0] = get_limit()
        set_limit(limit[0] + MORE_FRAMES)
        limit[1] = limit[0] + MORE_FRAMES


def give_room_back() -> None:
    """After the last one: the limit as it was, unless the application set another one meanwhile."""
    hooks = exit_hooks() or []
    for at, one in enumerate(hooks):
        if one is let_go_at_exit:
            del hooks[at]
            break
    was, now = limit
    limit[1] = 0
    if now and get_limit() == now:
        set_limit(was)


def module_of(function: "Any") -> "Any":
    """The module that a function is of.

    What we hold keeps the names of that module alive, since code objects are not seen by the collector: when the
    interpreter ends it empties only modules that are still there, and so what they hold (a file's last lines).
    """
    space = Function.__dict__["__globals__"].__get__(function)
    name = space.get("__name__") if type(space) is dict else None
    module = modules.get(name) if type(name) is str else None
    own = type(module) is Module and Module.__dict__["__dict__"].__get__(module) is space
    return module if own else None


def say_off(number: int, kind: str, why: str, restored: bool, inside: int) -> None:
    """One function is not watched any more; `inside`: lives that began under the watch and go on."""
    say('{"ev":"off","w":%d,"kind":"%s","why":%s,"restored":%s,"inside":%d}' % (
        number, kind, quoted(why), "true" if restored else "false", inside))  # fmt: skip


class Watch:
    """One function that is watched; its calls are counted here, and told by `look`."""

    def __init__(self, about: "dict[str, Any]", function: "Any") -> None:
        """Nothing is exchanged yet; `about`: what the tool asked for (see far/python_watch.py)."""
        self.about, self.function = about, function
        self.number = about["number"]
        self.left = about[
            "left"
        ]  # [events that may still be told], shared by the functions of one question
        self.taken = []  # type: list[tuple[int, int, str]]
        self.tested = []  # type: list[int]
        self.begun, self.ended = [0], [0]
        self.told_ns, self.next = 0, clock() + about["every"]
        self.used = cpu_clock()
        self.faults, self.over_share, self.told_at = 0, 0, clock()
        self.on = False
        self.module = module_of(function)
        self.callers = {}  # type: dict[tuple[Any, ...], int]
        self.trees = {}  # type: dict[int, list[Any]] # by thread: [tree, calls deep]
        self.cache = None  # type: Any

    def exchange(self) -> None:
        """Put the code in its place."""
        code = get_code(self.function)
        kind = Function  # type: Any
        copy = kind(code, Function.__dict__["__globals__"].__get__(self.function), code.co_name, None,
                    Function.__dict__["__closure__"].__get__(self.function))  # fmt: skip
        Function.__dict__["__qualname__"].__set__(
            copy, Function.__dict__["__qualname__"].__get__(self.function)
        )
        self.names = Signature(code).names
        self.original = code
        self.new = exchanged(code, {
            "@clock": clock, "@original": copy, "@raised": self.raised, "@returned": self.returned,
            "@begin": self.begin, "@failed": self.failed, "@ended": self.finish, "@drive": drive, "@thrown": note_thrown,
            "@entered": self.entered, "@inside": inside, "@deep": self.deepen, "@tree": self.begin_tree,
            "@all": BaseException, "@stop": StopIteration, "@async stop": StopAsyncIteration,
        }, self.about["before"], self.about["tree"])  # fmt: skip
        make_room()
        watches.append(self)
        self.on = True
        set_code(self.function, self.new)
        say('{"ev":"on","w":%d,"at":%d,"cache":%s}' % (self.number, clock(), cache_of(self.cache)))

    def undo(self, kind: str, why: str) -> None:
        """Give the function its code back, unless somebody else changed it meanwhile.

        `kind`: told (as many as were asked for), cost, deep, faults, exit or ended; `why` says it in words.
        """
        function = self.function
        if function is None or self not in watches:
            return
        kept = get_code(function) is self.new
        if kept:
            set_code(function, self.original)
        self.on = False
        try:
            watches.remove(self)
        except ValueError:  # another thread was quicker
            return
        if not watches:
            give_room_back()
        self.tell(clock())
        # Its constants lead back here, and code is not seen by the collector.
        self.new = self.function = self.module = self.cache = None
        say_off(self.number, kind, why, kept, self.begun[0] - self.ended[0])

    def gone(self) -> None:
        """In a child that was forked meanwhile, or after the end: the code goes back, and nothing is told."""
        if self.on:
            if get_code(self.function) is self.new:
                set_code(self.function, self.original)
            self.on = False
            give_room_back()

    # -- called by the exchanged code; never raise --------------------------------------------

    def entered(self, values: "tuple[Any, ...]") -> None:
        """It is called: told before it runs, where that was asked for."""
        try:
            if mail[0] == 1 and self.left[0] > 0:
                self.event((0, 0, values, None, None, "called", None, None))
        except BaseException as fault:
            if not self.fault(fault):
                raise

    def begin_tree(self) -> None:
        """A plain call begins whose callees are looked at; calls of itself below it belong to it."""
        try:
            thread = get_thread()
            if thread in self.trees:
                self.trees[thread][1] += 1
            elif self.left[0] > 0:
                tree = Tree(self.original)
                if tree.begin():
                    self.trees[thread] = [tree, 1]
        except BaseException as fault:
            if not self.fault(fault):
                raise

    def end_tree(self) -> "Any":
        """The tree of the plain call that ended, if it had one."""
        thread = get_thread()
        held = self.trees.get(thread)
        if held is None:
            return None
        held[1] -= 1
        if held[1]:
            return None
        del self.trees[thread]
        held[0].end()
        return held[0]

    def deepen(self) -> None:
        """Let go where functions that are watched call one another too deep for our frames to stand between."""
        try:
            began = clock()
            frame, depth, codes = get_frame(1), 0, [w.new for w in watches]
            while frame is not None and depth <= DEEPEST:
                depth += among(frame.f_code, codes)
                frame = frame.f_back
            self.told_ns += clock() - began
            if depth > DEEPEST:
                self.undo("deep", "calls of it stand more than %d deep in one another" % DEEPEST)
        except BaseException as fault:
            if not self.fault(fault):
                raise

    def returned(self, began: int, values: "tuple[Any, ...]", value: "Any") -> None:
        """A plain call came back."""
        inside[0] -= 1
        try:
            took = clock() - began
            took -= told_since(began) if told else 0
            tree = self.end_tree() if self.trees else None
            if not self.on:
                return
            if mail[0] != 1:
                self.gone()
                return
            self.taken.append((took, took, "returned"))
            if self.left[0] > 0 and not self.about["before"]:
                self.event((took, took, values, value, None, "returned", None, tree))
            elif self.about["callers"]:
                self.count_callers()
        except BaseException as fault:
            if not self.fault(fault):
                raise

    def raised(self, began: int, values: "tuple[Any, ...]", error: BaseException) -> None:
        """A plain call raised."""
        inside[0] -= 1
        try:
            took = clock() - began
            took -= told_since(began) if told else 0
            tree = self.end_tree() if self.trees else None
            hide_frame(error, self.new)
            if not self.on:
                return
            if mail[0] != 1:
                self.gone()
                return
            state = state_of(error)
            self.taken.append((took, took, state))
            if self.left[0] > 0 and not self.about["before"]:
                self.event((took, took, values, None, error, state, None, tree))
            elif self.about["callers"]:
                self.count_callers()
        except BaseException as fault:
            if not self.fault(fault):
                raise

    def begin(self, _values: "tuple[Any, ...]") -> "list[Any]":
        """A generator or coroutine begins to run: [when, ns inside, values given, what was thrown in, its tree]."""
        self.begun[0] += 1
        inside[0] += 1
        if inside[0] > DEEPEST:
            self.deepen()
        tree = Tree(self.original) if self.about["tree"] and self.left[0] > 0 else None
        return [clock(), 0, 0, None, tree]

    def finish(self, record: "list[Any]", values: "tuple[Any, ...]", value: "Any") -> None:
        """It returned."""
        self.end_life(record, values, value, None)

    def failed(self, record: "list[Any]", values: "tuple[Any, ...]", error: BaseException) -> None:
        """It raised, was closed or cancelled."""
        self.end_life(record, values, None, error)

    def end_life(
        self, record: "list[Any]", values: "tuple[Any, ...]", value: "Any", error: "Any"
    ) -> None:
        """The life of a generator or coroutine is over."""
        try:
            self.ended[0] += 1
            inside[0] -= 1
            took = clock() - record[0]
            if error is not None:
                hide_frame(error, self.new)
            if not self.on:
                return
            if mail[0] != 1:
                self.gone()
                return
            state = "returned" if error is None else state_of(error)
            self.taken.append((took, record[1], state))
            if self.left[0] > 0 and not self.about["before"]:
                self.event((took, record[1], values, value, error, state, record, record[4]))
            elif self.about["callers"]:
                self.count_callers()
        except BaseException as fault:
            if not self.fault(fault):
                raise

    def fault(self, fault: BaseException) -> bool:
        """Something of ours failed: it is told, and after the third time the function has its code back.

        False where it is the application's, such as what a signal handler raised: that goes on.
        """
        if not is_ours(fault):
            return False
        self.faults += 1
        say('{"ev":"fault","w":%d,"what":%s}' % (self.number, quoted(type(fault).__name__)))
        if self.faults > 2:
            self.undo("faults", "faults of the watch itself")
        return True

    # -- events -------------------------------------------------------------------------------

    def event(self, call: "tuple[Any, ...]") -> None:
        """Tell one call, if it is one that was asked for: (ns, ns inside, values, result, error, state, record, tree)."""
        took, inside, values, value, error, state, _, tree = call
        began = clock()
        if self.about["callers"]:
            self.count_callers()
        if self.about["only"] and (error is None or state == "closed"):
            return
        where = self.about["where"]
        if where is not None:
            try:
                met = where(values, value, error, took, inside)
            except UnreadableError:
                self.tested.append(2)
                self.told_ns += clock() - began
                return
            self.tested.append(1 if met else 0)
            if not met:
                self.told_ns += clock() - began
                return
        self.left[0] -= 1
        if self.left[0] < 0:
            return
        line = ""
        try:
            line = self.told(call, began)
            say(line, True)
        finally:
            if not line:  # a signal handler raised: what was not told does not count
                self.left[0] += 1
        if self.left[0] == 0 and self.about["ends"]:
            for watch in watches[:]:
                if watch.left is self.left:
                    watch.undo(
                        "told", "told as many calls as were asked for: %d" % self.about["most"]
                    )
        now = clock()
        told.append((get_thread(), now, now - began))
        del told[:-MOST_TOLD]
        self.told_ns += now - began + (tree.events * PER_CALL if tree is not None else 0)

    def told(self, call: "tuple[Any, ...]", now: int) -> str:
        """The line of one event."""
        took, inside, values, value, error, state, record, tree = call
        left, depth = Shown(), self.about["depth"]
        parts = [
            '"ev":"call","w":%d,"at":%d,"cost_us":%.1f,"state":"%s"'
            % (self.number, now, took / 1e3, state)
        ]
        if record is not None:
            parts.append('"inside_us":%.1f,"values":%d' % (inside / 1e3, record[2]))
            if record[3]:
                parts.append('"thrown":' + quoted(record[3]))
        named = [quoted(n) + ":" + show(v, depth, left) for n, v in zip(self.names, values)]
        asked = self.about["show"]
        if asked:
            parts.append(
                '"shown":{%s}'
                % ",".join(
                    quoted(w) + ":" + shown(f, (values, value, error, took, inside), depth, left)
                    for w, f in asked
                )
            )
        if not asked or self.about["show_params"]:
            parts.append('"params":{%s}' % ",".join(named))
        if error is not None and state != "closed":
            parts.append('"exception":' + error_of(error, self.new))
            if self.about["locals"]:
                parts.append('"locals":' + locals_of(error, depth, left))
        elif not asked and state == "returned":
            # Named, so that what `get_password` gives is known to be a secret.
            parts.append(
                '"name":%s,"value":%s'
                % (quoted(plain(self.original.co_name)), show(value, depth, left))
            )
        parts.append('"thread":%d,"trace":%s' % (get_thread(), trace_id()))
        if tree is not None:
            parts.append('"tree":' + tree.lines(inside))
        parts.append('"callers":[%s]' % ",".join(map(quoted, callers_of(self.new))))
        return "{" + ",".join(parts) + "}"

    def count_callers(self) -> None:
        """One more call by these."""
        key = callers_of(self.new)
        if key in self.callers or len(self.callers) < 500:
            self.callers[key] = self.callers.get(key, 0) + 1

    # -- told from time to time -----------------------------------------------------------------

    def look(self, now: int) -> None:
        """Called by our own thread: tell what was counted, and let go where it costs too much."""
        if now >= self.next:
            self.next = now + self.about["every"]
            self.tell(now)
        elif now > self.told_at + 100_000_000 and self.on:
            span = now - self.told_at
            spent = len(self.taken) * PER_CALL + self.told_ns
            if spent > 10 * self.about["share"] * span:
                self.undo(
                    "cost",
                    "it is called too often to be watched: %.0f %% of a core"
                    % (100.0 * spent / span),
                )

    def tell(self, now: int) -> None:
        """What was counted since the last time."""
        # Threads that count at once may lose one: it is only to notice deep recursion.
        inside[0] = sum([w.begun[0] - w.ended[0] for w in watches])
        size = len(self.taken)
        batch = self.taken[:size]
        del self.taken[:size]
        tests = self.tested[:]
        del self.tested[: len(tests)]
        states = {}  # type: dict[str, Any]
        for took, within, state in batch:
            if state not in states:
                states[state] = [0, 0, 0, 0, {}]
            sums = states[state]
            sums[0] += 1
            sums[1] += took
            sums[2] += within
            sums[3] = max(sums[3], took)
            bucket = bucket_of(took)
            sums[4][bucket] = sums[4].get(bucket, 0) + 1
        parts = []
        for state, sums in states.items():
            buckets = ",".join("[%d,%d]" % pair for pair in sums[4].items())
            parts.append(
                "%s:[%d,%d,%d,%d,[%s]]"
                % (quoted(state), sums[0], sums[1], sums[2], sums[3], buckets)
            )
        spent = size * PER_CALL + self.told_ns
        self.told_ns = 0
        used = cpu_clock()
        cpu, self.used = used - self.used, used
        say('{"ev":"stats","w":%d,"at":%d,"states":{%s},"tested":[%d,%d,%d],"inside":%d,"spent_ns":%d,"cpu_ns":%d,"dropped":%d,"cache":%s,"callers":%s}' % (
            self.number, now, ",".join(parts), tests.count(0), tests.count(1), tests.count(2),
            self.begun[0] - self.ended[0], spent, cpu, dropped[0], cache_of(self.cache), self.caller_lines()))  # fmt: skip
        span, self.told_at = now - self.told_at, now
        if self.on:
            self.govern(spent, max(cpu, span))

    def govern(self, spent: int, cpu: int) -> None:
        """Let go where calls cost more than their share of the target's CPU time (or of one core), twice in a row."""
        if spent > self.about["share"] * cpu:
            self.over_share += 1
            if self.over_share > 1:
                self.undo(
                    "cost", "it cost %.1f %% of the target's CPU time" % (100.0 * spent / cpu)
                )
        else:
            self.over_share = 0

    def caller_lines(self) -> str:
        """The callers counted since the last time."""
        found, self.callers = self.callers, {}
        return "[%s]" % ",".join(
            "[%d,[%s]]" % (n, ",".join(map(quoted, key))) for key, n in found.items()
        )
