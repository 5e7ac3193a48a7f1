"""imitation of a coding agent for the sandbox: it is called claude or codex, draws, reads keys and keeps conversations.

It has few imports and sleeps nearly always: twenty of them are to run on a small machine at once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import scenes
from .control import Control
from .conversation import Conversation, new_id
from .screen import Screen, wrapped
from .terminal import Terminal, hanging_worker


class Agent:
    """One agent at a terminal."""

    def __init__(self, kind: str, control: Control, conversation: Conversation, terminal: Terminal) -> None:
        self.kind, self.control, self.conversation, self.terminal = kind, control, conversation, terminal
        self.screen = Screen()
        self.draft, self.chosen, self.leaving = "", 0, 0.0
        self.told: dict[str, Any] = {"play": "idle"}
        self.since = self.next_step = time.monotonic()
        self.how = ""
        self.steps = 0
        self.child = 0

    # What is played.

    def begin(self, told: dict[str, Any]) -> None:
        """Play something from now on."""
        self._end_child()
        if told["play"] == "idle" and self.told["play"] != "idle" and self.conversation.turns:
            self.conversation.end()
        self.control.note("play", play=told["play"], how=told.get("how", ""))
        self.told, self.since, self.chosen, self.how = told, time.monotonic(), 0, str(told.get("how", ""))
        self.next_step = self.since + 2
        play = told["play"]
        if play in scenes.ENDS:
            self.end_as(told)
        if play in scenes.OUTLASTED_BY_A_RESTART:
            self.control.forget()
        if play == "limited":
            told.setdefault("until", time.time() + 3600)
        if not self.conversation.turns and play not in {"idle", "trust", "bypass"}:
            self.add_turn(str(told.get("task", "work on the next issue")))
        lines = scenes.banner(self.kind, told)
        if lines:
            self.screen.say(lines)
            self._keep_error(play, lines[-1].strip("⏺■ "))
        if play == "looping":
            self.screen.say([line for _ in range(6) for line in scenes.block(self.kind)])
        self.draw()
        if play == "hang":
            self._hang()

    def _keep_error(self, play: str, text: str) -> None:
        known = {
            "limited": (429, "rate_limit"),
            "login": (401, "authentication_error"),
            "overloaded": (529, "overloaded"),
        }
        if play in known:
            # A limit has been reached some time before it ends.
            at = min(time.time(), float(self.told.get("until", time.time() + 600)) - 600)
            self.conversation.fail(*known[play], text, at)

    def work(self) -> None:
        """Go on as if nothing had been."""
        self.control.forget()
        turn = self.told.get("turn", 1.0 if self.told["play"] == "idle" else None)
        self.begin({"play": "working"} | ({"turn": turn} if turn is not None else {}))

    def add_turn(self, text: str) -> None:
        """Take what was typed into the conversation."""
        self.conversation.add(text)
        self.control.note("turn", turns=len(self.conversation.turns), text=text, session=self.conversation.session_id)
        self.screen.say(scenes.typed(self.kind, text))

    def step(self) -> None:
        """What happens by itself."""
        now, play = time.monotonic(), self.told["play"]
        past = now - self.since
        if self.how == "compacting" and past > 1:
            self.screen.say(["", "  ⎿  Compacted (ctrl+o to see full summary)"])
            self.work()
        elif play == "working" and past > float(self.told.get("turn", past)):
            self.screen.say([*scenes.said(self.kind, "That is done."), "", f"✻ Crunched for {int(past)}s"])
            self.begin({"play": "idle"})
        elif self._is_over_by_itself(past):
            self.work()
        elif now > self.next_step and play == "looping":
            self.next_step = now + float(self.told.get("every", 2))
            self.screen.say(scenes.block(self.kind))
        elif now > self.next_step and play == "working":
            self.next_step = now + 3
            self.screen.say(scenes.said(self.kind, *scenes.STEPS[self.steps % len(scenes.STEPS)]))
            self.steps += 1

    def _is_over_by_itself(self, past: float) -> bool:
        if self.told["play"] == "limited":
            return self.how == "auto" and time.time() > float(self.told["until"])
        return self.how == "retrying" and past > float(self.told.get("seconds", 30))

    def is_busy(self) -> bool:
        """Whether its screen says that it works."""
        play = self.told["play"]
        return play in {"working", "looping", "hang"} or self.how in {"retrying", "compacting"}

    def _hang(self) -> None:
        if self.how == "":
            signal.pause()
        else:
            self.child = os.fork()
            if self.child == 0:
                hanging_worker(stopped=self.how == "stopped")
            if self.how == "alive":
                return
            os.waitpid(self.child, 0)
            self.child = 0
        self.work()

    def _end_child(self) -> None:
        if self.child:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
            self.child = 0

    # What is seen.

    def draw(self) -> None:
        """Draw what does not scroll away; one that hangs draws nothing."""
        if self.child:
            return
        asked = scenes.question(self.kind, self.told, str(Path.cwd()))
        live = []
        if self.is_busy():
            past = time.monotonic() - self.since
            live = scenes.busy(self.kind, self.told["play"], self.how, past, len(self.conversation.turns))
        live = [row for line in live for row in wrapped(line, self.screen.width)]
        if asked is not None:
            shown = ["", *asked.lines(self.kind, self.chosen)]
            rows = [row for line in shown for row in wrapped(line, self.screen.width)]
            self.screen.draw([*live, *rows], (len(live) + len(rows) - 1, 0))
            return
        rows = wrapped(f"{scenes.MARKS[self.kind]} {self.draft}", self.screen.width)
        at = (
            (len(live) + 1 + len(rows), len(rows[-1]))
            if self.kind == "claude"
            else (len(live) + len(rows), len(rows[-1]))
        )
        self.screen.draw([*live, *self._box(rows)], at)

    def _box(self, rows: list[str]) -> list[str]:
        short = f"{self.conversation.session_id[:8]} · turn {len(self.conversation.turns)}"
        leaving = time.monotonic() - self.leaving < 2
        if self.kind == "claude":
            rule = "─" * self.screen.width
            foot = "  Press Ctrl-C again to exit" if leaving else f"  ? for shortcuts · {short}"
            return ["", rule, *rows, rule, foot[: self.screen.width]]
        if not self.draft:
            rows = [f"{scenes.MARKS[self.kind]} \x1b[2mAsk Codex to do anything\x1b[0m"]
        foot = "  ctrl + c again to quit" if leaving else f"  ? for shortcuts · {short} · 97% context left"
        return ["", *rows, "", foot[: self.screen.width]]

    # What is typed.

    def press(self, key: str) -> None:
        """Do what a key does."""
        asked = scenes.question(self.kind, self.told, str(Path.cwd()))
        if asked is not None:
            self._answer(asked, key)
        elif key == "enter":
            self._enter()
        elif key in {"esc", "c-c"} and self.is_busy():
            self.screen.say(["", scenes.INTERRUPTED[self.kind]])
            self.begin({"play": "idle"})
        elif key in {"c-c", "c-d"}:
            if not self.draft and time.monotonic() - self.leaving < 2:
                self.end_as({"play": "exit", "code": 0})
            self.draft, self.leaving = "", time.monotonic()
        elif key == "back":
            self.draft = self.draft[:-1]
        elif key == "c-u":
            self.draft = ""
        elif len(key) == 1 and key.isprintable():
            self.draft += key

    def _answer(self, asked: scenes.Question, key: str) -> None:
        if key in {"up", "down"}:
            self.chosen = (self.chosen + (1 if key == "down" else -1)) % len(asked.choices)
        answer = {"enter": self.chosen, "y": asked.yes, "esc": -1}.get(key, int(key) - 1 if key.isdecimal() else None)
        if answer is None:
            return
        self.control.note("answer", play=self.told["play"], answer=answer)
        if self.told["play"] == "limited":
            self.begin({"play": "limited", "until": self.told["until"]})
        elif answer == asked.yes or (self.told["play"] == "permission" and answer == 1):
            self.work()
        elif asked.no == "end":
            self.end_as({"play": "exit", "code": 1})
        else:
            self.begin({"play": "idle"})

    def _enter(self) -> None:
        text, self.draft = self.draft.strip(), ""
        if not text:
            return
        if text in {"/exit", "/quit", "exit"}:
            self.end_as({"play": "exit", "code": 0})
        if text in {"/clear", "/new"}:
            self.conversation = Conversation(self.kind, new_id())
            self.begin({"play": "idle"})
        elif text == "/compact":
            self.control.note("compact")
            failed = self.told["play"] == "context-full" and self.how == "failed"
            self.begin(self.told if failed else {"play": "compacting", "how": "compacting"})
        elif text == "/login" and self.told["play"] == "login":
            self.screen.say(["", "  ⎿  Login successful"])
            self.work()
        else:
            self.add_turn(text)
            if self._is_over():
                self.work()
            else:
                self.begin(self.told)

    def _is_over(self) -> bool:
        """Whether what keeps it from working is over when something is typed."""
        play = self.told["play"]
        if play == "limited":
            return time.time() > float(self.told["until"])
        if play == "overloaded":
            return time.monotonic() - self.since >= float(self.told.get("seconds", 0))
        return play not in {"login", "context-full"}

    # How it ends.

    def end_as(self, told: dict[str, Any]) -> None:
        """End, in one of several ways."""
        if told is self.told:
            self.control.again(told)
        self.draw()
        self.screen.leave()
        for line in scenes.last_words(self.kind, told, self.conversation.session_id):
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        usual = signal.SIGABRT if told["play"] == "oom" else 0
        number, code = int(told.get("signal", usual)), int(told.get("code", 130 if told["play"] == "exit" else 1))
        self.control.note("end", play=told["play"], code=code, signal=number)
        self._end_child()
        self.terminal.restore()
        if told["play"] == "shell":
            shell = os.environ.get("SHELL", "/bin/sh")
            os.execv(shell, [shell])  # noqa: S606 - the host's own shell
        if number:
            with suppress(ValueError, OSError):
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            signal.pause()
        os._exit(code)
