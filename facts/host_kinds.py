"""The kinds of agents that are known for a host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pyinfra.api import Host

    from miyabi.agent_kind import AgentKind

KINDS_DIRECTORY = Path(__file__).resolve().parent.parent / "inventory" / "agents"

_MEMORY = "miyabi_kinds"


def host_kinds(host: Host) -> Mapping[str, AgentKind]:
    """The kinds of agents that are known for ``host``, by name; they are read once in a run.

    + host: they are told in the folder ``agents`` beside the file that its data's ``fleet`` names; where there is no
      such folder, in inventory/agents

    Raises ``SpecError`` with every problem when one of the files is wrong.
    """
    # Only a fleet with agents pays for it.
    from miyabi.agent_kinds import agent_kinds_in  # noqa: PLC0415

    folder = _folder(host)
    known = cast("dict[Path, Mapping[str, AgentKind]]", host.state.__dict__.setdefault(_MEMORY, {}))
    if folder not in known:
        known[folder] = agent_kinds_in(folder)
    return known[folder]


def _folder(host: Host) -> Path:
    fleet = host.data.get("fleet")
    if fleet:
        beside = Path(str(fleet)).expanduser().with_name("agents")
        if beside.is_dir():
            return beside
    return KINDS_DIRECTORY
