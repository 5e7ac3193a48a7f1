"""imitation of a coding agent for the sandbox: what can be played, and how it looks in Claude Code and in Codex.

What a play may be told beside its name, and what ends it:

    working       what an agent that begins anew does; turn: seconds until it is done and idle
    idle          what a resumed one does; what is typed is a turn, of ``turn`` seconds (1 unless said)
    permission    a question about a command; 1 or Enter says yes
    trust         a question about the folder, before all else; 1 or Enter says yes, Esc ends the agent
    bypass        a question about going without permissions; 2 says yes, Enter says no, and ends the agent
    limited       until: epoch seconds (an hour from now); when that has come, what is typed makes it work, else it
                  says the same again; how: menu (a question), auto (goes on by itself), auto-fails; text: its own words
    overloaded    how: retrying (goes on by itself after ``seconds``, 30), final (what is typed makes it work after
                  ``seconds``, 0), throttled, stalled (the stream)
    login         /login makes it work; how: revoked
    context-full  /compact makes it work; how: failed (it cannot)
    looping       the same block again and again; every: seconds (2)
    hang          its screen says busy and stands still; how: stopped (what it works with has got SIGSTOP), alive (what
                  it works with uses the processor); SIGCONT, to that when there is one, ends it
    crash         code (1) or signal (a number)
    oom           as node ends when its heap is full; signal: 9 is the kernel's way, without words
    exit          code (130); what a human or a stray key does
    shell         it is replaced by a shell
    background    refuses to resume: its conversation is open elsewhere

The last five end it: as often as ``times`` says (once), then it lives, as they do not outlast that; nor do permission,
looping and hang outlast a restart. The others are there again after one.
"""

from __future__ import annotations

import time
from typing import Any

ENDS = ("crash", "oom", "exit", "shell", "background")
OUTLASTED_BY_A_RESTART = ("permission", "looping", "hang")

MARKS = {"claude": "❯", "codex": "›"}  # noqa: RUF001 - what stands before what one types
INTERRUPTED = {
    "claude": "  ⎿  Interrupted · What should Claude do instead?",
    "codex": "■ Conversation interrupted - tell the model what to do differently.",
}
VERBS = ("Reticulating", "Pondering", "Simmering", "Percolating", "Brewing", "Herding", "Noodling")
GLYPHS = "·✢✳✶✻✽"
STEPS = (
    ("Read(src/session.py)", "Read 214 lines"),
    ('Search(pattern: "def expire", path: "src")', "Found 3 files"),
    ("Bash(pytest -q tests/test_session.py)", "12 passed in 3.41s"),
    ("Update(src/session.py)", "Updated src/session.py with 6 additions and 2 removals"),
    ("Bash(git diff --stat)", "2 files changed, 9 insertions(+), 4 deletions(-)"),
    ("Read(docs/sessions.md)", "Read 58 lines"),
    ("Write(tests/test_expiry.py)", "Wrote 41 lines to tests/test_expiry.py"),
    ("Bash(ruff check src)", "All checks passed!"),
    ("Fetch(https://example.org/rfc/6265)", "Received 148.2KB (200 OK)"),
    ("Bash(git log --oneline -3)", "3f0c1aa Let a session end when it says so"),
)  # fmt: skip

_LOOP = (
    ("Bash(pytest -q tests/test_login.py)", "FAILED tests/test_login.py::test_login - assert 401 == 200"),
    ("Update(src/login.py)", "Updated src/login.py with 1 addition and 1 removal"),
)


class Question:
    """A question with numbered answers.

    + about: what stands above the answers
    + choices: the answers
    + below: what stands below them
    + yes: which answer goes on; any other one does what ``no`` says: ``end`` the agent, or be ``idle``
    """

    def __init__(self, about: list[str], choices: list[str], below: list[str], yes: int = 0, no: str = "end") -> None:
        self.about, self.choices, self.below, self.yes, self.no = about, choices, below, yes, no

    def lines(self, kind: str, chosen: int) -> list[str]:
        """How it looks with the mark at one of the answers."""
        shown = [f" {MARKS[kind] if at == chosen else ' '} {at + 1}. {text}" for at, text in enumerate(self.choices)]
        return [*self.about, "", *shown, "", *self.below]


def said(kind: str, text: str, result: str | None = None) -> list[str]:
    """A step of an agent, and what came of it."""
    if kind == "claude":
        return ["", f"⏺ {text}", *([f"  ⎿  {result}"] if result else [])]
    return ["", f"• {'Ran ' if result else ''}{text}", *([f"  └ {result}"] if result else [])]


