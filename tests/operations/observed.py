"""The state of a host, written down compactly in YAML.

    tmux: {miyabi: {codegen: [kaede: {dead: true, dead_signal: "9"}, null], "~mine": [~]}}
    processes: {1000: bash, 2000: {parent: 1000, arguments: vim}}

A session holds windows, a window holds panes. What has a name carries it as the spec's; ``null`` is a pane without one,
and a session or window whose name begins with ``~`` is not managed. Ids and pids count from $0, @0, %0 and 1000.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from miyabi import state

# Facts of a window may stand where its panes do, under this name.
_PANES = "panes"


def observed_host(data: Mapping[str, Any]) -> state.Host:
    """The host that a case describes.

    + data: ``tmux`` (a mapping of sessions, or None when no server runs) and ``processes``; for what is left out, or
      the processes that are None, ``unknown`` says why
    """
    processes = data.get("processes", {})
    listed = None if processes is None else tuple(_processes(processes))
    unknown = data.get("unknown", {})
    if "tmux" not in data:
        return state.Host(platform="linux", processes=listed, unknown=unknown)
    sessions = data["tmux"]
    tmux = state.Tmux("3.3a", running=sessions is not None, sessions=tuple(_sessions(sessions or {})))
    return state.Host(platform="linux", processes=listed, tmux=tmux, unknown=unknown)


def _processes(processes: Mapping[int, Any]) -> Iterator[state.Process]:
    for pid, told in processes.items():
        named = told if isinstance(told, dict) else {"arguments": told}
        yield state.Process(**{"pid": pid, "parent": 1} | named)


def _sessions(sessions: Mapping[str, Mapping[str, Any]]) -> Iterator[state.Session]:
    windows, panes = count(), count()
    for number, (name, inside) in enumerate(sessions.items()):
        found = tuple(_window(key, told, index, windows, panes) for index, (key, told) in enumerate(inside.items()))
        yield state.Session(
            f"${number}", _shown(name), attached=0, created=1795225010, name=_managed(name), windows=found
        )


def _window(name: str, told: Any, index: int, windows: Iterator[int], panes: Iterator[int]) -> state.Window:
    more = {key: value for key, value in told.items() if key != _PANES} if isinstance(told, dict) else {}
    inside = told[_PANES] if isinstance(told, dict) else told
    found = tuple(_pane(each, place, next(panes)) for place, each in enumerate(inside))
    values: dict[str, Any] = {
        "window_id": f"@{next(windows)}",
        "window_index": index,
        "window_name": _shown(name),
        "name": _managed(name),
        "active": index == 0,
        "layout": "b25d,80x24,0,0,0",
        "panes": found,
    }
    return state.Window(**values | more)


def _pane(told: Any, place: int, number: int) -> state.Pane:
    name, more = next(iter(told.items())) if isinstance(told, dict) else (told, {})
    values: dict[str, Any] = {"pane_id": f"%{number}", "pane_index": place, "pid": 1000 + number, "active": place == 0}
    return state.Pane(**values | {"name": name} | more)


def _shown(name: str) -> str:
    return name.removeprefix("~")


def _managed(name: str) -> str | None:
    return None if name.startswith("~") else name
