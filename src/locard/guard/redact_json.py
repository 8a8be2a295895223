"""Redaction of JSON: parsed, each value judged by its name and form, and written again.

Names stand beside their values in several ways: as a key; as `{"field": NAME, "value": …}`; as a pair
`[NAME, …]` in a list of pairs; or further out, `{"field": NAME, "affected": [{"value": …}]}`. What a name
has shown to be secret is replaced wherever else in the same document it stands.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from locard.guard import secret_names

if TYPE_CHECKING:
    from locard.guard.redact import Redactor

_NAMES = ("field", "name", "key", "header", "label")
_VALUES = frozenset({"value", "val", "v", "values"})
_COMMAND_LINES = frozenset({"argv", "args", "cmdline", "command", "command_line"})
_DEEP = frozenset({secret_names.PASSWORD, secret_names.TOKEN})
# What stands beside a secret and is none.
_TELLING = frozenset(
    [
        "error",
        "errors",
        "message",
        "msg",
        "reason",
        "type",
        "kind",
        "policy",
        "status",
        "code",
        "min",
        "max",
        "name",
        "user",
        "username",
        "format",
        "rule",
        "rules",
        "hint",
        "description",
        "title",
        "label",
        "placeholder",
        "required",
        "algorithm",
        "scheme",
        "expires",
        "expiry",
    ]
)
_LEAST_LEARNT = 6  # characters: shorter ones stand in other words
_MOST_LEARNT = 500
_PAIR = 2


class JsonRedactor:
    """Redacts one document, or one document a line."""

    def __init__(self, redactor: Redactor) -> None:
        """Pseudonyms and counts are the redactor's."""
        self._redactor = redactor
        self._learnt: dict[str, str] = {}

    def document(self, text: str) -> str | None:
        """The text with its values redacted, as it was where none was; None where it is no JSON."""
        whole = _parsed(text)
        lines = [(text, whole)] if whole is not None else None
        if lines is None:
            parts = text.splitlines(keepends=True)
            lines = [(part, _parsed(part)) for part in parts]
            if sum(found is not None for _, found in lines) * 2 < len(lines) or not lines:
                return None
        try:
            first = [
                (part, found, self._walk(found, "", "") if found else None) for part, found in lines
            ]
            return "".join(self._written(*item) for item in first)
        except RecursionError:
            return None

    def _written(self, part: str, found: Any, clean: Any) -> str:
        if found is None:
            return self._redactor.text(part) if part.strip() else part
        clean = self._forget(clean) if self._learnt else clean
        if clean == found:
            return part
        spaced = '": ' in part
        body = json.dumps(clean, separators=None if spaced else (",", ":"), indent=_indent(part))
        return body + "\n" * part.endswith("\n")

    def _walk(self, node: Any, name: str, outer: str) -> Any:
        """`name` is the one that this node stands under, `outer` that of a field named further out."""
        if isinstance(node, dict):
            kind = secret_names.kind_of(name)
            return self._object(node, name if kind else outer, name if kind in _DEEP else "")
        if isinstance(node, list):
            return self._list(node, name, outer)
        if isinstance(node, str):
            return self._text(name, node)
        if isinstance(node, int) and not isinstance(node, bool):
            kind = secret_names.kind_of(name)
            if kind and secret_names.is_secret(kind, str(node), name=name):
                return self._redactor.pseudonym("secret", str(node))
        return node

    def _object(self, node: dict[str, Any], outer: str, below: str = "") -> dict[str, Any]:
        """`below`: the name of a secret that this object is: what it holds is one unless its key says otherwise."""
        named = next((node[n] for n in _NAMES if isinstance(node.get(n), str)), "")
        inner = named if "field" in node else outer
        clean = {}
        for key, value in node.items():
            if key in _VALUES:
                clean[key] = self._walk(value, named or inner or below or key, inner)
            elif below and key.lower() not in _TELLING and not secret_names.kind_of(key):
                clean[key] = self._walk(value, below, inner)
            else:
                clean[key] = self._walk(value, key, inner)
        return clean

    def _list(self, node: list[Any], name: str, outer: str) -> list[Any]:
        if node and all(_is_pair(item) for item in node):
            return [[item[0], self._walk(item[1], item[0], outer)] for item in node]
        if node and all(isinstance(item, str) for item in node):
            options = any(item.startswith("-") and len(item) > 1 for item in node)
            if name in _COMMAND_LINES or options:
                return list(self._redactor.argv(tuple(node)))
            if len(node) == _PAIR and secret_names.looks_random(node[1]):
                return [node[0], self._walk(node[1], node[0], outer)]
        return [
            self._walk(item, name, outer) if not isinstance(item, int) else item for item in node
        ]

    def _text(self, name: str, text: str) -> str:
        clean = self._redactor.value(name, text)
        kind = secret_names.kind_of(name)
        learn = (
            kind and clean != text and len(text) >= _LEAST_LEARNT and clean.startswith("<secret:")
        )
        if learn and len(self._learnt) < _MOST_LEARNT:
            self._learnt[text] = clean
        return clean

    def _forget(self, node: Any) -> Any:
        """Replace what was learnt, in all other texts."""
        pattern = re.compile("|".join(map(re.escape, sorted(self._learnt, key=len, reverse=True))))

        def walk(item: Any) -> Any:
            if isinstance(item, dict):
                return {key: walk(value) for key, value in item.items()}
            if isinstance(item, list):
                return [walk(value) for value in item]
            if isinstance(item, str):
                return pattern.sub(lambda m: self._learnt[m[0]], item)
            return item

        return walk(node)


def _parsed(text: str) -> Any:
    if text[:1] not in "{[":
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _indent(part: str) -> int | None:
    return 2 if "\n  " in part else None


def _is_pair(item: Any) -> bool:
    return isinstance(item, list) and len(item) == _PAIR and isinstance(item[0], str)
