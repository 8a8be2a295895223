"""The way into containers, through a real podman: who gets in, and each reason why not."""

import pytest

from far_handshake import HELLO, NONCE, shake
from locard.model.errors import ExitCode, UsageError
from locard.transport import bare, bootstrap, docker


@pytest.fixture(scope="module")
def running(containers):
    containers.run("plain", "busybox")
    containers.run("still", "distroless")
    containers.run("frozen", "busybox", "--read-only", "--user", "1000")
    containers.with_python("snake", "--read-only")
    containers.with_python("other", "--user", "1000:1000", "--cap-drop", "all", "--read-only")
    containers.run("ended", "busybox", command=("/bin/true",))
    containers.run("paused", "busybox")
    containers.pause("paused")
    yield containers
    containers.resume("paused")


def enter(running, name, user="", **options):
    words = docker.reach(name, client="podman")[1:]
    if user:  # as if the container's own user were another one
        words = (*words[:-1], "--user", user, name)
    return shake((running.client, *words, *bootstrap.argv(NONCE)), **options)


def why(done, name):
    error = docker.explain(f"container/{name}", *done.failed, problem=done.handshake.problem)
    assert error.exit_code == ExitCode.UNREACHABLE
    assert not set("\n\r\x1b") & set(str(error))
    return f"{error.what}: {error.why} | {error.next_step} {error.command}"


@pytest.mark.parametrize(("name", "user"), [("snake", ""), ("other", ""), ("snake", "1000")])
def test_a_python_in_the_container_serves_whatever_its_user_may_write(running, name, user):
    done = enter(running, name, user)
    assert (done.state, done.out) == ("open", HELLO)


@pytest.mark.parametrize(("name", "uid"), [("plain", "0"), ("frozen", "1000")])
def test_without_python_its_sh_takes_commands(running, name, uid):
    done = enter(running, name, then=bare.ask(("cat", "/proc/self/status"), 5))
    assert done.state == "bare"
    assert done.handshake.bare_words[:3] == ("none", "timeout", uid)
    answer = bare.Answer(NONCE)
    assert answer.feed("stdout", done.out).startswith(b"Name:\tcat\n")
    assert answer.exit_code == 0
    pid = done.handshake.bare_words[5]
    assert f"PPid:\t{pid}\n".encode() in done.out  # of the command: the sh that started it


def test_a_container_without_a_shell_is_told_from_one_that_is_not_there(running):
    still, absent = enter(running, "still"), enter(running, "absent")
    assert docker.is_bare(still.code, still.err)
    assert not docker.is_bare(absent.code, absent.err)
    words = why(still, "still")
    assert "neither a shell nor a python3" in words
    assert "--pid container:still" in words


@pytest.mark.parametrize(
    ("name", "user", "words"),
    [
        ("absent", "", "there is no such container"),
        ("ended", "", "the container is not running"),
        ("paused", "", "the container is not running|the container is paused"),
        ("plain", "nobody-here", "the container has no such user"),
    ],
)
def test_each_container_that_is_not_entered_has_its_reason(running, name, user, words):
    done = enter(running, name, user)
    assert done.state == "failed"
    assert any(word in why(done, name) for word in words.split("|"))


SAID = {
    "Error response from daemon: No such container: pay": "no such container",
    "Error response from daemon: Container 1f is not running": "not running",
    "Error response from daemon: container 1f is restarting, wait until the container is running": "not running",
    "Error response from daemon: Container pay is paused, unpause the container before exec": "paused",
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get"
    ' "http://%2Fvar%2Frun%2Fdocker.sock/v1.24/containers/pay/json": dial unix /var/run/docker.sock: connect:'
    " permission denied": "may not use the socket",
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?": "does not answer",
    "Error: saving container 1f state: no space left on device": "engine did not start it",
    "OCI runtime exec failed: exec failed: cannot exec in a stopped state": "engine did not start it",
    "unable to find user app: no matching entries in passwd file": "no such user",
}


@pytest.mark.parametrize("said", SAID)
def test_what_docker_says(said):
    error = docker.explain("container/pay", 1, said.encode(), b"", 0.1)
    assert SAID[said] in error.why


@pytest.mark.parametrize(
    "said",
    [
        'OCI runtime exec failed: exec failed: unable to start container process: exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown',
        'OCI runtime exec failed: exec failed: container_linux.go:380: starting container process caused: exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown',
        "Error: crun: executable file `/bin/sh` not found: No such file or directory: OCI runtime attempted to invoke a command that was not found",
    ],
)
def test_how_the_engines_say_that_there_is_no_shell(said):
    assert docker.is_bare(126, said.encode())
    assert not docker.is_bare(0, said.encode())
    assert not docker.is_bare(126, said.replace("/bin/sh", "/bin/other").encode())


@pytest.mark.parametrize("name", ["-v", "a b", "", "a;b"])
def test_what_could_be_an_option_is_no_container(name):
    with pytest.raises(UsageError):
        docker.reach(name)
