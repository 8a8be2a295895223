"""The tools themselves as engines, on programs that count their own truth and go on running afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from engines_support import STEADY, at_work, goes_on, need, state, steps, tools_of
from observing_support import context, working

from locard.guard.command import Impact
from locard.kernel import engines
from locard.kernel.engines import bcc, bpftrace, ltrace, perf_trace, strace
from locard.kernel.probes import libcalls, syscalls
from locard.kernel.programs import opens, run_queue
from locard.model.errors import RefusedError, UsageError
from locard.model.evidence import Output
from locard.model.kernel_facts import NotObserved
from support import is_alive, needs_root, wait_until

_COUNTED = """
ready()
for k in range(300):
    os.getppid()
for k in range(70):
    try: os.stat("/none")
    except OSError: pass
tell(done=1)
sys.stdin.readline()
"""


@needs_root
def test_strace_counts_what_the_target_counts_and_lets_it_go():
    need("strace")
    with working(_COUNTED) as target:
        with at_work(syscalls, target.pid, for_s=30.0, engine="strace") as seen:
            wait_until(lambda: state(target.pid)[1] != "0")
            target.go()
            tracer = int(state(target.pid)[1])
            os.kill(tracer, signal.SIGINT)
        (found,) = seen.facts
        assert is_alive(target.pid)
        assert state(target.pid)[1] == "0"
    rows = {r.what: r for r in found.calls}
    assert rows["getppid"].count == 300
    assert (rows["newfstatat"].count, rows["newfstatat"].errors) == (70, 70)
    assert rows["getppid"].total_s > 0
    assert rows["getppid"].max_s >= rows["getppid"].min_s
    assert found.observed.engine.startswith("strace ")
    assert "by itself" in found.problem  # its time was 30 s
    assert any("stops every thread" in words for words in found.observed.blind)


@needs_root
@pytest.mark.parametrize("engine", ["strace", "perf", "bpftrace"])
def test_the_target_goes_on_after_each_engine_and_the_counts_agree(engine):
    need(engine)
    with working(STEADY) as target:
        target.go()
        (found,) = steps(syscalls, target.pid, for_s=1.5, engine=engine)
        if isinstance(found, NotObserved):
            pytest.skip(found.problem)
        goes_on(target)
    rows = {r.what: r for r in found.calls}
    assert abs(rows["getppid"].count - rows["newfstatat"].count) <= 2
    assert rows["newfstatat"].errors == rows["newfstatat"].count > 100
    sleeps = next(r for r in found.calls if "nanosleep" in r.what)
    assert sleeps.total_s / sleeps.count >= 0.001
    assert 1.0 <= found.observed.seconds <= 1.7
    assert not found.partial
    assert not found.observed.left


@needs_root
def test_only_the_calls_that_are_asked_for():
    need("perf")
    with working(STEADY) as target:
        target.go()
        (found,) = steps(syscalls, target.pid, for_s=1.0, engine="perf", events="getppid")
    assert [r.what for r in found.calls] == ["getppid"]


_LOCARD = "from locard.__main__ import main; import sys; sys.exit(main())"


@needs_root
@pytest.mark.parametrize("engine", ["strace", "perf", "bpftrace"])
def test_tools_die_with_locard_and_the_target_goes_on(engine, tmp_path):
    need(engine)
    with working(STEADY) as target:
        target.go()
        argv = [sys.executable, "-c", _LOCARD, "syscalls", f"pid/{target.pid}", "--engine", engine]
        argv += ["--for", "60s", "--allow", "pauses", "--state", str(tmp_path)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            wait_until(lambda: tools_of(child.pid, engine, target.pid) or child.poll() is not None)
            if engine == "strace":
                wait_until(lambda: state(target.pid)[1] != "0")
            tools = tools_of(child.pid, engine, target.pid)
            assert tools
            child.kill()
            child.communicate()
        wait_until(lambda: not any(map(is_alive, tools)))
        goes_on(target)


@needs_root
def test_what_is_traced_already_is_refused():
    need("strace")
    with working(STEADY) as target:
        target.go()
        with subprocess.Popen(
            ["strace", "-c", "-p", str(target.pid)], stderr=subprocess.DEVNULL
        ) as other:
            wait_until(lambda: state(target.pid)[1] != "0")
            (found,) = steps(syscalls, target.pid, for_s=1.0, engine="strace")
            other.send_signal(signal.SIGINT)
    assert isinstance(found, NotObserved)
    assert f"traced already, by strace (pid {other.pid})" in found.problem


def test_what_pauses_is_not_run_unless_it_is_allowed():
    need("strace")
    with working("ready()") as target, pytest.raises(RefusedError, match="pauses"):
        steps(syscalls, target.pid, allow=Impact.SAMPLES, for_s=1.0, engine="strace")


def test_what_injects_is_not_run_unless_it_is_allowed():
    need("ltrace")
    with working("ready()") as target, pytest.raises(RefusedError, match="injects"):
        steps(libcalls, target.pid, allow=Impact.PAUSES, for_s=1.0, engine="ltrace")


_MALLOC = """
#include <stdlib.h>
#include <unistd.h>
#include <stdio.h>
int main(void) {
  setvbuf(stdout, 0, _IONBF, 0); printf("ready\\n");
  for (;;) { for (int k = 0; k < 3; k++) { void *p = malloc(200); free(p); } usleep(2000); }
}
"""


@pytest.fixture
def allocates(tmp_path):
    """A program that allocates and has a table of imports; its pid."""
    need("gcc")
    source, program = tmp_path / "a.c", tmp_path / "allocates"
    source.write_text(_MALLOC)
    subprocess.run(["gcc", "-O0", "-fno-builtin", "-o", program, source], check=True)
    with subprocess.Popen([program], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        yield child
        child.kill()


@needs_root
def test_ltrace_counts_and_lets_go(allocates):
    need("ltrace")
    (found,) = steps(libcalls, allocates.pid, for_s=1.5, engine="ltrace", expression="malloc+free")
    if isinstance(found, NotObserved):
        pytest.skip(found.problem)
    rows = {r.what: r for r in found.rows}
    assert rows["malloc"].count > 30
    assert abs(rows["malloc"].count - rows["free"].count) <= 1
    assert allocates.poll() is None
    assert state(allocates.pid)[1] == "0"
    assert not found.observed.left


@needs_root
def test_bpftrace_counts_library_calls_of_the_target_only(allocates):
    need("bpftrace")
    (found,) = steps(
        libcalls, allocates.pid, for_s=1.0, engine="bpftrace", expression="malloc+free@libc*"
    )
    if isinstance(found, NotObserved):
        pytest.skip(found.problem)
    rows = {r.what: r for r in found.rows}
    assert rows["malloc"].count > 30
    assert abs(rows["malloc"].count - rows["free"].count) <= 3
    assert {r.tid for r in found.threads} == {allocates.pid}
    assert [(s.least, s.below) for h in found.histograms for s in h.slots] == [(128, 256)]


@needs_root
def test_a_tool_of_bcc_counts_opens_or_says_why_not():
    need("opensnoop-bpfcc", "opensnoop-libbpf", "opensnoop")
    with working(STEADY.replace('os.stat("/none")', 'os.open("/none", 0)')) as target:
        target.go()
        (found,) = steps(opens, target.pid, for_s=1.0, engine="bcc")
        goes_on(target)
    if isinstance(found, NotObserved):
        assert found.unlock, found
        assert "Traceback" not in found.why
    else:
        assert {(r.what, r.result, r.pid) for r in found.rows} == {("/none", "ENOENT", target.pid)}


def test_a_parameter_that_a_tool_does_not_know_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match="--slow and --engine strace do not go together"):
        syscalls.check(syscalls.Params(engine="strace", slow=0.1))
    with pytest.raises(UsageError, match="--failed and --engine bcc"):
        opens.check(opens.Params(engine="bcc", failed=True))
    syscalls.check(syscalls.Params(engine="strace", net=True))
    run_queue.check(run_queue.Params())


def test_nothing_is_started_where_nothing_can_be_looked_at_or_pids_are_others():
    others = _LOOK.stdout.replace(b'"pids":true', b'"pids":false')
    for look, engine, starts in (
        (Output(_LOOK.argv, b"", exit_code=None, problem="there is no python3"), "strace", False),
        (Output(_LOOK.argv, others), "bpftrace", False),
        (Output(_LOOK.argv, others), "strace", True),
    ):
        plan = syscalls.plan(context(7), syscalls.Params(engine=engine))
        asked = next(plan)
        version = Output(asked.argv, b"v7.2")
        plan.send(version)
        try:
            assert plan.send(look).argv[0] == engine
            assert starts
        except StopIteration:
            assert not starts
            (found,) = syscalls.read([version, look])
            assert "no python3" in found.why or "pid namespace" in found.why


@needs_root
def test_ltrace_is_asked_to_end_when_locard_is_killed(allocates, tmp_path):
    need("ltrace")
    argv = [sys.executable, "-c", _LOCARD, "libcalls", f"pid/{allocates.pid}", "--engine", "ltrace"]
    argv += ["-e", "malloc+free", "--for", "60s", "--allow", "injects", "--state", str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        wait_until(lambda: state(allocates.pid)[1] != "0" or child.poll() is not None)
        (tool,) = tools_of(child.pid, "ltrace", allocates.pid)
        child.kill()
        child.communicate()
    wait_until(lambda: not is_alive(tool))
    assert allocates.poll() is None
    wait_until(lambda: state(allocates.pid) in {("S", "0"), ("R", "0")})


def test_a_tool_that_is_not_installed_is_said_with_how_to_get_it():
    missing = Output(("strace", "-V"), b"", exit_code=None, problem="strace is not installed")
    (found,) = syscalls.read([missing])
    assert found == NotObserved(
        "strace", "strace is not installed", "get it: apt-get install strace"
    )


# -- recorded output ---------------------------------------------------------------------------

_LOOK = Output(
    ("/usr/bin/python3", "-I", "-S", "-", "2.000", "7"),
    b'{"process":7,"comm":"web","state":"S","tracer":0,"by":"","threads":[7,8],"inner":7}\n'
    b'{"machine":"x86_64","kernel":"6.1","pids":true}\n',
)


def run_of(*argv: str, out: str = "", err: str = "", code: int | None = 0) -> list[Output]:
    """Looks around one run of a tool."""
    return [_LOOK, Output(argv, out.encode(), err.encode(), exit_code=code, duration_s=2.0), _LOOK]


_STRACE = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 70.61    0.047632          14      3224      1612 openat
 29.39    0.019829          12      1612           getppid
------ ----------- ----------- --------- --------- ----------------
100.00    0.067461          13      4836      1612 total
"""


