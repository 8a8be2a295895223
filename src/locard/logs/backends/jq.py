"""jq, in the form that survives lines that are no JSON.

A dotted field is taken as nested. Numbers and texts compare as in locard ("503" and 503 are equal);
jq 1.6 or later.
"""

from __future__ import annotations

import json
import shlex

from locard.logs.backends import _terms as terms
from locard.logs.backends._terms import Asked, Sayer, Written

# A value as text (null where it is an object, an array or missing), and as a number.
_HELPERS = (
    'def t: if type == "string" then . elif type == "number" or type == "boolean" then tostring '
    "else null end; def n: (t | tonumber?) // null; "
)
_OPERATORS = {"=": "==", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def write(asked: Asked) -> Written:
    """A shell pipeline around jq."""
    sayer = Sayer()
    sayer.say(asked, _word)
    stages = ['fromjson? | select(type == "object")']
    stages += [f"select({word})" for word in sayer.words]
    flags, rest = "-cR", ""
    if asked.by:
        flags = "-rR"
        stages.append(
            f'[{", ".join(_path(name) for name in asked.by)}] | map(tostring) | join("\\t")'
        )
        rest = " | sort | uniq -c | sort -rn"
    elif asked.select:
        stages.append("{" + ", ".join(_member(name) for name in asked.select) + "}")
    if asked.top is not None:
        rest += f" | head -n {asked.top}"
    program = (_HELPERS if sayer.words else "") + " | ".join(stages)
    source = "" if asked.source == "-" else f" {shlex.quote(asked.source)}"
    return Written(f"jq {flags} {shlex.quote(program)}{source}{rest}", tuple(sayer.unsaid))


def _path(name: str) -> str:
    parts = name.split(".")
    if all(terms.is_plain(part) for part in parts):
        return "." + "?.".join(parts) + ("?" if len(parts) > 1 else "")
    return "." + "".join(f"[{json.dumps(part)}]?" for part in parts)


def _member(name: str) -> str:
    return name if terms.is_plain(name) else f"{json.dumps(name)}: {_path(name)}"


def _word(term: terms.Term) -> str:  # noqa: PLR0911 - a kind of term a line
    if isinstance(term, terms.Opposite):
        return f"({_word(term.item)} | not)"
    if isinstance(term, terms.AllOf | terms.AnyOf):
        joint = " and " if isinstance(term, terms.AllOf) else " or "
        return f"({joint.join(_word(item) for item in term.items)})"
    path = _path(term.name)
    if isinstance(term, terms.Present):
        return f"({path} | t != null)"
    if isinstance(term, terms.Matches):
        return f"({path} | t | . != null and test({json.dumps(term.pattern)}))"
    op = _OPERATORS[term.op]
    if isinstance(term, terms.Number):
        return f"({path} | n | . != null and . {op} {term.digits})"
    if isinstance(term, terms.Time):
        return _time(term, path, op)
    return f"({path} | t | . != null and . {op} {json.dumps(term.value)})"


def _time(term: terms.Time, path: str, op: str) -> str:
    """Jq knows ISO times in UTC without a fraction only: the fraction is added again."""
    whole = r'(sub("[.][0-9]+"; "") | sub("[+]00:?00$"; "Z") | fromdate)'
    part = r'((capture("[.](?<f>[0-9]+)") | "0." + .f | tonumber) // 0)'
    return f"({path} | t | . != null and ({whole} + {part}) {op} {term.value:.17g})"
