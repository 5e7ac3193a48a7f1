"""What was judged of sessions' contents, kept by their digests: what is known need neither travel nor be judged again.

There is one file for each workspace of a host, with what was there when it was looked at last. It is only a saving:
whatever is wrong with it (torn, not writable, somebody else's) costs time, never a run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from miyabi.orchestration.analysis import Analysis
from miyabi.orchestration.rules import Orchestration
from miyabi.private_file import read_private, write_private

_FORM = 1
# How many workspaces are kept, and for how many seconds one that nobody looks at.
MOST_ENTRIES = 256
_FORGOTTEN_AFTER = 30 * 86400.0


def read_analyses(host: str, rules: Orchestration) -> dict[str, Analysis]:
    """What was judged of the sessions of a workspace when it was looked at last, by digest.

    + host: its name
    + rules: those of the workspace; under others, or by another version of the program, nothing is known
    """
    with suppress(OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        kept = json.loads(read_private(_entry(host, rules)))
        if kept["form"] == _FORM:
            return {str(digest): Analysis.from_json(each) for digest, each in kept["analyses"].items()}
    return {}


def keep_analyses(host: str, rules: Orchestration, analyses: Mapping[str, Analysis]) -> None:
    """Keep what was judged of the sessions that are there now, in place of what was kept before.

    + analyses: by digest
    """
    kept = {"form": _FORM, "analyses": {digest: each.to_json() for digest, each in analyses.items()}}
    with suppress(OSError, RuntimeError, ValueError):
        entry = _entry(host, rules)
        write_private(entry, json.dumps(kept, separators=(",", ":")))
        _prune(entry.parent)


def cache_folder() -> Path:
    """Where it is kept: miyabi/sessions in ``$XDG_CACHE_HOME``, or in ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "miyabi" / "sessions"


def _entry(host: str, rules: Orchestration) -> Path:
    key = sha256(f"{host}\0{rules!r}".encode(errors="surrogateescape"))
    for source in _sources():
        key.update(f"\0{source}".encode())
    return cache_folder() / f"{key.hexdigest()[:40]}.json"


def _sources() -> Iterator[str]:
    """All that judges sessions: when a module changes, what was judged before no longer counts."""
    folder = Path(__file__).with_name("orchestration")
    with os.scandir(folder) as found:
        modules = sorted((each.name, each.stat()) for each in found if each.name.endswith(".py"))
    return (f"{name} {status.st_mtime_ns} {status.st_size}" for name, status in modules)


def _prune(folder: Path) -> None:
    """Keep the newest entries."""
    entries: list[tuple[float, Path]] = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            entries.append((path.lstat().st_mtime, path))
    old = time.time() - _FORGOTTEN_AFTER
    for number, (changed, path) in enumerate(sorted(entries, reverse=True)):
        if number >= MOST_ENTRIES or changed < old:
            path.unlink(missing_ok=True)