def test_straces_older_summary_is_read():
    (found,) = syscalls.read(run_of("strace", "-c", "-w", "-p7", out=_STRACE))
    assert [(r.what, r.count, r.errors, r.total_s, r.max_s) for r in found.calls] == [
        ("openat", 3224, 1612, 0.047632, None),
        ("getppid", 1612, 0, 0.019829, None),
    ]


def test_strace_that_may_not_attach_is_not_an_idle_target():
    said = "strace: attach: ptrace(PTRACE_SEIZE, 7): Operation not permitted\n"
    (found,) = syscalls.read(run_of("strace", "-c", "-p7", out=said, code=1))
    assert isinstance(found, NotObserved)
    assert "CAP_SYS_PTRACE" in found.unlock


_PERF = """LOST 12 events!
 Summary of events:

 web server (8), 44 events, 50.0%

   syscall            calls  errors  total       min       avg       max       stddev
                                     (msec)    (msec)    (msec)    (msec)        (%)
   --------------- --------  ------ -------- --------- --------- ---------     ------
   openat                22     11    24.050     0.012     0.015     0.056      0.68%
\t\t\t\tENOENT: 11
   futex                  4      2     1.000     0.012     0.015     0.500      0.68%
\t\t\t\tETIMEDOUT: 2
"""


