"""What people read: golden texts, and nothing hostile in any of them.

Regenerate the golden files with LOCARD_GOLDEN=write and review the difference.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import html.parser
import io
import json
import os
import re
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from locard.model.facts import Skipped
from locard.report import (
    chart,
    document,
    logs_screen,
    markdown,
    page,
    plain,
    plan,
    render,
    terminal,
    words,
)
from locard.report.schema import schema

GOLDEN = Path(__file__).parent / "golden"
UTC = dt.UTC


def check(name, text):
    path = GOLDEN / name
    if os.environ.get("LOCARD_GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def screen(found, width):
    console = Console(width=width, record=True, file=io.StringIO(), markup=False)
    console.print(terminal.screen(found, width, tz=UTC))
    return re.sub(r" +$", "", console.export_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("width", [80, 120])
def test_terminal(found, width):
    text = screen(found, width)
    check(f"terminal-{width}.txt", text)
    assert max(map(len, text.splitlines())) <= width
    assert len(text.splitlines()) <= 45, "a verdict is one screen"


def test_terminal_of_nothing_found(nothing):
    check("terminal-nothing.txt", screen(nothing, 80))


def test_markdown(found):
    check("report.md", markdown.text(found, tz=UTC))


def test_nothing_hostile_reaches_a_screen(found):
    for text in (screen(found, 80), markdown.text(found, tz=UTC), page.text(found, tz=UTC)):
        assert "\x1b" not in text
        assert "\u202e" not in text
    # Markdown shows markup in code spans as it is; outside of them it must be escaped.
    outside = re.sub(r"(`+) .*? \1", "", markdown.text(found, tz=UTC))
    assert "<b>x" not in outside


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.tags, self.words = set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        attributes = dict(attrs)
        if "id" in attributes:
            self.ids.add(attributes["id"])
        self.links.append(attributes.get("href", ""))

    def handle_data(self, data):
        self.words.append(data)


def test_page(found):
    text = page.text(found, tz=UTC)
    parsed = Page(text)
    assert "script" not in parsed.tags
    assert parsed.tags.count("b") < 20
    anchors = {link[1:] for link in parsed.links if link.startswith("#")}
    assert anchors
    assert anchors <= parsed.ids, "every citation leads to its evidence"
    assert not [link for link in parsed.links if link and not link.startswith("#")]
    assert not re.search(r"""(src|href|url\()=?["']?https?:""", text), "nothing is loaded"
    shown = "".join(parsed.words)
    for part in ("Errors rose", "before the investigation began", "region: east", "upstream-slow"):
        assert part in shown


def test_page_of_nothing_found(nothing):
    assert "Nothing was found in logs" in page.text(nothing, tz=UTC)


def test_document_keeps_its_schema(found, nothing):
    for item in (found, nothing):
        text = document.dumps(document.investigation_document(item, 1))
        jsonschema.validate(json.loads(text), schema())
        assert "\x1b" not in text


def test_document_has_no_nan():
    assert json.loads(document.dumps({"a": float("nan"), "b": [float("inf")]})) == {
        "a": None,
        "b": [None],
    }


@pytest.mark.parametrize("form", ["json", "markdown", "html"])
def test_every_form_renders(found, form):
    assert "region" in render.render(found, form, 1, tz=UTC)


def test_plain():
    assert plain.safe("caf\u00e9 ☃ a-b") == "caf\u00e9 ☃ a-b"
    assert plain.safe("a\x1b[31mb\u202ec\u200b\n\x07") == r"a\x1b[31mb\u202ec\u200b\x0a\x07"
    assert plain.safe("a\nb", lines=True) == "a\nb"


def test_words_say_when_the_baseline_was_not_seen(found):
    from dataclasses import replace

    _, log = words.chosen_log(found)
    onset = replace(log.onset, baseline_seen=False)
    assert words.interval(onset, UTC).startswith("before ")


def test_sparkline_marks_the_onset(found):
    _, log = words.chosen_log(found)
    line = words.sparkline(log.series, 60, log.onset)
    before, _, after = line.partition("|")
    assert set(before) == {"▁"}
    assert set(after) <= {"█", "▁"}
    assert "█" in after
    assert words.sparkline((), 60, None) == ""


def test_charts(found):
    _, log = words.chosen_log(found)
    made = chart.charts(log)
    assert [c.label for c in made] == ["errors", "p99 latency", "requests"]
    assert made[0].top == "50.0 %"
    assert 600 < made[0].onset_x < 700
    assert all(c.path.startswith("M0 100") for c in made)
    many = [type(log.series[0])(n, 1.0, 10, n % 2) for n in range(5000)]
    from dataclasses import replace

    (errors, *_) = chart.charts(replace(log, series=tuple(many), onset=None))
    assert errors.path.count("L") < 1000
    assert errors.onset_x is None


def test_plan_text(found):
    from locard.investigate.plan import Planned
    from locard.model.evidence import Layer
    from locard.model.target import Context

    rows = (
        Planned(Layer.LOGS, "first-pass", why="no log", unlock="--logs FILE"),
        Planned(Layer.HOST, "memory", ("grep", "-H", "", "/x y"), "cat /x", "reads", (), 3.0, "ab"),
    )
    text = plan.text(Context(found.target), rows)
    check("plan.txt", text)
    assert "grep -H '' '/x y'" in text


def test_a_log_over_midnight_tells_the_day_of_each_moment(found):
    """Its time of day alone would be read as one of the first day."""
    _, log = words.chosen_log(found)
    skipped = (Skipped("longer than 16 MiB", 1, ""),)
    log = dataclasses.replace(log, last=log.first + 100_000, skipped=skipped)
    text = "\n".join(logs_screen.screen(log, (), UTC))
    assert re.search(r"\n  \d{4}-\d\d-\d\d [\d:]+ UTC to \d{4}-\d\d-\d\d ", text), text
    assert re.search(r"\n  onset +\d{4}-\d\d-\d\d ", text), text
    assert "\n  skipped 1 line: longer than 16 MiB\n" in text


def test_nearly_all_is_not_all(found):
    _, log = words.chosen_log(found)
    log = dataclasses.replace(log, after_total=1500, after_bad=1499)
    assert "99.93 % after" in "\n".join(logs_screen.screen(log, (), UTC))
