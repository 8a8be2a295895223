"""Where a log begins, and that what steps there is not taken for a change of the service."""

from __future__ import annotations

import datetime as dt
import json
import logging
import logging.handlers
import random
import shutil

import planted_logs as planted
import pytest

from locard.logs.input.log_source import open_source
from locard.logs.judge import beginnings, first_pass
from locard.logs.scan.loader import load
from locard.model import beginning_words, log_pace
from locard.model.log_beginning import Origin
from rules.builders import logs_screen as screen

START = planted.START  # long ago: no log is silent because of it


def stamp(at):
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def traffic(name, start, stop, per_s, bad=lambda _: 0.0, *, seed=1):
    """Lines of one pod, as `kubectl logs --prefix --timestamps` prints them, with their times."""
    rng = random.Random(f"{seed}{name}")
    at = START + start
    while (at := at + rng.expovariate(per_s)) < START + stop:
        status = 503 if rng.random() < bad(at - START) else 200
        body = {"status": status, "path": rng.choice(["/a", "/b"]), "zone": rng.choice("xy")}
        yield at, f"[pod/{name}/app] {stamp(at)} {json.dumps(body)}"


def judged(tmp_path, *pods):
    lines = [line for _, line in sorted(item for pod in pods for item in pod)]
    return planted.summarise(str(planted.write(tmp_path / "pods.log", lines)))


def volume(found):
    return next((s for s in found.shapes if s.measure == "volume"), None)


def text(found):
    return " ".join(" ".join(screen(found)).split())


def test_the_traffic_does_not_rise_where_a_pod_begins(tmp_path):
    one = traffic("pay-1", 0, 600, 5)
    found = judged(tmp_path, one, traffic("pay-2", 300, 600, 40))
    assert volume(found) is None
    (late,) = [b for b in found.beginnings if b.part]
    assert late.part == "pay-2/app"
    assert late.steps
    assert "Traffic rose" not in text(found)
    assert "Nothing changed" not in text(found)
    assert "The requests are others" not in text(found)
    # The same rise within one pod is one.
    rise = judged(tmp_path, traffic("pay-1", 0, 300, 5), traffic("pay-1", 300, 600, 40, seed=2))
    assert volume(rise).shape == "step"
    assert "Traffic rose" in text(rise)


def test_errors_of_a_pod_that_begins_are_older_than_its_log(tmp_path):
    def bad(since):
        return lambda t: 0.5 if t >= since else 0.0

    healthy = list(traffic("pay-1", 0, 600, 10))
    found = judged(tmp_path, healthy, traffic("pay-2", 300, 600, 10, bad(0)))
    assert found.changed == ("errors",)
    assert not found.onset.baseline_seen
    assert found.coverage.kind == "joined"
    shown = text(found)
    assert "(no baseline was seen)" in shown
    assert "no rate is claimed" in shown
    assert "bad before" not in shown
    # It was there before: then the onset is its own.
    whole = judged(tmp_path, healthy, traffic("pay-2", 0, 600, 10, bad(300)))
    assert whole.onset.baseline_seen
    assert whole.coverage.kind == "whole"
    assert "bad before" in text(whole)


def test_errors_are_not_over_because_a_healthy_pod_begins(tmp_path):
    def bad(until):
        return lambda t: 0.5 if t < until else 0.0

    found = judged(tmp_path, traffic("pay-1", 0, 600, 5, bad(900)), traffic("pay-2", 300, 600, 200))
    assert not found.changed
    assert found.coverage.kind == "joined"
    assert "It is over" not in text(found)
    over = judged(tmp_path, traffic("pay-1", 0, 600, 50, bad(300)))
    assert "It is over" in text(over)


def test_in_a_log_that_a_collector_has_joined_a_new_pod_is_a_new_pod(tmp_path):
    """Nothing is missing of it: what a deploy broke has its onset and its rates."""
    rng, rows = random.Random(5), []
    for n in range(6000):
        new = n > 3000
        body = {
            "time": START + n / 10,
            "status": 503 if new and rng.random() < 0.4 else 200,
            "k8s.pod.name": f"pay-{'new' if new else 'old'}-{n % 2}",
            "k8s.container.name": "app",
        }
        rows.append(json.dumps(body))
    found = planted.summarise(str(planted.write(tmp_path / "otel.log", rows)))
    assert found.onset.baseline_seen
    assert found.coverage.kind == "whole"
    # As kubectl prints the same lines, what the new ones wrote before may be gone.
    names = ("k8s.pod.name", "k8s.container.name")
    joined = []
    for row in map(json.loads, rows):
        pod, container = (row.pop(name) for name in names)
        joined.append(f"[pod/{pod}/{container}] {json.dumps(row)}")
    prefixed = planted.summarise(str(planted.write(tmp_path / "kubectl.log", joined)))
    assert prefixed.coverage.kind == "joined"
    assert "Errors since the log of pay-new-" in text(prefixed)
    assert "may have begun before" in text(prefixed)


