"""Query DSL against golden bodies, by Elastic's reference of the Query DSL and of aggregations."""

from __future__ import annotations

import json

import pytest


def body(written):
    first, _, rest = written[0].partition("\n")
    assert first == "GET /logs-*/_search"
    return json.loads(rest)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("upstream = cards", {"term": {"upstream": "cards"}}),
        ("status >= 500", {"range": {"status": {"gte": 500}}}),
        ("duration < 1.5", {"range": {"duration_ms": {"lt": 1.5}}}),
        ("upstream in (a, b)", {"terms": {"upstream": ["a", "b"]}}),
        ("upstream != a", {"bool": {"must_not": [{"term": {"upstream": "a"}}]}}),
        ("upstream is null", {"bool": {"must_not": [{"exists": {"field": "upstream"}}]}}),
        ("time > 12:05", {"range": {"time": {"gt": "2026-03-01T12:05:00.000Z"}}}),
        ("path ~ '^/o/[0-9]+$'", {"regexp": {"path": {"value": "(/o/[0-9]+)"}}}),
        ("path ~ 'a#b'", {"regexp": {"path": {"value": ".*(a\\#b).*"}}}),
        (
            "status = 1 or upstream = a",
            {"bool": {"should": [{"term": {"status": 1}}, {"term": {"upstream": "a"}}],
                      "minimum_should_match": 1}},
        ),
    ],
)  # fmt: skip
def test_golden(say, text, expected):
    assert body(say(text, top=5))["query"] == {"bool": {"filter": [expected]}}


def test_records_and_counts(say):
    found = body(say("status = 1", select=("time", "path"), top=3))
    assert found["size"] == 3
    assert found["sort"] == [{"time": "asc"}]
    assert found["_source"] == ["time", "path"]
    one = body(say(None, by=("upstream",), top=3))
    assert one["query"] == {"match_all": {}}
    assert one["size"] == 0
    assert one["aggs"] == {"by": {"terms": {"field": "upstream", "size": 3}}}
    two = body(say(None, by=("upstream", "http.method")))
    fields = [{"field": "upstream"}, {"field": "http.method"}]
    assert two["aggs"] == {"by": {"multi_terms": {"terms": fields, "size": 10}}}


@pytest.mark.parametrize("pattern", [r"\d+", "(?i)x", "a.*?b", "^a|b$", r"\bx"])
def test_patterns_that_lucene_lacks_are_told(say, pattern):
    text, unsaid = say(f"path ~ '{pattern}' and status = 1")
    assert body((text, unsaid))["query"] == {"bool": {"filter": [{"term": {"status": 1}}]}}
    assert any("Lucene" in item for item in unsaid)
