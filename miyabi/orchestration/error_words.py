"""What is said of an error of an orchestration's state: the form of it, and how its commands are filled in. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

_PLACE = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a human can do.

    + text: one sentence
    + command: ready to paste once its places are filled in: ``{where}`` (the options that say which workspace of which
      host), ``{workspace}``, ``{session}``, ``{host}``, ``{backup}``; "" where there is none
    """

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class ErrorWords:
    """What a human is told of one kind of error.

    + title: what it is called
    + happened: what happened, for somebody who sees it for the first time
    + causes: what it most likely comes from, the likeliest first
    + actions: what to do, in this order
    + safe: what of their data is safe, and where
    """

    code: str
    title: str
    happened: str
    causes: tuple[str, ...]
    actions: tuple[Action, ...]
    safe: str


@dataclass(frozen=True, slots=True)
class Places:
    """What commands are filled in with; "" is not known.

    + workspace: its folder
    + session: the name of a session's file
    + host: of the inventory; "" is this machine
    + backup: its name
    """

    workspace: str = ""
    session: str = ""
    host: str = ""
    backup: str = ""

    def values(self) -> Mapping[str, str]:
        """Each place's shell text; a place that cannot be filled in is left out."""
        named = {"workspace": self.workspace, "session": self.session, "host": self.host, "backup": self.backup}
        # What does not print cannot be pasted.
        filled = {name: shlex.quote(value) for name, value in named.items() if value and value.isprintable()}
        where = [f"--{name} {filled[name]}" for name in ("host", "workspace") if name in filled]
        is_whole = all(name in filled for name in ("host", "workspace") if named[name])
        return {**filled, "where": " ".join(where)} if is_whole else filled


def filled_in(command: str, places: Places) -> str:
    """A command with its places filled in, each quoted for a shell.

    + command: as ``Action.command``

    Returns "" when one of its places is not known, or cannot be pasted: half a command would do something else.
    """
    values = places.values()
    if values.get("where") == "":
        command = command.replace(" {where}", "")
    if any(name not in values for name in _PLACE.findall(command)):
        return ""
    return _PLACE.sub(lambda found: values[found[1]], command)
