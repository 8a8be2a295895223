"""Where something runs, how it is reached, and what was found there: Place and Ground."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """One machine or container: the unit of policy, identity and evidence.

    `ref` is as a user writes it: host/local, host/web-17, host/USER@NAME, container/ID, pod/NAME.
    `transport` names the module that reaches it (local, ssh, docker, kubectl), `options` are its
    own: a kubectl context, a namespace, a container.
    """

    ref: str
    transport: str = "local"
    options: tuple[tuple[str, str], ...] = ()

    @property
    def typed(self) -> str:
        """How it is named where no inventory says its address and user: host/USER@ADDRESS."""
        address, user = self.option("address"), self.option("user")
        if not self.ref.startswith("host/") or not (address or user):
            return self.ref
        own, _, name = self.name.rpartition("@")
        user = own or user
        return f"host/{user}@{address or name}" if user else f"host/{address or name}"

    def option(self, name: str) -> str:
        """One option; empty where it was not given."""
        return dict(self.options).get(name, "")

    @property
    def name(self) -> str:
        """What follows the kind: `web-17` of `host/web-17`."""
        return self.ref.partition("/")[2]

    @property
    def local(self) -> bool:
        """Whether it is the machine on which locard was started."""
        return self.transport == "local"


HERE = Place("host/local")


@dataclass(frozen=True, slots=True)
class Ground:
    """What a session found as it opened: asked once, recorded as evidence.

    `capabilities` is the effective set in hexadecimal. `clock_ahead_s` is that clock minus ours, give
    or take `clock_within_s`; None before it was measured. `tools` are the programs found there, by
    name. `own` are our pids there, the server's and its ancestors'. `noise_bytes` is what came before
    the first byte of ours and was thrown away.
    """

    host: str
    user: str
    uid: int
    sudo_user: str | None = None
    machine: str = ""
    kernel: str = ""
    python: str = ""
    executable: str = ""
    ticks_per_s: int = 100
    capabilities: str = ""
    clock_ahead_s: float | None = None
    clock_within_s: float | None = None
    tools: tuple[tuple[str, str], ...] = ()
    own: tuple[int, ...] = field(default=())
    noise_bytes: int = 0
    program_digest: str = ""
    sudo: str = ""  # what `sudo -n -l` lists there, where sudo was asked for
    sudo_notes: tuple[
        str, ...
    ] = ()  # why nothing goes through sudo there, or what a rule gives away
    lacks: str = ""  # why there is no python3 of ours: none, old, unfit, full (the memory limit leaves no room)

    @property
    def bare(self) -> bool:
        """Whether there is no python3: single commands only."""
        return not self.python

    def tool(self, name: str) -> str:
        """The path of a program there; empty where it is not there."""
        return dict(self.tools).get(name, "")

    def may(self, capability: int) -> bool:
        """Whether a capability (its number in linux/capability.h) is in the effective set."""
        try:
            return bool(int(self.capabilities, 16) >> capability & 1)
        except ValueError:
            return self.uid == 0


def typed_at(command: str, place: Place) -> str:
    """A command line as it is typed here for another place: ours with its flags, others through the way in.

    Targets that name their own place (host/, pod/) need nothing; kubectl is asked here.
    """
    kind = place.ref.partition("/")[0]
    if place.ref == HERE.ref or " --on " in command or not place.name:
        return command
    if command.startswith("locard "):
        return _own_at(command, place)
    way = _way_in(place)
    if not way or command.startswith((f"{way} ", "kubectl ")):
        return command
    # The login shell of a host reads the words; a container has to be given one.
    return (
        f"{way} {shlex.quote(command)}" if kind == "host" else f"{way} sh -c {shlex.quote(command)}"
    )


def _way_in(place: Place) -> str:
    """What is typed before a command for the place; empty where there is none."""
    kind = place.ref.partition("/")[0]
    if kind == "host":
        port = ("-p", place.option("port")) if place.option("port") else ()
        user = ("-l", place.option("user")) if place.option("user") else ()
        return shlex.join(("ssh", *port, *user, place.option("address") or place.name))
    if kind == "container":
        return shlex.join((place.option("client") or "docker", "exec", place.name))
    if kind == "pod":
        pod, _, container = place.name.partition("/")
        flags = (*cluster_flags(place.options), *(("-c", container) if container else ()))
        return shlex.join(("kubectl", "exec", pod, *flags, "--"))
    return ""


def _own_at(command: str, place: Place) -> str:
    kind = place.ref.partition("/")[0]
    words = command.split()
    target = words[2] if len(words) > 2 else ""  # noqa: PLR2004 - after the verb
    if kind in {"host", "container"}:
        own = target.startswith((f"{kind}/", "host/", "pod/", "deployment/"))
        return command if own else f"{command} --on {shlex.quote(place.typed)}"
    # In a cluster: the process of a container is asked for by its pod.
    pod, _, container = place.name.partition("/")
    flags = [*cluster_flags(place.options), *(("-c", container) if container else ())]
    if target.startswith("pid/"):
        command = command.replace(f" {target}", f" {shlex.quote(f'{kind}/{pod}')}", 1)
        target = place.ref
    own = target.startswith(f"{kind}/")
    given = shlex.join(flags)
    return f"{command} {given}" if own and given and not command.endswith(given) else command


def cluster_flags(options: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """The namespace and the context, as kubectl and our commands take them."""
    given = dict(options)
    named = (("-n", given.get("namespace", "")), ("--context", given.get("context", "")))
    return tuple(word for pair in named if pair[1] for word in pair)
