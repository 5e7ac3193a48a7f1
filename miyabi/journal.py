"""The journal: each record that a run makes is a line at the end of one file, until the history takes it in.

Appending needs no database, and loses nothing when the process is killed right after it. Whoever takes the lines in
moves the file aside first, so that writers go on with a new one; what was moved aside is removed when it is safe
elsewhere, and read again when the one who moved it came to nothing. Taking the same line in twice is one row.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from miyabi.records import Record, to_line

JOURNAL = "journal.jsonl"
ATTENTION = "attention"
SKIPPED = "journal.skipped"

# What is moved aside has a name of its own for ever, so that nobody removes what another has just moved there.
_ASIDE = "journal.aside-"
# Seconds to wait for another process that writes; each of them needs far less than a millisecond.
_PATIENCE = 2.0
_POLL = 0.002
# Bytes of the journal, and of what it holds for later versions. A history that cannot be written for months must not
# fill the disk.
_LARGEST = 32 * 1024 * 1024
_LARGEST_SKIPPED = 1024 * 1024


def append(folder: Path, records: Iterable[Record], *, sync: bool = False) -> None:
    """Write records at the end of the journal, all by one call.

    + folder: of the memory; it is made when it is missing
    + sync: wait until they are on the disk, so that they also outlive a power cut

    Raises ``OSError`` when they cannot be written, or somebody else keeps the journal locked for 2 seconds.
    """
    text = "".join(f"{to_line(record)}\n" for record in records).encode("ascii", "backslashreplace")
    if text:
        _append(folder / JOURNAL, text, sync=sync)


def journal_size(folder: Path) -> int:
    """How many bytes wait to be taken in; what a killed process has moved aside counts as well."""
    return sum(_size(path) for path in (folder / JOURNAL, *_aside(folder)))


def last_written(folder: Path) -> float | None:
    """When the journal was last written, in seconds since the epoch; None when nothing is in it."""
    try:
        return (folder / JOURNAL).stat().st_mtime
    except OSError:
        return None


@contextmanager
def taking(folder: Path) -> Iterator[Iterator[str] | None]:
    """The lines to take in, moved aside; they are removed when the block ends without an error.

    None when there is nothing. What an earlier process left aside comes first, and alone: ask again for the rest.
    Raises ``OSError`` when the journal cannot be moved or read.
    """
    aside = _aside(folder) or _move_aside(folder)
    if not aside:
        yield None
        return
    yield _lines(aside)
    for path in aside:
        path.unlink(missing_ok=True)


def waiting(folder: Path) -> list[str]:
    """The lines that wait to be taken in, oldest first; they stay. Raises ``OSError`` when they cannot be read."""
    return list(_lines([*_aside(folder), folder / JOURNAL]))


def keep_skipped(folder: Path, lines: Iterable[str]) -> None:
    """Keep lines that could not be understood beside the journal: a newer version may have written them.

    Of more than a megabyte the newest stay.
    """
    path = folder / SKIPPED
    text = "".join(f"{line.rstrip()}\n" for line in lines).encode("utf-8", "backslashreplace")
    # What cannot be understood is no reason to stop.
    with suppress(OSError):
        if _size(path) + len(text) > _LARGEST_SKIPPED:
            path.unlink(missing_ok=True)
        _append(path, text[-_LARGEST_SKIPPED:])


def attention(folder: Path) -> bool:
    """Whether the next run shall open the history, although it finds nothing wrong."""
    return (folder / ATTENTION).exists()


def set_attention(folder: Path, wanted: bool) -> None:  # noqa: FBT001 - there is nothing else to say
    """Have the next run open the history, or not. Raises ``OSError`` when the mark cannot be changed."""
    mark = folder / ATTENTION
    if not wanted:
        mark.unlink(missing_ok=True)
        return
    make_folder(folder)
    os.close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def make_folder(folder: Path) -> None:
    """Make the memory's folder, for its owner alone; one that is there stays as it is."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)


def _append(path: Path, text: bytes, *, sync: bool = False) -> None:
    with _locked(path, os.O_CREAT) as descriptor:
        if descriptor is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            # A writer was killed, or the disk was full: its last line stays torn, ours does not continue it.
            text = b"\n" + text
        try:
            _write(descriptor, text)
            if sync:
                _sync(descriptor, path.parent, is_new=size == 0)
        except OSError as error:
            error.filename = str(path)
            raise
    if size + len(text) > _LARGEST:
        _drop_oldest(path.parent)


def _write(descriptor: int, text: bytes) -> None:
    written = os.write(descriptor, text)
    # Only a full disk or a limit makes a file take less; the next attempt says which.
    while written < len(text):
        written += os.write(descriptor, text[written:])


def _sync(descriptor: int, folder: Path, *, is_new: bool) -> None:
    os.fsync(descriptor)
    if is_new:
        # Some file systems have no fsync for folders.
        with suppress(OSError):
            opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)


@contextmanager
def _locked(path: Path, flags: int = 0) -> Iterator[int | None]:
    """The file at ``path``, opened for appending and locked; None when there is none, and ``flags`` do not make it."""
    give_up = time.monotonic() + _PATIENCE
    while True:
        descriptor = _open(path, flags)
        if descriptor is None:
            yield None
            return
        try:
            # It may have been moved aside between the two calls.
            if _lock(descriptor) and _is_at(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)
        if time.monotonic() >= give_up:
            raise TimeoutError(errno.ETIMEDOUT, f"locked by another process for {_PATIENCE:g} s", str(path))
        time.sleep(_POLL)


def _open(path: Path, flags: int) -> int | None:
    # A pipe of that name must neither be waited for nor written to.
    flags |= os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            return None
        make_folder(path.parent)
        descriptor = os.open(path, flags, 0o600)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if mode & 0o077:
        with suppress(OSError):
            os.fchmod(descriptor, 0o600)
    return descriptor


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _move_aside(folder: Path) -> list[Path]:
    """Move the journal aside while nobody writes to it; ``[]`` when there is none."""
    with _locked(folder / JOURNAL) as descriptor:
        if descriptor is None:
            return []
        aside = folder / f"{_ASIDE}{time.time_ns():020d}-{os.getpid()}"
        (folder / JOURNAL).rename(aside)
        return [aside]


def _drop_oldest(folder: Path) -> None:
    """Begin a new journal, and let go of what has waited longest."""
    with suppress(OSError):
        for path in _aside(folder):
            path.unlink(missing_ok=True)
        _move_aside(folder)


def _aside(folder: Path) -> list[Path]:
    """What was moved aside, oldest first."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.startswith(_ASIDE))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _lines(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        # Another process may have taken it in meanwhile.
        with suppress(FileNotFoundError), path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            yield from (line for line in file if line.strip())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0
