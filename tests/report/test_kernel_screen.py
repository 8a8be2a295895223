"""Lines and the time strip of what was observed in the kernel."""

from __future__ import annotations

from locard.model.facts import MemoryUse
from locard.model.kernel_facts import Bucket, Histogram, NotObserved, Observed
from locard.report import kernel_screen, wait_strip
from rules.builders import lock, row, system_calls, thread_wait, trace, waits


def test_columns_that_are_empty_are_left_out_and_many_rows_are_counted():
    rows = tuple(row(f"/srv/{k}", "ok", k + 1, total_s=0.5) for k in range(40))
    lines = list(kernel_screen.lines(trace("opens", *rows)))
    assert lines[0].split() == ["count", "rate", "wall", "result", "what"]
    assert "and 15 more, in -o json" in lines


def test_hidden_characters_do_not_break_the_table():
    lines = list(kernel_screen.lines(trace("opens", row("/srv/x", "ok", 1, thread="w", tid=7))))
    assert lines[1].split() == ["1", "0.2/s", "w", "7", "ok", "/srv/x"]


def test_system_calls_have_their_parts():
    calls = system_calls(row("read", count=9, total_s=1.0), files=(row("/x", "read", 9),))
    text = "\n".join(kernel_screen.lines(calls))
    assert "by call, wall time first:" in text
    assert "by file, peer or pipe:" in text
    assert "slow calls" not in text


def test_waits_mark_the_contended_lock_and_draw_a_strip():
    found = waits(thread_wait(strip=(0, 4, 8)), locks=(lock(),))
    lines = list(kernel_screen.lines(found))
    assert lines[1] == "  CONTENDED says"
    assert any(line.strip() == "▄█" for line in lines)
    drawn = wait_strip.strip(found)
    assert [(b.x, b.height) for b in drawn.bars] == [(200.0, 80.0), (400.0, 80.0)]
    assert drawn.legend == ((0, "waits on a futex (futex)", "100 %"),) or drawn.legend[0][0] == 0


def test_no_threads_no_strip_and_other_facts_are_not_ours():
    assert wait_strip.strip(waits()) is None
    assert kernel_screen.lines(MemoryUse(0.0, ())) is None


def test_what_was_refused_lost_and_not_seen_is_said():
    refused = NotObserved("opens", "not permitted", "CAP_BPF")
    assert list(kernel_screen.lines(refused)) == ["not observed: not permitted; CAP_BPF"]
    from dataclasses import replace

    partial = replace(
        trace("opens"),
        observed=Observed(
            1.0, "eBPF", lost=("9 events",), blind=("io_uring",), ended="the target ended"
        ),
    )
    text = "\n".join(kernel_screen.lines(partial))
    assert "lost: 9 events" in text
    assert "not seen: io_uring" in text
    assert "ended: the target ended" in text


def test_a_bar_of_one_value_shows_it_once():
    found = Histogram("malloc", "bytes", (Bucket(5000, 5001, 3), Bucket(4096, 8192, 2)))
    lines = list(kernel_screen.bars(found))
    assert lines[1].split()[:3] == ["4.9", "KiB", "3"]
    assert lines[2].split()[:5] == ["4.0", "KiB", "..", "8.0", "KiB"]
