"""What an agent has left in its scrollback, from an earlier life or another window, says nothing of it now."""

from __future__ import annotations

from pathlib import Path

import pytest

from miyabi.agent_kinds import agent_kinds_in
from miyabi.agent_lines import body_of
from miyabi.agent_reading import read_screen
from miyabi.sandbox.imitations.agent import scenes
from tests.fleet.control import REPOSITORY

_KINDS = agent_kinds_in(Path(REPOSITORY, "inventory", "agents"))
_RULE = "─" * 60


def _box(kind: str) -> list[str]:
    if kind == "claude":
        return ["", _RULE, f"{scenes.MARKS[kind]} ", _RULE, "  ? for shortcuts"]
    return ["", f"{scenes.MARKS[kind]} Ask Codex to do anything", "", "  ? for shortcuts"]


def _life(kind: str, *lines: str) -> list[str]:
    return [*scenes.head(kind, "74ede5c9", 1), "", *lines, *_box(kind)]


@pytest.mark.parametrize("kind", ["claude", "codex"])
def test_one_that_was_started_again_is_idle_whatever_its_last_life_did(kind: str) -> None:
    busy = scenes.busy(kind, "working", "", 3, 1)
    assert read_screen(_KINDS[kind], _life(kind, *busy), shown_at=0).condition == "working"
    resumed = _life(kind, *scenes.typed(kind, "work on the next issue"))
    assert read_screen(_KINDS[kind], [*_life(kind, *busy), *resumed], shown_at=0).condition == "idle"
    assert body_of([*_life(kind, *busy), *resumed])[0].strip() == resumed[1 if kind == "codex" else 0].strip()


def test_what_stands_above_an_older_box_was_drawn_before() -> None:
    busy = scenes.busy("claude", "working", "", 3, 1)
    drawn_again = [*busy, *_box("claude"), *scenes.typed("claude", "work on the next issue"), *_box("claude")]
    assert read_screen(_KINDS["claude"], drawn_again, shown_at=0).condition == "idle"
    still = [*_box("claude"), *busy, *_box("claude")]
    assert read_screen(_KINDS["claude"], still, shown_at=0).condition == "working"


def test_an_agent_that_speaks_of_its_program_has_not_just_begun() -> None:
    said = ["⏺ Let me see.", "", "⏺ Claude Code v2.2 is out.", *_box("claude")]
    assert body_of(said)[0] == "⏺ Let me see."
