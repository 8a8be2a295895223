import pytest

from locard.guard.command import Impact, Residue, Template
from locard.guard.gate import Gate, Permit
from locard.model.errors import RefusedError, UsageError

READ = Template(("grep", "-H", "", "/proc/{pid:pid}/status"), Impact.READS, 2.0)
MANY = Template(("find", "/proc/{pid:pid*}/fd", "-type", "l"), Impact.READS, 2.0)
DUMP = Template(("py-spy", "dump", "--pid", "{pid:pid}"), Impact.SAMPLES, 5.0, by_hand="dump {pid}")


def gate(allow=Impact.SAMPLES, cap=Impact.INJECTS):
    return Gate({"p": (READ, MANY, DUMP)}, allow, cap=cap, why="the policy says so")


def test_fill_gives_the_argv_and_the_pids():
    command = MANY.fill(pid=(1, 22, 333))
    assert command.argv == ("find", "/proc/1/fd", "/proc/22/fd", "/proc/333/fd", "-type", "l")
    assert command.pids == (1, 22, 333)
    assert DUMP.fill(pid=7).by_hand == "dump 7"


@pytest.mark.parametrize("value", ["-1", "1; rm -rf /", "", "1\n2", "--all", "../1", "0"])
def test_no_value_becomes_an_option_or_more(value):
    with pytest.raises(RefusedError):
        READ.fill(pid=value)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("url", "http://127.0.0.1:1/metrics", "file:///etc/passwd"),
        ("path", "/var/log/a b.log", "--output=/x"),
        ("source", "-", "-x"),
        ("word", "payment.service", "-x"),
        ("number", "2.5", "2,5"),
    ],
)
def test_placeholder_types(kind, good, bad):
    template = Template(("x", "{v:" + kind + "}"), Impact.READS, 1.0)
    assert template.fill(v=good).argv == ("x", good)
    with pytest.raises(RefusedError):
        template.fill(v=bad)


def test_gate_admits_what_was_declared():
    assert gate().admit("p", READ.fill(pid=5)).command.argv[-1] == "/proc/5/status"


def test_gate_refuses_what_nothing_declared():
    other = Template(("rm", "-rf", "{path:path}"), Impact.READS, 1.0).fill(path="/x")
    with pytest.raises(RefusedError, match="declares no such command"):
        gate().admit("p", other)
    with pytest.raises(RefusedError, match="declares no such command"):
        gate().admit("another-probe", READ.fill(pid=5))


def test_gate_refuses_a_command_that_understates_itself():
    from dataclasses import replace

    command = replace(DUMP.fill(pid=5), impact=Impact.READS)
    with pytest.raises(RefusedError):
        gate().admit("p", command)
    with pytest.raises(RefusedError):
        gate().admit("p", replace(READ.fill(pid=5), argv=("grep", "-H", "", "/etc/shadow")))
    with pytest.raises(RefusedError):
        gate().admit("p", replace(READ.fill(pid=5), bound_s=99.0))


def test_gate_refuses_more_impact_than_allowed_and_says_the_flag():
    with pytest.raises(RefusedError) as caught:
        gate(allow=Impact.READS).admit("p", DUMP.fill(pid=5))
    assert "--allow samples" in caught.value.next_step


def test_no_flag_raises_the_policy():
    with pytest.raises(RefusedError, match="the policy says so"):
        gate(allow=Impact.INJECTS, cap=Impact.READS).admit("p", DUMP.fill(pid=5))


def test_a_permit_cannot_be_made_elsewhere():
    with pytest.raises(RefusedError):
        Permit(READ.fill(pid=5), "p", object())


def test_impact_words():
    assert Impact.parse("pauses") is Impact.PAUSES
    with pytest.raises(UsageError, match="reads, samples, pauses, injects"):
        Impact.parse("destroys")


def test_what_people_paste_is_quoted():
    template = Template(("x", "{p:path}"), Impact.READS, 1.0, by_hand="locard logs {p}")
    assert template.fill(p="/tmp/a; touch b").by_hand == "locard logs '/tmp/a; touch b'"


LEFT = Residue(
    "a marker file",
    undo=Template(("rm", "{file:path}"), Impact.INJECTS, 5.0),
    gone=Template(("test", "!", "-e", "{file:path}"), Impact.READS, 5.0),
)
MARK = Template(("touch", "{file:path}"), Impact.INJECTS, 5.0, residue=(LEFT,))


def test_what_is_left_is_undone_with_the_same_values():
    (undo,) = MARK.fill(file="/tmp/x").undo
    assert undo.undo == ("rm", "/tmp/x")
    assert undo.gone == ("test", "!", "-e", "/tmp/x")


def test_an_undoing_that_was_not_declared_is_refused():
    from dataclasses import replace

    from locard.guard.command import Undo

    gate = Gate({"p": (MARK,)}, Impact.INJECTS, cap=Impact.INJECTS, why="")
    command = MARK.fill(file="/tmp/x")
    assert gate.admit("p", command).command is command
    with pytest.raises(RefusedError):
        gate.admit("p", replace(command, undo=(Undo("a marker file", ("rm", "-rf", "/")),)))
    with pytest.raises(RefusedError):
        gate.admit("p", replace(command, undo=()))
