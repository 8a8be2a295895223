"""What people read: golden texts, and nothing hostile in any of them.

Regenerate the golden files with LOCARD_GOLDEN=write and review the difference.
"""

from __future__ import annotations

import datetime as dt
import html.parser
import io
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from locard.investigate.conclude import judge
from locard.model.finding import Case
from locard.model.log_facts import Coverage
from locard.report import (
    chart,
    document,
    markdown,
    page,
    plain,
    plan,
    render,
    sparkline,
    terminal,
    times,
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


def test_every_part_of_the_log_is_in_the_reports(found):
    shown = "".join(Page(page.text(found, tz=UTC)).words)
    written = markdown.text(found, tz=UTC).replace("\\", "")
    for part in (
        "Messages of bad requests", "Messages whose share changed", "Numbers that changed",
        "Exceptions", "Changes near the onset", "Silences", "How often a request comes", "Shapes",
        "Further onsets", "Bad requests to look at", "--trace '$(reboot)|'", "5000",
    ):  # fmt: skip
        assert part in shown
        assert part in written
    cells = {
        line.count(" | ")
        for line in markdown.text(found, tz=UTC).splitlines()
        if line.startswith("| gone")
    }
    assert cells == {4}, "hostile text makes no cell of its own"


@pytest.mark.parametrize("kind", ["errors-only", "sampled", "rate-limited"])
def test_no_rate_of_a_log_without_every_request(found, remake, kind):
    part = replace(next(found.logs())[1], coverage=Coverage(kind, "it says so"))
    item = replace(found.evidence[0], facts=(part,))
    judged = tuple(
        replace(f, id=f"f{n}")
        for n, f in enumerate(judge(Case("proc/pay", 0.0, (item,))))
        if f.rule != "bad-config-value"  # it gives the probability of a chance
    )
    assert judged
    alone = remake(
        found, evidence=(item,), findings=judged, contributing_factors=(), activities=(),
        layers=(replace(found.layers[0], probes=()),),
    )  # fmt: skip
    style = re.compile(r"<style>.*</style>", re.DOTALL)
    for text in (
        screen(alone, 80),
        markdown.text(alone, tz=UTC),
        style.sub("", page.text(alone, tz=UTC)),
    ):
        assert "no rate is claimed" in " ".join(text.split())
        # Those of the onsets are no rates of requests.
        assert set(re.findall(r"[\d.]+ ?%", text)) <= {"95 %", "90 %"}


def test_page_of_nothing_found(nothing):
    assert "Nothing wrong was found with the target in logs" in page.text(nothing, tz=UTC)


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
    _, log = words.chosen_log(found)
    onset = replace(log.onset, baseline_seen=False)
    assert times.interval(onset, UTC).startswith("before ")


def test_sparkline_marks_the_onset(found):
    _, log = words.chosen_log(found)
    for width in (60, 47, 10):
        drawn = sparkline.drawn(log, width)
        before, _, after = drawn.line.partition("|")
        assert set(before) == {"▁"}
        assert "█" in after
        assert len(drawn.line) == width + 1
        assert (drawn.what, drawn.top) == ("errors", "up to 50 %")
    assert sparkline.drawn(replace(log, series=()), 60) is None


def test_what_is_drawn_is_what_changed(found):
    _, log = words.chosen_log(found)
    assert sparkline.drawn(replace(log, changed=("latency",)), 60).what == "p99"
    quiet = replace(
        log, changed=(), series=tuple(replace(p, errors=0, p99_ms=None) for p in log.series)
    )
    assert sparkline.drawn(quiet, 60).what == "requests"


def test_a_day_stands_where_the_clock_is_not_enough(found):
    _, log = words.chosen_log(found)
    assert times.span(log.first, log.last, UTC) == "2026-11-18 11:06:40 to 11:07:40 UTC"
    assert times.span(log.first, log.last + 86400, UTC).endswith("to 2026-11-19 11:07:40 UTC")
    assert times.interval(log.onset, UTC, dated=True).startswith("2026-11-18 11:07:19 to ")


def test_charts(found):
    _, log = words.chosen_log(found)
    made = chart.charts(log)
    assert [c.label for c in made] == ["errors", "p99 latency", "requests"]
    assert made[0].top == "50.0 %"
    assert 600 < made[0].onset_x < 700
    assert all(c.path.startswith("M0 100") for c in made)
    many = [type(log.series[0])(n, 1.0, 10, n % 2) for n in range(5000)]
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
