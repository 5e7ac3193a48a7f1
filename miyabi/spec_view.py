"""A spec as plain mappings and lists, to be shown to people."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from miyabi.levels import Level
from miyabi.spec import Spec

HIDDEN = "(hidden)"
_MAPPINGS = {"environment", "headers", "options", "options_after", "global_options", "budgets"}
_SECRET = {"environment", "headers"}


def spec_to_mapping(spec: Spec, *, reveal: bool = False) -> dict[str, object]:
    """The spec as mappings and lists, without what is empty.

    + reveal: whether values of environments and headers, which often are secrets, are shown

    Returns such as ``{"source": "mugen.yaml", "sessions": [{"session_name": "miyabi", ...}], ...}``; durations are
    seconds, sizes are bytes.
    """
    return _mapping(spec, reveal=reveal)


def _mapping(value: object, *, reveal: bool) -> dict[str, object]:
    shown: dict[str, object] = {}
    for field in fields(value):  # type: ignore[arg-type]
        content = getattr(value, field.name)
        if content is None or content == ():
            continue
        if field.name in _MAPPINGS:
            hide = field.name in _SECRET and not reveal
            shown[field.name] = {_plain(name): HIDDEN if hide else item for name, item in content}
        elif isinstance(content, tuple):
            shown[field.name] = [_shown(item, reveal=reveal) for item in content]
        else:
            shown[field.name] = _shown(content, reveal=reveal)
    return shown


def _shown(value: object, *, reveal: bool) -> object:
    return _mapping(value, reveal=reveal) if is_dataclass(value) else _plain(value)


def _plain(value: object) -> object:
    return value.name if isinstance(value, Level) else value
