"""Typed parameters of a probe: one declaration for command line flags, JSON schema and runbook steps.

A probe declares `PARAMS`, a frozen dataclass whose fields are made by `param`; its `plan` takes one of it
with defaults. What was asked is kept as (name, value) pairs of text.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, TypeVar, cast

from locard.model.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    import argparse

T = TypeVar("T")
_KINDS = {"int": int, "float": float}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)(ns|us|ms|[smh]?)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BLANKLESS = r"[^\0]*[^\0\s][^\0]*"


def param(default: float, help: str, *, least: float, most: float, flag: str = "") -> Any:  # noqa: A002 - argparse's word
    """A field of `PARAMS`: its default, what it means with its unit, and its bounds."""
    meta = {"help": help, "least": least, "most": most, "flag": flag}
    return dataclasses.field(default=default, metadata=meta)


def duration(default: float, help: str, *, least: float, most: float, flag: str = "") -> Any:  # noqa: A002 - as above
    """A field of `PARAMS` in seconds, written as a duration: 30s, 2m, 500ms."""
    meta = {"help": help, "least": least, "most": most, "as": "duration", "flag": flag}
    return dataclasses.field(default=default, metadata=meta)


def text(default: str, help: str, *, pattern: str = _BLANKLESS, flag: str = "") -> Any:  # noqa: A002 - as above
    """A field of `PARAMS` that is text of a form: a regular expression."""
    meta = {"help": help, "pattern": pattern, "as": "text", "flag": flag}
    return dataclasses.field(default=default, metadata=meta)


def switch(help: str, *, flag: str = "") -> Any:  # noqa: A002 - as above
    """A field of `PARAMS` that is off unless its flag is given."""
    return dataclasses.field(default=False, metadata={"help": help, "as": "switch", "flag": flag})


def add_arguments(
    group: argparse._ActionsContainer, kind: type, leave: tuple[str, ...] = ()
) -> None:
    """The flags of a `PARAMS` but those of `leave`; what is given lands in `param_NAME` as text."""
    for field in fields(kind):
        if field.name in leave:
            continue
        options: dict[str, Any] = {"dest": f"param_{field.name}", "help": _help(field)}
        if field.metadata.get("as") == "switch":
            options |= {"action": "store_const", "const": "yes"}
        else:
            options["metavar"] = _metavar(field)
        group.add_argument(*flags(field), **options)


def given(args: argparse.Namespace) -> dict[str, str]:
    """What was given of them, as texts by name."""
    return {
        name.removeprefix("param_"): value
        for name, value in vars(args).items()
        if name.startswith("param_") and value is not None
    }


def flags(field: dataclasses.Field[Any]) -> tuple[str, ...]:
    """How a field is written on a command line."""
    return tuple((field.metadata.get("flag") or flag(field.name)).split())


def typed(asked: Any) -> tuple[str, ...]:
    """The flags that would ask for the same, those at their defaults left out."""
    words: list[str] = []
    for field in dataclasses.fields(asked):
        value = getattr(asked, field.name)
        if value == field.default:
            continue
        words.append(flags(field)[-1])
        if field.metadata.get("as") == "duration":
            words.append(f"{value:g}s")
        elif field.metadata.get("as") != "switch":
            words.append(f"{value:g}" if isinstance(value, int | float) else str(value))
    return tuple(words)


def usage(field: dataclasses.Field[Any]) -> str:
    """A field as a usage line shows it: `[--for TIME]`, `[--net]`."""
    switch = field.metadata.get("as") == "switch"
    return f"[{flags(field)[-1]}{'' if switch else ' ' + _metavar(field)}]"


def _metavar(field: dataclasses.Field[Any]) -> str:
    return {"duration": "TIME", "text": "TEXT"}.get(str(field.metadata.get("as")), "N")


def _help(field: dataclasses.Field[Any]) -> str:
    words, default = str(field.metadata["help"]), field.default
    if field.metadata.get("as") == "switch" or default == "":
        return words
    shown = _written(cast("float", default)) if field.metadata.get("as") == "duration" else default
    return (
        f"{words} (default {shown:g})"
        if isinstance(shown, int | float)
        else f"{words} (default {shown})"
    )


def _written(seconds: float) -> str:
    """A duration as people write it: 30m for 1,800 s."""
    whole = seconds >= 120 and seconds % 60 == 0  # noqa: PLR2004 - two minutes
    return f"{seconds / 60:g}m" if whole else f"{seconds:g}s"


def fields(kind: type) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of a `PARAMS` in order."""
    return dataclasses.fields(kind)


def parse(kind: type[T], given: dict[str, str]) -> T:
    """The parameters of texts such as {"rounds": "12"}; raises UsageError."""
    known = {f.name: f for f in dataclasses.fields(cast("Any", kind))}
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name not in known:
            near = did_you_mean(name, known) or f"there is: {', '.join(known) or 'none'}"
            raise UsageError(f"no parameter {name!r}", near, "See: locard probe")
        values[name] = _value(known[name], text)
    return kind(**values)


def _value(field: dataclasses.Field[Any], text: str) -> Any:
    how, flagged = field.metadata.get("as"), flags(field)[0]
    if how == "switch":
        return text not in {"no", "0", ""}
    if how == "text":
        if not re.fullmatch(field.metadata["pattern"], text):
            raise UsageError(
                f"{flagged} {text if text.strip() else repr(text)} cannot be",
                str(field.metadata["help"]).replace("%%", "%"),
                "See: locard probe",
            )
        return text
    number = float if how == "duration" else _KINDS[str(field.type)]
    least, most = field.metadata["least"], field.metadata["most"]
    found = _DURATION.fullmatch(text) if how == "duration" else None
    try:
        value = (
            round(float(found[1]) * _UNITS[found[2] or "s"], 12)
            if found
            else None
            if how == "duration"
            else number(text)
        )
    except ValueError:
        value = None
    if value is None or not least <= value <= most:
        shown = _in_units if how == "duration" else "{:g}".format
        usual: Any = field.default or (max(least, _UNITS["ms"]) if how == "duration" else most)
        raise UsageError(
            f"{flagged} {text if text.strip() else repr(text)} cannot be",
            f"{field.metadata['help']}: from {shown(least)} to {shown(most)}",
            f"Write for example {flagged} {shown(usual)}.",
        )
    return value


def _in_units(seconds: float) -> str:
    """A duration as it may be written: 1us, 500ms, 600s."""
    unit = next((u for u in ("s", "ms", "us", "ns") if seconds >= _UNITS[u]), "s")
    return f"{seconds / _UNITS[unit]:g}{unit}"


def flag(name: str) -> str:
    """`pause_s` as `--pause-s`."""
    return "--" + name.replace("_", "-")


def schema(kind: type) -> dict[str, Any]:
    """The JSON schema of a `PARAMS`."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {f.name: _schema(f) for f in fields(kind)},
    }


def _schema(field: dataclasses.Field[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"description": field.metadata["help"], "default": field.default}
    how = field.metadata.get("as")
    if how == "switch":
        return {"type": "boolean", **found}
    if how == "text":
        return {"type": "string", **found, "pattern": field.metadata["pattern"]}
    return {
        "type": "integer" if str(field.type) == "int" else "number",
        **found,
        "minimum": field.metadata["least"],
        "maximum": field.metadata["most"],
    }


def pairs(value: Any) -> tuple[tuple[str, str], ...]:
    """What was asked, as it is kept: the parameters that are no defaults."""
    return tuple(
        (f.name, _text(getattr(value, f.name)))
        for f in fields(type(value))
        if getattr(value, f.name) != f.default
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:g}"
