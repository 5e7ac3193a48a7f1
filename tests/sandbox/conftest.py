"""A sandbox for the tests of one module, with root folders of its own where that can be had, and one without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from miyabi.sandbox import lifecycle, programs
from miyabi.sandbox.fleet import SANDBOX_VARIABLE, Sandbox
from tests.fleet import processes
from tests.fleet.leaks import TestRun
from tests.fleet.programs import required


@pytest.fixture(scope="module", params=["isolated", "plain"] if programs.can_isolate() else ["plain"])
def sandbox(request: pytest.FixtureRequest, test_run: TestRun) -> Iterator[Sandbox]:
    """A sandbox that is up; it is taken down, and the processes of it are looked for without its own help."""
    required("sshd")
    parent = test_run.new_folder("sandbox")
    folder = parent / "s"
    yield lifecycle.up(folder, plain=request.param == "plain")
    lifecycle.down(folder)
    assert_nothing_is_left(folder)
    parent.rmdir()


def assert_nothing_is_left(folder: Path) -> None:
    """Nothing runs that carries the sandbox's mark or writes below its folder, and the folder is gone."""
    assert not folder.exists()
    assert not processes.marked_processes(SANDBOX_VARIABLE, str(folder))
    lines = {pid: processes.command_line_of(pid) for pid in processes.all_processes()}
    assert not [line for line in lines.values() if f"{folder}/" in line]
    assert f"{folder}/" not in Path("/proc/self/mountinfo").read_text()
