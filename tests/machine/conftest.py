from __future__ import annotations

import pytest

from machine_lab import Machine


@pytest.fixture
def machine(tmp_path, locard):
    return Machine(tmp_path, locard)
