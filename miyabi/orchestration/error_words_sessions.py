"""What is said of errors of whole sessions. Data for ``miyabi.orchestration.error_table``; pure."""

from __future__ import annotations

from miyabi.orchestration.error_words import Action, ErrorWords

_LOOK = Action("See what is wrong with which session.", "miyabi state analyze {where}")
_BACKUP = Action("Keep all of it as it is now, before anything else.", "miyabi state backup {where}")
_REPAIR = Action(
    "See what a repair would change; without --dry it asks, then does it.", "miyabi state repair --dry {where}"
)

SESSION_WORDS = (
    ErrorWords(
        "SESSION_INIT_FAILED",
        "A session could not begin",
        "An orchestration wanted to begin a session in this workspace and left no usable state behind: its file is "
        "empty, or holds no session yet.",
        (
            "The program ended, or was ended, while it wrote the file for the first time.",
            "The disk was full, or the folder could not be written.",
            "A setup script or a hook of the session failed.",
        ),
        (
            _LOOK,
            Action("See whether the disk is full.", "df -h {workspace}"),
            Action("Begin the session again; the empty file does not stand in its way once it is repaired.", ""),
            _REPAIR,
        ),
        "A session that never began has lost nothing. What was there before is in the event log and in the backups.",
    ),
    ErrorWords(
        "WORKSPACE_ACCESS_DENIED",
        "The workspace may not be read or written",
        "The folder with the sessions' state cannot be opened by the user that looked, so nobody can say how the "
        "sessions are. Nothing is done there.",
        (
            "The folder, or a file in it, belongs to another user; often something was once run with sudo.",
            "Permissions of a folder above it were changed.",
            "The disk is mounted read-only, or the system (macOS: Privacy & Security) keeps programs out.",
        ),
        (
            Action(
                "See whose it is and what is allowed.",
                "ls -ld {workspace} {workspace}/.claude {workspace}/.claude/state",
            ),
            Action(
                "If it is yours, take it back, as the administrator of the machine.",
                'sudo chown -R "$(id -un)" {workspace}/.claude',
            ),
            Action("Look again.", "miyabi state analyze {where}"),
        ),
        "Nothing was read, and nothing was changed.",
    ),
    ErrorWords(
        "CONFIG_CORRUPTED",
        "A configuration file cannot be used",
        "A configuration file is missing, empty or cannot be read. Its backups are kept where the spec says so, and "
        "the newest valid one is put back.",
        (
            "It was edited by hand, and a comma or a quote went missing.",
            "The disk was full while it was written.",
            "Two programs wrote it at the same time.",
        ),
        (
            Action("See which file, and what is wrong in which line.", "miyabi status --limit {host}"),
            Action("Let it be repaired from its backups, as the spec says.", "miyabi recover --limit {host}"),
        ),
        "A file that was replaced lies beside it, with the time in its name. The state of sessions is kept elsewhere "
        "and is not touched by this.",
    ),
    ErrorWords(
        "RESOURCE_EXHAUSTION",
        "The machine has too little left",
        "Memory, processor, disk or the number of processes is beyond its limit. Sessions that are writing may be cut "
        "off.",
        (
            "More agents run than the machine can carry.",
            "A build or a test has filled the disk.",
            "A program keeps more and more memory.",
        ),
        (
            Action("See what is beyond its limit.", "miyabi status --limit {host}"),
            Action(
                "Let what the spec allows be freed: old logs, temporary files.",
                "miyabi recover --limit {host} --scope performance",
            ),
            Action("Run fewer agents, or set limits in the host's spec: docs/spec.md, Limits."),
        ),
        "No state is removed to make room. A state that cannot be written whole is not written at all: the old one "
        "stays.",
    ),
    ErrorWords(
        "SESSION_TIMEOUT",
        "A session has had no activity for long",
        "Nothing has happened in the session for longer than the spec's stale_after. It may be finished, forgotten, "
        "or hang.",
        (
            "Its work is done, and nobody has ended it.",
            "Its agents wait for a human.",
            "Its program has ended, and nobody began it again.",
        ),
        (
            Action(
                "See what its last activity was, and which tasks are open.",
                "miyabi state analyze {where} --session {session}",
            ),
            Action("See whether its agents wait for somebody.", "miyabi status --limit {host}"),
            Action("If it is finished, end it in its own program; its file stays where it is."),
        ),
        "All of it: a stale session is told, and never removed.",
    ),
    ErrorWords(
        "SESSION_CORRUPTED",
        "A session's state is damaged",
        "The file of the session's state is torn, or no longer holds what a session must have. The program that keeps "
        "it could go on from nothing, or stop.",
        (
            "The machine or the program was ended while it wrote.",
            "Two programs wrote the file at the same time.",
            "The disk was full, or is failing.",
        ),
        (
            Action("Stop the program that keeps the session, so that it does not write over what is left."),
            _BACKUP,
            _REPAIR,
            Action(
                "Or rebuild it from what happened, and see the difference first.",
                "miyabi state replay {where} --session {session}",
            ),
            Action("Or see which backups there are.", "miyabi state restore --list {where}"),
        ),
        "The damaged file is kept as it is before anything is written. What a repair takes out goes into the archive, "
        "and what could not be brought back is named.",
    ),
    ErrorWords(
        "SESSION_LOCKED",
        "A session is held by a running program",
        "A program that runs has locked the session's file. It is left to it: whatever it writes counts.",
        (
            "An orchestrator is at work, as it should be.",
            "It hangs while it holds the lock.",
        ),
        (
            Action("See who holds it, and since when.", "miyabi state analyze {where} --session {session}"),
            Action("Wait: a repair waits a few seconds for the lock, and can be tried again at any time."),
            Action("If that program hangs, end it; its lock is then taken over by itself."),
        ),
        "All of it: nothing is written while another program holds the lock.",
    ),
    ErrorWords(
        "SESSION_ZOMBIE",
        "A session belongs to a program that is gone",
        "The session's lock, or its agents, name a process that has ended, or a pid that is another process's by now. "
        "Nobody goes on with it by itself.",
        (
            "The orchestrator crashed, or was ended.",
            "The machine was started anew.",
        ),
        (
            _LOOK,
            Action(
                "Release what the dead held, and give their tasks back: the lock is taken over, tasks are pending "
                "again.",
                "miyabi state repair {where} {session}",
            ),
            Action("Begin its orchestrator again."),
        ),
        "The state is whole. Tasks of agents that are gone become pending with one more try counted; their locks and "
        "themselves go into the archive.",
    ),
)
