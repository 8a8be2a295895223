"""SPL against golden texts, by Splunk's search reference (where, eval functions, stats, sort)."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("upstream = cards", "tostring('upstream')==\"cards\""),
        ("status >= 500", "tonumber('status')>=500"),
        ("upstream != 'a\"b'", 'if(tostring(\'upstream\')=="a\\"b", 0, 1)==1'),
        ("http.method is not null", "isnotnull('http.method')"),
        ("path ~ '^/x\\d'", "match('path', \"^/x\\\\d\")"),
        ("time >= 12:05", "_time>=1772366700.000"),
        (
            "upstream in (a, b) and not (status < 500 and `odd name` is null)",
            (
                "(tostring('upstream')==\"a\" OR tostring('upstream')==\"b\") AND "
                "if((tonumber('status')<500 AND if(isnotnull('odd name'), 0, 1)==1), 0, 1)==1"
            ),
        ),
    ],
)
def test_golden(say, text, expected):
    assert say(text)[0] == f"search index=*\n| spath\n| where {expected}\n| sort 0 _time"


def test_counts_and_fields(say):
    text, unsaid = say(None, by=("upstream", "odd name"), top=5)
    assert text == (
        'search index=*\n| spath\n| fillnull value="null" upstream "odd name"\n'
        '| stats count by upstream "odd name"\n| sort 0 - count\n| head 5'
    )
    assert unsaid == ("the index: put yours in place of index=*",)
    text, _ = say(None, select=("time", "http.method"), top=2)
    assert text.endswith("| sort 0 _time\n| table time, http.method\n| head 2")
