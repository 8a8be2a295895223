"""A log around a rollout that stands half way, for the rules about versions."""

from __future__ import annotations

from dataclasses import replace

from cluster_answers import stood
from locard.model.log_facts import AffectedValue, BlastRadius, Onset
from rules.builders import log

HALF_WAY = stood("half_way", "deployment/checkout")
REPLACED = stood("replaced", "deployment/checkout")


def pods_of(found, revision):
    version = next(v for v in found.versions if v.revision == revision).hash
    return tuple(p.name for p in found.pods if p.version == version)


def radius(hit, spared):
    return BlastRadius(
        "k8s.pod.name",
        affected=tuple(AffectedValue(n, None, 0.4, 0.3, 0.5, 90) for n in hit),
        unaffected=tuple(AffectedValue(n, 0.0, 0.0, 0.0, 0.03, 130) for n in spared),
        unknown=(),
    )


def summary(hit, spared, late=0.0, found=HALF_WAY):
    began = found.versions[-1].since
    return replace(
        log(),
        changed=("errors",),
        first=began - 60,
        last=began + 60,
        onset=Onset(began + late, began + late + 4, 0.95),
        blast_radius=(radius(hit, spared),),
    )


OLD, NEW = pods_of(HALF_WAY, 1), pods_of(HALF_WAY, 2)
