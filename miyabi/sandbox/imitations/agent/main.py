"""imitation of a coding agent for the sandbox: how it begins, by what it was called and told."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from . import scenes
from .control import Control
from .conversation import Conversation, new_id
from .options import Options
from .play import Agent
from .terminal import Terminal, keys_of

# Seconds between two looks at the control file, and two pictures of the spinner.
_TICK = 0.3


def main(kind: str) -> NoReturn:
    """Be ``claude`` or ``codex``, with the options of the command line."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(kind)
    asked = Options(kind, sys.argv[1:])
    if asked.version:
        sys.stdout.write(
            "2.1.252 (Claude Code, an imitation)\n" if kind == "claude" else "codex-cli 0.155.1 (an imitation)\n"
        )
        sys.exit(0)
    if not os.isatty(0):
        _refuse("Error: stdin is not a terminal")
    control = Control(dict(os.environ))
    told = control.news()
    conversation, resumed = _conversation(kind, asked, fork=bool(told and told.get("fork")))
    begun = {"session": conversation.session_id, "turns": len(conversation.turns)}
    control.note("start", resumed=resumed, words=sys.argv[1:], **begun)
    signal.signal(signal.SIGCONT, lambda *_: None)
    agent = Agent(kind, control, conversation, Terminal())
    agent.screen.say(scenes.head(kind, conversation.session_id, len(conversation.turns)))
    for text in conversation.turns[-5:]:
        agent.screen.say(scenes.typed(kind, text))
    if asked.prompt:
        agent.add_turn(asked.prompt)
    agent.begin(told or {"play": "idle" if resumed and not asked.prompt else "working"})
    _live(agent, control)


def _live(agent: Agent, control: Control) -> NoReturn:
    while True:
        if told := control.news():
            agent.begin(told)
        agent.step()
        agent.draw()
        text = agent.terminal.read(_TICK)
        if text is None:
            os._exit(129)
        if text:
            control.note("keys", keys=text)
        for key in keys_of(text):
            agent.press(key)


def _refuse(why: str) -> NoReturn:
    sys.stderr.write(f"{why}\n")
    sys.exit(1)


def _conversation(kind: str, asked: Options, *, fork: bool) -> tuple[Conversation, bool]:
    """The conversation to lead, and whether it goes on; a refusal ends the program as the real one would."""
    if asked.resume is not None:
        kept = Conversation.found(kind, asked.resume or None)
        if kept is None and kind == "claude":
            _refuse(
                f"No conversation found with session ID: {asked.resume}"
                if asked.resume
                else "No conversation found to continue"
            )
        if kept is None:
            hint = "Run `codex resume` without an ID to choose from existing sessions."
            _refuse(f"No saved session found with ID {asked.resume}. {hint}")
        return (kept.forked() if fork or asked.fork else kept), True
    if asked.session_id is not None and Conversation.found(kind, asked.session_id):
        _refuse(f"Error: Session ID {asked.session_id} is already in use.")
    if asked.session_id is not None and len(asked.session_id) != 36:
        _refuse("Error: Invalid session ID. Must be a valid UUID.")
    return Conversation(kind, asked.session_id or new_id()), False
