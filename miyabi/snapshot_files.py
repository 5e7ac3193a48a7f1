"""Where snapshots are kept on the control machine: a folder for each host, a file for each snapshot.

A snapshot is written beside its place, synced, read back and only then renamed: a full disk or a kill at any instant
costs the new one and no old one.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, unquote

from miyabi.errors import SnapshotError
from miyabi.snapshot_model import Snapshot, snapshot_from_json, snapshot_to_json

KEEP = 10

_NAME = re.compile(r"\d{8}T\d{6}Z(?:-\d\d)?")
_ASIDE = ".new-"
# Seconds after which what a killed run left aside is surely nobody's any more.
_ABANDONED = 86400


def snapshots_folder() -> Path:
    """The folder of all hosts' snapshots: in ``$XDG_STATE_HOME``, or ``~/.local/state``."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    # Beside what hosts keep of themselves in `snapshots`, where the folders begin with a date.
    return base / "miyabi" / "snapshots" / "hosts"


def host_folder(host: str) -> Path:
    """The folder of one host; whatever its name, it is a folder in ``snapshots_folder()``."""
    name = quote(host, safe="@ ")
    return snapshots_folder() / (name.replace(".", "%2E") if name.strip(".") == "" else name)


def kept_snapshots(host: str) -> list[Path]:
    """The files of a host's snapshots, newest first; ``[]`` when there is none."""
    try:
        files = [path for path in host_folder(host).iterdir() if _is_snapshot(path)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SnapshotError(f"{host_folder(host)}: cannot be read: {error.strerror}") from None
    return sorted(files, key=lambda path: path.stem, reverse=True)


def _is_snapshot(path: Path) -> bool:
    return path.suffix == ".json" and _NAME.fullmatch(path.stem) is not None


def hosts_with_snapshots() -> list[str]:
    """The names of the hosts of which snapshots are kept, sorted."""
    try:
        return sorted(unquote(path.name) for path in snapshots_folder().iterdir() if path.is_dir())
    except OSError:
        return []


def read_snapshot(path: Path) -> Snapshot:
    """Read a snapshot; raises ``SnapshotError`` when it is damaged."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read: {error.strerror}") from None
    return snapshot_from_json(content, str(path))


def find_snapshot(host: str, which: str = "1") -> Path:
    """The file that a user means.

    + which: a name, or a number from the list: 1 is the newest

    Raises ``SnapshotError`` that says which there are.
    """
    files = kept_snapshots(host)
    if not files:
        known = ", ".join(hosts_with_snapshots()) or "none"
        raise SnapshotError(
            f"{host}: no snapshot is kept; take one with `pyinfra inventory deploys/snapshot.py -y`; "
            f"hosts that have some: {known}"
        )
    if re.fullmatch(r"\d{1,6}", which, re.ASCII) and 1 <= int(which) <= len(files):
        return files[int(which) - 1]
    for path in files:
        if path.stem == which.removesuffix(".json"):
            return path
    last = f"1 to {len(files)}" if len(files) > 1 else "1"
    names = ", ".join(path.stem for path in files)
    raise SnapshotError(f"{host}: no snapshot {which!r}; allowed: {last} (1 is the newest), or a name: {names}")


def keep_snapshot(snapshot: Snapshot, host: str, now: float, keep: int = KEEP) -> Path:
    """Keep a snapshot of ``host``, and the last ``keep`` of all; return its file.

    + now: seconds since the epoch

    Raises ``SnapshotError`` when it is empty, or cannot be written; then all old ones are still there.
    """
    if not snapshot.sessions:
        raise SnapshotError(f"{host}: the snapshot is empty: it is not kept")
    folder = host_folder(host)
    taken = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(folder, now)
        path = _free_name(folder, taken)
        _write(path, replace(snapshot, host=host, taken=taken))
    except OSError as error:
        raise SnapshotError(f"{folder}: the snapshot cannot be written: {error.strerror}; old ones stay") from None
    for old in kept_snapshots(host)[keep:]:
        with suppress(OSError):
            old.unlink()
    return path


def _free_name(folder: Path, taken: str) -> Path:
    names = (taken, *(f"{taken}-{number:02d}" for number in range(2, 100)))
    return next((path for name in names if not (path := folder / f"{name}.json").exists()), folder / f"{taken}.json")


def _write(path: Path, snapshot: Snapshot) -> None:
    descriptor, name = tempfile.mkstemp(prefix=_ASIDE, dir=path.parent)
    aside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(snapshot_to_json(snapshot))
            file.flush()
            os.fsync(file.fileno())
        _require_same(aside, snapshot)
        aside.rename(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _require_same(path: Path, snapshot: Snapshot) -> None:
    if read_snapshot(path) != snapshot:
        raise SnapshotError(f"{path}: what was written is not what is read back; old ones stay")


def _sync_folder(folder: Path) -> None:
    # Some file systems have no fsync for folders.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sweep(folder: Path, now: float) -> None:
    """Remove what killed runs have left aside."""
    for path in folder.glob(f"{_ASIDE}*"):
        with suppress(OSError):
            if now - path.stat().st_mtime > _ABANDONED:
                path.unlink()
