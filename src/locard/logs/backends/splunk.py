"""SPL, the search language of Splunk.

The index is not known: index=* stands for it. JSON fields are extracted by spath, nested ones dotted.
"""

from __future__ import annotations

from locard.logs.backends import _terms as terms
from locard.logs.backends._terms import Asked, CannotSayError, Sayer, Written

_OPERATORS = {"=": "==", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def write(asked: Asked) -> Written:
    """A search."""
    sayer = Sayer()
    sayer.say(asked, _word)
    sayer.unsaid.append("the index: put yours in place of index=*")
    stages = ["search index=*", "spath"]
    if sayer.words:
        stages.append("where " + " AND ".join(sayer.words))
    if asked.by:
        names = " ".join(_listed(name) for name in asked.by)
        # stats drops records that lack a field it groups by.
        stages += [f'fillnull value="null" {names}', f"stats count by {names}", "sort 0 - count"]
    elif asked.select:
        names = ", ".join(_listed(name) for name in asked.select)
        stages += ["sort 0 _time", f"table {names}"]
    else:
        stages.append("sort 0 _time")
    if asked.top is not None:
        stages.append(f"head {asked.top}")
    return Written("\n| ".join(stages), tuple(sayer.unsaid))


def _listed(name: str) -> str:
    """A field in a list of fields; double quotes where it is no plain name."""
    return name if all(terms.is_plain(part) for part in name.split(".")) else _text(name)


def _field(name: str) -> str:
    """A field in an expression: in single quotes, else it is a text."""
    if "'" in name or name.endswith("\\"):
        raise CannotSayError(f"the field {name!r}: SPL cannot quote its name")
    return f"'{name}'"


def _text(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _word(term: terms.Term) -> str:  # noqa: PLR0911 - a kind of term a line
    if isinstance(term, terms.Opposite):
        # NOT of null is null and drops the record: `if` takes its second branch instead.
        return f"if({_word(term.item)}, 0, 1)==1"
    if isinstance(term, terms.AllOf | terms.AnyOf):
        joint = " AND " if isinstance(term, terms.AllOf) else " OR "
        return f"({joint.join(_word(item) for item in term.items)})"
    if isinstance(term, terms.Time):
        return f"_time{_OPERATORS[term.op]}{term.value:.3f}"
    name = _field(term.name)
    if isinstance(term, terms.Present):
        return f"isnotnull({name})"
    if isinstance(term, terms.Matches):
        return f"match({name}, {_text(term.pattern)})"
    op = _OPERATORS[term.op]
    if isinstance(term, terms.Number):
        return f"tonumber({name}){op}{term.digits}"
    # SPL compares texts that look like numbers as numbers unless one side is made a text.
    return f"tostring({name}){op}{_text(term.value)}"
