"""Many targets: no more places have a session at once than there is room for."""

from __future__ import annotations

import time

import pytest

from locard.guard.budget import Budget
from locard.investigate import fleet, start
from locard.investigate.places import Asked
from locard.model.errors import UnreachableError
from locard.model.investigation import Question
from locard.model.place import Place
from scripted_session import Scripted

COUNT = 9


class Listener:
    """Nobody hears."""

    def waits(self, text):
        pass


class Closing(Scripted):
    """A session that is opening for two looks, and then does not open."""

    opening_s = 0.0
    looks = 0

    def due(self):
        return 0.0 if self.state == "opening" else float("inf")

    def pump(self):
        self.looks += 1
        if self.looks > 2:
            self.state = "closed"
            self.error = UnreachableError(f"{self.place.ref} was not reached", "no", "Wait.")
        return []


class Doors:
    """The sessions of a fleet, which counts those that are in use."""

    def __init__(self):
        self.home = Scripted({}, "host/local")
        self.inside = {}
        self.most = 0

    def to(self, place):
        self.inside[place] = Closing({}, place.ref, state="opening")
        self.most = max(self.most, len(self.inside))
        return self.inside[place]

    def leave(self, place):
        del self.inside[place]


@pytest.mark.parametrize("room", [1, 4])
def test_no_more_places_at_once_than_there_is_room(monkeypatch, tmp_path, room):
    monkeypatch.setattr(fleet, "AT_ONCE", room)
    doors = Doors()
    places = [Place(f"host/web-{n}", "ssh") for n in range(COUNT)]
    asked = [Asked(place.ref, place, place.ref) for place in places]
    options = start.Options(str(tmp_path), None, Listener(), Budget(60.0), time.time(), alone=False)
    found = fleet.investigate(asked, Question("host/*"), doors, options)
    assert [m.ref for m in found.members] == [p.ref for p in places]
    assert doors.most == room
    assert not doors.inside
