"""What is asked of a cluster is asked from here, by the user's own client."""

from __future__ import annotations

import importlib
import pkgutil

from locard import cluster
from locard.guard.command import Template


def templates():
    for module in pkgutil.iter_modules(cluster.__path__):
        held = vars(importlib.import_module(f"locard.cluster.{module.name}"))
        for name, value in held.items():
            if isinstance(value, Template):
                yield f"{module.name}.{name}", value


def test_every_question_to_a_cluster_is_asked_from_here():
    found = dict(templates())
    assert {"asks.JOBS", "access.CAN_I", "debug.DEBUG"} <= set(found)
    assert [name for name, template in found.items() if not template.here] == []
