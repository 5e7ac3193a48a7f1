"""Programs that some tests need and not every machine has."""

from __future__ import annotations

import os
import shutil

import pytest


def required(program: str) -> str:
    """The path of ``program``; without it the test is skipped, but fails in CI, where `make test` installs it."""
    found = shutil.which(program)
    if found is None:
        reason = f"{program} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
