"""Observations over ssh and in containers: what is counted there is what is done there.

The hosts and containers are those of `far_places`: each has pids of its own, so the kernel's numbers have to be
translated. Where the container lacks the capabilities, the refusal names them and `waits` falls back to /proc.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from observing_support import asking, run_to_end, working

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces and containers")

_WORK = """
listening = socket.create_server(("127.0.0.1", 0))
told = {}
def waits():
    told["waits"] = threading.get_native_id()
    os.read(os.pipe()[0], 1)
threading.Thread(target=waits, daemon=True).start()
while "waits" not in told: time.sleep(0.001)
ready(json.dumps({"pid": os.getpid(), "waits": told["waits"], "port": listening.getsockname()[1]}))
for k in range(31):
    os.close(os.open("/etc/passwd", os.O_RDONLY))
for k in range(9):
    socket.create_connection(listening.getsockname()).close()
tell()
sys.stdin.readline()
"""
# What stands before a program of Python so that the Python is the place's own.
_ITS_PYTHON = ("sh", "-c", 'shift; exec /usr/bin/python3 "$@"', "sh")


class Place:
    """Where locard looks: `on` as it is named, the folder of its client, and the namespace of its pids."""

    def __init__(self, on: str, folder: Path, space: str, enter: tuple[str, ...]):
        self.on, self.space, self._enter = on, space, enter
        self.environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def working(self):
        """A program that works there; its first line is what it says of itself."""
        return working(_WORK, prefix=(*self._enter, *_ITS_PYTHON))

    def pid_here(self, inner: int) -> int:
        """The number, here, of a process there."""
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                if entry.name.isdigit() and str((entry / "ns/pid").readlink()) == self.space:
                    words = (entry / "status").read_text().partition("NSpid:")[2].split("\n")[0]
                    if int(words.split()[-1]) == inner:
                        return int(entry.name)
        raise LookupError(inner)

    def asked_while_it_works(self, *words: str):
        """The fact of a question put at the place, and what the target says of itself."""
        with self.working() as workload:
            target = json.loads(workload.line)
            on = (f"pid/{target['pid']}", "--on", self.on, "--for", "30s")
            with asking(*words, *on, space=self.space, env=self.environment) as asked:
                workload.go()
                workload.close()
        return target, asked.fact

    def asked(self, *words: str):
        """The same without anything that has to happen meanwhile."""
        with self.working() as workload:
            target = json.loads(workload.line)
            on = (f"pid/{target['pid']}", "--on", self.on, "--for", "1s")
            return target, run_to_end(*words, *on, env=self.environment).fact


@pytest.fixture(scope="module")
def over_ssh(network):
    setup = "mkdir -m 700 /root/.ssh; cp /mnt/key.pub /root/.ssh/authorized_keys"
    network.host("traced", setup=setup)
    first = network.first("traced")
    space = str(Path(f"/proc/{first}/ns/pid").readlink())
    enter = ("nsenter", "-t", first, "-n", "-m", "-u", "-p", "--")
    return Place("host/root@traced", network.folder, space, enter)


def in_container(containers, name, *options):
    """A container with a Python, as a Place."""
    containers.with_python(name, *options)
    entered = (str(containers.client), "exec", "-i", name)
    with working("ready(os.getpid())", prefix=(*entered, *_ITS_PYTHON)) as probe:
        assert probe.line.isdigit()
        done = containers_pid(containers, name)
    space = str(Path(f"/proc/{done}/ns/pid").readlink())
    return Place(f"container/{name}", containers.folder, space, entered)


def containers_pid(containers, name):
    """The number, here, of a container's first process."""
    from far_places import call

    asked = call(containers.client, "inspect", "--format", "{{.State.Pid}}", name, text=True)
    return asked.stdout.strip()


@pytest.fixture(scope="module")
def able(containers):
    caps = ("--cap-add", "CAP_BPF", "--cap-add", "CAP_PERFMON")
    return in_container(containers, "able", *caps, "--security-opt", "seccomp=unconfined")


@pytest.fixture(scope="module")
def less(containers):
    return in_container(containers, "less")


