"""Whether a configuration file is what its format says; nothing of what it holds is ever told. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

FORMATS = ("json", "yaml", "toml")

# Bytes up to which a file is looked at.
LIMIT = 256 * 1024

# No configuration is nested deeper; the time that YAML takes grows with the square of it.
_DEEPEST = 200

_LINE = re.compile(r"\(at line (\d+)")


def flaw(content: bytes, form: str) -> str | None:
    """What is wrong with ``content``, in words that quote nothing of it; None when it is a valid file of its format.

    + form: ``json``, ``yaml`` or ``toml``

    Such a file holds a mapping or a list, or nothing but comments: that a single word is valid YAML makes no
    configuration of it. A YAML file may hold several documents, and tags that only its own program knows.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 from byte {error.start} on"
    if not text.strip():
        return "it is empty"
    try:
        if form == "json":
            return None if isinstance(json.loads(text), dict | list) else "it holds no JSON object or list"
        return _flaw_of_toml(text) if form == "toml" else _flaw_of_yaml(text)
    except json.JSONDecodeError as error:
        return f"it is no JSON from line {error.lineno} on"
    except RecursionError:
        return "it is nested too deeply"


def _flaw_of_toml(text: str) -> str | None:
    # Only a host whose file has changed pays for this import.
    import tomllib  # noqa: PLC0415

    try:
        tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        line = _LINE.search(str(error))
        return f"it is no TOML from line {line[1]} on" if line else "it is no TOML: it ends in the middle"
    return None


def _flaw_of_yaml(text: str) -> str | None:
    import yaml  # noqa: PLC0415

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    first, depth = None, 0
    anchors: set[str | None] = set()
    try:
        # Events, not nodes: the C library makes nodes by recursion, and deep nesting would end this process.
        for event in yaml.parse(text, loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise RecursionError
            if isinstance(event, yaml.DocumentStartEvent):
                anchors.clear()
            if not isinstance(event, yaml.NodeEvent):
                continue
            first = first or event
            if isinstance(event, yaml.AliasEvent) and event.anchor not in anchors:
                return _not_yaml(event.start_mark)
            anchors.add(event.anchor)
    except yaml.MarkedYAMLError as error:
        return _not_yaml(error.problem_mark or error.context_mark)
    except yaml.YAMLError:
        return "it is no YAML: it holds a character that may not be there"
    return "it holds no YAML mapping or list" if isinstance(first, yaml.ScalarEvent) else None


def _not_yaml(mark: Any) -> str:
    return f"it is no YAML from line {mark.line + 1} on" if mark else "it is no YAML"
