"""What was foretold of each host, in one file of the memory's folder: what prevention reads without a database.

Whoever foretells writes it; runs read it where a spec says ``prevent``, and note beside it what they have prevented.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from miyabi.prediction_judgement import Crossing
from miyabi.private_file import read_private, write_private

FORETOLD = "foretold.json"
PREVENTED = "prevented.json"

# Seconds after which what was foretold says nothing any more: looks since then may have shown otherwise.
FRESH = 3 * 3600.0

# Seconds for which it is remembered what was prevented.
_REMEMBERED = 30 * 86400.0

# Seconds by which a file may be ahead of our clock.
_SKEW = 60.0


def write_foretold(folder: Path, crossings: Iterable[Crossing], looked: Iterable[tuple[str, str]], now: float) -> None:
    """Write what is foretold now; what was said of others stays as long as it is fresh.

    + folder: of the memory
    + looked: ``(host, subject)`` of which something was foretold, or that nothing is: an earlier word does not count

    Raises ``OSError`` when it cannot be written.
    """
    new = tuple(crossings)
    over = {*looked, *((each.host, each.subject) for each in new)}
    kept = [each for each in _read(folder, now) if (each.host, each.subject) not in over]
    told = {"written_at": now, "crossings": [asdict(each) for each in (*kept, *new)]}
    write_private(folder / FORETOLD, json.dumps(told, indent=1))


def crossing_of(folder: Path, host: str, subject: str, now: float) -> Crossing | None:
    """What is foretold of a measure of a host; None when nothing is, that is too long ago, or it cannot be read."""
    return next((each for each in _read(folder, now) if (each.host, each.subject) == (host, subject)), None)


def prevented_at(folder: Path, host: str, subject: str, now: float) -> float | None:
    """When a crossing was last prevented; None when none was, or it cannot be read."""
    at = _prevented(folder).get(host, {}).get(subject)
    # One in the future was before the clock was set back.
    return None if at is None else min(at, now)


def note_prevented(folder: Path, host: str, subject: str, now: float) -> None:
    """Remember that a crossing is prevented now. Raises ``OSError`` when that cannot be written."""
    known = _prevented(folder)
    known.setdefault(host, {})[subject] = now
    left = {
        each: recent
        for each, subjects in known.items()
        if (recent := {name: at for name, at in subjects.items() if at > now - _REMEMBERED})
    }
    write_private(folder / PREVENTED, json.dumps(left, indent=1))


def _read(folder: Path, now: float) -> tuple[Crossing, ...]:
    found = []
    for each in _list(_json(folder / FORETOLD), "crossings"):
        with suppress(TypeError, ValueError):
            crossing = Crossing(**each)
            limit = 0.0 if crossing.limit is None else crossing.limit
            makes_sense = all(map(isfinite, (crossing.at, crossing.crosses_at, limit)))
            if makes_sense and now - FRESH <= crossing.at <= now + _SKEW:
                found.append(crossing)
    return tuple(found)


def _prevented(folder: Path) -> dict[str, dict[str, float]]:
    told = _json(folder / PREVENTED)
    return {
        host: {name: float(at) for name, at in subjects.items() if isinstance(at, int | float) and isfinite(at)}
        for host, subjects in (told.items() if isinstance(told, Mapping) else ())
        if isinstance(subjects, Mapping)
    }


def _list(told: Any, key: str) -> list[Any]:
    found = told.get(key) if isinstance(told, Mapping) else None
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _json(path: Path) -> Any:
    """What a file says; None when there is none, or it is not ours, or makes no sense."""
    try:
        return json.loads(read_private(path))
    except (OSError, ValueError, RecursionError):
        return None
