"""LogQL against golden texts, by Grafana's documentation of LogQL (log queries, metric queries)."""

from __future__ import annotations

import pytest

HEAD = '{app="APP"} | json | __error__="" | '


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("upstream = cards", 'upstream="cards"'),
        ("upstream != 'it\"s'", 'upstream!="it\\"s"'),
        ("status >= 500", 'status >= 500 | __error__=""'),
        ("not status >= 500", '(status < 500 or status="") | __error__=""'),
        ("duration > 1.5s", 'duration_ms > 1500 | __error__=""'),
        ("http.method in (GET, PUT)", '(http_method="GET" or http_method="PUT")'),
        ("not (upstream = a or path ~ '^/x')", '(upstream!="a" and path!~"(?s).*(?:^/x).*")'),
        (r"path ~ '\d+'", r'path=~"(?s).*(?:\\d+).*"'),
        ("`odd name` is null", 'odd_name=""'),
        ("`odd name` exists and upstream = a", 'odd_name!="" | upstream="a"'),
    ],
)
def test_golden(say, text, expected):
    assert say(text)[0] == HEAD + expected


def test_counts_and_fields(say):
    text, unsaid = say("upstream = a", by=("upstream", "http.method"), top=5)
    assert text == (
        "topk(5, sum by (upstream, http_method) (count_over_time("
        '{app="APP"} | json | __error__="" | upstream="a" [10m])))'
    )
    assert len(unsaid) == 2
    text, _ = say("upstream = a", select=("time", "path"))
    assert text.endswith('| line_format "time={{.time}} path={{.path}}"')


def test_what_it_cannot_say_is_left_out_and_told(say):
    text, unsaid = say("upstream < d and time > 12:05 and path = a and not time > 12:07", top=3)
    assert text == HEAD + 'path="a"'
    assert [item.partition(":")[0] for item in unsaid] == [
        "upstream < 'd'", "time > 2026-03-01T12", "time > 2026-03-01T12",
        "the stream selector", "--top 3",
    ]  # fmt: skip
    text, unsaid = say("path = a or upstream < d")
    assert "path" not in text
    assert len(unsaid) == 2
