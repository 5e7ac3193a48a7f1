"""Who wants to be left alone: the pauses that people have set, in one file in the memory's folder.

A pause that cannot be read is an error, never none: what a human has asked for is not forgotten silently.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from miyabi.errors import PauseError
from miyabi.file_lock import alone
from miyabi.gate import Pause
from miyabi.gate_pauses import is_emergency_stop
from miyabi.journal import make_folder

PAUSES = "pauses.json"

_LOCK = "pauses.lock"


def read_pauses(folder: Path, now: float) -> tuple[Pause, ...]:
    """The pauses that are in force; past ones are left out.

    + folder: of the memory
    + now: seconds since the epoch

    Raises ``PauseError`` when the file cannot be read, or makes no sense.
    """
    return tuple(pause for pause in _read(folder / PAUSES) if pause.until > now)


def add_pause(folder: Path, pause: Pause) -> None:
    """Add a pause; it replaces an earlier one of the same host and target. An emergency stop stands beside them.

    Raises ``PauseError`` when it cannot be kept.
    """
    if not (isfinite(pause.until) and isfinite(pause.since)):
        raise PauseError(f"a pause needs an end: until {pause.until}")

    def added(pauses: tuple[Pause, ...]) -> tuple[Pause, ...]:
        others = (each for each in pauses if not _takes_place_of(pause, each) and each.until > pause.since)
        return (*others, pause)

    _change(folder, added)


def clear_pauses(folder: Path, host: str, target: str) -> tuple[Pause, ...]:
    """Take back what was paused under exactly this host and target, and return it; ``()`` when there was nothing.

    + host: "" is the whole fleet
    + target: "" is the whole host

    Raises ``PauseError`` when they cannot be read or changed.
    """
    cleared: list[Pause] = []

    def without(pauses: tuple[Pause, ...]) -> tuple[Pause, ...]:
        cleared.extend(each for each in pauses if _is_about(each, host, target))
        return tuple(each for each in pauses if not _is_about(each, host, target))

    _change(folder, without)
    return tuple(cleared)


def _takes_place_of(pause: Pause, earlier: Pause) -> bool:
    return _is_about(earlier, pause.host, pause.target) and is_emergency_stop(earlier) is is_emergency_stop(pause)


def _is_about(pause: Pause, host: str, target: str) -> bool:
    return (pause.host, pause.target) == (host, target)


def _read(path: Path) -> tuple[Pause, ...]:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise PauseError(f"{path}: the pauses cannot be read: {error.strerror}; {_remedy(path)}") from None
    try:
        return tuple(_pause(each) for each in json.loads(content)["pauses"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PauseError(f"{path}: the pauses make no sense ({error}); {_remedy(path)}") from None


def _remedy(path: Path) -> str:
    return f"repair the file, or remove it (`rm '{path}'`) and pause again what has to be"


def _pause(told: dict[str, Any]) -> Pause:
    """A pause of the file; what it says beside is of a later version, and changes nothing that is known here."""
    pause = Pause(told["host"], told["target"], float(told["until"]), told["reason"], float(told["since"]))
    if not all(isinstance(text, str) for text in (pause.host, pause.target, pause.reason)):
        raise TypeError("host, target and reason are text")
    if not isfinite(pause.until):
        raise ValueError("a pause without an end")
    return pause


def _change(folder: Path, change: Callable[[tuple[Pause, ...]], Iterable[Pause]]) -> None:
    path = folder / PAUSES
    try:
        make_folder(folder)
        with alone(folder / _LOCK):
            before = _read(path)
            after = tuple(change(before))
            if after != before:
                from miyabi.whole_file import write_whole  # noqa: PLC0415 - runs read pauses, and change none

                write_whole(path, json.dumps({"pauses": [asdict(pause) for pause in after]}, indent=1))
    except OSError as error:
        raise PauseError(f"{error.filename or path}: the pauses cannot be changed: {error.strerror}") from None
