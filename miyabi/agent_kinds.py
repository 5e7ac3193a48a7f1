"""The kinds of agents that are known: inventory/agents/*.yaml, a file for each.

pydantic and YAML are imported when a file is new: a run that read it before needs neither.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from miyabi.agent_kind import AgentKind, Pattern
from miyabi.errors import SpecError, SpecProblem
from miyabi.spec_cache import Kind, cached_file
from miyabi.spec_file import file_text

_SOURCES = (
    "agent_kind",
    "agent_kind_schema",
    "agent_kinds",
    "agent_state",
    "pattern_cost",
    "spec_document",
    "spec_file",
    "spec_found",
    "spec_problems",
    "spec_values",
    "spec_yaml",
)


def agent_kinds_in(folder: Path) -> dict[str, AgentKind]:
    """The kinds of agents that a folder tells of.

    + folder: such as ``Path("inventory/agents")``; without it nothing is known

    Returns them by name: ``claude`` for claude.yaml, sorted. Raises ``SpecError`` with every problem, each with its
    line.
    """
    problems: list[SpecProblem] = []
    kinds: dict[str, AgentKind] = {}
    for path in kind_files(folder):
        try:
            kinds[path.stem] = replace(cached_file(path, _KIND, AgentKind(path.stem), _parse), name=path.stem)
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return kinds


def kind_files(folder: Path) -> list[Path]:
    """The files that tell of kinds of agents, sorted; none when the folder is not there or may not be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".yaml" and not path.name.startswith("."))
    except OSError:
        return []


def _parse(file: str, content: bytes) -> AgentKind:
    from miyabi.agent_kind_schema import kind_from_text  # noqa: PLC0415 - see the module's docstring

    return kind_from_text(file, file_text(file, content))


def _to_json(kind: AgentKind) -> str:
    return json.dumps({"kind": asdict(kind)}, separators=(",", ":"))


def _from_json(text: str) -> AgentKind:
    """What was kept. Raises ``ValueError`` when the text is anything else."""
    try:
        kept: dict[str, Any] = json.loads(text)["kind"]
        lists = {name: tuple(kept[name]) for name in ("programs", "trust")}
        patterns = tuple(Pattern(**each) for each in kept["patterns"])
        return AgentKind(**{**kept, **lists, "patterns": patterns})
    except (TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"no kind of agent: {error}") from error


_KIND = Kind("agent-kind", _SOURCES, _to_json, _from_json)
