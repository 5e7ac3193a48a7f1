"""How the commands read what they are given, and say what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from miyabi.errors import MiyabiError
from miyabi.units import parse_duration


def duration(_context: click.Context, _parameter: click.Parameter, value: str) -> float:
    """The seconds of an option such as ``2h``; at least one."""
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}; allowed: {error}") from None
    if seconds < 1:
        raise click.BadParameter(f"{value!r}; allowed: 1s or more")
    return seconds


def plainly(command: Callable[..., None]) -> Callable[..., None]:
    """Let an error of the user's world end the command with its message alone, and exit code 1."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except MiyabiError as error:
            raise click.ClickException(str(error)) from None

    return run
