"""Watches functions: their calls are counted and told here, and their code is put back when it is over."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.agent.boot import (
        clock,
        cpu_clock,
        dropped,
        mail,
        modules,
        quoted,
        say,
        seen,
        watches,
    )
    from locard.far.agent.exchange import (
        MARK,
        Signature,
        drive,
        exchanged,
        get_code,
        note_thrown,
        set_code,
    )
    from locard.far.agent.reading import (
        TYPE_DICT,
        TYPE_MRO,
        Function,
        Module,
        Shown,
        UnreadableError,
        base_of,
        is_ours,
        raw_dict,
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

native_id, get_ident = modules["_thread"].get_native_id, modules["_thread"].get_ident
DEEPEST = (
    60  # frames of ours in one thread, then it lets go: they count towards the recursion limit
)
PER_CALL = 500  # ns that a call costs more: 300 were measured on a quick machine


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
        self.spent, self.used = 0, cpu_clock()
        self.faults, self.over_share, self.told_at = 0, 0, clock()
        self.on = False
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
            "@entered": self.entered, "@deep": self.deepen, "@tree": self.begin_tree,
            "@all": BaseException, "@stop": StopIteration, "@async stop": StopAsyncIteration,
        }, self.about["before"], self.about["tree"])  # fmt: skip
        watches.append(self)
        self.on = True
        set_code(self.function, self.new)
        say('{"ev":"on","w":%d,"at":%d,"cache":%s}' % (self.number, clock(), cache_of(self.cache)))

    def undo(self, why: str) -> None:
        """Give the function its code back, unless somebody else changed it meanwhile."""
        if not self.on:
            return
        self.on = False
        kept = get_code(self.function) is self.new
        if kept:
            set_code(self.function, self.original)
        if self in watches:
            watches.remove(self)
        self.tell(clock())
        self.new = None  # its constants lead back here, and code is not seen by the collector
        say('{"ev":"off","w":%d,"why":%s,"restored":%s,"inside":%d}' % (
            self.number, quoted(why), "true" if kept else "false", self.begun[0] - self.ended[0]))  # fmt: skip

    def gone(self) -> None:
        """In a child that was forked meanwhile, or after the end: the code goes back, and nothing is told."""
        if self.on:
            self.on = False
            if get_code(self.function) is self.new:
                set_code(self.function, self.original)

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
            thread = get_ident()
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
        thread = get_ident()
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
        """Let go where it called itself too often for our frames to stand between."""
        began = clock()
        frame, depth = get_frame(1), 0
        while frame is not None and depth <= DEEPEST:
            depth += frame.f_code is self.new
            frame = frame.f_back
        self.told_ns += clock() - began
        if depth > DEEPEST:
            self.undo("it calls itself more than %d deep" % DEEPEST)

    def returned(self, began: int, values: "tuple[Any, ...]", value: "Any") -> None:
        """A plain call came back."""
        try:
            took = clock() - began
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
        try:
            took = clock() - began
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
            self.undo("faults of the watch itself")
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
        say(self.told(call, began), True)
        if self.left[0] == 0 and self.about["ends"]:
            for watch in watches[:]:
                if watch.left is self.left:
                    watch.undo("told as many calls as were asked for: %d" % self.about["most"])
        self.told_ns += clock() - began + (tree.events * PER_CALL if tree is not None else 0)

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
            parts.append('"exception":' + error_of(error, self.new, left))
            if self.about["locals"]:
                parts.append('"locals":' + locals_of(error, depth, left))
        elif not asked and state == "returned":
            parts.append('"return":' + show(value, depth, left))
        parts.append('"thread":%d,"trace":%s' % (native_id(), trace_id()))
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
                    "it is called too often to be watched: %.0f %% of a core"
                    % (100.0 * spent / span)
                )

    def tell(self, now: int) -> None:
        """What was counted since the last time."""
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
                self.undo("it cost %.1f %% of the target's CPU time" % (100.0 * spent / cpu))
        else:
            self.over_share = 0

    def caller_lines(self) -> str:
        """The callers counted since the last time."""
        found, self.callers = self.callers, {}
        return "[%s]" % ",".join(
            "[%d,[%s]]" % (n, ",".join(map(quoted, key))) for key, n in found.items()
        )


def step_into(thing: "Any", step: str, name: "Any") -> "Any":
    """One step: by the kind of container that the tool saw from outside."""
    if step == "module":
        return Module.__dict__["__dict__"].__get__(modules[name])
    if step == "class":
        return TYPE_DICT(thing)[name]
    if step == "dict":
        return dict.__getitem__(thing, name)
    if step == "held":
        return dict.__getitem__(raw_dict(thing), name)
    if step == "own":
        return dict.__getitem__(Function.__dict__["__dict__"].__get__(thing), name)
    if step == "field":
        return type(thing).__dict__[name].__get__(thing)
    if step == "cell":
        cell = Function.__dict__["__closure__"].__get__(thing)[name]
        return type(cell).__dict__["cell_contents"].__get__(cell)
    if step == "nth":
        return nth(thing, name)
    if step == "base":
        return TYPE_MRO(thing)[name]
    if step == "type":
        return type(thing)
    return base_of(type(thing), (list, tuple)).__getitem__(thing, name)


def nth(thing: "Any", at: int) -> "Any":
    """A value of a dict by its place."""
    for turn, value in enumerate(dict.values(thing)):
        if turn == at:
            return value
    raise KeyError(at)


def follow(steps: "list[tuple[str, Any]]") -> "Any":
    """The object at the end of some steps, read as it is stored."""
    thing = None  # type: Any
    for step, name in steps:
        thing = step_into(thing, step, name)
    return thing


# What looks at the frame of its caller would find ours there.
FRAMES = (
    "_getframe", "_getframemodulename", "currentframe", "f_back", "getouterframes", "stack", "extract_stack",
    "walk_stack", "_current_frames",
)  # fmt: skip


def refuse_frame_readers(code: "Any") -> None:
    """Raises ValueError where a function looks at who called it."""
    words = [*code.co_names]
    for constant in code.co_consts:
        if type(constant) is tuple:
            words += [w for w in constant if type(w) is str and w == "stacklevel"]
    for word in words:
        if type(word) is str and (word in FRAMES or word == "stacklevel"):
            raise ValueError(
                "it looks at the frame of its caller (%s), where a watch would stand" % word
            )


def begin_watch(about: "dict[str, Any]") -> None:
    """Watch the function at the end of `about["steps"]`, if it is still the one at `about["address"]`."""
    seen["sleep"] = 20_000_000  # all its parts are there
    try:
        function = follow(about["steps"])
        if type(function) is not Function or id(function) != about["address"]:
            raise ValueError("the name leads to another function by now")
        if any(type(c) is str and c == MARK for c in get_code(function).co_consts):
            raise ValueError("another locard watches it already (locard watch --list)")
        refuse_frame_readers(get_code(function))
        watch = Watch(about, function)
        if about["cache"]:
            watch.cache = follow(about["cache"])
        watch.exchange()
    except Exception as error:
        why = "%s: %s" % (type(error).__name__, error)
        say(
            '{"ev":"off","w":%d,"why":%s,"restored":true,"inside":0}'
            % (about["number"], quoted("it could not be watched: " + why))
        )
