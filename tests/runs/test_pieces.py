"""Small things that runs stand on."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from miyabi import history
from miyabi.errors import InventoryError
from miyabi.journal import append
from miyabi.records import Signalled, from_line, to_line
from operations import gate
from operations.memory import Memory, memory_of
from operations.refusal import refuse
from tests.fleet.machine import Machine


def signalled(details: Any) -> Signalled:
    return Signalled(event="e", run="r", at=1.0, signal="s", details=details)


def _circle() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["itself"] = made
    return made


@pytest.mark.parametrize(
    "odd",
    [
        {"path": Path("/tmp")},  # noqa: S108 - nothing is written there
        {"bytes": b"\xff"},
        {"set": {1}},
        {"text": "\udcff\n\u2028"},
        {(1, 2): 3},
        _circle(),
        object(),
        {"nan": float("nan")},
    ],
)
def test_no_value_keeps_a_record_from_being_written(tmp_path: Path, odd: Any) -> None:
    append(tmp_path, [signalled(odd), signalled({"fine": 1})])
    first, second = (tmp_path / "journal.jsonl").read_text(encoding="ascii").splitlines()
    assert json.loads(first)["signal"] == "s"
    assert from_line(second) == signalled({"fine": 1})
    assert "\n" not in to_line(signalled(odd))


def _memory(machine: Machine) -> Memory:
    fleet = machine.root / "fleet.yaml"
    fleet.write_text(f"state: {machine.root / 'memory'}")
    state: Any = SimpleNamespace(inventory=[SimpleNamespace(data={"fleet": str(fleet)})])
    return memory_of(state)


def test_what_a_run_starts_does_not_pass_itself_off_as_that_run(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIYABI_RUN", "named")
    assert _memory(machine).run == "named"
    # A tmux server that the run starts hands its environment on to whoever works in it.
    assert "MIYABI_RUN" not in os.environ
    assert _memory(machine).run != "named"


def test_what_was_asked_is_remembered_without_passwords(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pyinfra", "--sudo-password", "hunter2", "inventory", "recover.py"])
    assert _memory(machine).command == "recover.py"


def test_who_asks_while_the_history_is_being_opened_waits_for_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = _memory(machine)
    begun, go_on = threading.Event(), threading.Event()
    real = history.open_history

    def slow(*arguments: Any, **options: Any) -> history.History:
        begun.set()
        assert go_on.wait(10)
        return real(*arguments, **options)

    monkeypatch.setattr(history, "open_history", slow)
    said: list[str | None] = []
    asking = [threading.Thread(target=lambda: said.append(memory.ask_history(lambda _: "told"))) for _ in range(2)]
    asking[0].start()
    assert begun.wait(10)
    asking[1].start()
    go_on.set()
    for each in asking:
        each.join(10)
    # SQLite's own connections belong to the threads that made them.
    memory.history = None
    assert said == ["told", "told"]


def test_an_error_in_an_operation_fails_its_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "host", SimpleNamespace(connector_data={}))

    def commands() -> Generator[Any]:
        raise InventoryError("alerts.yaml:3: what is it?")
        yield

    said: list[Any] = list(gate._guarded(commands(), "level"))
    assert [(each.function, each.args) for each in said] == [(refuse, ("alerts.yaml:3: what is it?",))]
