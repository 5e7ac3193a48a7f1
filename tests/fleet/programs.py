"""Programs that some tests need and not every machine has."""

from __future__ import annotations

import os
import shutil

import pytest


def required(program: str, *folders: str) -> str:
    """The path of ``program``; without it the test is skipped, but fails in CI, where `make test` installs it.

    + folders: where it may be beside PATH; the last one that has it counts
    """
    found = shutil.which(program, path=os.pathsep.join([os.environ["PATH"], *reversed(folders)]))
    if found is None:
        reason = f"{program} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
