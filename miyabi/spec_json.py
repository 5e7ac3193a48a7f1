"""A spec as JSON and back, exactly and fast: each dataclass is an object with its name and its fields in order."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

from miyabi import spec as _spec
from miyabi.levels import Level
from miyabi.spec import Spec

_CLASSES: dict[str, Any] = {name: value for name, value in vars(_spec).items() if is_dataclass(value)}
_FIELDS: dict[str, list[str]] = {name: [field.name for field in fields(value)] for name, value in _CLASSES.items()}
_LEVEL = "Level"


def spec_to_json(spec: Spec) -> str:
    """The spec as JSON.

    Returns such as ``{"Spec":["mugen.yaml","3f1a...",[{"Session":[...]}],...]}``; ``spec_from_json`` reads it.
    """
    return json.dumps(_plain(spec), separators=(",", ":"))


def spec_from_json(text: str) -> Spec:
    """The spec that ``spec_to_json`` wrote. Raises ``ValueError`` when the text is anything else."""
    try:
        spec = _typed(json.loads(text, object_hook=_made))
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"no spec: {error}") from error
    if isinstance(spec, Spec):
        return spec
    raise ValueError("no spec: another value")


def _plain(value: Any) -> Any:
    if isinstance(value, Level):
        return {_LEVEL: int(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        name = type(value).__name__
        return {name: [_plain(getattr(value, field)) for field in _FIELDS[name]]}
    return value


def _made(value: dict[str, Any]) -> object:
    ((name, content),) = value.items()
    if name == _LEVEL:
        return Level(content)
    arguments = [_typed(item) for item in content]
    if len(arguments) != len(_FIELDS[name]):
        raise KeyError(name)
    return _CLASSES[name](*arguments)


def _typed(value: Any) -> Any:
    return tuple(_typed(item) for item in value) if isinstance(value, list) else value
