"""Plays one run of a scenario: healthy, then the onset, then an investigation of what is there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from locard import catalogue
from locard.lab import records
from locard.lab.draws import Draws
from locard.lab.scene import Variant
from locard.lab.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.lab.investigation import Investigated
    from locard.lab.records import Request
    from locard.lab.scene import Scenario, Scene


@dataclass(frozen=True, slots=True)
class Casting:
    """Which run: the same four give the same world. `scale` stretches or shortens its phases."""

    scenario: str
    seed: int
    variant: Variant = Variant.FAULT
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Played:
    """One run that is over. Moments are Unix seconds; `onset` is None where nothing happened."""

    casting: Casting
    scene: Scene
    began: float
    onset: float | None
    asked: float
    answered: float
    requests: tuple[Request, ...]
    investigated: Investigated


def draw(casting: Casting) -> Scene:
    """The scene of a run; raises UsageError for a scenario that does not exist."""
    scenario = cast("Scenario", catalogue.entry("scenario", casting.scenario).load())
    return scenario.scene(Draws(casting.seed, casting.scenario))


def phases(casting: Casting) -> tuple[float, float]:
    """Seconds of healthy traffic, and from the onset to the investigation."""
    own = Draws(casting.seed, casting.scenario).topic("phases")
    return own.between(25, 35) * casting.scale, own.between(20, 25) * casting.scale


def play(
    casting: Casting,
    investigate: Callable[[Stage], Investigated],
    say: Callable[[str], None],
    *,
    keep: bool = False,
) -> Played:
    """Play it; all processes are gone afterwards. Raises LabError where the lab itself fails."""
    scene = draw(casting)
    healthy_s, degraded_s = phases(casting)
    before, at_onset = scene.actions(casting.variant)
    traffic_seed = Draws(casting.seed, casting.scenario).topic("traffic").number()
    say("starting the service, its upstreams and its clients")
    with Stage(scene.service, scene.load, traffic_seed, keep=keep) as stage:
        for action in before:
            action.apply(stage)
        stage.start_traffic()
        began = time.time()
        say(
            f"payment-service runs: gunicorn master {stage.master}, {scene.service.workers} workers"
            f" of {scene.service.threads} threads, {scene.load.rate_per_s:.0f} requests/s"
        )
        say(f"healthy for {healthy_s:.0f} s")
        stage.wait(healthy_s)
        onset = time.time() if at_onset else None
        for action in at_onset:
            action.apply(stage)
        say(f"something may have happened; the clients go on for {degraded_s:.0f} s")
        stage.wait(degraded_s)
        asked = time.time()
        investigated = investigate(stage)
        stage.stop_traffic()  # else the slowest requests would be missing from the records
        requests = records.read(stage.records)
        if keep:
            say(f"kept: {stage.root}")
    return Played(casting, scene, began, onset, asked, investigated.ended, requests, investigated)
