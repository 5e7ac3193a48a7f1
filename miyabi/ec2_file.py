"""The file of the instances, inventory/ec2.yaml: which of them belong to the fleet, and how they are reached.

pydantic and YAML are imported when the file is new: a run that read it before needs neither.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from miyabi.ec2_settings import Ec2Settings
from miyabi.spec_cache import Kind, cached_file
from miyabi.spec_file import file_text

_SOURCES = (
    "ec2_file",
    "ec2_schema",
    "ec2_settings",
    "spec_document",
    "spec_file",
    "spec_found",
    "spec_problems",
    "spec_values",
    "spec_yaml",
    "units",
)


def read_ec2_file(path: Path) -> Ec2Settings:
    """Read the file of the instances.

    + path: such as ``Path("inventory/ec2.yaml")``; without such a file there are no instances

    Returns what it says; ``~`` stands as it was written. Raises ``SpecError`` with every problem, each with its line.
    """
    return cached_file(path, _KIND, Ec2Settings(), _parse)


def _parse(file: str, content: bytes) -> Ec2Settings:
    from miyabi.ec2_schema import settings_from_text  # noqa: PLC0415 - see the module's docstring

    return settings_from_text(file, file_text(file, content))


def _to_json(settings: Ec2Settings) -> str:
    return json.dumps({"ec2": asdict(settings)}, separators=(",", ":"))


def _from_json(text: str) -> Ec2Settings:
    """What was kept. Raises ``ValueError`` when the text is anything else."""
    try:
        kept = json.loads(text)["ec2"]
        tags = tuple((key, tuple(values)) for key, values in kept["tags"])
        lists = {name: tuple(kept[name]) for name in ("regions", "groups")}
        return Ec2Settings(**{**kept, **lists, "tags": tags})
    except (TypeError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"no instances: {error}") from error


_KIND = Kind("ec2", _SOURCES, _to_json, _from_json)