@pytest.fixture(params=["over_ssh", "able"])
def place(request):
    return request.getfixturevalue(request.param)


def skip_if_refused(fact):
    """Where nobody may load a program nothing is said about the way there."""
    if fact["fact"] == "NotObserved" and "security module" in fact["unlock"]:
        pytest.skip(fact["why"])
    assert fact["fact"] != "NotObserved", fact


def test_opens_there_are_counted(place):
    target, fact = place.asked_while_it_works("trace", "opens")
    skip_if_refused(fact)
    found = [r for r in fact["rows"] if r["what"].endswith("/etc/passwd") and r["result"] == "ok"]
    assert sum(r["count"] for r in found) == 31, fact["rows"]
    assert {r["pid"] for r in found} <= {target["pid"], None}


def test_system_calls_there_are_counted_by_the_numbers_there(place):
    target, fact = place.asked_while_it_works("syscalls")
    skip_if_refused(fact)
    found = {r["what"]: r["count"] for r in fact["calls"]}
    assert found["connect"] == 9
    assert {t["tid"] for t in fact["threads"]} >= {target["pid"]}
    assert not any("inside" in t["thread"] for t in fact["threads"])


def test_connects_there_are_counted(place):
    target, fact = place.asked_while_it_works("trace", "tcp-connect-latency")
    skip_if_refused(fact)
    found = {(r["what"], r["result"]): r["count"] for r in fact["rows"]}
    assert found[f"127.0.0.1:{target['port']}", "ok"] == 9


def test_waits_there_are_of_the_threads_there(place):
    target, fact = place.asked("waits")
    assert fact["observed"]["engine"].startswith("eBPF"), fact["observed"]
    (reads,) = (t for t in fact["threads"] if t["tid"] == target["waits"])
    assert (reads["call"], reads["pid"]) == ("read", target["pid"])
    assert reads["share"] > 0.9


def test_the_container_seen_from_its_host(able):
    with able.working() as workload:
        target = json.loads(workload.line)
        pid = able.pid_here(target["pid"])
        with asking("trace", "opens", f"pid/{pid}", "--for", "30s") as opens:
            workload.go()
        waits = run_to_end("waits", f"pid/{pid}", "--for", "1s")
    found = [r for r in opens.fact["rows"] if r["what"].endswith("/etc/passwd")]
    assert sum(r["count"] for r in found) == 31, opens.fact["rows"]
    name = f"(tid {target['waits']} inside)"
    (reads,) = (t for t in waits.fact["threads"] if name in t["thread"])
    assert (reads["call"], reads["pid"]) == ("read", pid)


@pytest.mark.parametrize(
    "words", [("trace", "opens"), ("syscalls",), ("trace", "cpu-profile")], ids=" ".join
)
def test_a_container_without_the_capabilities_is_told_which(less, words):
    _, fact = less.asked(*words)
    assert fact["fact"] == "NotObserved", fact
    assert "not permitted" in fact["why"]
    assert "CAP_BPF and CAP_PERFMON, which root lacks here" in fact["unlock"]
    assert "--cap-add CAP_BPF --cap-add CAP_PERFMON" in fact["unlock"]


def test_a_seccomp_profile_is_named_where_no_capability_is_missing(containers):
    """The profiles of newer engines permit bpf(2) with CAP_BPF: there it works."""
    caps = ("--cap-add", "CAP_BPF", "--cap-add", "CAP_PERFMON")
    _, fact = in_container(containers, "filtered", *caps).asked("trace", "opens")
    if fact["fact"] == "NotObserved":
        assert fact["unlock"].startswith("a seccomp profile that permits bpf(2)")
    else:
        assert fact["observed"]["seconds"] >= 1.0


def test_waits_falls_back_to_proc_in_a_container_and_says_so(less):
    target, fact = less.asked("waits")
    assert fact["observed"]["engine"] == "/proc"
    (reads,) = (t for t in fact["threads"] if t["tid"] == target["waits"])
    assert (reads["call"], reads["state"]) == ("read", "S")
    (why,) = (w for w in fact["observed"]["blind"] if "looked at /proc instead" in w)
    assert "--cap-add CAP_BPF --cap-add CAP_PERFMON" in why
