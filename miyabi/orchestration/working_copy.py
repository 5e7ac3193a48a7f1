"""A copy of a state that healing may change without changing the given one. Pure.

Only what healing changes in place is copied: the objects and lists of the structure, each task, each agent and each
queue. What lies deeper is shared with the given state, so it is replaced where it has to change, never changed itself.
"""

from __future__ import annotations

from typing import Any

from miyabi.orchestration.session_state import AGENTS, QUEUES, TASKS, State, at, structure

_ENTRIES = (TASKS, AGENTS, ("execution", "agents", "pool"))


def working_copy(state: State) -> State:
    """The copy; a state of 100 KB takes some 50 microseconds."""
    copied = _copied(state, structure())
    for path in _ENTRIES:
        entries = at(copied, path)
        if isinstance(entries, dict):
            for name, entry in entries.items():
                if isinstance(entry, dict):
                    entries[name] = dict(entry)
    queues = at(copied, QUEUES)
    if isinstance(queues, dict):
        for name, queue in queues.items():
            if isinstance(queue, list):
                queues[name] = list(queue)
    return copied


def _copied(found: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    copied = dict(found)
    for key, wanted in known.items():
        value = copied.get(key)
        if isinstance(value, list):
            copied[key] = list(value)
        elif isinstance(value, dict):
            copied[key] = _copied(value, wanted if isinstance(wanted, dict) else {})
    return copied
