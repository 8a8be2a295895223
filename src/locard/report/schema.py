"""The JSON Schema of locard/1, made from the records, so that it cannot differ from them."""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum
from typing import Any, Literal, Union

from locard.investigate.plan import Planned, Unplanned
from locard.model.claim import Licensed
from locard.model.codec import field_types
from locard.model.evidence import Evidence
from locard.model.finding import Confidence, ContributingFactor, Finding
from locard.model.investigation import Investigation
from locard.model.log_facts import LogSummary
from locard.model.workload import WorkloadStates
from locard.report.document import SCHEMA

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_KINDS = ("investigation", "plan", "logs", "slice", "several-logs")
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def schema() -> dict[str, Any]:
    """The schema of every document that `-o json` prints."""
    defs: dict[str, Any] = {}
    answers = field_types(LogSummary)
    investigation = _record(Investigation, defs)
    investigation["properties"].update(
        schema={"const": SCHEMA},
        kind={"const": "investigation"},
        exit_code={"type": "integer"},
        onset=_of(answers["onset"], defs),
        shape=_of(answers["shape"], defs),
        blast_radius=_of(answers["blast_radius"], defs),
        correlates=_of(answers["correlates"], defs),
    )
    investigation["required"] = sorted(investigation["properties"])
    defs["Finding"]["properties"]["confidence"] = _of(Confidence, defs)
    defs["Licensed"]["properties"]["says"] = {"type": "string"}  # the sentence, times in UTC
    defs["investigation"] = investigation
    defs["plan"] = _document(
        "plan", commands=_of(tuple[Planned, ...], defs), unreached=_of(tuple[Unplanned, ...], defs)
    )
    defs["logs"] = _document(
        "logs",
        log_summary=_of(LogSummary, defs),
        workload=_of(WorkloadStates | None, defs),
        findings=_of(tuple[Finding, ...], defs),
        contributing_factors=_of(tuple[ContributingFactor, ...], defs),
        claims=_of(tuple[Licensed, ...], defs),
        evidence=_of(tuple[Evidence, ...], defs),
    )
    text = {"type": "string"}
    lost = dict.fromkeys(("source", "what", "why", "next_step"), text)
    defs["several-logs"] = _document(
        "several-logs",
        logs={"type": "array", "items": {"$ref": "#/$defs/logs"}},
        shared={"type": "array", "items": text},
        failed={
            "type": "array",
            "items": {"type": "object", "properties": lost, "required": sorted(lost)},
        },
    )
    defs["slice"] = _document(
        "slice",
        source={"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        records={"type": "integer"},
        partial={"type": "boolean"},
        matched={"type": "integer"},
        rows={"type": "array", "items": {"type": "object"}},  # the fields are those of the log
    )
    return {
        "$schema": _DIALECT,
        "title": SCHEMA,
        "description": "What locard prints with -o json. Times are Unix time in seconds.",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in _KINDS],
        "$defs": dict(sorted(defs.items())),
    }


def _document(kind: str, **properties: Any) -> dict[str, Any]:
    every = {"schema": {"const": SCHEMA}, "kind": {"const": kind}, **properties}
    return {
        "type": "object",
        "properties": every,
        "required": sorted(every),
        "additionalProperties": False,
    }


def _record(kind: type, defs: dict[str, Any]) -> dict[str, Any]:
    properties = {name: _of(hint, defs) for name, hint in field_types(kind).items()}
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def _of(hint: Any, defs: dict[str, Any]) -> dict[str, Any]:  # noqa: PLR0911 - one return a kind of type
    """The schema of one type; records go into `defs` under their class name."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in {Union, types.UnionType}:
        return _union(args, defs)
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:  # noqa: PLR2004 - tuple[x, ...]
            return {"type": "array", "items": _of(args[0], defs)}
        parts = [_of(a, defs) for a in args]
        return {"type": "array", "prefixItems": parts, "minItems": len(args), "maxItems": len(args)}
    if origin is Literal:
        return {"enum": list(args)}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in defs:
            defs[hint.__name__] = {}  # set first: a record may hold itself
            defs[hint.__name__] = _record(hint, defs)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    return {"type": _PLAIN[hint]}


def _union(args: tuple[Any, ...], defs: dict[str, Any]) -> dict[str, Any]:
    records = [a for a in args if dataclasses.is_dataclass(a) and isinstance(a, type)]
    if len(records) < 2:  # noqa: PLR2004 - an optional record needs no name
        return {"anyOf": [_of(a, defs) for a in args]}
    options = []
    for record in records:
        _of(record, defs)
        # The codec names the class of a record where a field may hold one of several.
        defs[record.__name__]["properties"]["fact"] = {"const": record.__name__}
        options.append({"$ref": f"#/$defs/{record.__name__}"})
    return {"anyOf": options}
