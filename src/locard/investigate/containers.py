"""A container's own record: the process that it runs as, seen from its host, or how it ended. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.model.errors import NotPermittedError, TargetNotFoundError
from locard.model.foreign_json import parsed
from locard.model.wording import count

if TYPE_CHECKING:
    from locard.model.evidence import Output
    from locard.model.place import Ground

_MOST_SAID = 300


def _inspect(program: str) -> Template:
    need = needs.DOCKER if program == "docker" else needs.PODMAN
    return Template(
        (program, "container", "inspect", "{container:word}"),
        Impact.READS,
        20.0,
        needs=(need,),
        output="json",
    )


INSPECT = {program: _inspect(program) for program in ("docker", "podman")}


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """What the engine knows. `pid` is the first process, by the numbers of the host."""

    id: str
    pid: int


def engines(ground: Ground) -> tuple[str, ...]:
    """The engines that are at a place, docker first. Raises NotPermittedError where there is none."""
    if found := tuple(p for p in ("docker", "podman") if ground.tool(p)):
        return found
    raise NotPermittedError(
        f"no container engine at {ground.host}",
        "neither docker nor podman is there",
        "Name where the container runs (--on host/NAME), or the process itself: pid/N.",
    )


def record_of(ref: str, program: str, output: Output) -> ContainerRecord:
    """The running container; raises TargetNotFoundError with how it ended where it does not run."""
    name = ref.partition("/")[2]
    try:
        (found,) = parsed(output.stdout)
        state = found["State"]
        pid, id_ = int(state.get("Pid") or 0), str(found.get("Id") or "")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        said = " ".join(output.stderr.decode("utf-8", "replace").split())[:_MOST_SAID]
        raise TargetNotFoundError(
            f"cannot find {ref}",
            said or output.problem or _not_read(program, output.stdout),
            f"List them where it runs: {program} ps -a (elsewhere: --on host/NAME)",
        ) from None
    if not pid or state.get("Running") is False:
        raise TargetNotFoundError(
            f"{ref} does not run",
            _ended(found, state),
            f"Read what it said last: locard logs container/{name}",
        )
    return ContainerRecord(id_, pid)


def _not_read(program: str, answer: bytes) -> str:
    """Why an answer without a complaint names no container."""
    if answer.strip() in {b"", b"[]"}:
        return f"{program} knows no such container"
    return f"what {program} answered could not be read"


def _ended(found: dict[str, object], state: dict[str, object]) -> str:
    """How it ended, by its own record."""
    words = [f"its state is {str(state.get('Status') or 'unknown')[:40]}"]
    if state.get("OOMKilled") is True:
        words.append("it was killed for memory")
    if isinstance(state.get("ExitCode"), int):
        words.append(f"exit code {state['ExitCode']}")
    finished = str(state.get("FinishedAt") or "")[:19]
    if finished and not finished.startswith("0001"):
        words.append(f"at {finished} by the engine's clock")
    if isinstance(restarts := found.get("RestartCount"), int) and restarts:
        words.append(count(restarts, "restart"))
    return ", ".join(words)
