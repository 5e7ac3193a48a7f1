"""What a dashboard serves, where, and to whom. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What ``miyabi dashboard`` was asked for, and what it knows of the fleet.

    + folder: of the memory
    + url: of the history's database; None is a file in ``folder``
    + keep: seconds that the history is kept
    + monitoring: as ``FleetFile.monitoring``
    + days, hosts: as ``miyabi.overview_reader.read_overview`` has them
    + host, port: where it listens; port 0 is any that is free
    + is_guarded: whether it takes the token on loopback, too
    + is_new_token: whether the token that was kept counts no more
    """

    folder: str
    url: str | None
    keep: float
    monitoring: dict[str, Any] = field(default_factory=dict)
    days: float = 7.0
    hosts: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8765
    is_guarded: bool = False
    is_new_token: bool = False

    def to_json(self) -> str:
        """As one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """What ``to_json`` has written."""
        told = json.loads(text)
        return cls(**{**told, "hosts": tuple(told["hosts"])})
