"""Each error of a hook, told by its code with what to do: what docs/errors.md says of them."""

from __future__ import annotations

import pytest

from miyabi.orchestration.error_table import ERRORS
from tests.fleet.machine import Machine
from tests.hooks.running import run, write


@pytest.mark.parametrize(
    ("text", "mode", "code"),
    [
        ("#!/bin/sh\nexit 3\n", 0o755, "HOOK_EXECUTION_FAILED"),
        ("#!/bin/sh\nexec sleep 30\n", 0o755, "HOOK_TIMEOUT"),
        ("#!/bin/sh\nexit 0\n", 0o644, "HOOK_PERMISSION_DENIED"),
        ("#!/no/such/interpreter\n", 0o755, "HOOK_DEPENDENCY_MISSING"),
        ("#!/bin/sh\nno-such-program\n", 0o755, "HOOK_DEPENDENCY_MISSING"),
    ],
)
def test_a_hook_that_fails_is_told_by_its_code(machine: Machine, text: str, mode: int, code: str) -> None:
    write(machine, text, mode=mode)
    found = run(machine, "~/hook.sh", timeout=1)
    assert found.problem == code
    assert found.problem in ERRORS


def test_a_hook_that_runs_again_and_again_is_held(machine: Machine) -> None:
    write(machine, '#!/bin/sh\necho x >>"$HOME/ran"\n')
    problems = [run(machine, "~/hook.sh", data={"same": True}).problem for _ in range(5)]
    assert problems[-1] == "HOOK_INFINITE_LOOP"
    ran = (machine.home / "ran").read_text().count("x")
    assert ran == len([each for each in problems if each != "HOOK_INFINITE_LOOP"]) <= 3
