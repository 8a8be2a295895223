"""What is told of a call beside its values: how it ended, who called, in which trace, the variables of an error."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.agent.boot import Builtin, modules, own, quoted, watches
    from locard.far.agent.exchange import drive_code
    from locard.far.agent.reading import (
        TYPE_MRO,
        Shown,
        UnreadableError,
        attribute,
        class_name,
        is_ours,
        kept,
        place_of,
        show,
        type_name,
    )

get_frame = own["_getframe"]
NEWEST = modules["sys"].version_info >= (3, 11)
get_trace, set_trace = (
    BaseException.__dict__["__traceback__"].__get__,
    BaseException.__dict__["__traceback__"].__set__,
)


MOST_OF_ERROR = 1500  # characters
OPTIMIZED = 1  # CO_OPTIMIZED: of a function


def bucket_of(took: int) -> int:
    """8 buckets to a doubling: bits of the number, then the three that follow the first."""
    bits = took.bit_length()
    return bits * 8 + (took >> bits - 4 & 7 if bits > 3 else 0)


def hide_frame(error: BaseException, own: "Any") -> None:
    """Take our frames out of the traceback; up to 3.10 the outermost stays, since it is raised again with it."""
    first = trace = get_trace(error)
    while trace is not None and (
        trace.tb_frame.f_code is own or trace.tb_frame.f_code is drive_code
    ):
        trace = trace.tb_next
    if trace is None or trace is first:
        return
    if NEWEST:
        set_trace(error, trace)
    else:
        first.tb_next = trace


def state_of(error: BaseException) -> str:
    """closed, cancelled, killed (greenlets) or raised."""
    kind = type(error)
    if kind is GeneratorExit:
        return "closed"
    for one in TYPE_MRO(kind):
        name = type_name(one)
        if name == "CancelledError":
            return "cancelled"
        if name == "GreenletExit":
            return "killed"
    return "raised"


def shown(what: "Any", given: "tuple[Any, ...]", depth: int, left: "Shown") -> str:
    """What an expression of `--show` gives."""
    try:
        return show(what(*given), depth, left)
    except UnreadableError as why:
        return quoted("unreadable: %s" % why)


def callers_of(own: "Any") -> "tuple[str, ...]":
    """The functions that led to the exchanged code, nearest first, three at most."""
    frame, found = get_frame(1), []  # type: Any, list[str]
    while frame is not None and frame.f_code is not own:
        frame = frame.f_back
    frame = frame.f_back if frame is not None and own is not None else None
    while frame is not None and len(found) < 3:
        code = frame.f_code
        if code is not drive_code and not any(w.new is code for w in watches):
            found.append(place_of(code, frame.f_lineno or 0))
        frame = frame.f_back
    return tuple(found)


def error_of(error: BaseException, own: "Any") -> str:
    """An exception with where it was raised and what caused it; it has room of its own, whatever the values took."""
    left = Shown()
    left.room = MOST_OF_ERROR
    args = BaseException.__dict__["args"].__get__(error)
    parts = ['"@":' + quoted(class_name(type(error))), '"args":' + show(args, 1, left)]
    trace = get_trace(error)
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None and trace.tb_frame.f_code is not own:
        parts.append('"at":' + quoted(place_of(trace.tb_frame.f_code, trace.tb_lineno)))
    cause = BaseException.__dict__["__cause__"].__get__(error)
    if cause is not None:
        parts.append('"cause":' + show(cause, 1, left))
    return "{" + ",".join(parts) + "}"


def locals_of(error: BaseException, depth: int, left: "Shown") -> str:
    """The variables where it was raised."""
    trace = get_trace(error)
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    # Of a class's body the variables may be in a mapping of the application's.
    if trace is None or not trace.tb_frame.f_code.co_flags & OPTIMIZED:
        return "{}"
    parts = []  # type: list[str]
    for name, value in trace.tb_frame.f_locals.items():
        if type(name) is str and len(parts) < 20:
            parts.append(quoted(name) + ":" + show(value, depth - 1, left))
    return "{" + ",".join(parts) + "}"


IDS = ("trace_id", "traceparent", "correlation_id", "request_id", "x_request_id")


def trace_id() -> str:
    """The id of the trace in whose context this runs: OpenTelemetry's, or a context variable named like one."""
    contexts = modules.get("_contextvars") or modules.get("contextvars")
    if contexts is None or type(contexts.copy_context) is not Builtin:
        return "null"
    try:
        for variable, value in contexts.copy_context().items():
            name = variable.name
            if type(name) is not str:
                continue
            if name in IDS and type(value) is str:
                return quoted(value[:64])
            if name == "current_context":
                return span_of(value)
    except Exception as error:
        if not is_ours(error):
            raise
    return "null"


def span_of(context: "Any") -> str:
    """The trace id of OpenTelemetry's current span, from its objects as they are stored."""
    if not any(one is dict for one in TYPE_MRO(type(context))):
        return "null"
    inner = None  # type: Any
    for key, span in dict.items(context):
        if type(key) is str and key.startswith("current-span"):
            inner = (
                attribute(span, "_context")
                if kept(type(span), "_context") is UnreadableError
                else None
            )
            if any(one is tuple for one in TYPE_MRO(type(inner))):
                return quoted("%032x" % tuple.__getitem__(inner, 0))
    return "null"


def cache_of(cache: "Any") -> str:
    """[hits, misses, size] of an lru_cache, as it says itself."""
    if cache is None:
        return "null"
    hits, misses, _, size = type(cache).__dict__["cache_info"](cache)
    return "[%d,%d,%d]" % (hits, misses, size)
