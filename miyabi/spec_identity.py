"""The names by which the windows and panes of a spec are known, whatever tmux calls them later."""

from __future__ import annotations

from collections.abc import Sequence


def window_identities(names: Sequence[str | None]) -> list[str]:
    """Identities of a session's windows, unique in the session.

    + names: each window's ``window_name``, None where it has none

    Returns for ``["main", None, "main"]``: ``["main", "window-2", "main#2"]``.
    """
    taken = {name for name in names if name}
    given: set[str] = set()
    identities = []
    for position, name in enumerate(names, start=1):
        base = name or f"window-{position}"
        identity, number = base, 1
        # A window keeps the name that the spec gives it; only later ones and nameless ones make way.
        while identity in given or (identity in taken and identity != name):
            number += 1
            identity = f"{base}#{number}"
        given.add(identity)
        identities.append(identity)
    return identities


def pane_identity(session: str, window: str, number: int) -> str:
    """The name of a pane that the spec does not name.

    + session: its session's name
    + window: its window's identity
    + number: its place in the window, from 1

    Returns such as ``miyabi:main.1``.
    """
    return f"{session}:{window}.{number}"
