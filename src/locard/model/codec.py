"""Records to plain JSON data and back, by their type hints: one codec for ledger, pipes, reports.

`decode(encode(x)) == x` for every record of the model. Unknown keys are ignored, so that an older
locard can read what a newer one wrote; a missing key takes the field's default.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
import typing
from enum import Enum
from typing import Any, TypeVar, Union

T = TypeVar("T")

_KIND = "fact"  # names the class where a field may hold one of several records


def encode(value: Any) -> Any:
    """Plain dicts, lists, strings and numbers; records of a union carry their class name."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = field_types(type(value))
        return {name: _encode_as(hint, getattr(value, name)) for name, hint in hints.items()}
    return _encode_as(Any, value)


def decode(kind: type[T], data: Any) -> T:
    """The record of the given type; raises ValueError or TypeError on data that is not one."""
    return typing.cast("T", _decode(kind, data))


def canonical(value: Any) -> bytes:
    """One byte string for one value: sorted keys, no spaces, UTF-8. The ledger hashes this.

    Halves of surrogates, which stand for bytes of a file name that are no UTF-8, become JSON escapes.
    """
    plain = encode(value)
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace")


@functools.cache
def field_types(kind: type) -> dict[str, Any]:
    """The fields of a record with their types resolved, in order."""
    # Annotations are strings here, and some name classes imported for type checking only.
    from locard.model import (  # noqa: PLC0415 - a cycle otherwise
        claim,
        cluster_place,
        evidence,
        facts,
        finding,
        heap_facts,
        investigation,
        kernel_facts,
        place,
        target,
        watch_facts,
        workload,
    )

    names: dict[str, Any] = {}
    for module in (
        claim, cluster_place, heap_facts, kernel_facts, workload, evidence, facts, finding, target, investigation, place, watch_facts,
    ):  # fmt: skip
        names.update(vars(module))
    known = typing.get_type_hints(kind, localns=names)
    return {f.name: known[f.name] for f in dataclasses.fields(kind)}


def _union_classes(hint: Any) -> dict[str, type]:
    if typing.get_origin(hint) in {Union, types.UnionType}:
        classes = [a for a in typing.get_args(hint) if dataclasses.is_dataclass(a)]
        if len(classes) > 1:
            return {c.__name__: c for c in classes if isinstance(c, type)}
    return {}


def _encode_as(hint: Any, value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = encode(value)
        return {_KIND: type(value).__name__, **plain} if _union_classes(hint) else plain
    if isinstance(value, (tuple, list)):
        args = typing.get_args(hint)
        item = args[0] if len(args) == 2 and args[1] is Ellipsis else Any  # noqa: PLR2004
        return [_encode_as(item, v) for v in value]
    if isinstance(value, dict):
        return {str(k): _encode_as(Any, v) for k, v in value.items()}
    return value


def _decode(hint: Any, data: Any) -> Any:  # noqa: C901, PLR0911 - one return a kind of type
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in {Union, types.UnionType}:
        classes = _union_classes(hint)
        if classes:
            return _decode(classes[data[_KIND]], data)
        if data is None:
            return None
        return _decode(next(a for a in args if a is not type(None)), data)
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:  # noqa: PLR2004
            return tuple(_decode(args[0], d) for d in data)
        return tuple(_decode(a, d) for a, d in zip(args, data, strict=True))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(data)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if not isinstance(data, dict):
            raise TypeError(f"{hint.__name__} wants an object, got {type(data).__name__}")
        hints = field_types(hint)
        return hint(**{k: _decode(h, data[k]) for k, h in hints.items() if k in data})
    if hint is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if hint in {int, float, str, bool} and not isinstance(data, hint):
        raise TypeError(f"expected {hint.__name__}, got {type(data).__name__}")
    return data
