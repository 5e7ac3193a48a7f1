"""A machine with real repositories."""

from __future__ import annotations

import pytest

from tests.fleet.machine import Machine
from tests.tasks.ground import Ground


@pytest.fixture
def ground(machine: Machine) -> Ground:
    """A remote and its clone."""
    return Ground.build(machine)