def test_perfs_summary_is_read_with_its_losses():
    (found,) = syscalls.read(run_of("/usr/bin/perf", "trace", "-s", out=_PERF))
    assert [(r.what, r.thread, r.tid, r.pid, r.count) for r in found.threads] == [
        ("openat", "web server", 8, 7, 22),
        ("futex", "web server", 8, 7, 4),
    ]
    assert [(r.what, r.result, r.count, r.detail) for r in found.errors] == [
        ("openat", "ENOENT", 11, ""),
        ("futex", "ETIMEDOUT", 2, "its time limit passed: no failure"),
    ]
    assert found.partial
    assert "12 events were lost" in found.problem


def test_ltrace_that_recorded_nothing_claims_nothing():
    empty = (
        "% time     seconds  usecs/call     calls      function\n100.00    0.000000     0 total\n"
    )
    (found,) = libcalls.read(run_of("ltrace", "-c", "-p7", out=empty))
    assert "not known to be none" in found.says
    assert not found.rows


def test_a_target_that_stands_still_afterwards_is_said():
    after = Output(_LOOK.argv, _LOOK.stdout.replace(b'"state":"S"', b'"state":"T"'))
    runs = [*run_of("strace", "-c", "-p7", out=_STRACE)[:2], after]
    (found,) = syscalls.read(runs)
    assert found.observed.left == ("process 7 stands still: kill -CONT 7",)


