"""Where reports are kept: written at once, for their owner alone, and the newest of each period stay."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

from miyabi.errors import ReportError
from miyabi.monitoring import Period, Reports
from miyabi.whole_file import write_whole

Format = Literal["md", "html", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
# What is written by schedule.
KEPT: tuple[Format, ...] = ("md", "html")

_NAME = re.compile(r"(?P<period>daily|weekly|monthly)-(?P<label>\d{4}-(?:W\d\d|\d\d(?:-\d\d)?))\.(?:md|html)", re.ASCII)


def shelf_of(reports: Reports, memory: Path) -> Path:
    """The folder in which reports are kept.

    + memory: the folder of the memory
    """
    if reports.folder is None:
        return memory / "reports"
    try:
        return Path(reports.folder).expanduser()
    except RuntimeError:
        raise ReportError(
            f"{reports.folder}: it begins with the ~ of nobody; name another reports.folder in inventory/fleet.yaml"
        ) from None


def place_for(output: str, name: str, form: Format) -> Path:
    """The file that is meant by ``output``, which may be a folder.

    + name: of the report
    """
    try:
        path = Path(output).expanduser()
        if output.endswith("/") or path.is_dir():
            return path / f"{name}.{form}"
    except (OSError, RuntimeError, ValueError) as error:
        raise ReportError(f"{output}: {getattr(error, 'strerror', None) or error}; name another file") from None
    return path


def is_kept(shelf: Path, name: str) -> bool:
    """Whether a report is there with all that belongs to it."""
    return all((shelf / f"{name}.{form}").is_file() for form in KEPT)


def write_report(path: Path, text: str) -> None:
    """Put a report in its place at once: others see all of it, or what was there before.

    Its folder is made when it is missing, and stays as it is when it is not. Raises ``ReportError``.
    """
    try:
        place = path.resolve()
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if place.exists() and not place.is_file():
            raise ReportError(f"{path}: it is no regular file; without --output the report is printed")
        write_whole(place, text, errors="backslashreplace")
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ReportError(f"{path}: the report cannot be written: {why}; name another place") from None


def prune(shelf: Path, period: Period, keep: int) -> tuple[Path, ...]:
    """Remove the oldest reports of a period, but for the last ``keep``; files of other names are left alone.

    Returns what was removed; what cannot be removed stays.
    """
    found: dict[str, list[Path]] = {}
    with suppress(OSError):
        for path in shelf.iterdir():
            if (name := _NAME.fullmatch(path.name)) and name["period"] == period:
                found.setdefault(name["label"], []).append(path)
    removed = []
    for label in sorted(found, reverse=True)[keep:]:
        for path in found[label]:
            with suppress(OSError):
                path.unlink()
                removed.append(path)
    return tuple(removed)