def test_a_pod_that_begins_elsewhere_takes_nothing_away(tmp_path):
    def bad(t):
        return 0.5 if t >= 400 else 0.0

    found = judged(tmp_path, traffic("pay-1", 0, 600, 20, bad), traffic("pay-2", 100, 600, 3))
    assert found.onset.baseline_seen
    assert found.coverage.kind == "whole"
    assert not any(b.steps for b in found.beginnings)


@pytest.fixture
def rotating(tmp_path):
    """A log that Python's own handler rotates; errors from a line on."""

    def make(bad_from):
        handler = logging.handlers.RotatingFileHandler(
            tmp_path / "app.log", maxBytes=200_000, backupCount=3
        )
        handler.setFormatter(logging.Formatter("%(message)s"))
        rng, at = random.Random(4), START
        for n in range(9000):
            at += rng.expovariate(10)
            status = 503 if n >= bad_from and rng.random() < 0.4 else 200
            body = {"time": stamp(at), "status": status, "path": rng.choice(["/a", "/b"])}
            handler.emit(logging.LogRecord("a", 20, "", 0, json.dumps(body), (), None))
        handler.close()
        return tmp_path / "app.log"

    return make


def test_older_files_that_were_not_read_are_named_with_what_reads_them(rotating, locard):
    path = rotating(bad_from=4000)
    found = locard.json("logs", path, "--no-keep")["log_summary"]
    (whole,) = found["beginnings"]
    assert whole["kind"] == "rotated"
    assert "3 older files of it were not read (app.log.3, app.log.2, app.log.1)" in whole["detail"]
    assert any("app.log.1: " in e and "last written" in e for e in whole["evidence"])
    shown = " ".join(locard("logs", path, "--no-keep").stdout.split())
    assert "may have begun before" in shown
    command = f"locard logs '{path}*'"
    assert shown.endswith(f"next: {command}")
    # What it names finds the onset in the older files.
    all_of_it = locard.json("logs", f"{path}*", "--no-keep")["log_summary"]
    assert all_of_it["onset"]["baseline_seen"]
    assert all_of_it["beginnings"][0]["kind"] == "unknown"
    assert "the oldest of its 4 files, app.log.3" in all_of_it["beginnings"][0]["detail"]


def test_copies_are_ordered_by_what_they_hold(rotating, tmp_path, locard):
    """A copy is as old as the copying: app.log is copied first, and so the oldest by its stamp."""
    rotating(bad_from=99_000)
    copied = tmp_path / "copy"
    copied.mkdir()
    for name in ("app.log", "app.log.1", "app.log.2", "app.log.3"):
        shutil.copyfile(tmp_path / name, copied / name)
    (newest,) = locard.json("logs", copied / "app.log")["log_summary"]["beginnings"]
    assert newest["kind"] == "rotated"
    (oldest,) = locard.json("logs", copied / "app.log.3")["log_summary"]["beginnings"]
    assert oldest["kind"] == "unknown"
    assert "no older file of its name stands beside it" in oldest["detail"]


def test_of_a_log_alone_it_is_said_only_where_it_matters(tmp_path):
    rows = [line for _, line in traffic("pay-1", 0, 300, 20)]
    calm = planted.summarise(str(planted.write(tmp_path / "calm.log", rows)))
    assert "begins" not in text(calm)
    assert [b.kind for b in calm.beginnings] == ["unknown"]
    bad = [line for _, line in traffic("pay-1", 0, 300, 20, lambda _: 0.5)]
    ill = planted.summarise(str(planted.write(tmp_path / "ill.log", bad)))
    shown = text(ill)
    assert "why it begins there is not known" in shown
    assert "may have begun before" in shown


def test_two_logs_of_a_folder_are_told_apart_by_their_lines(tmp_path, locard):
    folder = tmp_path / "logs"
    folder.mkdir()
    for name, start, per_s in (("shop.log", 0, 5), ("pay.log", 300, 60)):
        rows = [
            json.dumps({"time": stamp(at), "status": 200, "path": "/a"})
            for at, _ in traffic(name, start, 600, per_s)
        ]
        planted.write(folder / name, rows)
    found = locard.json("logs", folder)["log_summary"]
    (late,) = [b for b in found["beginnings"] if b["part"]]
    assert late["part"] == "pay.log"
    assert late["steps"]
    assert abs(late["at"] - START - 300) < 2
    assert not any(s["measure"] == "volume" for s in found["shapes"])


