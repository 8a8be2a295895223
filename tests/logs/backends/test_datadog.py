"""Datadog's search against golden texts, by its log search syntax and Logs Aggregate API."""

from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("upstream = cards", "@upstream:cards"),
        ("upstream = 'cards api'", '@upstream:"cards api"'),
        (
            "level = error",
            "(status:error OR status:ERROR OR status:Error OR status:err OR status:ERR OR status:Err)",
        ),
        ("status >= 500", "@status:>=500"),
        ("status = 500", "@status:500"),
        ("trace_id = t7", "trace_id:t7"),
        ("`odd name` = 'a\"b\\\\c'", '@odd\\ name:"a\\"b\\\\c"'),
        ("not (upstream = a or status < 500)", "(-@upstream:a AND -@status:<500)"),
        ("upstream in (a, b) and path is null", "(@upstream:a OR @upstream:b) -@path:*"),
    ],
)
def test_golden(say, text, expected):
    assert say(text) == (expected, ())


def test_counts_are_a_request(say):
    text, unsaid = say("status >= 500", by=("upstream", "level"), top=5)
    first, _, rest = text.partition("\n")
    body = json.loads(rest)
    assert first == "POST /api/v2/logs/analytics/aggregate"
    assert body["filter"]["query"] == "@status:>=500"
    assert [group["facet"] for group in body["group_by"]] == ["@upstream", "status"]
    assert {group["limit"] for group in body["group_by"]} == {5}
    assert len(unsaid) == 1


def test_what_it_cannot_say_is_left_out_and_told(say):
    text, unsaid = say("path ~ x and time > 12:05 and upstream < d", select=("path",), top=3)
    assert text == "*"
    assert [item.split()[0] for item in unsaid] == [
        "path",
        "time",
        "upstream",
        "--select:",
        "--top",
    ]
