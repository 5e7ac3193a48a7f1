"""Fixtures of the cockpit's tests."""

from __future__ import annotations

import pytest

from tests.cockpit.ground import Ground
from tests.fleet.control import Fleet


@pytest.fixture
def ground(ssh_fleet: Fleet) -> Ground:
    """A fleet without hosts, whose operator has no cockpit yet."""
    return Ground(ssh_fleet)
