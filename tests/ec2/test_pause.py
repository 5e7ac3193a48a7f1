"""What somebody wants left alone on a host, and what is to be done to its instance."""

from __future__ import annotations

import pytest

from miyabi.gate_pauses import pause_of
from miyabi.gate_types import Pause, Request
from miyabi.subjects import INSTANCE

_NOW = 1_795_000_000.0


@pytest.mark.parametrize("paused", ["", INSTANCE, "miyabi", "miyabi:agents.kaede", "sshd"])
def test_whatever_is_paused_on_a_host_keeps_its_instance_from_being_rebooted(paused: str) -> None:
    pause = Pause("cloud-1", paused, _NOW + 60, "", _NOW)
    reboot = Request(host="cloud-1", target=INSTANCE, does="reboot", disturbs=True)
    assert pause_of(reboot, [pause], _NOW) is pause
    assert pause_of(reboot, [Pause("cloud-2", paused, _NOW + 60, "", _NOW)], _NOW) is None
    assert pause_of(reboot, [pause], _NOW + 61) is None


@pytest.mark.parametrize(("paused", "held"), [("", True), (INSTANCE, True), ("miyabi", False), ("sshd", False)])
def test_what_ends_nothing_on_it_is_held_only_by_a_pause_of_the_host_or_the_instance(paused: str, held: bool) -> None:
    start = Request(host="cloud-1", target=INSTANCE, does="start")
    found = pause_of(start, [Pause("cloud-1", paused, _NOW + 60, "", _NOW)], _NOW)
    assert (found is not None) is held
