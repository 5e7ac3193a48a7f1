"""What every upkeep operation ends with: looking again until it is right, and remembering what came of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyinfra.api import Config, Host, Inventory, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.state import StateStage

from facts.probe import Section
from miyabi.upkeep import Finding
from operations.upkeep import findings, note, proof
from tests.fleet.machine import Machine
from tests.recovery.playbook import on

# Right at every second look, and for ever from the sixth on.
FLAPPING = Section(
    "flapping",
    'n=$(cat ~/n); echo "$((n + 1))" >~/n; [ "$n" -ge 5 ] || n=$((n % 2)); echo "$n"',
    lambda lines: lines[0],
)


def wrong(seen: str) -> str | None:
    return "it is 0" if seen == "0" else None


@pytest.fixture
def host(machine: Machine) -> Iterator[Host]:
    (machine.home / "n").write_text("0\n")
    with on(machine):
        state = State(Inventory((["@local"], {})), Config(), check_for_changes=False)
        connect_all(state)
        state.set_stage(StateStage.Prepare)
        yield next(iter(state.inventory))
        disconnect_all(state)


def prove(host: Host, *, seconds: float, settle: float) -> bool:
    command = proof(host, "it", FLAPPING, wrong, did="mended", seconds=seconds, settle=settle)
    return bool(command.function(host.state, host, *command.args))


def test_nothing_is_remembered_while_pyinfra_only_asks(host: Host) -> None:
    note(host, "it", "failed", "seen in the plan")
    assert findings(host) == {}


def test_what_is_right_once_has_to_stay_right(host: Host, machine: Machine) -> None:
    host.state.is_executing = True
    assert prove(host, seconds=20, settle=0.5)
    # The second look was right as well, but the third was not.
    assert int((machine.home / "n").read_text()) > 6
    assert findings(host) == {"it": Finding("it", "repaired", "mended")}


def test_what_is_not_right_in_time_has_failed(host: Host) -> None:
    host.state.is_executing = True
    assert not prove(host, seconds=0, settle=0)
    assert findings(host) == {"it": Finding("it", "failed", "mended, but it is 0")}


def test_a_repair_that_never_comes_to_its_proof_has_failed(host: Host) -> None:
    host.state.is_executing = True
    proof(host, "it", FLAPPING, wrong, did="mended", seconds=0)
    assert findings(host) == {"it": Finding("it", "failed", "mended, but that failed")}
