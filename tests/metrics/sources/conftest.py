"""Fakes of a Prometheus that end with their test."""

from __future__ import annotations

import pytest

from metric_asks import END, FEW
from metric_servers import CannedApi, Fake


@pytest.fixture
def serve():
    """Start a fake: of series, or of a whole answer."""
    started = []

    def begin(answer=None, *, series=FEW, change=None, clock=lambda: END, prefix=""):
        fake = Fake(answer or CannedApi(series, change, clock, prefix))
        started.append(fake)
        return fake

    yield begin
    for fake in started:
        fake.close()