_TEXTS = {
    "tcp-connect": (
        "tcpconnect-bpfcc",
        ("Tracing connect ... Hit Ctrl-C to end\n"
        "PID     COMM         IP SADDR            DADDR            DPORT \n"
        "7       curl         4  127.0.0.1        10.0.0.9         80   \n"
        "7       my thread    6  fd00::1          fd00::2          443  \n"
        "99      other        4  127.0.0.1        10.0.0.8         80   \n"),
        {("10.0.0.9:80", "", 1), ("[fd00::2]:443", "", 1)},
    ),
    "tcp-connect-latency": (
        "tcpconnlat-libbpf",
        ("PID    COMM         IP SADDR            DADDR            DPORT LAT(ms)\n"
        "7      curl         4  10.0.0.1         10.0.0.9         80    1.25\n"
        "7      curl         4  10.0.0.1         10.0.0.9         80    3.75\n"),
        {("10.0.0.9:80", "", 2)},
    ),
    "tcp-retransmits": (
        "tcpretrans-bpfcc",
        ("Tracing retransmits ... Hit Ctrl-C to end\n"
        "TIME     PID     IP LADDR:LPORT          T> RADDR:RPORT          STATE\n"
        "01:55:05 0       4  10.153.223.157:22    R> 69.53.245.40:34619   ESTABLISHED\n"
        "01:55:17 0       6  fd00::1:22           R> fd00::2:34619        ESTABLISHED\n"
        "01:55:17 0       4  10.153.223.157:22    L> 69.53.245.40:34619   ESTABLISHED\n"),
        {("69.53.245.40:34619", "sent again", 1), ("[fd00::2]:34619", "sent again", 1),
         ("69.53.245.40:34619", "probe", 1)},
    ),
    "exec": (
        "execsnoop-bpfcc",
        ("PCOMM            PID     PPID    RET ARGS\n"
        "sh               900     7         0 /bin/sh -c date\n"
        "date             901     900       0 /bin/date\n"
        "nope             902     900      -2 /bin/nope\n"
        "cron             950     1         0 /usr/sbin/cron\n"),
        {("/bin/sh", "ok", 1), ("/bin/date", "ok", 1), ("/bin/nope", "ENOENT", 1)},
    ),
    "opens": (
        "opensnoop-bpfcc",
        ("PID    COMM               FD ERR PATH\n"
        "7      python3             3   0 /srv/a b.txt\n"
        "7      my thread          -1   2 /etc/none\n"
        "99     cat                 3   0 /etc/passwd\n"),
        {("/srv/a b.txt", "ok", 1), ("/etc/none", "ENOENT", 1)},
    ),
    "file-latency": (
        "fileslower-bpfcc",
        ("Tracing sync read/writes slower than 1 ms\n"
        "TIME(s)  COMM           TID    D BYTES   LAT(ms) FILENAME\n"
        "0.000    randread       21671  R 8192       9.12 data 1\n"
        "0.014    randread       21671  W 8192       8.90 data 1\n"),
        {("data 1", "read", 1), ("data 1", "write", 1)},
    ),
    "disk-latency": (
        "biolatency-bpfcc",
        ("Tracing block device I/O... Hit Ctrl-C to end.\n\n"
        "disk = b'vda'\n     usecs               : count     distribution\n"
        "         0 -> 1          : 0        |          |\n"
        "        16 -> 31         : 40       |**********|\n"),
        {("vda", "", 40)},
    ),
    "run-queue": (
        "runqlat-libbpf",
        ("Tracing run queue latency... Hit Ctrl-C to end.\n\n"
        "     usecs               : count    distribution\n"
        "         2 -> 3          : 8        |     |\n"
        "      2048 -> 4095       : 1        |     |\n"),
        {("waited for a CPU", "", 9)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("program", _TEXTS)
def test_what_tools_of_bcc_print_is_read(program):
    tool, text, want = _TEXTS[program]
    (found,) = bcc.facts(program, run_of(tool, out=text))
    assert {(r.what, r.result, r.count) for r in found.rows} == want
    assert tool in found.says
    if program in {"tcp-retransmits", "disk-latency"}:
        assert found.program == f"{program} of the machine"


def test_off_cpu_stacks_are_read_in_both_forms():
    folded = "web;main;work;schedule 1500000\n"
    lines = "    schedule\n    work\n    main\n    -                web (8)\n        1500000\n\n"
    for text in (folded, lines):
        (found,) = bcc.facts("off-cpu", run_of("offcputime-bpfcc", out=text))
        (stack,) = found.stacks
        assert (stack.frames, stack.value, stack.thread) == (
            ("main", "work", "schedule"),
            1.5,
            "web",
        )


def test_bcc_without_headers_says_so_without_a_traceback():
    said = (
        "chdir(/lib/modules/6.1/build): No such file or directory\nTraceback (most recent call last):\n"
        '  File "/usr/sbin/opensnoop-bpfcc", line 289, in <module>\n    b = BPF(text="")\n'
        "Exception: Failed to compile BPF module <text>\n"
    )
    out = "Unable to find kernel headers. Try rebuilding kernel with CONFIG_IKHEADERS=m\n"
    (found,) = opens.read(run_of("opensnoop-bpfcc", "-p7", out=out, err=said, code=1))
    assert isinstance(found, NotObserved)
    assert "Unable to find kernel headers" in found.why
    assert "linux-headers" in found.unlock


@pytest.mark.parametrize(
    "text", ["", "\0" * 50, "{}", "[]", '{"type": "map"}', '{"type": "hist", "data": 3}']
)
@pytest.mark.parametrize(
    "reader",
    [strace.read, perf_trace.read, ltrace.read, bpftrace.read_calls, bpftrace.read_library_calls],
)
def test_rubbish_is_read_without_a_word(reader, text):
    for tool in ("strace", "perf", "ltrace", "bpftrace"):
        reader(run_of(tool, "-x", out=text, err=text))
    assert engines.ran([], ("strace",)) is None
