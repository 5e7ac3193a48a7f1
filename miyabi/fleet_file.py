"""The fleet's file, inventory/fleet.yaml: what holds for all hosts together, and where the memory is.

pydantic and YAML are imported when the file is new: a run that read it before needs neither.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from urllib.parse import quote

from miyabi.errors import SpecError, SpecProblem
from miyabi.gate_rules import FleetFile, FleetRules
from miyabi.spec_cache import Kind, cached_file
from miyabi.spec_file import file_text

_SOURCES = (
    "fleet_file",
    "fleet_monitoring_schema",
    "fleet_schema",
    "gate_rules",
    "monitoring",
    "spec_document",
    "spec_file",
    "spec_found",
    "spec_gate_schema",
    "spec_problems",
    "spec_values",
    "spec_yaml",
    "units",
)
_VARIABLE = re.compile(r"\$(?:(?P<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\})", re.ASCII)


def read_fleet_file(path: Path) -> FleetFile:
    """Read the fleet's file.

    + path: such as ``Path("inventory/fleet.yaml")``; without such a file the defaults hold

    Returns what it says; ``state`` is absolute, ``history_url`` is as it was written (see ``history_address``).
    Raises ``SpecError`` with every problem, each with its line.
    """
    fleet = cached_file(path, _KIND, FleetFile(), _parse)
    return fleet if fleet.state is None else replace(fleet, state=_expanded(str(path), fleet.state))


def history_address(fleet: FleetFile, environment: Mapping[str, str]) -> str | None:
    """The URL of the history's database, with each ``$NAME`` in it replaced.

    + environment: where ``$NAME`` is looked up; what is a part of the URL, such as a password, is encoded for it

    Returns None for the SQLite file in the folder of the memory. Raises ``SpecError`` when a variable is not set.
    """
    url = fleet.history_url
    if url is None:
        return None

    def value(found: re.Match[str]) -> str:
        name = found["bare"] or found["braced"]
        if not environment.get(name):
            allowed = f"allowed: a variable that is set where Miyabi runs; set {name}, or write the URL out"
            raise SpecError([SpecProblem("inventory/fleet.yaml", None, "history.url", f"found ${name}", allowed)])
        if found[0] == url:
            return environment[name]
        return quote(environment[name], safe="")

    return _VARIABLE.sub(value, url)


def _parse(file: str, content: bytes) -> FleetFile:
    from miyabi.fleet_schema import fleet_from_text  # noqa: PLC0415 - see the module's docstring

    return fleet_from_text(file, file_text(file, content))


def _to_json(fleet: FleetFile) -> str:
    return json.dumps({"fleet": asdict(fleet)}, separators=(",", ":"))


def _from_json(text: str) -> FleetFile:
    """What was kept. Raises ``ValueError`` when the text is anything else."""
    try:
        kept = json.loads(text)["fleet"]
        return FleetFile(**{**kept, "rules": FleetRules(**kept["rules"])})
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"no fleet: {error}") from error


_KIND = Kind("fleet", _SOURCES, _to_json, _from_json)


def _expanded(file: str, folder: str) -> str:
    try:
        return str(Path(folder).expanduser())
    except RuntimeError:
        allowed = "allowed: an absolute path, or one that begins with the ~ of a user of this machine"
        raise SpecError([SpecProblem(file, None, "state", f"found {folder!r}", allowed)]) from None
