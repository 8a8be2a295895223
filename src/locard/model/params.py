"""Typed parameters of a probe: one declaration for command line flags, JSON schema and runbook steps.

A probe declares `PARAMS`, a frozen dataclass whose fields are made by `param`; its `plan` takes one of it
with defaults. What was asked is kept as (name, value) pairs of text.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar, cast

from locard.model.errors import UsageError, did_you_mean

T = TypeVar("T")
_KINDS = {"int": int, "float": float}


def param(default: float, help: str, *, least: float, most: float) -> Any:  # noqa: A002 - argparse's word
    """A field of `PARAMS`: its default, what it means with its unit, and its bounds."""
    meta = {"help": help, "least": least, "most": most}
    return dataclasses.field(default=default, metadata=meta)


def fields(kind: type) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of a `PARAMS` in order."""
    return dataclasses.fields(kind)


def parse(kind: type[T], given: dict[str, str]) -> T:
    """The parameters of texts such as {"rounds": "12"}; raises UsageError."""
    known = {f.name: f for f in dataclasses.fields(cast("Any", kind))}
    values: dict[str, float] = {}
    for name, text in given.items():
        if name not in known:
            near = did_you_mean(name, known) or f"there is: {', '.join(known) or 'none'}"
            raise UsageError(f"no parameter {name!r}", near, "See: locard probe")
        values[name] = _value(known[name], text)
    return kind(**values)


def _value(field: dataclasses.Field[Any], text: str) -> float:
    number = _KINDS[str(field.type)]
    least, most = field.metadata["least"], field.metadata["most"]
    try:
        value = number(text)
    except ValueError:
        value = None
    if value is None or not least <= value <= most:
        raise UsageError(
            f"{field.name}={text} cannot be",
            f"{field.metadata['help']}: a number from {least:g} to {most:g}",
            f"Write for example {flag(field.name)} {field.default:g}.",
        )
    return cast("float", value)


def flag(name: str) -> str:
    """`pause_s` as `--pause-s`."""
    return "--" + name.replace("_", "-")


def schema(kind: type) -> dict[str, Any]:
    """The JSON schema of a `PARAMS`."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            f.name: {
                "type": "integer" if str(f.type) == "int" else "number",
                "description": f.metadata["help"],
                "default": f.default,
                "minimum": f.metadata["least"],
                "maximum": f.metadata["most"],
            }
            for f in fields(kind)
        },
    }


def pairs(value: Any) -> tuple[tuple[str, str], ...]:
    """What was asked, as it is kept: the parameters that are no defaults."""
    return tuple(
        (f.name, f"{getattr(value, f.name):g}")
        for f in fields(type(value))
        if getattr(value, f.name) != f.default
    )
