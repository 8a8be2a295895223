"""Flame graphs: sums, hostile names, deep stacks, formats by the file's name; the page in a real browser if there is one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from locard.model.kernel_facts import CountedStack
from locard.report import flame_graph, stack_files

STACKS = (
    CountedStack(("main", "serve", "parse"), 3, "samples", "web"),
    CountedStack(("main", "serve", "write"), 1, "samples", "web"),
    CountedStack(("main", "serve", "parse"), 2, "samples", "web"),
    CountedStack(("start", "poll"), 4, "samples", "io"),
)
EVIL = (
    '</script><script>document.title="pwned"</script>;<img src=x onerror=alert(1)>\n\x1b[31m\u202e'
)


def data_of(page):
    return json.loads(re.search(r'type="application/json">(.*?)</script>', page, re.DOTALL)[1])


def test_folded_lines_sum_what_is_the_same():
    assert stack_files.folded(STACKS).splitlines() == [
        "io;start;poll 4",
        "web;main;serve;parse 5",
        "web;main;serve;write 1",
    ]
    timed = (CountedStack(("a",), 0.0025, "s", "t", waker=("irq", "wake")),)
    assert stack_files.folded(timed) == "t;a;-- woken by --;wake;irq 2500\n"


def test_speedscope_has_a_profile_for_each_thread():
    found = json.loads(stack_files.speedscope(STACKS, "orders"))
    assert found["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    names = [f["name"] for f in found["shared"]["frames"]]
    web, io = found["profiles"]
    assert (web["name"], web["endValue"], web["type"], web["unit"]) == ("web", 6, "sampled", "none")
    assert [names[k] for k in web["samples"][0]] == ["main", "serve", "parse"]
    assert sum(io["weights"]) == 4


def test_the_page_holds_every_node_behind_its_parent():
    data = data_of(flame_graph.page(STACKS, "orders", "what it says"))
    shown = [(depth, data["names"][name], value) for depth, name, value in data["nodes"]]
    assert shown == [
        (0, "all", 10),
        (1, "io", 4),
        (2, "start", 4),
        (3, "poll", 4),
        (1, "web", 6),
        (2, "main", 6),
        (3, "serve", 6),
        (4, "parse", 5),
        (4, "write", 1),
    ]
    assert data["about"].startswith("what it says; ")


def test_what_is_narrower_than_a_hair_is_left_out_and_counted():
    many = (CountedStack(("wide",), 1e6, "samples"), CountedStack(("hair", "inner"), 1, "samples"))
    data = data_of(flame_graph.page(many, "t"))
    assert "hair" not in data["names"]
    assert "1 frame of less than 0.02% left out" in data["about"]


def test_stacks_may_be_deep_and_none_may_come():
    deep = (CountedStack(tuple(f"f{k}" for k in range(5000)), 1, "samples"),)
    assert len(data_of(flame_graph.page(deep, "t"))["nodes"]) == 5001
    assert data_of(flame_graph.page((), "t"))["nodes"] == [[0, 0, 0]]
    assert stack_files.folded(()) == ""


def test_hostile_names_stay_data():
    evil = (CountedStack((EVIL, "ok"), 1, "samples", EVIL),)
    page = flame_graph.page(evil, EVIL, EVIL)
    assert page.count("<script") == 2
    assert page.count("</script") == 2
    assert "\x1b" not in page
    assert "\u202e" not in page
    (line,) = stack_files.folded(evil).splitlines()
    assert line.count(";") == 2, "a frame cannot make two"
    json.loads(stack_files.speedscope(evil, EVIL))


@pytest.mark.parametrize(
    ("name", "begins"), [("a.html", "<!doctype html>"), ("a.json", "{"), ("a.folded", "io;")]
)
def test_the_name_of_the_file_chooses(name, begins):
    assert flame_graph.rendered(name, STACKS, "t").startswith(begins)


def test_a_browser_draws_it_and_runs_nothing_else(tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no browser")
    file = tmp_path / "flame.html"
    file.write_text(
        flame_graph.page((*STACKS, CountedStack((EVIL,), 5, "samples", "x")), "orders", EVIL),
        "utf-8",
    )
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         "--virtual-time-budget=2000", "--dump-dom", file.as_uri()],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode != 0 or "<html" not in done.stdout:
        pytest.skip(f"the browser does not run here: {done.stderr[-200:]}")
    assert "<title>orders</title>" in done.stdout
    assert "parse</td>" in done.stdout
    assert "<img" not in done.stdout
