"""Logs Insights QL against golden texts, by the CloudWatch Logs user guide (CWL_QuerySyntax)."""

from __future__ import annotations

import pytest

from locard.logs.backends import cloudwatch
from locard.logs.backends._terms import Asked, Present


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("upstream = 'a\"b'", '(ispresent(upstream) and upstream = "a\\"b")'),
        ("status >= 500", "(ispresent(status) and status >= 500)"),
        ("not `odd name` = 1", "not ((ispresent(`odd name`) and `odd name` = 1))"),
        ("http.method is null", "not (ispresent(http.method))"),
        ("path ~ '^/x'", r"(ispresent(path) and path like /^\/x/)"),
        ("time > 12:05", "@timestamp > 1772366700000"),
    ],
)
def test_golden(say, text, expected):
    assert say(text, top=9)[0] == (
        f"fields @timestamp, @message\n| filter {expected}\n| sort @timestamp asc\n| limit 9"
    )


def test_counts_and_fields(say):
    text, _ = say("status = 1 and level = a", by=("upstream", "odd name"), top=5)
    assert text == (
        "filter (ispresent(status) and status = 1)\n"
        '| filter (ispresent(level) and level = "a")\n'
        "| stats count(*) as records by upstream, `odd name`\n| sort records desc\n| limit 5"
    )
    assert say(None, select=("time", "path"))[0] == "fields time, path\n| sort @timestamp asc"
    assert any("10,000" in item for item in say(None, select=("path",))[1])


def test_no_value_leaves_its_quotes(say):
    odd = "x` | stats count(*) as y by `z"
    written = cloudwatch.write(Asked((), by=("upstream", odd)))
    assert written.text.startswith("stats count(*) as records by upstream\n")
    assert any("cannot quote its name" in item for item in written.unsaid)
    assert "stats" not in cloudwatch.write(Asked((Present(odd),), select=(odd, "path"))).text
    text, _ = say(r"path ~ '\\\\/ | stats'")
    assert r"like /\\\/ | stats/" in text
    assert r"like /a\/b\/c/" in say(r"path ~ 'a/b\/c'")[0]
