"""Files that were read before, kept as JSON: importing pydantic costs more than a whole run that changes nothing may.

The cache is only a saving. Whatever is wrong with it (not writable, corrupt, somebody else's) costs time, never a run.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Generic, TypeVar

from miyabi.spec import Spec
from miyabi.spec_file import parse_spec, read_spec_file
from miyabi.spec_json import spec_from_json, spec_to_json

_Kept = TypeVar("_Kept")

MOST_ENTRIES = 64
_LARGEST_ENTRY = 16_000_000
_ABANDONED_AFTER = 3600.0
# What a spec is made by and of: when one of them changes, what was kept no longer counts.
_SOURCES = (
    "gate_rules",
    "instance_rules",
    "levels",
    "orchestration/rules",
    "pruning",
    "spec",
    "spec_cockpit",
    "spec_document",
    "spec_expand",
    "spec_file",
    "spec_found",
    "spec_gate_schema",
    "spec_host_rules",
    "spec_host_schema",
    "spec_identity",
    "spec_integration",
    "spec_json",
    "spec_orchestration_schema",
    "spec_paths",
    "spec_problems",
    "spec_rules",
    "spec_schema",
    "spec_tasks",
    "spec_task_rules",
    "spec_task_schema",
    "spec_upkeep_expand",
    "spec_upkeep_schema",
    "spec_values",
    "spec_yaml",
    "units",
)


def cached_spec(path: Path, base_directory: str) -> Spec:
    """Read a spec, or take what was read from the same content before.

    + path: a YAML or JSON file: a spec, or a tmuxp workspace
    + base_directory: where the spec's relative paths begin: an absolute path, or ``~`` for the host's home

    Returns what ``load_spec`` returns, and raises ``SpecError`` as it does.
    """
    content = read_spec_file(path)
    file = str(path)
    spec = cached(
        content, _SPEC, lambda: parse_spec(file, content, base_directory=base_directory), given=base_directory
    )
    return spec if spec.source == file else replace(spec, source=file)


@dataclass(frozen=True, slots=True)
class Kind(Generic[_Kept]):
    """A kind of file, and how what it says is kept.

    + name: such as ``fleet``
    + sources: the modules of ``miyabi`` that make it: when one of them changes, what was kept no longer counts
    + from_json: raises ``ValueError`` for anything that ``to_json`` did not write
    """

    name: str
    sources: tuple[str, ...]
    to_json: Callable[[_Kept], str]
    from_json: Callable[[str], _Kept]


_SPEC = Kind("spec", _SOURCES, spec_to_json, spec_from_json)


def cached(content: bytes, kind: Kind[_Kept], parse: Callable[[], _Kept], *, given: str = "") -> _Kept:
    """What was made of the same content before, or what ``parse`` makes of it now, which is kept.

    + content: of the file
    + parse: what it raises is the caller's; nothing is kept then
    + given: what else the outcome depends on
    """
    entry: Path | None = None
    with suppress(OSError, RuntimeError, ValueError):
        entry = cache_directory() / f"{_key(content, kind.name, given, sources=kind.sources)}.json"
        return kind.from_json(_read(entry))
    made = parse()
    if entry is not None:
        with suppress(OSError, ValueError):
            _write(entry, kind.to_json(made))
    return made


def cached_file(path: Path, kind: Kind[_Kept], default: _Kept, parse: Callable[[str, bytes], _Kept]) -> _Kept:
    """What a file says that need not be there, such as inventory/fleet.yaml.

    + default: what holds without it
    + parse: gets the file's name and content; what it raises is the caller's
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return default
    except (OSError, ValueError):
        pass  # Reading it will say what is wrong.
    content = read_spec_file(path)
    return cached(content, kind, lambda: parse(str(path), content))


def cache_directory() -> Path:
    """Where specs are kept: miyabi/specs in ``$XDG_CACHE_HOME``, or in ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "miyabi" / "specs"


def _key(content: bytes, *given: str, sources: Iterable[str]) -> str:
    """A hash of everything that an entry depends on."""
    key = sha256(sha256(content).digest())
    key.update("\0".join(given).encode(errors="surrogateescape"))
    folder = os.path.dirname(__file__)  # noqa: PTH120 - this runs each time, and pathlib is ten times slower
    for module in sources:
        status = os.stat(f"{folder}/{module}.py")  # noqa: PTH116 - as above
        key.update(f"\0{module} {status.st_mtime_ns} {status.st_size}".encode())
    return key.hexdigest()


def _read(entry: Path) -> str:
    """An entry's text. Raises ``OSError`` when there is none, ``ValueError`` when others could have written it."""
    descriptor = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_ENTRY:
            raise ValueError("no entry")
        _refuse_others(status)
        _refuse_others(entry.parent.lstat())
        return file.read().decode()


def _refuse_others(status: os.stat_result) -> None:
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise ValueError("others may write it")


def _write(entry: Path, text: str) -> None:
    """Put an entry in its place at once: another process sees all of it, or nothing."""
    folder = entry.parent
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    for private in (folder.parent, folder):
        private.mkdir(mode=0o700, exist_ok=True)
        status = private.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise ValueError("somebody else's")
        if status.st_mode & 0o077:
            private.chmod(0o700)
    unfinished = folder / f".{entry.stem}.{os.getpid()}.{os.urandom(4).hex()}"
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        unfinished.replace(entry)
    finally:
        unfinished.unlink(missing_ok=True)
    _prune(folder)


def _prune(folder: Path) -> None:
    """Keep the newest entries; remove what a killed process left unfinished."""
    entries: list[tuple[float, Path]] = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            changed = path.lstat().st_mtime
            if path.suffix == ".json":
                entries.append((changed, path))
            elif changed < time.time() - _ABANDONED_AFTER:
                path.unlink(missing_ok=True)
    for _, path in sorted(entries, reverse=True)[MOST_ENTRIES:]:
        path.unlink(missing_ok=True)
