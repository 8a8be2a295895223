"""What is asked of a cluster: by the user's own kubectl, with their configuration, context and identity.

Nothing here writes, and nothing goes through a node (nodes/proxy can run commands in every pod of it).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.guard import needs
from locard.guard.command import MOST_LOG, Impact, Template

if TYPE_CHECKING:
    from locard.guard.command import Command

NEEDS = (needs.KUBECTL,)
PLACE = ("--namespace={namespace:word*}", "--context={context:word*}")
_ASK_S = 20.0
_LARGE = 32 << 20

LOGS = Template(
    ("kubectl", "logs", "--prefix=true", "--timestamps=true", "--tail=-1", "--all-containers={all:word}",
     "--previous={previous:word}", "--follow={follow:word}", "--container={container:word*}",
     "--since={since:word*}", "--max-log-requests=50", "--ignore-errors=true", *PLACE,
     "--selector={selector:source*}", "{ref:word*}"),
    Impact.READS,
    86400.0,
    max_bytes=MOST_LOG,
    streams=True,
    needs=NEEDS, here=True,
)  # fmt: skip
# The last lines of one run of one container: why it ended stands there, if anywhere.
WORDS = Template(
    ("kubectl", "logs", "{pod:word}", "--container={container:word}", "--previous={previous:word}",
     "--tail=20", *PLACE),
    Impact.READS,
    _ASK_S,
    needs=NEEDS, here=True,
    max_bytes=1 << 20,
)  # fmt: skip
WORKLOAD = Template(
    ("kubectl", "get", "{ref:word}", "--output=json", *PLACE),
    Impact.READS,
    _ASK_S,
    needs=NEEDS,
    here=True,
)
# Which pods these are, when their containers started and how often: a log says nothing of it.
PODS = Template(
    ("kubectl", "get", "pods", "{name:word*}", "--selector={selector:source*}", "--output=json", *PLACE),
    Impact.READS,
    _ASK_S,
    needs=NEEDS, here=True,
    max_bytes=_LARGE,
)  # fmt: skip
SETS = Template(
    ("kubectl", "get", "replicasets.apps", "--selector={selector:source*}", "--output=json", *PLACE),
    Impact.READS,
    _ASK_S,
    needs=NEEDS, here=True,
    max_bytes=_LARGE,
)  # fmt: skip
JOBS = Template(
    ("kubectl", "get", "jobs.batch", "--output=json", *PLACE),
    Impact.READS,
    _ASK_S,
    needs=NEEDS,
    here=True,
    max_bytes=_LARGE,
)
EVENTS = Template(
    ("kubectl", "get", "events", "--output=json", *PLACE),
    Impact.READS,
    _ASK_S,
    needs=NEEDS,
    here=True,
    max_bytes=_LARGE,
)
COMMANDS = (LOGS, WORDS, WORKLOAD, PODS, SETS, JOBS, EVENTS)


def place(namespace: str, context: str) -> dict[str, tuple[str, ...]]:
    """The values of `PLACE`: kubectl's own defaults where none was given."""
    return {
        "namespace": (namespace,) if namespace else (),
        "context": (context,) if context else (),
    }


def pods(where: dict[str, tuple[str, ...]], *, name: str = "", selector: str = "") -> Command:
    """One pod by its name, those of a selector, or all of the namespace."""
    return PODS.fill(
        name=(name,) if name else (), selector=(selector,) if selector else (), **where
    )


def words(
    where: dict[str, tuple[str, ...]], pod: str, container: str, *, previous: bool
) -> Command:
    """The last lines of a container's run."""
    return WORDS.fill(pod=pod, container=container, previous=str(previous).lower(), **where)
