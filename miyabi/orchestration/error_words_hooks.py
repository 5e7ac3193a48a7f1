"""What is said of errors of hooks. Data for ``miyabi.orchestration.error_table``; pure."""

from __future__ import annotations

from miyabi.orchestration.error_words import Action, ErrorWords

_SEEN = Action("See which hook, and what it said.", "miyabi history {host}")

HOOK_WORDS = (
    ErrorWords(
        "HOOK_EXECUTION_FAILED",
        "A hook has failed",
        "The hook ran and ended with an error, or a signal ended it.",
        ("Its own command failed.", "It relies on something of your shell that a clean environment lacks."),
        (
            _SEEN,
            Action("Run it by hand, in an empty environment, as it is run: docs/hooks.md says with what."),
        ),
        "Nothing else was changed by it here. What the hook itself did before it failed nobody can take back.",
    ),
    ErrorWords(
        "HOOK_TIMEOUT",
        "A hook took too long",
        "The hook did not end within its time. It was ended, with all processes that it had started.",
        ("It waits for an answer that nobody gives.", "It waits for a network.", "Its time is too short for its work."),
        (
            _SEEN,
            Action("Give it more time, or let it do less: timeout, docs/hooks.md."),
        ),
        "The hook may have done half of its work: look at what it changes before you run it again.",
    ),
    ErrorWords(
        "HOOK_INFINITE_LOOP",
        "A hook is held: it ran again and again",
        "The hook ran more than 10 times within 5 minutes, or three times in a row with the same data. It is held "
        "until that is over.",
        ("What the hook does makes it run again.", "What it is to repair stays broken."),
        (
            _SEEN,
            Action("Find what calls it; the hold ends by itself."),
        ),
        "Nothing was run: the hold is before the hook.",
    ),
    ErrorWords(
        "HOOK_PERMISSION_DENIED",
        "A hook may not be run",
        "The system refuses to run the hook's file.",
        (
            "The file is not executable.",
            "It lies on a disk from which nothing may be run (noexec).",
            "A folder above it may not be entered.",
        ),
        (
            _SEEN,
            Action("Make it executable, on the host: chmod u+x and the hook's path."),
        ),
        "Nothing was run.",
    ),
    ErrorWords(
        "HOOK_DEPENDENCY_MISSING",
        "A hook needs a program that is not there",
        "The hook, or the interpreter in its first line, is not found on the host.",
        (
            "The program is not installed there.",
            "It is in a folder that is not in the clean environment's PATH.",
        ),
        (
            _SEEN,
            Action("Install the program that is named, or write its full path into the hook."),
        ),
        "Nothing was run, or the hook ended where the program is missing.",
    ),
)
