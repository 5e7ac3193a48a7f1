"""Disks of their own for tests: full, or from which nothing is run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fleet.machine import Machine


@contextmanager
def mounted(machine: Machine, folder: Path, options: str) -> Iterator[None]:
    """A disk in memory on a folder of a machine; where nobody may mount one the test has nothing to stand on.

    + folder: it is made
    + options: as in ``mount -o``
    """
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    folder.mkdir()
    done = machine.run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder))
    if done.code != 0:
        pytest.skip(f"disks cannot be mounted here: {done.output}")
    try:
        yield
    finally:
        unmounted = machine.run("umount", str(folder))
        assert unmounted.code == 0, unmounted.output