def typed(kind: str, text: str) -> list[str]:
    """What a human has typed."""
    return ["", f"{MARKS[kind]} {text}"]


def head(kind: str, session_id: str, turns: int) -> list[str]:
    """What an agent says when it begins."""
    folder = f"session {session_id[:8]} · {turns} turns before"
    if kind == "claude":
        rule = "─── Claude Code v2.1.252 (an imitation) ───"
        return [f"╭{rule}╮", f"│ {folder}".ljust(len(rule) + 1) + "│", f"╰{'─' * len(rule)}╯"]
    title = " >_ OpenAI Codex (v0.155.1, an imitation) "
    return [f"╭{'─' * len(title)}╮", f"│{title}│", f"│ {folder}".ljust(len(title) + 1) + "│", f"╰{'─' * len(title)}╯"]


def block(kind: str) -> list[str]:
    """What a looping agent says again and again."""
    return [line for text, result in _LOOP for line in said(kind, text, result)]


def clock(until: float, *, zone: bool) -> str:
    """A time of day as banners say it: in UTC, or in the host's own zone."""
    if zone:
        parts = time.gmtime(until)
        minutes = f":{parts.tm_min:02}" if parts.tm_min else ""
        return f"{parts.tm_hour % 12 or 12}{minutes}{'pm' if parts.tm_hour > 11 else 'am'} (UTC)"
    parts = time.localtime(until)
    return f"{parts.tm_hour % 12 or 12}:{parts.tm_min:02} {'PM' if parts.tm_hour > 11 else 'AM'}"


def banner(kind: str, told: dict[str, Any]) -> list[str]:
    """What is said as a play begins."""
    play, how = told["play"], told.get("how", "")
    if told.get("text"):
        return ["", str(told["text"])]
    if play == "limited":
        return _limit(kind, how, float(told["until"]))
    if play == "login":
        revoked = "was revoked" if how == "revoked" else "was already used"
        error = (
            '{"type":"error","error":{"type":"authentication_error","message":"Invalid authentication credentials"}}'
        )
        return [
            "",
            f"⏺ Please run /login · API Error: 401 {error}"
            if kind == "claude"
            else f"■ Your access token could not be refreshed because your refresh token {revoked}. "
            "Please log out and sign in again.",
        ]
    if play == "context-full":
        return _context(kind, how)
    if play == "overloaded" and how != "retrying":
        return _overloaded(kind, how)
    return []


def _limit(kind: str, how: str, until: float) -> list[str]:
    if kind != "claude":
        more = "Upgrade to Pro (https://chatgpt.com/explore/pro), visit https://chatgpt.com/codex/settings/usage to"
        return [
            "",
            f"■ You've hit your usage limit. {more} purchase more credits or try again at {clock(until, zone=False)}.",
        ]
    at = clock(until, zone=True)
    if how.startswith("auto"):
        return ["", f"⏺ Usage limit reached · continuing automatically at {at} · esc or type to cancel"]
    return ["", f"⏺ You've hit your session limit · resets {at}"]


def _context(kind: str, how: str) -> list[str]:
    if how == "failed":
        error = "Conversation too long. Press esc twice to go up a few messages and try again."
        return [
            "",
            f"  ⎿  Error: Error during compaction: Error: {error}"
            if kind == "claude"
            else f"■ Error running compact task: {error}",
        ]
    full = "■ Codex ran out of room in the model's context window. Start a new thread or clear earlier history before"
    full = f"{full} retrying."
    return ["", "  ⎿  Context low · Run /compact to compact & continue" if kind == "claude" else full]


def _overloaded(kind: str, how: str) -> list[str]:
    if how == "throttled":
        return said("claude", "API Error: Server is temporarily limiting requests (not your usage limit)")
    if how == "stalled":
        return said("claude", "API Error: Response stalled mid-stream. The response above may be incomplete.")
    if kind != "claude":
        return ["", "■ exceeded retry limit, last status: 503 Service Unavailable"]
    text = "API Error: 529 Overloaded. This is a server-side issue, usually temporary — try again in a moment."
    return said("claude", f"{text} If it persists, check https://status.claude.com.")


