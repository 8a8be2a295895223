"""Query DSL, as Elasticsearch and OpenSearch take it.

Texts are taken to be keyword fields, which is what ECS and the usual index templates make of them;
elsewhere write field.keyword.
"""

from __future__ import annotations

import json
import re
from typing import Any

from locard.logs.backends import _terms as terms
from locard.logs.backends._terms import Asked, CannotSayError, Sayer, Written

_RANGES = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_DEFAULT_SIZE = 100
_DEFAULT_GROUPS = 10
# What RE2 knows and Lucene's regular expressions do not.
_NOT_LUCENE = re.compile(r"\\[dDwWsSbBAzpPQ]|\(\?|[*+?}]\?|\[\[:|.\^|\$.")
_LUCENE_ONLY = '#@&<>~"'


def write(asked: Asked) -> Written:
    """The request as it is pasted into a console."""
    sayer = Sayer()
    sayer.say(asked, lambda term: json.dumps(_clause(term), ensure_ascii=False))
    clauses = [json.loads(word) for word in sayer.words]
    query: dict[str, Any] = {"bool": {"filter": clauses}} if clauses else {"match_all": {}}
    body: dict[str, Any] = {"query": query}
    time = asked.time or "@timestamp"
    if asked.by:
        size = asked.top or _DEFAULT_GROUPS
        body = {"size": 0, **body, "aggs": {"by": _groups(asked.by, size)}}
        if asked.top is None:
            sayer.unsaid.append(f"all groups: the first {size} come back, --top sets how many")
    else:
        body = {"size": asked.top or _DEFAULT_SIZE, **body, "sort": [{time: "asc"}]}
        if asked.top is None:
            sayer.unsaid.append(
                f"all records: the first {_DEFAULT_SIZE} come back, --top says more"
            )
        if asked.select:
            body["_source"] = list(asked.select)
    sayer.unsaid.append("the index: put yours in place of logs-*")
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return Written(f"GET /logs-*/_search\n{text}", tuple(sayer.unsaid))


def _groups(names: tuple[str, ...], size: int) -> dict[str, Any]:
    if len(names) == 1:
        return {"terms": {"field": names[0], "size": size}}
    return {"multi_terms": {"terms": [{"field": name} for name in names], "size": size}}


def _clause(term: terms.Term) -> dict[str, Any]:  # noqa: PLR0911 - a kind of term a line
    if isinstance(term, terms.Opposite):
        return {"bool": {"must_not": [_clause(term.item)]}}
    if isinstance(term, terms.AllOf):
        return {"bool": {"filter": [_clause(item) for item in term.items]}}
    if isinstance(term, terms.AnyOf):
        listed = terms.sole_texts(term)
        if listed:
            return {"terms": {listed[0]: list(listed[1])}}
        clauses = [_clause(item) for item in term.items]
        return {"bool": {"should": clauses, "minimum_should_match": 1}}
    if isinstance(term, terms.Present):
        return {"exists": {"field": term.name}}
    if isinstance(term, terms.Matches):
        return {"regexp": {term.name: {"value": _lucene(term)}}}
    value: Any = term.value
    if isinstance(term, terms.Number):
        value = int(term.value) if term.value.is_integer() else term.value
    elif isinstance(term, terms.Time):
        value = term.iso
    if term.op == "=":
        return {"term": {term.name: value}}
    return {"range": {term.name: {_RANGES[term.op]: value}}}


def _lucene(term: terms.Matches) -> str:
    """Lucene's patterns match whole values and know less."""
    pattern = term.pattern
    start, end = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith(r"\$")
    inner = pattern[start : len(pattern) - end]
    if _NOT_LUCENE.search(inner) or inner.startswith("^") or ("|" in inner and (start or end)):
        raise CannotSayError(f"{term.name} ~ {pattern!r}: Lucene's regular expressions lack this")
    inner = terms.escaped_unless_escaped(inner, _LUCENE_ONLY)
    return f"{'' if start else '.*'}({inner}){'' if end else '.*'}"