AT = START


@pytest.mark.parametrize(
    ("origin", "kind", "words"),
    [
        (Origin(writer="the container", starts=(AT - 1,)), "started", "as the container started"),
        (
            Origin(writer="the container", starts=(AT - 1,), restarts=3),
            "started",
            "after 3 restarts: what ran before is not in it",
        ),
        (
            Origin(writer="the container", starts=(AT - 7200,), rotates="docker keeps 3 files"),
            "may-be-rotated",
            "2 h after the container started: docker keeps 3 files;",
        ),
        (Origin(asked=True), "asked", "it was read from there on, as asked"),
        (Origin(asked=True, writer="the container", starts=(AT,)), "started", "as the container"),
        (
            Origin(keeper="the journal", kept_from=AT - 2),
            "kept-from",
            "where the journal begins: lines before that went with its older part, or there were none",
        ),
        (
            Origin(keeper="the journal", kept_from=AT - 9000),
            "first-words",
            "the journal goes back to 09:30:00 and holds nothing of it before",
        ),
        (Origin(), "unknown", "why it begins there is not known"),
    ],
)
def test_why_is_what_the_source_knows(tmp_path, origin, kind, words):
    found = judged(tmp_path, traffic("pay-1", 0, 60, 20, lambda _: 0.5))
    one = beginnings._told(origin, AT)
    assert one.kind == kind

    def clock(at):
        return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%H:%M:%S")

    said = beginning_words.sentence(one, found, clock)
    assert words in said
    assert said.startswith("The log begins at 12:00:00")


def lines_of(tmp_path, *origins, **options):
    """A log whose traffic rises a minute after it begins, with what its source knows."""
    rows = [
        line
        for start, stop, per_s in ((0, 60, 2), (60, 600, 40))
        for _, line in traffic("pay-1", start, stop, per_s, **options)
    ]
    source = open_source(str(planted.write(tmp_path / "pods.log", rows)))
    source.origins = lambda: origins
    table = load(source, 60.0, 1)
    source.close()
    try:
        return first_pass.judge("pods.log", table)
    finally:
        table.db.close()


def test_what_has_just_started_gets_its_traffic_later(tmp_path):
    start = Origin(writer="the container", starts=(START - 1,))
    found = lines_of(tmp_path, start)
    assert volume(found) is None
    assert "That nothing changed cannot be said: its traffic rises where it begins" in text(found)
    # The same rise where the container is an hour older.
    older = Origin(writer="the container", starts=(START - 3600,), rotates="docker keeps 3 files")
    assert volume(lines_of(tmp_path, older)).shape == "step"


def test_who_has_ended_is_not_silent(tmp_path):
    ended = Origin(writer="the container", starts=(START,), ended=START + 600)
    found = lines_of(tmp_path, ended)
    now = START + 900
    assert log_pace.silent_s(found, now) is None
    assert "The container ended at 2025-11-22 12:10:00 UTC" in text(found)
    assert log_pace.silent_s(lines_of(tmp_path), now) is not None


def test_a_burst_at_the_start_may_have_been_rotated_away(tmp_path):
    """The kubelet rotates each ten seconds: what begins later than at once need not be the first."""
    rotates = Origin(writer="the container", starts=(START - 5,), rotates="the newest file of it")
    assert lines_of(tmp_path, rotates).beginnings[0].kind == "may-be-rotated"
    kept = Origin(writer="the container", starts=(START - 5,))
    assert lines_of(tmp_path, kept).beginnings[0].kind == "started"


def test_the_older_part_that_the_memory_did_not_hold(tmp_path):
    rows = [line for _, line in traffic("pay-1", 0, 600, 20)]
    source = open_source(str(planted.write(tmp_path / "pods.log", rows)))
    table = load(source, 60.0, 1)
    source.close()
    table.keep_newer_half()
    found = first_pass.judge("pods.log", table)
    table.db.close()
    (one,) = found.beginnings
    assert one.kind == "cut"
    assert one.at > START + 250
    assert "only the newer part was judged" in text(found).partition("begins")[2]


def test_a_part_that_begins_there_and_has_little_is_not_why_it_rises(tmp_path):
    rising = [*traffic("pay-1", 0, 300, 5), *traffic("pay-1", 300, 600, 40, seed=2)]
    found = judged(tmp_path, rising, traffic("cron-1", 300, 600, 1))
    assert volume(found).shape == "step"
    assert not any(b.steps for b in found.beginnings)
    many = judged(tmp_path, traffic("pay-1", 0, 600, 5), traffic("pay-2", 300, 600, 35))
    assert [b.part for b in many.beginnings if b.steps] == ["pay-2/app"]
