"""Where in a session's file each thing that has a name says it, so that a test knows which names a damage has left."""

from __future__ import annotations

import json
from collections.abc import Iterator

from miyabi.orchestration.session_state import AGENTS, CHANNELS, LOCKS, NODES, QUEUES, RECENT_EVENTS, TASKS

Path = tuple[str, ...]
Span = tuple[int, int]

_MAPS: dict[Path, str] = {
    TASKS: "task",
    AGENTS: "agent",
    ("execution", "agents", "pool"): "pooled",
    LOCKS: "lock",
    NODES: "node",
    ("organization", "teams"): "team",
    ("organization", "projects"): "project",
    ("execution", "workflows", "epics"): "epic",
}


def spans(text: str) -> dict[tuple[str, str], Span]:
    """Where in the JSON of a valid state the name of each thing stands, with its quotes, by kind and id."""
    found: dict[tuple[str, str], Span] = {}
    for path, span, is_key in _texts(text):
        name = json.loads(text[span[0] : span[1]])
        if is_key and path in _MAPS:
            found[_MAPS[path], name] = span
        elif not is_key and path == ("session", "id"):
            found["session", name] = span
        elif not is_key and path[-1:] == ("id",) and path[-2:-1] == ("",):
            if path[: len(QUEUES)] == QUEUES or path[: len(CHANNELS)] == CHANNELS:
                found["message", name] = span
            elif path[:-2] == RECENT_EVENTS:
                found["event", name] = span
    return found


def left(text: bytes, damaged: bytes, named: dict[tuple[str, str], Span]) -> set[tuple[str, str]]:
    """The names of a file whose bytes a damage has left where they were, or moved with all that is behind them."""
    same = [one == two for one, two in zip(text, damaged, strict=False)]
    shift = len(damaged) - len(text)
    behind = len(text)
    while behind > 0 and behind + shift > 0 and text[behind - 1] == damaged[behind + shift - 1]:
        behind -= 1
    ahead = next((place for place, is_same in enumerate(same) if not is_same), len(same))
    return {
        each
        for each, (start, end) in named.items()
        if end <= ahead or start >= behind or (shift == 0 and all(same[start:end]))
    }


def _texts(text: str) -> Iterator[tuple[Path, Span, bool]]:
    """Each text of a valid JSON with the path of what holds it ("" for an item of a list), and whether it is a key."""
    stack: list[tuple[str, str]] = []
    key = ""
    place = 0
    while place < len(text):
        char = text[place]
        if char in "{[":
            stack.append((char, key))
            key = ""
        elif char in "}]":
            stack.pop()
        elif char == '"':
            end = json.decoder.scanstring(text, place + 1)[1]  # type: ignore[attr-defined]
            path = tuple(name for _, name in stack[1:])
            is_key = stack[-1][0] == "{" and text[end:].lstrip()[:1] == ":" if text[end : end + 1] != ":" else True
            if is_key:
                yield path, (place, end), True
                key = json.loads(text[place:end])
            else:
                yield (*path, key if stack[-1][0] == "{" else ""), (place, end), False
            place = end
            continue
        elif char == ",":
            key = ""
        place += 1
