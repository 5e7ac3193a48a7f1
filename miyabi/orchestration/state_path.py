"""The place in a session's state that an event names, and what may be done there. Pure."""

from __future__ import annotations

from typing import Any

from miyabi.orchestration.session_state import AGENTS, LOCKS, NODES, QUEUES, TASKS, State, at

# A state is not deeper than that; what names more is no place in it.
_DEEPEST = 64

# Names that stand for something else than data in the programs that write states.
_FORBIDDEN = frozenset({"__proto__", "prototype", "constructor"})

# What is set to nothing here is gone: an entry that is nothing would be no task, agent or lock.
_ENTRIES = frozenset({TASKS, AGENTS, ("execution", "agents", "pool"), LOCKS, NODES, QUEUES})

# Who is whose must not change under an event: it would make another session's state out of this one.
_OWN = ("session", "id")


class PathError(ValueError):
    """A place that an event names and that is none; its text says why, in one line."""


def set_at(state: State, path: object, value: Any) -> None:
    """Put ``value`` at a place of ``state``, making what is missing on the way; ``PathError`` when that is no place.

    + path: keys with dots between them, or a list of keys, which is exact
    """
    keys = _keys(state, path)
    own = at(state, _OWN)
    if tuple(keys) == _OWN and own is not None and own != value:
        raise PathError("the session's own id is not changed")
    if keys == ["session"] and own is not None and at(value, ("id",)) != own:
        raise PathError("the session's own id is not changed")
    if value is None and tuple(keys[:-1]) in _ENTRIES:
        _delete(state, keys)
        return
    _parent(state, keys, makes=True)[keys[-1]] = value


def delete_at(state: State, path: object) -> None:
    """Take away what is at a place of ``state``, if anything is; ``PathError`` when that is no place."""
    keys = _keys(state, path)
    if len(keys) == 1 or tuple(keys) == _OWN:
        raise PathError(f"{shown(path)} is no part that may go")
    _delete(state, keys)


def shown(path: object) -> str:
    """A place for the user, in one short line."""
    text = ".".join(each if isinstance(each, str) else "?" for each in path) if isinstance(path, list) else str(path)
    text = text.encode("ascii", "backslashreplace").decode() if text.isascii() is False else text
    text = "".join(each if each.isprintable() else "?" for each in text[:200])
    return text if len(text) <= 80 else f"{text[:77]}..."


def _delete(state: State, keys: list[str]) -> None:
    parent = _parent(state, keys, makes=False)
    if parent is not None:
        parent.pop(keys[-1], None)


def _keys(state: State, path: object) -> list[str]:
    """The keys on the way to a place."""
    if isinstance(path, str):
        keys = _split(state, path)
    elif isinstance(path, list) and all(isinstance(each, str) for each in path):
        keys = list(path)
    else:
        raise PathError("its path is neither a text nor a list of texts")
    if not keys or keys == [""]:
        raise PathError("its path is empty")
    if len(keys) > _DEEPEST:
        raise PathError(f"its path is {len(keys)} keys deep")
    if forbidden := _FORBIDDEN.intersection(keys):
        raise PathError(f"its path holds {min(forbidden)}")
    return keys


def _split(state: State, path: str) -> list[str]:
    """A path with dots as keys: where keys hold dots themselves, the longest that exists counts."""
    parts = path.split(".", 4 * _DEEPEST)
    if len(parts) > _DEEPEST:
        raise PathError(f"its path is more than {_DEEPEST} keys deep")
    keys: list[str] = []
    here: object = state
    while parts:
        lengths = range(len(parts), 0, -1) if isinstance(here, dict) else ()
        length = next((each for each in lengths if ".".join(parts[:each]) in here), 1)  # type: ignore[operator]
        key = ".".join(parts[:length])
        keys.append(key)
        parts = parts[length:]
        here = here.get(key) if isinstance(here, dict) else None
    return keys


def _parent(state: State, keys: list[str], *, makes: bool) -> Any:
    """The object that holds the place; None when it is not there and is not to be made."""
    here: Any = state
    for depth, key in enumerate(keys[:-1]):
        if key not in here or here[key] is None:
            if not makes:
                return None
            here[key] = {}
        here = here[key]
        if not isinstance(here, dict):
            raise PathError(f"{shown(keys[: depth + 1])} is no object")
    return here
