"""What git has said of a folder, as ``miyabi.git_script`` asks it. Pure."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass, field

from miyabi.errors import ParseError
from miyabi.host_paths import from_hex
from miyabi.partial_work import GitFacts, PullRequest, PullState

# How many names of files are kept.
_NAMES = 8

_BLOCKS = frozenset({"status", "stashes", "pulls"})
_PULLS: dict[str, PullState] = {"OPEN": "open", "CLOSED": "closed", "MERGED": "merged"}
_NO_REPOSITORY = ("not a git repository", "false")


@dataclass(slots=True)
class _Told:
    """The answer's words with what follows them, and its blocks."""

    words: dict[str, list[str]] = field(default_factory=dict)
    blocks: dict[str, bytes] = field(default_factory=dict)

    def one(self, word: str) -> str | None:
        return self.words[word][0] if word in self.words else None


@dataclass(slots=True)
class _Status:
    """What ``git status --porcelain=v2`` counts."""

    head: str = ""
    branch: str = ""
    upstream: str = ""
    staged: int = 0
    changed: int = 0
    conflicts: int = 0
    untracked: int = 0
    files: list[str] = field(default_factory=list)


def read_work(lines: Iterable[str], folder: str) -> GitFacts:
    """The answer of ``work_script`` about ``folder``. Raises ``ParseError`` when it is cut off or something else."""
    told = _read(lines)
    if "all" not in told.words:
        raise ParseError("what git says is cut off")
    if "missing" in told.words:
        lost = told.one("lost")
        return GitFacts(folder, exists=False, repository=False, missing_work=None if lost is None else int(lost))
    path = from_hex(told.one("path") or "")
    refused = told.one("refused")
    if refused is not None:
        return _refused(folder, path, from_hex(refused))
    status = _status(told.blocks.get("status", b""))
    unpushed, default = told.one("unpushed"), from_hex(told.one("default") or "")
    merged = told.one("merged")
    is_default = bool(status.branch) and status.branch == default
    lock = told.one("lock")
    pulls = told.blocks.get("pulls")
    return GitFacts(
        folder=folder,
        path=path,
        is_main="main" in told.words,
        common=from_hex(told.one("common") or ""),
        head=status.head,
        branch=status.branch,
        has_branch=None if "wanted" not in told.words else told.one("wanted") == "yes",
        operation=" and ".join(dict.fromkeys(told.words.get("operation", ()))),
        lock_age=None if lock is None else max(0.0, float(lock)),
        staged=status.staged,
        changed=status.changed,
        conflicts=status.conflicts,
        untracked=status.untracked,
        files=tuple(status.files[:_NAMES]),
        has_remote="remote" in told.words,
        unpushed=0 if not status.head else int(unpushed) if unpushed and unpushed.isdigit() else None,
        is_in_default={"0": True, "1": False}.get(merged or ""),
        had_upstream=not is_default
        and ("upstream" in told.words or (bool(status.branch) and status.upstream.endswith(f"/{status.branch}"))),
        stashes=_stashes(told.blocks.get("stashes", b""), status.branch),
        pull=None if pulls is None else _pull(pulls),
        pull_asked=pulls is not None,
    )


def _read(lines: Iterable[str]) -> _Told:
    told = _Told()
    block: list[str] | None = None
    name = ""
    for line in lines:
        word, _, rest = line.partition(" ")
        if block is not None:
            if line == "end":
                told.blocks[name] = _bytes("".join(block))
                block = None
            else:
                block.append(line)
        elif word in _BLOCKS and not rest:
            name, block = word, []
        else:
            told.words.setdefault(word, []).append(rest)
    return told


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error as error:
        raise ParseError(f"what git says is cut off: {error}") from error


def _refused(folder: str, path: str, said: str) -> GitFacts:
    words = " ".join(said.split())
    if any(each in words.lower() for each in _NO_REPOSITORY):
        return GitFacts(folder, path, repository=False)
    if "dubious ownership" in words:
        words = "it is somebody else's; when it is right: git config --global --add safe.directory and its path"
    return GitFacts(folder, path, refused=words.removeprefix("fatal: ")[:200] or "it does not say why")


def _status(content: bytes) -> _Status:
    """The counts of a status; one that is cut off counts at least what is told."""
    *entries, last = content.split(b"\0")
    if last.startswith(b"exit ") and last != b"exit 0":
        raise ParseError(f"git status: {'no answer in time' if last == b'exit 124' else last.decode(errors='replace')}")
    found = _Status()
    is_origin = False
    for entry in entries:
        if is_origin:
            # The old name of a file that was renamed.
            is_origin = False
            continue
        text = entry.decode("utf-8", "surrogateescape")
        kind = text[:1]
        if kind == "#":
            _header(found, text)
        elif kind in {"1", "2"}:
            found.staged += text[2] != "."
            found.changed += text[2] == "."
            found.files.append(text.split(" ", 8 if kind == "1" else 9)[-1])
            is_origin = kind == "2"
        elif kind == "u":
            found.conflicts += 1
            found.files.insert(0, text.split(" ", 10)[-1])
        elif kind == "?":
            found.untracked += 1
            found.files.append(text[2:])
    found.files = [_printable(name) for name in found.files[: _NAMES * 2]]
    return found


def _header(found: _Status, text: str) -> None:
    _, key, *rest = text.split(" ", 2)
    value = rest[0] if rest else ""
    if key == "branch.oid":
        found.head = "" if value == "(initial)" else value
    elif key == "branch.head":
        found.branch = "" if value == "(detached)" else value
    elif key == "branch.upstream":
        found.upstream = value


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)[1:-1]


def _stashes(content: bytes, branch: str) -> int:
    """How many stashes were made on a branch, as git's own log of them says."""
    messages = [line.partition(b"\t")[2].decode(errors="replace") for line in content.splitlines()]
    heads = (f"WIP on {branch or '(no branch)'}:", f"On {branch or '(no branch)'}:")
    return sum(message.startswith(heads) for message in messages)


def _pull(content: bytes) -> PullRequest | None:
    """The pull request of a branch: an open one, else the newest."""
    try:
        told = json.loads(content)
        found = [PullRequest(int(each["number"]), _PULLS[each["state"]], str(each["url"])) for each in told]
    except (ValueError, KeyError, TypeError):
        return None
    found.sort(key=lambda each: (each.state == "open", each.number))
    return found[-1] if found else None
