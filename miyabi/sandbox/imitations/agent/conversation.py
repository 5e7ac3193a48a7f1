"""imitation of a coding agent for the sandbox: the files in which it keeps its conversations, as the real ones do."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any, TextIO


def _home(variable: str, usual: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / usual)


def _stamp(now: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03}Z"


def new_id() -> str:
    """A new session id."""
    raw = bytearray(os.urandom(16))
    raw[6], raw[8] = raw[6] & 15 | 64, raw[8] & 63 | 128
    shown = raw.hex()
    return "-".join((shown[:8], shown[8:12], shown[12:16], shown[16:20], shown[20:]))


class Conversation:
    """One conversation; its file begins with the first turn.

    + kind: ``claude`` or ``codex``
    + turns: what was typed so far, oldest first
    """

    def __init__(self, kind: str, session_id: str, path: Path | None = None) -> None:
        self.kind, self.session_id = kind, session_id
        self.turns: list[str] = []
        self.path = path or self._new_path()
        # Codex holds its file open as long as it lives, Claude Code opens its own for each line.
        self._held = self._opened() if path and kind == "codex" else None

    @staticmethod
    def found(kind: str, session_id: str | None) -> Conversation | None:
        """The conversation that was kept as ``session_id``, or the folder's newest; None when there is none."""
        paths = _files(kind, session_id or "*")
        if session_id is None and kind == "codex":
            paths = [path for path in paths if _begun_in(path) == str(Path.cwd())]
        if not paths:
            return None
        path = max(paths, key=lambda each: each.stat().st_mtime)
        name = path.stem
        kept = Conversation(kind, name[-36:] if kind == "codex" else name, path)
        kept.turns = [text for row in _rows(path) if (text := _typed(kind, row)) is not None]
        return kept

    def forked(self) -> Conversation:
        """A new conversation that begins with all that was said in this one."""
        other = Conversation(self.kind, new_id())
        for text in self.turns:
            other.add(text)
        return other

    def add(self, text: str) -> None:
        """Keep what was typed, and an answer to it."""
        self.turns.append(text)
        answer = f"I am working on it (an imitation): {text}"
        if self.kind == "claude":
            self._append(self._claude("user", {"role": "user", "content": text}))
            self._append(
                self._claude("assistant", {"role": "assistant", "content": [{"type": "text", "text": answer}]})
            )
            return
        self._append(("event_msg", {"type": "user_message", "message": text}))
        said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": answer}]}
        self._append(("response_item", said))

    def end(self) -> None:
        """Keep that the agent has ended its turn."""
        if self.kind == "claude":
            message = {"role": "assistant", "stop_reason": "end_turn", "content": [{"type": "text", "text": "Done."}]}
            self._append(self._claude("assistant", message))
        else:
            self._append(("event_msg", {"type": "task_complete", "last_agent_message": "Done."}))

    def fail(self, status: int, error: str, text: str, at: float) -> None:
        """Keep that the service refused: Claude's transcript says so with its status, Codex's in an event.

        + at: when it did, in seconds since the epoch
        """
        if self.kind == "claude":
            message = {"role": "assistant", "model": "<synthetic>", "stop_reason": "stop_sequence"}
            row = self._claude("assistant", message | {"content": [{"type": "text", "text": text}]})
            told = {"isApiErrorMessage": True, "apiErrorStatus": status, "error": error, "timestamp": _stamp(at)}
            self._append(row | told)
        else:
            event = _event("event_msg", {"type": "error", "message": text})
            self._append(event | {"timestamp": _stamp(at)})

    def _claude(self, kind: str, message: dict[str, Any]) -> dict[str, Any]:
        own = {"sessionId": self.session_id, "cwd": str(Path.cwd()), "uuid": new_id(), "timestamp": _stamp(time.time())}
        return {"type": kind, "isSidechain": False, **own, "message": message}

    def _append(self, row: dict[str, Any] | tuple[str, dict[str, Any]]) -> None:
        rows = [row if isinstance(row, dict) else _event(*row)]
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.kind == "codex":
                about = {"id": self.session_id, "timestamp": _stamp(time.time()), "cwd": str(Path.cwd())}
                about |= {"originator": "codex_cli_rs", "cli_version": "0.155.1", "source": "cli"}
                rows.insert(0, _event("session_meta", about))
        file = self._held or self._opened()
        file.write("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in rows))
        file.flush()
        if self.kind == "codex":
            self._held = file
        else:
            file.close()

    def _opened(self) -> TextIO:
        return self.path.open("a", encoding="utf-8")

    def _new_path(self) -> Path:
        if self.kind == "claude":
            return _claude_folder() / f"{self.session_id}.jsonl"
        day = time.strftime("%Y/%m/%d")
        name = f"rollout-{time.strftime('%Y-%m-%dT%H-%M-%S')}-{self.session_id}.jsonl"
        return _home("CODEX_HOME", ".codex") / "sessions" / day / name


def _event(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"timestamp": _stamp(time.time()), "type": kind, "payload": payload}


def _claude_folder() -> Path:
    name = re.sub("[^A-Za-z0-9]", "-", str(Path.cwd()))
    return _home("CLAUDE_CONFIG_DIR", ".claude") / "projects" / name


def _files(kind: str, session_id: str) -> list[Path]:
    if kind == "claude":
        return list(_claude_folder().glob(f"{session_id}.jsonl"))
    return list((_home("CODEX_HOME", ".codex") / "sessions").glob(f"*/*/*/rollout-*-{session_id}.jsonl"))


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _begun_in(path: Path) -> str:
    return next((str(row["payload"].get("cwd")) for row in _rows(path) if row.get("type") == "session_meta"), "")


def _typed(kind: str, row: dict[str, Any]) -> str | None:
    """What a human typed, when the row says that."""
    if kind == "claude":
        return str(row["message"]["content"]) if row.get("type") == "user" and not row.get("isSidechain") else None
    payload = row.get("payload", {})
    return str(payload["message"]) if payload.get("type") == "user_message" else None
