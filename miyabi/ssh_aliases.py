"""Which hosts the user's ssh knows. Only ``Host`` blocks count: what ``Match`` would add is ssh's own affair."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

# OpenSSH itself stops at 16 levels of Include.
_DEEPEST = 16

Hosts = list[tuple[str, dict[str, Any]]]

# The names that `only_known` has left out in this run.
left_out: list[str] = []


def ssh_options(alias: str, home: Path | None = None) -> dict[str, str] | None:
    """What ``~/.ssh/config`` and the files that it includes say of ``alias``, by lower-case keyword.

    + alias: the name as one types it after ``ssh``
    + home: whose configuration; None is the user's own

    None means that no ``Host`` line names it; a pattern that fits every name, such as ``*``, names nobody.
    """
    folder = (home or Path.home()) / ".ssh"
    options: dict[str, str] = {}
    is_named, applies = False, True
    for keyword, value in _lines(folder / "config", folder, 0):
        if keyword == "match":
            applies = False
        elif keyword == "host":
            patterns = _words(value)
            refused = any(each.startswith("!") and fnmatchcase(alias, each[1:]) for each in patterns)
            fitting = [each for each in patterns if fnmatchcase(alias, each) and not refused]
            applies = bool(fitting)
            is_named = is_named or any(each.strip("*?") for each in fitting)
        elif applies:
            # As in ssh, the first value wins.
            options.setdefault(keyword, value)
    return options if is_named else None


def _lines(file: Path, folder: Path, depth: int) -> Iterator[tuple[str, str]]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace") if depth <= _DEEPEST else ""
    except OSError:
        return
    for line in text.splitlines():
        keyword, _, value = line.strip().replace("=", " ", 1).partition(" ")
        if keyword.lower() == "include":
            for pattern in _words(value):
                # A relative path starts at ~/.ssh, an absolute one stays what it is.
                path = folder / Path(pattern).expanduser()
                for each in sorted(Path("/").glob(str(path.absolute().relative_to("/")))):
                    yield from _lines(each, folder, depth + 1)
        elif keyword and not keyword.startswith("#"):
            yield keyword.lower(), value.strip()


def _words(value: str) -> list[str]:
    try:
        return shlex.split(value, comments=True)
    except ValueError:
        return value.split()


def only_known(hosts: Hosts, where: str) -> Hosts:
    """The hosts that ssh knows on this machine; each other one is told of in one line on stderr.

    + hosts: as in a pyinfra inventory: names that are ssh aliases, with their data
    + where: the inventory file, for the message

    A port in ``~/.ssh/config`` wins over ``ssh_port`` in a host's data.
    """
    known: Hosts = []
    for name, data in hosts:
        options = ssh_options(name)
        if options is None:
            left_out.append(name)
            lines = ["HostName ADDRESS", "User NAME", *([f"Port {data['ssh_port']}"] if "ssh_port" in data else [])]
            sys.stderr.write(
                f"    {name} is left out, ssh does not know it on this machine ({where}); "
                f"to add it, put into ~/.ssh/config: Host {name}, {', '.join(lines)}\n"
            )
        else:
            known.append(
                (name, {key: each for key, each in data.items() if key != "ssh_port" or "port" not in options})
            )
    return known
