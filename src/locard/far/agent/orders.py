"""What the tool orders: watch the function at the end of some steps from sys.modules."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.agent.boot import modules, seen
    from locard.far.agent.exchange import MARK, get_code
    from locard.far.agent.hooks import Watch, say_off
    from locard.far.agent.reading import (
        TYPE_DICT,
        TYPE_MRO,
        Function,
        GetSet,
        Module,
        base_of,
        kept,
        raw_dict,
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
    if step == "kept":
        said = kept(type(thing), name)
        if type(said) is not GetSet:
            raise KeyError(name)
        return said.__get__(thing)
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
    "walk_stack", "_current_frames", "format_stack", "print_stack",
)  # fmt: skip


def refuse_frame_readers(code: "Any") -> None:
    """Raises ValueError where a function looks at who called it."""
    words = [*code.co_names]
    keywords = ("stacklevel", "stack_info")
    levels = False
    for constant in code.co_consts:
        levels = levels or (type(constant) is int and 1 < constant < 10)
        if type(constant) is tuple:
            words += [w for w in constant if type(w) is str and w in keywords]
    for word in words:
        if type(word) is str and (
            word in FRAMES or word in keywords or (word == "warn" and levels)
        ):
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
        why = str(error) if type(error) is ValueError else "%s: %s" % (type(error).__name__, error)
        say_off(about["number"], "refused", "it could not be watched: " + why, True, 0)
