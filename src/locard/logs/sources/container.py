"""The log of a container, by docker or podman, whichever is there.

Reads: `container/NAME`. Both of the container's outputs, with `--since` the window and as much before it.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from locard.far.line_times import time_of
from locard.guard import needs
from locard.guard.command import MOST_LOG, Impact, Template
from locard.logs.input.piped import ask, open_command
from locard.model.errors import SourceUnreadableError
from locard.model.foreign_json import parsed
from locard.model.log_beginning import Origin
from locard.model.target_names import require
from locard.model.wording import count

if TYPE_CHECKING:
    from locard.guard.command import Command
    from locard.logs.input.log_source import Source, Wants
    from locard.model.place import Place

NAMES = ("container/payment-1",)
RANK = 10
_KEEP_NOTHING = frozenset({"none", "passthrough", "passthrough-tty"})  # the last two are podman's
_FIRST_BYTES = 16 << 10


_NEEDS = {"docker": (needs.DOCKER,), "podman": (needs.PODMAN,)}


def _logs(program: str) -> Template:
    return Template(
        (program, "logs", "--follow={follow:word}", "--since={since:word*}", "{container:word}"),
        Impact.READS,
        86400.0,
        max_bytes=MOST_LOG,
        streams=True,
        needs=_NEEDS[program],
    )


def _inspect(program: str) -> Template:
    return Template(
        (program, "container", "inspect", "{container:word}"),
        Impact.READS,
        20.0,
        needs=_NEEDS[program],
    )


def _stamped(program: str) -> Template:
    """The first lines with the time at which each was written: no more is read."""
    return Template(
        (program, "logs", "--timestamps", "{container:word}"),
        Impact.READS,
        10.0,
        needs=_NEEDS[program],
        max_bytes=_FIRST_BYTES,
    )


LOGS = {program: _logs(program) for program in ("docker", "podman")}
INSPECT = {program: _inspect(program) for program in ("docker", "podman")}
STAMPED = {program: _stamped(program) for program in ("docker", "podman")}
COMMANDS = (*LOGS.values(), *INSPECT.values(), *STAMPED.values())


def fits(name: str) -> bool:
    """`container/NAME`, where no file is called so."""
    return name.startswith("container/") and not Path(name).exists()


def open(name: str, wants: Wants) -> Source:  # noqa: A001 - the protocol's name
    """What docker logs or podman logs prints."""
    program, inspected = _inspected(name, wants.place)
    container = name.removeprefix("container/")
    _require_kept(name, program, inspected)
    command = LOGS[program].fill(
        container=container,
        follow=str(wants.follow).lower(),
        since=(f"{2 * wants.since_s:.0f}s",) if wants.since_s else (),
    )
    source = open_command(
        name,
        command,
        COMMANDS,
        place=wants.place,
        merged=True,
        get="install docker or podman, or read the log where it lies",
    )
    source.origins = lambda: (
        _origin(program, container, inspected, wants.place, asked=bool(wants.since_s)),
    )
    return source


def _require_kept(name: str, program: str, inspected: bytes) -> None:
    """Raises SourceUnreadableError where the engine keeps nothing of what the container says."""
    try:
        (record,) = parsed(inspected)
        driver = record["HostConfig"]["LogConfig"]["Type"]
    except (ValueError, KeyError, TypeError):
        return  # reading it says what is wrong
    if driver in _KEEP_NOTHING:
        raise SourceUnreadableError(
            f"{name} has no log",
            f"it was started with the log driver {driver}: {program} keeps nothing of what it says",
            "Name a file that it writes (locard logs PATH), start it with another --log-driver,"
            " or look at what it does:",
            command=f"locard {name}",
        )


def _inspected(name: str, place: Place) -> tuple[str, bytes]:
    """The engine that knows the container, and its record; a client may be there whose engine is not.

    Raises SourceUnreadableError.
    """
    from locard.transport.reach import kept_session  # noqa: PLC0415 - as in `ask`

    ground = kept_session(place).ground
    there = [p for p in ("docker", "podman") if ground and ground.tool(p)] or ["docker"]
    errors = []
    for program in there:
        command = INSPECT[program].fill(
            container=require("container", name.removeprefix("container/"))
        )
        try:
            return program, _ask_for(name, command, place)
        except SourceUnreadableError as error:
            errors.append(error)
    answered = [error for error in errors if "annot connect" not in error.why]
    raise (answered or errors)[0]


def _first_written(program: str, container: str, place: Place) -> float | None:
    """When the oldest line that is kept was written, by the clock of docker or podman."""
    command = STAMPED[program].fill(container=container)
    output = ask(command, COMMANDS, place, f"container/{command.argv[-1]}")
    times = [
        at
        for said in (output.stdout, output.stderr)  # both outputs of the container
        if (at := time_of(said.partition(b"\n")[0].partition(b" ")[0])) is not None
    ]
    return min(times, default=None)


def _origin(program: str, container: str, inspected: bytes, place: Place, *, asked: bool) -> Origin:
    """What the container's own record says of its start and of how its log is kept."""
    asked_of = f"{program} container inspect {container}"
    try:
        (record,) = parsed(inspected)
        state, config = record["State"], record["HostConfig"]["LogConfig"]
        driver, options = str(config["Type"]), config.get("Config") or {}
        times = (record.get("Created"), state.get("StartedAt"))
        restarts = int(record.get("RestartCount") or 0)
        finished = None if state.get("Running", True) else state.get("FinishedAt")
        path = str(record.get("LogPath") or "")
        rotates = _rotation(driver, options)
    except (ValueError, KeyError, TypeError, AttributeError):
        note = "the container's record does not say how its log is kept"
        return Origin(asked=asked, note=note, evidence=(f"{asked_of}: cannot be read",))
    starts = tuple(at for t in times if (at := time_of(str(t).encode())) is not None and at > 0)
    first = None if asked else _first_written(program, container, place)
    said = ", ".join(f"{key}={options[key]}" for key in ("max-size", "max-file") if key in options)
    told = (
        f"Created={times[0]}, StartedAt={times[1]}, RestartCount={restarts}, "
        f"LogPath={path}, LogConfig={driver}{' ' + said if said else ''}"
    )
    oldest = (
        (f"{program} logs --timestamps {container}: its first line was written at {_iso(first)}",)
        if first is not None
        else ()
    )
    return Origin(
        asked=asked,
        first=first,
        writer="the container",
        starts=starts,
        ended=time_of(str(finished).encode()),
        rotates=rotates,
        note="its log driver, json-file, has no max-size and keeps all"
        if driver == "json-file"
        else "",
        evidence=(f"{asked_of}: {told}", *oldest),
        others=("the log backend, if the container's log is shipped to one",),
    )


