"""Which workspace ``miyabi state`` is about: a folder of this machine, or one of a host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from miyabi.errors import StateError
from miyabi.masking import shown
from miyabi.orchestration.workspace import STATE_FOLDER
from miyabi.spec_document import nearest
from miyabi.state_looked import Looked

if TYPE_CHECKING:
    from miyabi.cli_fleet import Progress


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace, and which of its sessions are meant.

    + host: "" is this machine
    + workspace: absolute here; as the user wrote it for a host, "" is what the host's spec names
    + sessions: names of files; none is all
    """

    workspace: str
    host: str = ""
    sessions: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What it is called in a sentence."""
        return shown(f"{self.host}: {self.workspace or 'its workspaces'}" if self.host else self.workspace)

    def looked(self, progress: Progress, *, gone_too: bool = False) -> tuple[Looked, ...]:
        """How its sessions are. Raises ``StateError`` when a session that was named is not there.

        + gone_too: whether that is no reason: what is gone may be put back
        """
        if self.host:
            from miyabi.cli_state_host import look_at_host  # noqa: PLC0415 - only for a host

            looked = look_at_host(self.host, self.workspace)
        else:
            from miyabi.cli_state_local import look_here  # noqa: PLC0415

            looked = (look_here(self.workspace, progress),)
        if not gone_too and not any(each.trouble for each in looked):
            require_sessions(self.sessions, [report["name"] for each in looked for report in each.reports])
        return tuple(each.only(self.sessions) for each in looked)


def place_of(workspace: str | None, host: str | None, sessions: Sequence[str]) -> Place:
    """The workspace that a human means.

    + workspace: without one the current folder, or the nearest above it that has a state

    Raises ``StateError`` when there is none.
    """
    if host is not None:
        if not host.isprintable() or not host or host.startswith("-"):
            raise StateError(f"--host {host!r}: allowed: the name of a host of the inventory")
        return Place(workspace or "", host, tuple(sessions))
    return Place(str(_folder(workspace)), "", tuple(sessions))


def require_sessions(wanted: Sequence[str], there: Sequence[str]) -> None:
    """Raise ``StateError`` when a session that was named is not there."""
    for name in wanted:
        if name not in there:
            known = f"there are {', '.join(map(shown, there[:12]))}" if there else "there is no session"
            raise StateError(f"{shown(name)}: no such session; {known}{nearest(name, there)}")


def _folder(workspace: str | None) -> Path:
    try:
        if workspace is None:
            return _nearest(Path.cwd())
        folder = Path(workspace).expanduser().absolute()
        # A folder that may not be entered is one that the look itself tells of.
        if folder.is_dir() and not (folder / ".claude").exists():
            raise StateError(f"{shown(workspace)}: it has no {STATE_FOLDER}, so no orchestration keeps its state there")
    except (OSError, RuntimeError, ValueError) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise StateError(f"{shown(workspace or '.')}: {told}; name another folder with --workspace") from None
    if not folder.is_dir():
        raise StateError(f"{shown(workspace)}: no such folder; name one with --workspace, or a host with --host")
    return folder


def _nearest(here: Path) -> Path:
    for folder in (here, *here.parents):
        if (folder / STATE_FOLDER).is_dir():
            return folder
    raise StateError(
        f"neither {shown(str(here))} nor a folder above it has {STATE_FOLDER}; name one with --workspace PATH, "
        "or a host with --host HOST"
    )
