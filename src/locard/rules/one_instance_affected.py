"""One instance of the service is hit and the others are not: its host, its path or its state is bad.

Pattern: the bad requests since the onset were served by one instance (pod, host, worker), far
  beyond its share of the traffic, whoever they came from.
Evidence: the log's correlates single out the instance, corrected for the number of tests; the
  blast radius confirms other instances as unaffected.
Against: it explains little of the excess; no other instance is confirmed unaffected.
Next: the lines of that instance alone; take it out of the balancer before looking further.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.log_facts import LogSummary
from locard.model.workload import WorkloadStates
from locard.model.workload_split import split
from locard.rules import _facts, _groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding
    from locard.model.workload_split import Split

_INSTANCE_FIELD = re.compile(
    r"(^|[._-])(instance|pod|host|hostname|node|worker|container|replica|machine|server|pid)"
    r"([._-]?(id|name))?$",
    re.IGNORECASE,
)


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the instance that explains most of the excess, for each log.

    None where it is one of several of the same version, and the version parts who is hit.
    """
    if any(len(parted.hit) > 1 for parted in _splits(case)):
        return
    yield from _groups.singled_out(case, "one-instance-affected", {"instance"}, _named)


def _splits(case: Case) -> Iterator[Split]:
    for _, log in case.facts(LogSummary):
        for _, states in case.facts(WorkloadStates):
            if (parted := split(log, states)) is not None:
                yield parted


def _named(field: str) -> bool:
    return field not in _facts.UPSTREAM_NAMES and _INSTANCE_FIELD.search(field) is not None
