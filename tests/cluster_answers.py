"""Answers of a real API server (Kubernetes 1.33, what a reader needs of them), read as `locard logs` does."""

from __future__ import annotations

import json
from pathlib import Path

from locard.cluster import owners
from locard.cluster.states import Answers, states

RECORDED = Path(__file__).parent / "cluster" / "recorded"


def recorded(name):
    """All that was recorded of one namespace."""
    return json.loads((RECORDED / f"{name}.json").read_text())


def stood(name, ref, *, previous=False, said=(), asked=1795812600.0, **changed):
    """The states of one target of a recorded namespace, some minutes after the pods were made."""
    every = {**recorded(name), **changed}
    kind, _, short = ref.partition("/")
    workload = next(
        (
            w for w in every["workloads"]
            if w["kind"].lower() == kind and w["metadata"]["name"] == short
        ),
        {},
    )  # fmt: skip
    if kind == "pod":
        pods = [p for p in every["pods"] if p["metadata"]["name"] == short]
    else:
        pods = owners.owned(every["pods"], workload, every["sets"])
    answers = Answers(
        ref, "shop", "", asked, workload, pods, every["sets"], every["events"], [], [], said=said
    )
    return states(answers, previous=previous)
