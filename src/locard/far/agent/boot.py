"""The thread's first source: it looks at the mailbox from time to time, runs what it is given, and knows when to end.

`mail` (a memoryview of the mailbox, laid out as `Mail` of far/python_inject.py says) and `modules` (sys.modules) were
put into the namespace. It ends by itself where the tool is silent for 4 s, where its time is over, or when told to.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    mail = memoryview(b"")
    modules = {}  # type: dict[str, Any]

NAMES = (
    "AttributeError BaseException BufferError Exception GeneratorExit IndexError KeyError MemoryError NameError OSError "
    "OverflowError RecursionError RuntimeError StopIteration StopAsyncIteration TypeError UnboundLocalError "
    "UnicodeDecodeError UnicodeEncodeError ValueError ZeroDivisionError "
    "all any ascii bool bytearray bytes compile complex dict enumerate exec float "
    "frozenset getattr globals hasattr id int len list map max memoryview min object range set "
    "slice sorted str sum tuple type zip"
)
given = globals()["__builtins__"]  # type: Any # a dict: what the application has made of them
Builtin = type([].append)  # type: Any
__builtins__ = {}  # type: ignore[assignment]
for name in (NAMES + " __build_class__").split():
    value = given[name]
    kind = given["type"](value)
    if (
        not (kind is Builtin or (kind is given["type"] and value.__module__ == "builtins"))
        or value.__name__ != name
    ):
        mail[2048 : 2049 + len(name)] = name.encode() + b"\0"
        raise ValueError("a builtin was replaced")
    __builtins__[name] = value
own = {}  # type: dict[str, Any] # functions of its modules that are called here: those that came with Python
for name in [
    "time.perf_counter_ns",
    "time.process_time_ns",
    "_thread.get_native_id",
    "sys._getframe",
    "sys.setprofile",
    "sys.getprofile",
    "sys.getrecursionlimit",
    "sys.setrecursionlimit",
]:
    module, _, word = name.partition(".")
    own[word] = value = type(modules["sys"]).__dict__["__dict__"].__get__(modules[module])[word]
    if type(value) is not Builtin:
        mail[2048 : 2049 + len(name)] = name.encode() + b"\0"
        raise ValueError("a function of Python was replaced")
here = globals()
here["__name__"] = "locard"
clock, cpu_clock, get_thread = own["perf_counter_ns"], own["process_time_ns"], own["get_native_id"]
lines = []  # type: list[bytes] # for the tool, until there is room in the mailbox
dropped = [0]
watches = []  # type: list[Any]
seen = {"beat": 0, "at": clock(), "done": 0, "ending": 0, "sleep": 1_000_000}
SILENT = 4_000_000_000
MOST_LINES = 500
ESCAPES = {code: "\\u%04x" % code for code in [*range(32), 127, 34, 92]}
RING, RING_SIZE = 32768, 64 * 4096 - 32768


def number(at: int) -> int:
    """A number of the mailbox."""
    return int.from_bytes(mail[at : at + 8], "little")


def put(at: int, value: int) -> None:
    """Write a number of the mailbox."""
    mail[at : at + 8] = value.to_bytes(8, "little")


def quoted(text: str) -> str:
    """A text of exact type as JSON has it."""
    return '"' + text.translate(ESCAPES) + '"'


def say(line: str, call: bool = False) -> None:
    """A line of JSON for the tool; of calls those that come faster than it reads are dropped, and counted."""
    if call and len(lines) >= MOST_LINES:
        dropped[0] += 1
    else:
        lines.append(line.encode("utf-8", "backslashreplace") + b"\n")


def send() -> None:
    """Put lines into the ring, as many as there is room for."""
    wrote, read = number(32), number(40)
    while lines and wrote - read + len(lines[0]) <= RING_SIZE:
        line = lines.pop(0)
        at = wrote % RING_SIZE
        first = line[: RING_SIZE - at]
        mail[RING + at : RING + at + len(first)] = first
        mail[RING : RING + len(line) - len(first)] = line[len(first) :]
        wrote += len(line)
    put(32, wrote)


def end(now: int) -> bool:
    """Take back every hook, then wait for the tool to read what it was told, for 1 s; False where all is done."""
    if not seen["ending"]:
        seen["ending"] = now
        let_go()
        mail[0] = 0
        put(88, 3)
    send()
    return number(32) != number(40) and now - seen["ending"] < 1_000_000_000


def step(now: int) -> bool:
    """One look; False where it has to end."""
    if seen["ending"]:
        return False
    beat = number(8)
    if beat != seen["beat"]:
        seen["beat"], seen["at"] = beat, now
    if mail[72] or now - seen["at"] > SILENT:
        return False
    given = number(48)
    if given != seen["done"]:
        seen["done"] = given
        text = bytes(mail[2048 : 2048 + number(64)])
        try:
            exec(compile(text, "<locard>", "exec", 0, True), here)
        except Exception as error:
            say('{"ev":"fault","what":%s}' % quoted(type(error).__name__ + ": " + str(error)))
        put(56, given)
    for watch in watches[:]:
        watch.look(now)
    send()
    return True


def let_go() -> None:
    """Take back every hook; each lets go by itself, so the list is copied."""
    for watch in watches[:]:
        try:
            watch.undo("ended", "it was ended")
        except BaseException as fault:
            say(
                '{"ev":"fault","what":%s}'
                % quoted("a hook was not taken back: " + type(fault).__name__)
            )


def tick() -> bool:
    """Called by the thread between two sleeps."""
    global mail
    try:
        if step(clock()):
            put(24, seen["sleep"])
            return True
    except BaseException as fault:
        say('{"ev":"fault","what":%s}' % quoted("the agent itself failed: " + type(fault).__name__))
    try:
        if end(clock()):
            return True
    except BaseException:
        pass
    box, mail = mail, memoryview(b"\0")
    box.release()
    return False


put(88, 2)
