"""What came of a hook, as its script on the host tells: read, and judged. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from miyabi.errors import ParseError
from miyabi.hook import Hook
from miyabi.hook_loop import held_for
from miyabi.hook_process import HEAD, TAIL
from miyabi.hook_words import in_words
from miyabi.state import Observed

HookCode = Literal[
    "HOOK_EXECUTION_FAILED",
    "HOOK_TIMEOUT",
    "HOOK_INFINITE_LOOP",
    "HOOK_PERMISSION_DENIED",
    "HOOK_DEPENDENCY_MISSING",
]

_LINE = re.compile(r"(outcome|code|seconds|bytes|left|uncounted|what|head|tail) ?(.*)")

# What the last lines of a program's output say when something that it needs is not there, and what that is.
_MISSING = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:^|[:\s])(?P<what>[^\s:'\"\u2018\u2019]{1,100}): (?:command )?not found$",
        r"command not found: (?P<what>\S{1,100})$",
        r"env: [\u2018'\"]?(?P<what>[^\s:'\"\u2018\u2019]{1,100})[\u2019'\"]?: No such file or directory",
        r"error while loading shared libraries: (?P<what>[^\s:]{1,100}):",
        r"Library not loaded: (?P<what>\S{1,200})",
        r"ModuleNotFoundError: No module named '(?P<what>[^']{1,100})'",
        r"Cannot find (?:module|package) '(?P<what>[^']{1,200})'",
        r"Can't locate (?P<what>\S{1,100}) in @INC",
        r"cannot load such file -- (?P<what>\S{1,200})",
    )
)
_DENIED = re.compile(r"(?:Permission denied|Operation not permitted|EACCES|EPERM)")
_OTHER_MACHINE = re.compile(r"Exec format error|cannot execute binary file|Bad CPU type")
# As many of the last lines are looked at.
_LAST = 5


@dataclass(frozen=True, slots=True)
class HookResult(Observed):
    """What came of a hook.

    + problem: the code of what is wrong; None when it ended with 0
    + reason: what is wrong and what to do, in one line; "" when nothing is
    + code: its exit code; None when it was not run, or ended by a signal
    + signal: the number of the signal that ended it; a program that exits with 129 to 192 looks the same
    + seconds: how long it ran
    + output: what it printed, both outputs together, as text; its middle is left out when it is long
    + left_out: how many bytes that were
    + left: the processes that it has left running
    + counted: whether the host could remember the run
    """

    problem: HookCode | None = None
    reason: str = ""
    code: int | None = None
    signal: int | None = None
    seconds: float = 0.0
    output: str = ""
    left_out: int = 0
    left: tuple[int, ...] = ()
    counted: bool = True


def read_result(hook: Hook, lines: Sequence[str], nonce: str) -> HookResult:
    """What the script told of a hook; raises ``ParseError`` when it did not tell it to the end.

    + nonce: the one that the script was given: nothing that a hook prints can look like its lines
    """
    begin, end = f"##miyabi:hook {nonce}", f"##miyabi:end {nonce}"
    if begin not in lines or end not in lines:
        raise ParseError("its host did not tell what came of it")
    found = (_LINE.fullmatch(line) for line in lines[lines.index(begin) : lines.index(end)])
    told = {each[1]: each[2].strip() for each in found if each}
    try:
        return _judge(hook, told)
    except (KeyError, ValueError, IndexError) as error:
        raise ParseError(f"its host told something else than what came of it: {error}") from error


def _judge(hook: Hook, told: Mapping[str, str]) -> HookResult:
    what = _text(told["what"]).removesuffix("\n")
    outcome = told["outcome"]
    if outcome == "held":
        rule, until, now = what.split()
        return HookResult("HOOK_INFINITE_LOOP", held_for(rule, float(until), float(now)))
    output, left_out = _output(told)
    result = HookResult(
        seconds=int(told["seconds"]) / 100,
        output=output,
        left_out=left_out,
        left=tuple(map(int, told["left"].split())),
        counted=told["uncounted"] != "yes",
    )
    if outcome == "timeout":
        return _timed_out(hook, result)
    if outcome != "ended":
        code, reason = in_words(outcome, what)
        return replace(result, problem=code, reason=reason)
    return _ended(hook, result, int(told["code"]))


def _timed_out(hook: Hook, result: HookResult) -> HookResult:
    pids = ", ".join(map(str, result.left))
    ended = f"it was ended, but for what does not end: {pids}" if pids else "it was ended with all that it had started"
    advice = "find out what it waits for, or give it more time"
    reason = f"no end within {hook.timeout} s; {ended}; {advice}"
    return replace(result, problem="HOOK_TIMEOUT", reason=reason)


def _ended(hook: Hook, result: HookResult, code: int) -> HookResult:
    if code == 0:
        return replace(result, code=0)
    if 128 < code <= 192:
        reason = f"ended by signal {code - 128}{_last_line(result.output)}"
        return replace(result, problem="HOOK_EXECUTION_FAILED", reason=reason, signal=code - 128)
    problem, why = _why(hook, result.output, code)
    reason = f"exit code {code}{why or _last_line(result.output)}"
    return replace(result, problem=problem, reason=reason, code=code)


def _why(hook: Hook, output: str, code: int) -> tuple[HookCode, str]:
    """The code of a hook that has failed, and what its output says that it lacked."""
    last = [line.strip() for line in output.splitlines() if line.strip()][-_LAST:]
    for line in reversed(last):
        for pattern in _MISSING:
            found = pattern.search(line)
            # Whoever goes on after "not found" has failed for another reason.
            if found and (code in {126, 127} or "not found" not in found[0]):
                return (
                    "HOOK_DEPENDENCY_MISSING",
                    f": it needs {found['what']}, which is not there: install it on the host",
                )
    if any(_OTHER_MACHINE.search(line) for line in last):
        return (
            "HOOK_EXECUTION_FAILED",
            ": it was built for another kind of machine, or lacks its first line (#!/bin/sh)",
        )
    denied = next((line for line in reversed(last) if _DENIED.search(line)), None)
    if code == 126 or (denied and hook.program.rpartition("/")[2] in denied):
        return (
            "HOOK_PERMISSION_DENIED",
            f": {denied or 'something that it runs may not be run'}; change its permissions",
        )
    if code == 127:
        return "HOOK_DEPENDENCY_MISSING", ": something that it runs is not there, or lacks its interpreter"
    return "HOOK_EXECUTION_FAILED", ""


def _last_line(output: str) -> str:
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")
    return f": {last[:200]}" if last else ", and it printed nothing"


def _output(told: Mapping[str, str]) -> tuple[str, int]:
    head, tail = _bytes(told.get("head", "")), _bytes(told.get("tail", ""))
    total = int(told["bytes"] or len(head))
    missing = total - len(head)
    if missing <= 0 or not tail:
        return _decoded(head), max(0, missing)
    left_out = max(0, missing - TAIL)
    tail = tail[-min(TAIL, missing) :]
    if not left_out:
        return _decoded(head + tail), 0
    return f"{_decoded(head)}\n[{left_out} bytes left out]\n{_decoded(tail)}", left_out


def _bytes(digits: str) -> bytes:
    if len(digits) > 2 * max(HEAD, TAIL) + 2:
        raise ValueError("more output than was asked for")
    return bytes.fromhex(digits)


def _text(digits: str) -> str:
    return _decoded(bytes.fromhex(digits))


def _decoded(data: bytes) -> str:
    return data.decode(errors="replace")
