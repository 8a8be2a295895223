"""`locard profile`: the whole command on a real process that says which of its threads computes."""

from __future__ import annotations

import json
import re
import subprocess


def test_the_thread_that_computes_is_named(locard, start):
    program = start("locked.py", "spin", stdin=subprocess.PIPE)
    truth = json.loads(program.line)
    (found,) = locard.json("profile", f"pid/{program.pid}", "--for", "1s", "-q")["evidence"]
    (trace,) = found["facts"]
    assert {r["tid"] for r in trace["threads"]} == {truth["spinner"]}
    assert {r["what"] for r in trace["rows"]} <= {
        "spin (programs/locked.py)",
        "add (programs/locked.py)",
    }
    assert sum(r["count"] for r in trace["rows"]) > 20
    lines = {
        s["frames"][-2] if "add" in s["frames"][-1] else s["frames"][-1] for s in trace["stacks"]
    }
    assert any(f":{truth['line']})" in frame for frame in lines)


def test_wall_counts_everybody_alike(locard, start):
    program = start("locked.py", stdin=subprocess.PIPE)
    truth = json.loads(program.line)
    (found,) = locard.json("profile", f"pid/{program.pid}", "--for", "1s", "--mode", "wall", "-q")[
        "evidence"
    ]
    (trace,) = found["facts"]
    counts = {r["tid"]: r["count"] for r in trace["threads"]}
    assert set(counts) == {program.pid, truth["holder"], *truth["waiters"]}
    assert len(set(counts.values())) == 1  # nobody moved: each was there at each look
    lost = trace["observed"].get("lost") or ()
    assert not [words for words in lost if "looks were not made" not in words]  # a busy machine


def test_the_flame_graph_and_the_screen(locard, start, tmp_path):
    program = start("locked.py", "spin", stdin=subprocess.PIPE)
    page = tmp_path / "flame.folded"
    done = locard("profile", f"pid/{program.pid}", "--for", "500ms", "--flame", page, "-q")
    assert done.returncode in {0, 4}, done.stderr
    assert re.search(
        r"samples of threads on a CPU or waiting for one in \d+ looks: ",
        " ".join(done.stdout.split()),
    )
    assert re.search(r"^spins;.*spin \(programs/locked\.py:\d+\)", page.read_text(), re.MULTILINE)


def test_who_interrupts_it_sees_what_it_counted(start, locard):
    program = start("locked.py", "spin", stdin=subprocess.PIPE)
    words = locard.argv("profile", f"pid/{program.pid}", "--for", "60s", "-o", "json")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "runs" in line:
            break
    try:
        process.wait(1.5)
    except subprocess.TimeoutExpired:
        process.send_signal(2)
    out = process.communicate(timeout=30)[0]
    assert process.returncode == 4
    (trace,) = json.loads(out)["evidence"][0]["facts"]
    assert sum(r["count"] for r in trace["threads"]) > 5


def test_files_for_other_tools_and_what_changed_since(locard, start, tmp_path):
    program = start("shares.py", "4:1", stdin=subprocess.PIPE)
    other = start("shares.py", "1:4", stdin=subprocess.PIPE)
    (one,), (two,) = json.loads(program.line)["pids"], json.loads(other.line)["pids"]
    folded, scope, proto, page = (tmp_path / n for n in ("f", "s.json", "p.gz", "d.html"))
    done = locard(
        "profile", f"pid/{one}", "--for", "1s", "-q", "--folded", folded, "--speedscope", scope,
        "--pprof", proto,
    )  # fmt: skip
    assert done.returncode in {0, 4}, done.stderr  # 4: a busy machine kept it from some looks
    assert json.loads(scope.read_text())["profiles"]
    assert proto.read_bytes()[:2] == b"\x1f\x8b"
    done = locard("profile", f"pid/{two}", "--for", "1s", "-q", "--diff", folded, "--flame", page)
    assert re.search(r"-> +\d+\.\d%  +\+\d+\.\d points  light \(programs/shares\.py\)", done.stdout)
    assert "red has a greater share" in page.read_text()


def test_files_are_checked_before_anything_runs(locard, tmp_path):
    same = tmp_path / "x"
    for words, said in (
        (("--diff", tmp_path / "none"), "cannot be read"),
        (("--folded", same, "--pprof", same), "name one file"),
        (("--pprof", "/nowhere/x"), "cannot write /nowhere/x"),
    ):
        done = locard("profile", "pid/1", *words)
        assert done.returncode in {2, 3, 70}
        assert said in done.stderr
    assert not same.exists()


def test_the_kernels_own_ways_are_asked_for_by_name(locard, start):
    program = start("sleepers.py")
    target = f"pid/{program.pid}"
    assert "off_cpu" in locard("profile", target, "--off-cpu", "--dry-run").stdout.replace("-", "_")
    assert '"hz":49' in locard("profile", target, "--native", "--hz", "49", "--dry-run").stdout
    for words, said in (
        (("--off-cpu", "--native"), "do not go together"),
        (("--native", "--mode", "gil"), "--native takes no --mode"),
        (("--min", "1ms"), "takes no --min"),
    ):
        done = locard("profile", target, *words)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
