"""Far sides that lie, flood, never end or die: what is kept, what is said, and that nothing breaks."""

from __future__ import annotations

import json
import math
import sys

import pytest

from locard.guard.command import Impact, Template
from locard.guard.gate import Gate
from locard.model.errors import LocardError
from locard.model.place import Place
from locard.transport import bootstrap, session, ssh

# What a far side has to do to be believed at all; then it does as it likes.
PRELUDE = """
import hashlib, json, os, struct, sys, time
nonce = sys.argv[1]
mark = hashlib.sha256(nonce.encode()).hexdigest()
ready = hashlib.sha256(mark.encode()).hexdigest()
frame = hashlib.sha256((nonce + ":frame").encode()).digest()[:4]
def write(data):
    while data:
        data = data[os.write(1, data):]
def send(head, body=b"", sizes=None):
    data = head if isinstance(head, bytes) else json.dumps(head).encode()
    write(frame + struct.pack(">II", *(sizes or (len(data), len(body)))) + data + body)
def take(size):
    data = b""
    while len(data) < size:
        part = os.read(0, size - len(data))
        if not part:
            sys.exit(0)
        data += part
    return data
def asked():
    "The next order that is no beat."
    while True:
        head = take(12)
        sizes = struct.unpack(">II", head[4:])
        order = json.loads(take(sizes[0]))
        take(sizes[1])
        if order["do"] == "beat":
            send({"is": "beat", "at": order["at"], "now": time.time()})
        else:
            return order
write(("\\n%s 51054320\\n" % mark).encode())
while take(1) != b"\\1":
    pass
size = int(take(10))
take(64 + size)
write(("\\n%s 1\\n" % ready).encode())
GROUND = {"is": "ground", "host": "web", "user": "op", "uid": 1000, "python": "3.11.2", "ticks": 100,
          "machine": "x86_64", "kernel": "6.1", "tools": {}, "own": []}
"""
HONEST = """
send(GROUND)
while True:
    run = asked()["run"]
    send({"is": "chunk", "run": run, "of": "stdout"}, b"fine")
    send({"is": "ended", "run": run, "code": 0, "why": "", "took": 0.01})
"""


def reach(code, opening_s=10.0):
    nonce = bootstrap.new_nonce()
    argv = (sys.executable, "-c", PRELUDE + code, nonce)
    return session.Session(
        Place("host/web", "ssh"),
        argv,
        nonce,
        explain=ssh.explain,
        environment={},
        opening_s=opening_s,
    )


def permit(**options):
    template = Template(("cat", "/proc/loadavg"), Impact.READS, 20.0, **options)
    gate = Gate({"p": (template,)}, Impact.READS, cap=Impact.INJECTS, why="")
    return gate.admit("p", template.fill())


def ask(code, bound_s=5.0, **options):
    """The output of one command there."""
    there = reach(code).open()
    try:
        return there.run(permit(**options), bound_s)
    finally:
        there.close()


def test_an_honest_far_side_is_believed():  # the positive control of all below
    output = ask(HONEST)
    assert (output.stdout, output.exit_code, output.problem) == (b"fine", 0, "")


