"""imitation of a coding agent for the sandbox: what it is told on its command line."""

from __future__ import annotations

# Those that take a value, of the ones that are of no interest here.
_VALUED = {
    *("--model", "-m", "--permission-mode", "--add-dir", "--append-system-prompt", "--settings", "--mcp-config"),
    *("--allowedTools", "--disallowedTools", "--agent", "--name", "-n", "--config", "-s", "--sandbox", "-a"),
    *("--ask-for-approval", "-C", "--cd", "-p", "--profile", "--effort"),
}


class Options:
    """What was asked for.

    + session_id: of a new conversation; None is any
    + resume: of the one to go on with; "" is the newest; None is a new one
    + fork: whether what is resumed goes on under another id
    + prompt: what to begin with
    """

    def __init__(self, kind: str, words: list[str]) -> None:
        self.session_id: str | None = None
        self.resume: str | None = None
        self.fork = self.version = False
        self.prompt = ""
        self._words = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
        if kind == "codex" and self._words[:1] == ["resume"]:
            del self._words[0]
            self.resume = self._value() or ""
        while self._words:
            self._take(kind, self._words.pop(0))

    def _value(self) -> str | None:
        return self._words.pop(0) if self._words and not self._words[0].startswith("-") else None

    def _take(self, kind: str, word: str) -> None:
        if word in {"--version", "-V"}:
            self.version = True
        elif word == "--session-id":
            self.session_id = self._value() or ""
        elif kind == "claude" and word in {"--resume", "-r"}:
            self.resume = self._value() or ""
        elif word in {"--continue", "--last"} or (kind == "claude" and word == "-c"):
            self.resume = ""
        elif word == "--fork-session":
            self.fork = True
        elif word in _VALUED or word == "-c":
            self._value()
        elif not word.startswith("-"):
            self.prompt = word
