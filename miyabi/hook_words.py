"""Why a hook could not be run, in words: what is wrong, where, and what to do. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from miyabi.hook_result import HookCode

# By the word that the script tells: the code, and the rest of the line. {0} and {1} are what it tells beside.
_WORDS: dict[str, tuple[HookCode, str]] = {
    "missing": ("HOOK_DEPENDENCY_MISSING", "there is no {0} on the host: put it there, or correct the path"),
    "dangling": ("HOOK_DEPENDENCY_MISSING", "{0} is a link that leads nowhere: put there what it should lead to"),
    "unknown": ("HOOK_DEPENDENCY_MISSING", "there is no program {0} in the host's PATH: install it, or name its path"),
    "not-in-path": ("HOOK_DEPENDENCY_MISSING", "there is no program {0} in the host's PATH: for the file, write ./{0}"),
    "interpreter": (
        "HOOK_DEPENDENCY_MISSING",
        "its interpreter {0} is not on the host: install it, or correct the first line of {1}",
    ),
    "carriage-return": (
        "HOOK_DEPENDENCY_MISSING",
        "the first line of {0} ends with a carriage return, so none is not found: save it with Unix line ends",
    ),
    "unreachable": (
        "HOOK_PERMISSION_DENIED",
        "the folder {0} may not be entered: give this user the right to (chmod +x)",
    ),
    "not-executable": ("HOOK_PERMISSION_DENIED", "{0} is not executable: chmod +x it"),
    "foreign": ("HOOK_PERMISSION_DENIED", "{0} is executable for others, and not for this user: change owner or mode"),
    "noexec": (
        "HOOK_PERMISSION_DENIED",
        "nothing may be run where {0} lies ({1} is mounted noexec): move it elsewhere, or write sh {0}",
    ),
    "interpreter-denied": ("HOOK_PERMISSION_DENIED", "the interpreter {0} of {1} may not be run: change its mode"),
    "directory": ("HOOK_EXECUTION_FAILED", "{0} is a folder: name the program in it"),
    "special": ("HOOK_EXECUTION_FAILED", "{0} is no file: name a program"),
    "folder": ("HOOK_EXECUTION_FAILED", "its folder {0} is not there or cannot be entered: correct cwd, or make it"),
    "no-room": ("HOOK_EXECUTION_FAILED", "nothing can be written in {0}: make room there, or set TMPDIR on the host"),
    "torn": ("HOOK_EXECUTION_FAILED", "its data did not arrive whole, and so it was not run: look at the connection"),
    "busy": ("HOOK_EXECUTION_FAILED", "its turn did not come, as other runs of it begin all the time: try again later"),
}


def in_words(outcome: str, what: str) -> tuple[HookCode, str]:
    """The code and the line for a hook that was not run.

    + outcome: the word by which the host tells why
    + what: what it tells beside, a line for each thing
    """
    code, words = _WORDS[outcome]
    about = [*what.split("\n"), "", ""]
    return code, words.format(*about)
