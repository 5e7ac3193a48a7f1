"""When each host was last reached from this machine, and since when it is absent: one small file per host."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Presence:
    """What is known of a host from earlier runs; all times are seconds since the epoch.

    + reached: when it was last reached; None means never, as far as this machine remembers
    + absent_since: when it was first missed after that; None means that it was not
    + boot: which boot of it was seen last, as ``facts.boot.Boot`` tells it; "" means that nobody noted it
    """

    reached: float | None = None
    absent_since: float | None = None
    boot: str = ""


def state_directory() -> Path:
    """Where what outlives a run is kept: miyabi in ``$XDG_STATE_HOME``, or in ~/.local/state."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "miyabi"


def remembered(host: str) -> Presence:
    """What earlier runs noted of ``host``; a note that cannot be read is none."""
    with suppress(OSError, ValueError, RuntimeError):
        reached, absent_since, *boot = _note_of(host).read_text(encoding="ascii").split()
        return Presence(_time(reached), _time(absent_since), " ".join(boot))
    return Presence()


def note_reached(host: str, now: float) -> Presence:
    """Note that ``host`` was reached, and return what was remembered of it before."""
    before = remembered(host)
    _write(host, replace(before, reached=now, absent_since=None))
    return before


def note_absent(host: str, now: float) -> Presence:
    """Note that ``host`` was not reached, and return what is remembered of it now."""
    before = remembered(host)
    absent = replace(before, absent_since=now if before.absent_since is None else before.absent_since)
    _write(host, absent)
    return absent


def note_boot(host: str, boot: str) -> None:
    """Note which boot of ``host`` was seen, so that a later run can tell whether it was booted since."""
    before = remembered(host)
    if boot.isascii() and boot.isprintable() and boot != before.boot:
        _write(host, replace(before, boot=boot))


def _note_of(host: str) -> Path:
    # A name that begins with a dot, or holds a slash, must not lead anywhere else.
    return state_directory() / "hosts" / f"{quote(host, safe='')}.seen"


def _time(text: str) -> float | None:
    return None if text == "-" else float(text)


def _write(host: str, presence: Presence) -> None:
    """Replace the note at once; a full disk costs the memory of a host, never a run."""
    with suppress(OSError, RuntimeError):
        note = _note_of(host)
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = note.with_suffix(f".{os.getpid()}")
        times = (presence.reached, presence.absent_since)
        words = ["-" if each is None else f"{each:.0f}" for each in times]
        unfinished.write_text(" ".join([*words, presence.boot]).rstrip(), encoding="ascii")
        unfinished.replace(note)
