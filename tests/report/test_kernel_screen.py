"""Lines and the time strip of what was observed in the kernel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from locard.model.facts import MemoryUse
from locard.model.kernel_facts import Bucket, Histogram, NotObserved, Observed
from locard.report import kernel_screen, wait_strip
from locard.report.kernel_table import Sheet
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
    lines = list(kernel_screen.bars(found, Sheet()))
    assert lines[1].split()[:3] == ["4.9", "KiB", "3"]
    assert lines[2].split()[:5] == ["4.0", "KiB", "..", "8.0", "KiB"]


PATH = "/srv/app/releases/2026-11-28T0201/config/of/one/very/long/name/settings.production.toml"
FULL = {
    "count": 1234567, "errors": 12, "bytes": 4096, "total_s": 1.5, "min_s": 1e-6, "p50_s": 1e-3,
    "p99_s": 2e-3, "max_s": 0.25, "thread": "gunicorn-worker", "tid": 1234567,
    "detail": "file, on /dev/nvme0n1, 6000 of less than 128 bytes, 12 gave 0",
}  # fmt: skip


@pytest.mark.parametrize("room", [40, 60, 80, 100, 132])
def test_nothing_is_wider_than_the_screen_and_what_is_left_out_is_said(room):
    one = row(PATH, "ENAMETOOLONG", **FULL)
    found = system_calls(one, files=(one,), errors=(one,), locks=(one,))
    wait = thread_wait(what="tcp 10.0.0.1:40001 -> postgres.internal.example:5432", strip=(3,) * 60)
    for fact in (trace("opens", one), found, waits(wait, locks=(lock(),))):
        lines = list(kernel_screen.lines(fact, room))
        assert max(map(len, lines)) <= room, max(lines, key=len)
    lines = list(kernel_screen.lines(trace("opens", one), room))
    text = "\n".join(lines)
    assert "1,234,567" in text or "count" in text.partition("left out")[2]
    assert "settings.production.toml"[-8:] in text
    assert "…" in text  # the path is shortened in its middle
    assert "gave 0" in " ".join(text.split())  # a detail is whole, below its row
    head = lines[0].split()
    said = " ".join(text.split()).partition("columns left out at this width: ")[2]
    for column in ("count", "rate", "wall", "p50", "p99", "max", "thread", "result"):
        assert (column in head) != (column in said.partition(";")[0].split(", ")), column


def test_without_a_width_every_column_and_the_whole_detail_are_in_the_line():
    lines = list(kernel_screen.lines(trace("opens", row("/srv/x", "ok", **FULL))))
    heads = "count rate errors bytes wall min p50 p99 max thread result what"
    assert " ".join(lines[0].split()) == heads
    assert lines[1].endswith(
        "/srv/x  (file, on /dev/nvme0n1, 6000 of less than 128 bytes, 12 gave 0)"
    )
    assert "left out" not in "\n".join(lines)


def test_many_threads_of_one_name_that_do_the_same_are_one_row_with_their_number():
    same = [row("read", count=2, thread="pool", tid=k, total_s=1.0, max_s=k / 10) for k in range(9)]
    few = [row("read", count=1, thread="main", tid=k, total_s=0.5) for k in (20, 21)]
    (folded, *others) = kernel_screen.alike([*same, *few])
    assert (folded.threads, folded.count, folded.total_s, folded.max_s) == (9, 18, 9.0, 0.8)
    assert folded.tid is None
    assert others == few
    assert kernel_screen.alike(few) == few
    (longest,) = kernel_screen.alike(same, longest=True)
    assert longest.total_s == 1.0


def test_locks_of_which_the_same_is_said_are_told_once_but_for_contended_ones():
    def said(address, contended, seconds):
        words = f"{address:#x}, semaphore: 1 thread waits for it (python3), longest {seconds} s"
        return replace(lock(), address=address, contended=contended, says=words)

    idle = [said(0x7F00 + k, contended=False, seconds=f"{k}.5") for k in range(6)]
    hot = [said(0x9000 + k, contended=True, seconds="1.0") for k in range(2)]
    text = "\n".join(kernel_screen.lines(waits(thread_wait(), locks=(*hot, *idle)), 78))
    assert text.count("CONTENDED") == 2
    assert text.count("semaphore") == 3
    assert "alike, with other times: 0x7f01, 0x7f02, 0x7f03, 0x7f04, … (5 in all)" in text


def test_futexes_for_which_nobody_queues_are_one_row_and_a_contended_one_stands_alone():
    idle = [
        thread_wait(tid=k, doing="waits on a futex", what=f"{k:#x}", call="futex", address=k)
        for k in (16, 17, 18)
    ]
    hot = thread_wait(tid=9, doing="waits for a lock", what="0x99", call="futex", address=0x99)
    found = waits(*idle, hot, locks=(replace(lock(), address=0x99),))
    text = "\n".join(kernel_screen.lines(found, 78))
    assert "waits on a futex, 3 addresses" in text
    assert "waits for a lock 0x99" in text


def test_the_same_of_many_processes_is_one_row_in_the_order_of_the_rows():
    each = [row("/etc/ld.so.cache", "ok", 1, pid=k, max_s=k / 10) for k in range(5)]
    most = row("/srv/x", "ENOENT", 9, pid=1)
    folded = kernel_screen.alike([most, *each])
    assert [(r.what, r.count) for r in folded] == [("/srv/x", 9), ("/etc/ld.so.cache", 5)]
    assert (folded[1].detail, folded[1].max_s, folded[1].pid) == ("5 processes", 0.4, None)


def test_what_came_of_it_has_a_column_each():
    mixed = row(
        "10.0.0.7:5432", count=12, errors=5, outcomes=(("ok", 7), ("refused", 5)), max_s=0.2
    )
    gone = row("10.0.0.8:5432", count=3, errors=3, outcomes=(("timed out", 3),))
    each = [row("10.0.0.7:5432", "ok", 1, thread="dialer", tid=9, total_s=0.1)] * 7
    found = replace(trace("tcp-connect", mixed, gone), threads=tuple(each))
    head, one, two, *more = kernel_screen.lines(found, 78)
    third = more[more.index("by thread:") + 2]
    assert head.split() == ["count", "ok", "refused", "timed", "out", "max", "peer"]
    assert one.split() == ["12", "7", "5", "200", "ms", "10.0.0.7:5432"]
    assert two.split() == ["3", "3", "10.0.0.8:5432"]
    assert two.index(" 3 ", 6) > head.index("refused")
    assert third.split()[:1] == ["7"]


def test_words_are_explained_once_where_they_first_stand():
    one = row("read", "", 9, total_s=1.0, p99_s=0.1, errors=2)
    text = "\n".join(kernel_screen.lines(system_calls(one, files=(one,)), 200))
    assert text.count("wall: time that passed") == 1
    assert text.count("p99: 99 %") == 1
    assert text.index("wall: time") < text.index("by file")
    assert "p50: half" not in text  # no such column
    assert "off CPU: it sleeps" in "\n".join(kernel_screen.lines(trace("off-cpu", one)))
    many = replace(one, thread="(short-lived)", threads=40)
    assert "(short-lived): threads that ended" in "\n".join(kernel_screen.lines(trace("x", many)))
    assert "short-lived" not in text


def test_a_list_in_the_order_of_time_is_not_folded():
    calls = [row("futex", "0", 1, thread="pool", tid=k) for k in range(9)]
    lines = list(kernel_screen.lines(trace("last-calls", *calls), 78))
    assert sum(line.endswith("futex") for line in lines) == 9
    folded = list(kernel_screen.lines(trace("off-cpu", *calls), 78))
    assert sum(line.endswith("futex") for line in folded) == 1


def test_a_long_word_of_a_detail_is_shortened_and_not_broken():
    lines = list(kernel_screen.lines(trace("x", row("openat", detail=f'"{PATH}", 0x80000')), 60))
    (detail,) = [line for line in lines if "…" in line]
    assert detail.rstrip().endswith('production.toml",') or "0x80000" in detail
    assert len(detail) <= 60