def _iso(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rotation(driver: str, options: dict[str, str]) -> str:
    """How the driver throws old lines away, in words; empty where it keeps all.

    docker logs reads all of its files.
    """
    size, files = options.get("max-size"), options.get("max-file")
    if driver == "json-file":
        return (
            f"docker keeps {count(int(files or 1), 'file')} of {size} of it"
            if size and size != "-1"
            else ""
        )
    if driver == "local":
        return f"docker keeps {count(int(files or 5), 'file')} of {size or '20m'} of it"
    if driver == "journald":
        return "it is kept in the journal, which removes what is old"
    if driver == "k8s-file":
        return f"podman keeps {size} of it" if size else ""
    return f"its log driver is {driver}: docker logs reads a copy of at most 5 files of 20m"


def _is_json(answer: bytes) -> bool:
    try:
        parsed(answer)
    except ValueError:
        return False
    return True


def _ask_for(name: str, command: Command, place: Place) -> bytes:
    """What is known of the container; raises where there is none, or nobody to ask.

    Asked before: in the log both outputs are one, and a complaint would look like a line of it.
    """
    output = ask(command, COMMANDS, place, f"container/{command.argv[-1]}")
    if output.stdout.strip() and not _is_json(output.stdout):
        raise SourceUnreadableError(
            f"cannot read the log of {name}",
            output.problem or f"what {command.argv[0]} answered could not be read",
            "Try it by hand:",
            command=command.by_hand,
        )
    if output.exit_code == 0 or output.exit_code is None:
        return output.stdout  # where it did not start or end, reading the log says so
    said = " ".join(output.stderr.decode("utf-8", "replace").split())[:300]
    raise SourceUnreadableError(
        f"cannot read the log of {name}",
        said or f"{command.argv[0]} knows no such container",
        "Try it by hand:",
        command=command.by_hand,
    )
