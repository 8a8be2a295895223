"""A log's own zone, and the hour that comes twice in it in autumn."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import planted_logs as planted
import pytest

BERLIN = ZoneInfo("Europe/Berlin")
PUT_BACK = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)  # 03:00 becomes 02:00 there


def local_lines(moments):
    """Records whose times are written as clocks on a wall in Berlin show them, with the true time beside."""
    return [
        json.dumps({"time": f"{m.astimezone(BERLIN):%Y-%m-%d %H:%M:%S}", "n": int(m.timestamp()), "level": "info"})
        for m in moments
    ]  # fmt: skip


def ask(locard, tmp_path, lines, *words):
    path = str(planted.write(tmp_path / "app.log", lines))
    return locard("logs", path, "--no-keep", *words)


def told(locard, tmp_path, moments):
    done = ask(locard, tmp_path, local_lines(moments), "--log-tz", "Europe/Berlin", "-o", "json")
    return json.loads(done.stdout)["log_summary"]


def test_the_order_of_the_lines_tells_the_hour_that_comes_twice(locard, tmp_path):
    moments = [PUT_BACK + timedelta(minutes=5 * i) for i in range(-30, 31)]
    found = told(locard, tmp_path, moments)
    assert (found["first"], found["last"]) == (moments[0].timestamp(), moments[-1].timestamp())
    wanted = f"time >= {(PUT_BACK - timedelta(minutes=30)):%Y-%m-%dT%H:%M:%SZ} and time < {PUT_BACK:%Y-%m-%dT%H:%M:%SZ}"
    done = ask(locard, tmp_path, local_lines(moments), "--log-tz", "Europe/Berlin", "--where", wanted,
               "--select", "n", "-o", "jsonl")  # fmt: skip
    numbers = [json.loads(line)["n"] for line in done.stdout.splitlines()]
    assert numbers == [
        int(m.timestamp()) for m in moments if PUT_BACK - timedelta(minutes=30) <= m < PUT_BACK
    ]


@pytest.mark.parametrize("begin", [-50, 10])
def test_where_no_line_tells_which_hour_it_is_that_is_said(locard, tmp_path, begin):
    moments = [PUT_BACK + timedelta(minutes=begin + i) for i in range(40)]
    found = told(locard, tmp_path, moments)
    assert any("comes twice in Europe/Berlin" in note for note in found["gaps"])
    assert found["last"] - found["first"] == 39 * 60


def test_other_hours_and_other_zones_are_not_changed(locard, tmp_path):
    moments = [datetime(2026, 7, 1, 12, 0, tzinfo=UTC) + timedelta(minutes=i) for i in range(30)]
    found = told(locard, tmp_path, moments)
    assert found["first"] == moments[0].timestamp()
    assert not any("twice" in note for note in found["gaps"])
    done = ask(locard, tmp_path, local_lines(moments), "-o", "json")
    assert json.loads(done.stdout)["log_summary"]["first"] == moments[0].timestamp() + 7200


def test_a_zone_that_is_none_is_an_error(locard, tmp_path):
    done = ask(locard, tmp_path, local_lines([PUT_BACK]), "--log-tz", "Europe/Nowhere")
    assert done.returncode == 2
    assert "Europe/Nowhere" in done.stderr