LIES = {
    "no JSON": "send(b'{')",
    "no UTF-8": "send(b'\\xff\\xfe{}')",
    "no object": "send([1, 2])",
    "a deep object": "send(b'[' * 100000)",
    "no kind": "send({'run': 1})",
    "another run": "send({'is': 'chunk', 'run': 77, 'of': 'stdout'}, b'false')",
    "a run that is no number": "send({'is': 'ended', 'run': [1], 'code': 0})",
    "times that are none": "send({'is': 'beat', 'at': 'now', 'now': {}})",
    "a time without end": 'send(b\'{"is": "beat", "at": 0, "now": Infinity}\')',
    "a clock of another age": "send({'is': 'beat', 'at': time.time() - 0.1, 'now': 1e300})",
    "a second ground": "send(dict(GROUND, host='other', uid=0))",
    "noise": "write(b'logout: 1234\\n\\x1b[31m' * 99)",
    "a frame's beginning in noise": "write(frame + b'xxxx')",
    "a length that is none": "send(b'{}', sizes=(1 << 31, 1 << 31))",
    "a number without end": 'send(b\'{"is": "ended", "run": 1, "took": \' + b\'9\' * 6000 + b\'}\')',
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_in_frames_are_passed_over(lie):
    there = reach("send(GROUND)\n" + LIES[lie] + HONEST.replace("send(GROUND)", "")).open()
    output = there.run(permit(), 5.0)
    assert (output.stdout, output.exit_code) == (b"fine", 0)
    assert (there.ground.host, there.ground.uid) == ("web", 1000)
    assert abs(there.ground.clock_ahead_s or 0.0) < 5
    there.close()


GROUNDS = {
    "empty": "send({'is': 'ground'})",
    "uid without end": 'send(b\'{"is": "ground", "host": "h", "user": "u", "uid": Infinity}\')',
    "tools that are none": "send(dict(GROUND, tools=[1, 2]))",
    "pids that are none": "send(dict(GROUND, own=['x']))",
}


@pytest.mark.parametrize("lie", GROUNDS)
def test_a_ground_that_lies_is_no_ground(lie):
    there = reach(GROUNDS[lie] + "\ntime.sleep(30)", opening_s=1.0)
    with pytest.raises(LocardError):
        there.open()
    honest = reach(GROUNDS[lie] + HONEST).open()  # one that is whole comes after it
    assert honest.ground.host == "web"
    honest.close()


def test_ticks_of_zero_divide_nothing():
    there = reach(
        HONEST.replace("GROUND)", "dict(GROUND, ticks=-3, host='a\\x1b[31m' * 999))")
    ).open()
    assert there.ground.ticks_per_s == 1
    assert len(there.ground.host) <= 255
    there.close()


def test_a_duration_that_is_none_is_none():
    code = 'send(GROUND)\nrun = asked()[\'run\']\nsend(b\'{"is": "ended", "run": %d, "code": 0, "took": NaN}\' % run)\nasked()'
    output = ask(code)
    assert math.isfinite(output.duration_s)
    assert output.duration_s >= 0
    assert output.exit_code == 0
    json.dumps(output.duration_s, allow_nan=False)


def test_a_flood_of_output_is_cut_at_what_was_allowed():
    code = (
        "send(GROUND)\nrun = asked()['run']\n"
        "for _ in range(100): send({'is': 'chunk', 'run': run, 'of': 'stdout'}, b'x' * 65536)\n"
        "for _ in range(100): send({'is': 'chunk', 'run': run, 'of': 'stderr'}, b'y' * 65536)\n"
        "send({'is': 'ended', 'run': run, 'code': 0})\nasked()"
    )
    output = ask(code, max_bytes=100_000)
    assert output.stdout == b"x" * 100_000
    assert output.truncated
    assert output.problem == "cut after 100000 bytes of output"
    assert 0 < len(output.stderr) <= 1 << 20


def test_a_flood_that_is_no_frame_is_not_kept(monkeypatch):
    monkeypatch.setattr(session, "_OVERDUE_S", 0.5)
    code = "send(GROUND)\nwhile True: write(b'y\\n' * 32768)"
    there = reach(code).open()
    output = there.run(permit(), 0.5)
    assert output.exit_code is None
    assert "not held over there" in output.problem
    assert len(there._buffer) <= session._MOST_FRAME + (1 << 20)
    there.close()


def test_a_run_that_never_ends_over_there_ends_here(monkeypatch):
    monkeypatch.setattr(session, "_OVERDUE_S", 0.5)
    monkeypatch.setattr(session, "_BEAT_S", 0.2)
    code = "send(GROUND)\nrun = asked()['run']\nsend({'is': 'chunk', 'run': run, 'of': 'stdout'}, b'half')\nwhile True: asked()"
    output = ask(code, bound_s=0.5)
    assert (output.stdout, output.exit_code, output.timed_out) == (b"half", None, True)
    assert "not held over there" in output.problem


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("os._exit(0)", "ended by itself (exit 0)"),
        ("os.kill(os.getpid(), 9)", "killed (out of memory there?)"),
        ("sys.stderr.write('client_loop: send disconnect: Broken pipe\\r\\n'); sys.stderr.flush(); os._exit(255)", "connection was cut; ssh said"),
        ("write(frame + struct.pack('>II', 90, 900)); os._exit(0)", "ended by itself"),
    ],
)  # fmt: skip
def test_what_came_before_a_death_half_way_is_kept(code, said):
    start = "send(GROUND)\nrun = asked()['run']\nsend({'is': 'chunk', 'run': run, 'of': 'stdout'}, b'half')\n"
    output = ask(start + code)
    assert (output.stdout, output.exit_code) == (b"half", None)
    assert "lost host/web" in output.problem
    assert said in output.problem
    assert not set("\r\n\x1b") & set(output.problem)


def test_a_far_side_that_goes_silent_is_given_up(monkeypatch):
    monkeypatch.setattr(session, "_SILENT_S", 1.0)
    monkeypatch.setattr(session, "_BEAT_S", 0.2)
    output = ask("send(GROUND)\ntime.sleep(60)")
    assert "nothing came from it any more" in output.problem


def test_a_flood_of_words_does_not_keep_others_waiting():
    code = "send(GROUND)\nasked()\nwhile True: os.write(2, b'y\\n' * 32768)"
    loud, other = reach(code).open(), reach(HONEST).open()
    loud.start(permit(), 5.0)
    running = other.start(permit(), 5.0)
    while not running.ended:
        session.wait([loud, other], 5.0)
    assert running.output().stdout == b"fine"
    assert len(loud._said) <= session._MOST_SAID
    session.close_all([loud, other])


def test_an_end_that_takes_its_time_does_not_keep_others_waiting(monkeypatch):
    monkeypatch.setattr(session, "_ENDING_S", 60.0)
    code = "send(GROUND)\nasked()\nos.close(1)\ntime.sleep(60)"
    ending, other = reach(code).open(), reach(HONEST).open()
    lost = ending.start(permit(), 5.0)
    while ending._out_open:
        session.wait([ending, other], 5.0)
    answered = other.run(permit(), 5.0)
    assert answered.stdout == b"fine"
    assert (ending.state, lost.ended) == ("open", False)  # it is still waited for
    monkeypatch.setattr(ending, "_ending", 0.0)
    while not lost.ended:
        session.wait([ending, other], 5.0)
    assert "lost host/web" in lost.output().problem
    session.close_all([ending, other])
    assert ending._child.returncode == -9
