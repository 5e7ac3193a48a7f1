"""What is said of errors of the state itself. Data for ``miyabi.orchestration.error_table``; pure."""

from __future__ import annotations

from miyabi.orchestration.error_words import Action, ErrorWords

_LOOK = Action("See what is wrong with which session.", "miyabi state analyze {where}")
_BACKUP = Action("Keep all of it as it is now, before anything else.", "miyabi state backup {where}")
_DRY = Action(
    "See what a repair would change; without --dry it asks, then does it.", "miyabi state repair --dry {where}"
)

STATE_WORDS = (
    ErrorWords(
        "STATE_CONFLICT",
        "Somebody else was faster",
        "While a change was prepared, another program wrote the session's file. Its version stays, and the change is "
        "made anew on it, a few times.",
        (
            "A live orchestrator writes often.",
            "Two people, or two control machines, repair at the same time.",
        ),
        (
            Action("Try again; nothing has to be undone.", "miyabi state repair {where} {session}"),
            Action("If it never gets through, pause the orchestrator for a moment, then try again."),
        ),
        "Both: what the other program wrote is there, and what was to be written is still to be done.",
    ),
    ErrorWords(
        "STATE_SIZE_EXCEEDED",
        "A session's state is too large",
        "The state is larger than the spec's limit. Each of its programs reads all of it each time, so everything "
        "gets slow.",
        (
            "Completed tasks and old messages have piled up.",
            "The state carries events that the event log has as well.",
            "An agent keeps whole files in its context.",
        ),
        (
            Action("See how large it is, and what it is made of.", "miyabi state analyze {where} --session {session}"),
            Action(
                "Let it be cleaned up: completed tasks over a day, messages over six hours, and old events are "
                "archived.",
                "miyabi state repair {where} {session}",
            ),
            Action("Or allow more in the host's spec: orchestration, limits, session_size."),
        ),
        "All of it: what is taken out is in .claude/recovery/archive first. Open tasks and messages that nobody has "
        "had yet stay.",
    ),
    ErrorWords(
        "STATE_VALIDATION_FAILED",
        "The state holds something of the wrong kind",
        "The state is readable, but something in it is not what its place asks for, such as a text where a number "
        "must be.",
        (
            "A program of another version wrote it.",
            "It was edited by hand.",
        ),
        (
            Action("See where, and what is allowed there.", "miyabi state validate {where} --session {session}"),
            _DRY,
            Action(
                "What a repair leaves must be corrected where it is written; docs/session-state.schema.json says how."
            ),
        ),
        "All of it: keys that nobody knows stay as they are, and what is of the wrong kind is archived before it is "
        "replaced.",
    ),
    ErrorWords(
        "STATE_CIRCULAR_REFERENCE",
        "Parts of the state refer to each other in a circle",
        "An agent is a child of its own child, or things refer to each other without an end, so a program that "
        "follows them never gets through.",
        ("An agent was spawned again under a name that was in use.", "Two states were merged."),
        (_LOOK, _DRY),
        "All of it: a reference that is cut is in the archive.",
    ),
    ErrorWords(
        "STATE_SIZE_LIMIT_EXCEEDED",
        "A limit of the workspace is passed",
        "The workspace has more sessions, agents or events than its spec allows. Nothing is broken yet.",
        (
            "Finished sessions are still there.",
            "The limits are lower than the work that is done here.",
        ),
        (
            _LOOK,
            Action("End the sessions that are finished in their own programs; their files may then be moved away."),
            Action("Or allow more in the host's spec: orchestration, limits."),
        ),
        "All of it: no session is removed because of a limit.",
    ),
    ErrorWords(
        "MEMORY_EXHAUSTION",
        "The machine has too little memory",
        "So little memory is available that programs may be ended by the system while they write.",
        ("More agents run than the machine can carry.", "A program keeps more and more memory."),
        (
            Action("See how much is left, and what uses it.", "miyabi status --limit {host}"),
            Action("Let what the spec allows be freed.", "miyabi recover --limit {host} --scope performance"),
            Action("Run fewer agents at the same time."),
        ),
        "What is on the disk is whole: a state is written beside the old one, and takes its place at once or not at "
        "all.",
    ),
    ErrorWords(
        "PERSISTENCE_FAILED",
        "A state could not be written",
        "The new state could not be put on the disk, so the old one stays. What the orchestrator has in its memory "
        "is not safe until it can write again.",
        ("The disk, or its inodes, are full.", "The disk is mounted read-only.", "The folder belongs to another user."),
        (
            Action("See whether the disk is full.", "df -h {workspace} && df -i {workspace}"),
            Action("See whose the folder is.", "ls -ld {workspace}/.claude/state"),
            Action("Leave the orchestrator running until it can write again: it has what is not on the disk yet."),
            Action("Look again.", "miyabi state analyze {where}"),
        ),
        "The last state that was written whole, with its backups and the event log.",
    ),
    ErrorWords(
        "CACHE_OVERFLOW",
        "A cache has grown too large",
        "A program keeps more in its cache than it may. What Miyabi itself keeps of sessions has a limit, and forgets "
        "the oldest by itself.",
        ("Very many sessions are looked at.", "An orchestrator never forgets what it has cached."),
        (
            Action("See how much memory is left.", "miyabi status --limit {host}"),
            Action("Begin the orchestrator again: a cache holds nothing that is not on the disk as well."),
        ),
        "All of it: a cache is a copy.",
    ),
    ErrorWords(
        "STATE_CONSISTENCY_FAILED",
        "Parts of the state contradict each other",
        "A task names an agent that is not there, an agent a task that is not there, or the dependencies something "
        "that is gone. Whoever goes by it waits for nothing.",
        (
            "An agent ended, and nobody told the state.",
            "A program was ended between two changes that belong together.",
            "Two programs wrote at the same time.",
        ),
        (
            _LOOK,
            _DRY,
            Action("Repair it.", "miyabi state repair {where} {session}"),
        ),
        "All of it: a task that nobody has goes back to pending, and each reference that is taken back is in the "
        "archive.",
    ),
    ErrorWords(
        "STATE_CORRUPTED",
        "The workspace's state cannot be used as it is",
        "Sessions of this workspace are damaged so that no program can go on with them.",
        (
            "The machine was switched off while they were written.",
            "Programs wrote the same files at the same time.",
            "The disk was full, or is failing.",
        ),
        (
            _BACKUP,
            Action(
                "Repair all of them: in place, from the event log, or from the newest valid backup.",
                "miyabi state repair {where}",
            ),
            Action("See which backups there are.", "miyabi state restore --list {where}"),
            Action("Only if nothing else helps: begin anew, with everything kept aside.", "miyabi state reset {where}"),
        ),
        "What was there is in the backup before anything is written. Much can be brought back from the event log and "
        "the backups; what cannot is named.",
    ),
    ErrorWords(
        "EVENT_LOG_DAMAGED",
        "The event log cannot be read everywhere",
        "Lines of the event log are torn, or the log begins in the middle. What they said cannot be replayed; "
        "everything around them can.",
        ("The machine or the program was ended while it wrote.", "Old parts of the log were removed."),
        (
            Action("See what a replay would bring, and what is missing.", "miyabi state replay --dry {where}"),
            Action("Keep a backup now: what the log cannot tell any more, it can.", "miyabi state backup {where}"),
        ),
        "The states themselves, and all lines that can be read. The log is never written by Miyabi.",
    ),
    ErrorWords(
        "PERFORMANCE_DEGRADED",
        "It has become slow",
        "Nothing is broken, but something takes longer, or uses more, than its threshold.",
        ("States have grown large.", "The machine has too much to do."),
        (
            Action("See what is slow, or large.", "miyabi status --limit {host}"),
            Action("See whether a state has grown too large.", "miyabi state analyze {where}"),
        ),
        "All of it: nothing is removed because of it.",
    ),
)