def busy(kind: str, play: str, how: str, seconds: float, turn: int) -> list[str]:
    """The lines of an agent that works: they change about three times a second."""
    whole, tick = int(seconds), int(seconds / 0.3)
    past = f"{whole}s" if whole < 60 else f"{whole // 60}m {whole % 60:02}s"
    if kind == "claude":
        more = []
        if play == "overloaded":
            error = '529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
            more = [
                f"  ⎿  API Error ({error}) · Retrying in {8 - whole % 8} seconds… (attempt {whole // 8 % 10 + 1}/10)",
                "",
            ]
        verb = VERBS[turn % len(VERBS)] if how != "compacting" else "Compacting conversation"
        return [
            "",
            *more,
            f"{GLYPHS[tick % len(GLYPHS)]} {verb}… ({past} · ↑ {50 + tick * 7} tokens · esc to interrupt)",
        ]
    if play == "overloaded":
        lost = f"⚠ stream error: stream disconnected before completion; retrying {whole // 8 % 5 + 1}/5 in 1.4s…"
        return ["", lost, "", f"• Working ({past} • esc to interrupt)"]
    return ["", f"{'•◦'[tick % 2]} {'Compacting' if how == 'compacting' else 'Working'} ({past} • esc to interrupt)"]


def question(kind: str, told: dict[str, Any], folder: str) -> Question | None:
    """The question that a play asks; None when it asks none."""
    play = told["play"]
    if play == "permission":
        return _permission(kind, folder)
    if play == "trust":
        return _trust(kind, folder)
    if play == "bypass":
        return _bypass(kind)
    if play == "limited" and told.get("how") == "menu":
        choices = ["Stop and wait for limit to reset", "Upgrade your plan"]
        return Question([" What do you want to do?"], choices, [" Enter to confirm · Esc to cancel"], no="idle")
    return None


def _permission(kind: str, folder: str) -> Question:
    if kind == "claude":
        about = [
            "─" * 30,
            " Bash command",
            "",
            "   npm run build",
            "   Build the project",
            "",
            " Do you want to proceed?",
        ]
        again = f"Yes, and don't ask again for npm run commands in {folder}"
        choices = ["Yes", again, "No, and tell Claude what to do differently (esc)"]
        return Question(about, choices, [" Esc to cancel · Tab to amend"], no="idle")
    about = [
        "  Would you like to run the following command?",
        "",
        "  Reason: it needs the network",
        "",
        "  $ npm run build",
    ]
    again = "Yes, and don't ask again for commands that start with `npm run` (p)"
    choices = ["Yes, proceed (y)", again, "No, and tell Codex what to do differently (esc)"]
    return Question(about, choices, ["  Press enter to confirm or esc to cancel"], no="idle")


def _trust(kind: str, folder: str) -> Question:
    if kind == "claude":
        about = [" Do you trust the files in this folder?", "", f" {folder}", ""]
        about += [" Claude Code may read, write, or execute files contained in this directory."]
        return Question(about, ["Yes, proceed", "No, exit"], [" Enter to confirm · Esc to exit"])
    about = [
        f"> You are in {folder}",
        "",
        "  Do you trust the contents of this directory? Working with untrusted contents",
    ]
    about += ["  comes with higher risk of prompt injection."]
    return Question(about, ["Yes, continue", "No, quit"], ["  Press enter to continue"])


def _bypass(kind: str) -> Question:
    if kind == "claude":
        about = [" WARNING: Claude Code running in Bypass Permissions mode", ""]
        about += [" In Bypass Permissions mode, Claude Code will not ask for your approval before running commands."]
        return Question(about, ["No, exit", "Yes, I accept"], [" Enter to confirm · Esc to exit"], yes=1)
    about = ["  Enable full access?", "", "  Codex will run commands without your approval."]
    return Question(about, ["Go back", "Yes, continue anyway"], ["  Press enter to confirm or esc to go back"], yes=1)


def last_words(kind: str, told: dict[str, Any], session_id: str) -> list[str]:
    """What an agent prints as it ends."""
    play = told["play"]
    if play == "oom" and "signal" not in told:
        return [
            "<--- Last few GCs --->",
            "[4711:0x5581d0] 912345 ms: Mark-Compact 4093.2 (4139.1) -> 4092.8 (4141.1) MB, 1123.40 / 0.00 ms",
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        ]
    if play == "crash" and "signal" not in told:
        return [
            "TypeError: Cannot read properties of undefined (reading 'id')",
            "    at Session.next (session.js:412:17)",
        ]
    if play == "background":
        short = session_id[:8]
        found = f"Session {session_id} is running as a background session ({short})."
        return [f"{found} Run `claude attach {short}` to open it, or `claude stop {short}` to end it first."]
    if play == "exit":
        resume = f"claude --resume {session_id}" if kind == "claude" else f"codex resume {session_id}"
        return [f"Resume this session with: {resume}"]
    return []
