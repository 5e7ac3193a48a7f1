"""Where the paths of a spec begin. Pure: no file is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote

from miyabi.spec import Pairs


def join(directory: str, path: str) -> str:
    """``path`` as seen from ``directory``, with what begins at ``/``, ``~`` or a variable left alone.

    + directory: an absolute path, or one that begins with ``~`` or a variable
    + path: may begin with ``./`` or ``../``

    Returns ``/specs/repo`` for ``/specs`` and ``./repo``.
    """
    if path.startswith(("/", "~", "$")):
        return path
    steps = directory.rstrip("/").split("/")
    for step in path.split("/"):
        if step in {"", "."}:
            continue
        # A link, a variable or a home above which nobody knows the way keeps its "..".
        if step == ".." and len(steps) > 1 and steps[-1] != ".." and "$" not in steps[-1]:
            steps.pop()
        else:
            steps.append(step)
    return "/".join(steps) or "/"


def joined(path: str | None, directory: str) -> str | None:
    """``path`` as seen from ``directory``; None when there is none."""
    return None if not path else join(directory, path)


def _dotted(value: str, directory: str) -> str:
    """``value``, joined to ``directory`` when it begins with a dot: tmuxp's rule for values that may be paths."""
    if not value.startswith("."):
        return value
    first, space, rest = value.partition(" ")
    return join(directory, first) + space + rest


def script_line(command: str | None, directory: str) -> str | None:
    """A command line, whose program may be relative to ``directory``."""
    if command is None or not command.startswith("."):
        return command
    first, space, rest = command.partition(" ")
    program = join(directory, first)
    # The folder may hold a space; a home in front of it has to stay unquoted for the host's shell.
    return (program if program.startswith("~") else quote(program)) + space + rest


def dotted_pairs(values: Mapping[str, str], directory: str) -> Pairs:
    """Names and values, with each value that begins with a dot taken for a path."""
    return tuple((name, _dotted(value, directory)) for name, value in values.items())
