"""A machine under a scheduler."""

from __future__ import annotations

import pytest

from tests.fleet.machine import Machine
from tests.fleet.tmux import TmuxServer
from tests.runs.play import Play


@pytest.fixture
def play(machine: Machine, tmux_server: TmuxServer) -> Play:
    """A machine with nothing on it, and nothing remembered."""
    made = Play(machine, tmux_server)
    made.rules()
    return made
