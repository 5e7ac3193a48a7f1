"""Screens of agents and what they say: for each kind and condition those that show it, and those that look like it.

A line in angle brackets stands for the lower end of a screen: ``<box>`` for Claude Code's input line with what stands
below it, ``<box TEXT>`` with a draft in it, ``<busy>`` while it works, ``<old>`` as it was drawn before; ``<codex>``
and ``<codex TEXT>`` for that of Codex; ``<turns>`` and ``<codex-turns>`` for what was done before. Each screen is
tried as wide as it is, and broken as a narrow one breaks it.
"""

# ruff: noqa: RUF001 - the marks of agents
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from miyabi import spec, state
from miyabi.agent_judgement import judge_agent
from miyabi.agent_kinds import agent_kinds_in
from miyabi.agent_state import AgentPane, Agents, Judgement

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
WIDTHS = (0, 120, 80, 60, 44)
NOW = 1_790_000_000.0

_RULE = "─" * 110
_MACRO = re.compile(r"<(?P<name>[a-z-]+)(?: (?P<text>.*))?>")
_TURNS = """
❯ Let the sessions expire after thirty minutes

⏺ I'll look at how sessions are kept.

⏺ Read(src/session.py)
  ⎿  Read 214 lines (ctrl+o to expand)

⏺ Bash(pytest -q tests/test_session.py)
  ⎿  ............
     12 passed in 3.41s
"""
_CODEX_TURNS = """
› Let the sessions expire after thirty minutes

• I'll look at how sessions are kept.

• Ran pytest -q tests/test_session.py
  └ ............
    12 passed in 3.41s
"""


@dataclass(frozen=True, slots=True)
class Example:
    """A screen.

    + condition: whose file it stands in
    + expected: what may be made of it
    + width: 0 is as it was written
    """

    kind: str
    condition: str
    number: str
    expected: tuple[str, ...]
    lines: tuple[str, ...]
    width: int

    @property
    def name(self) -> str:
        """Such as ``claude-limited-yes3-44``."""
        return f"{self.kind}-{self.condition}-{self.number}-{self.width or 'whole'}"


def examples() -> Iterator[Example]:
    """All screens, in all widths."""
    for path in sorted(HERE.glob("*/*.yaml")):
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        told = [(f"yes{at}", each, path.stem) for at, each in enumerate(found["yes"], 1)]
        told += [(f"no{at}", each["screen"], each["is"]) for at, each in enumerate(found["no"], 1)]
        for number, screen, condition in told:
            expected = tuple(condition.replace(",", " ").split())
            for width in WIDTHS:
                yield Example(path.parent.name, path.stem, number, expected, _drawn(screen, width), width)


def judged(example: Example) -> Judgement:
    """What is made of an example, in a pane that lives."""
    kind = agent_kinds_in(ROOT / "inventory" / "agents")[example.kind]
    seen = AgentPane("%1", "kaede", example.lines, same_since=NOW - 30)
    processes = (state.Process(7, 1, example.kind), state.Process(8, 7, "node server.js"))
    wanted = spec.Pane("kaede", agent=spec.Agent())
    pane = state.Pane("%1", 0, 7, active=True)
    return judge_agent(wanted, pane, seen, processes, kind, Agents((seen,), now=NOW), now=NOW)


def _drawn(screen: str, width: int) -> tuple[str, ...]:
    lines = [row for line in screen.split("\n") for row in _expanded(line)]
    return tuple(row for line in lines for row in (wrapped(line, width) if width else [line]))


def _expanded(line: str) -> list[str]:
    found = _MACRO.fullmatch(line)
    if found is None:
        return [line]
    text = found["text"] or ""
    return {
        "box": [_RULE, f"❯ {text}".rstrip(), _RULE, "  ? for shortcuts"],
        "bypass": [_RULE, f"❯ {text}".rstrip(), _RULE, "  ⏵⏵ bypass permissions on (shift+tab to cycle)"],
        "busy": [_RULE, f"❯ {text}".rstrip(), _RULE, "  ⏵⏵ accept edits on (shift+tab to cycle) · esc to interrupt"],
        "old": [f"╭{_RULE}╮", f"│ > {text}".ljust(111) + "│", f"╰{_RULE}╯", "  ? for shortcuts"],
        "codex": [f"› {text or 'Explain this codebase'}", "", "  gpt-5.5 high · 87% context left · ~/repos/miyabi"],
        "turns": _TURNS.split("\n"),
        "codex-turns": _CODEX_TURNS.split("\n"),
    }[found["name"]]


def wrapped(line: str, width: int) -> list[str]:
    """A line as an agent breaks it on a narrow screen: at blanks, indented as what it says."""
    if len(line) <= width:
        return [line]
    if set(line.strip()) <= set("─╭╮╰╯━"):
        return [line[: width - 1] + line[-1]]
    if line.startswith("│"):
        return [line[: width - 1] + "│"]
    plain = line.lstrip(" ")
    marked = re.match(r"[⏺●•◦■⚠⎿└❯›>✻✶✽✢✳·]\s+|\d\.\s", plain)
    indent = " " * (len(line) - len(plain) + (len(marked[0]) if marked else 0))
    rows = []
    while len(line) > width:
        at = line.rfind(" ", len(indent) + 1, width + 1)
        cut = at if at > 0 else width
        rows.append(line[:cut].rstrip())
        line = indent + line[cut:].lstrip()
    return [*rows, line]
