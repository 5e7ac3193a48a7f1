"""What is said of errors of agents and tasks. Data for ``miyabi.orchestration.error_table``; pure."""

from __future__ import annotations

from miyabi.orchestration.error_words import Action, ErrorWords

_LOOK = Action("See what is wrong with which session.", "miyabi state analyze {where}")
_REPAIR = Action("Repair the state; it shows what would change, and asks.", "miyabi state repair {where} {session}")
_STATUS = Action("See how the agents of the host are.", "miyabi status --limit {host}")

AGENT_WORDS = (
    ErrorWords(
        "AGENT_SPAWN_FAILED",
        "An agent could not be started",
        "An agent that should run was not brought up, or ended at once.",
        (
            "Its program is not installed, or not where it is looked for.",
            "Nobody is logged in to its service.",
            "The machine has too little memory, or too many processes.",
        ),
        (
            Action("See why, with what it said last.", "miyabi explain {host}"),
            Action("See what else is missing on the host.", "miyabi status --limit {host}"),
            Action("Let it be tried once more, now.", "miyabi recover --limit {host} --scope agents"),
        ),
        "Its tasks stay in the state, pending. Its conversation is kept, and taken up again when it starts.",
    ),
    ErrorWords(
        "AGENT_TIMEOUT",
        "An agent does nothing any more",
        "Its process lives, its screen says that it works, and nothing has moved for longer than the spec's "
        "stall_after.",
        ("It waits for a service that does not answer.", "It hangs.", "A tool that it called never ends."),
        (
            Action("See its screen and what was concluded.", "miyabi explain {host}"),
            Action(
                "Let the levels deal with it, as far as its spec allows.",
                "miyabi recover --limit {host} --scope agents",
            ),
        ),
        "Its task stays its own until its process is certainly gone. Its conversation is kept.",
    ),
    ErrorWords(
        "AGENT_CRASHED",
        "An agent's process has ended",
        "The state says that the agent is at work, and its process is gone, or the state itself says that it failed.",
        (
            "It ran out of memory, or was ended by the system.",
            "It ended with an error.",
            "The machine was started anew.",
        ),
        (
            Action("See how it ended.", "miyabi explain {host}"),
            _REPAIR,
            Action("Start it again, as its spec says.", "miyabi recover --limit {host} --scope agents"),
        ),
        "Its tasks go back to pending with one more try counted, its locks are released, and it is kept in the "
        "archive as it was. After three tries a task is blocked instead, for a human to look at.",
    ),
    ErrorWords(
        "AGENT_COMMUNICATION_LOST",
        "An agent cannot be heard",
        "The agent is there as far as the state knows, but it cannot be seen on its host, or what it writes is no "
        "longer read. Nobody can say whether it works.",
        ("Its host cannot be reached.", "Its heartbeat is not written any more.", "Its pane was closed by somebody."),
        (
            _STATUS,
            Action("See when it was last heard of.", "miyabi state analyze {where} --session {session}"),
        ),
        "All of it: as long as nobody can tell whether it lives, its task stays its own.",
    ),
    ErrorWords(
        "AGENT_CAPACITY_EXCEEDED",
        "More agents are active than the limit",
        "The session has more active agents than the spec's limit. None is ended because of it.",
        ("Agents that are finished are still called active.", "The limit is lower than the work that is done here."),
        (
            _LOOK,
            Action("Take those that are gone out of the state.", "miyabi state repair {where} {session}"),
            Action("Or allow more in the host's spec: orchestration, limits, agents."),
        ),
        "All of it: nobody who lives is ended, and no task is taken away.",
    ),
    ErrorWords(
        "AGENT_SYSTEM_FAILURE",
        "No agent is left that works",
        "All agents of the session, or of the host, have failed at once. So much at once has one cause.",
        (
            "A login has ended, or a service is down.",
            "The machine was started anew, or ran out of memory.",
            "The tmux server is gone, with all that was in it.",
        ),
        (
            _STATUS,
            Action("See the open incidents and their cause.", "miyabi incidents"),
            Action("Bring them back once the cause is gone.", "miyabi recover --limit {host}"),
            _REPAIR,
        ),
        "Their tasks go back to pending; their conversations are kept and taken up again.",
    ),
    ErrorWords(
        "TASK_ASSIGNMENT_FAILED",
        "A task is given to nobody who is there",
        "The task names an agent that is not there, or says that it is assigned and names nobody, or has been given "
        "out again and again without success.",
        (
            "Its agent ended, and nobody told the state.",
            "The task fails each time: something in it is impossible.",
        ),
        (
            _LOOK,
            _REPAIR,
            Action("A task that is blocked after three tries needs a human: its reason stands in the task."),
        ),
        "The task stays, pending or blocked, with all that is known of it.",
    ),
    ErrorWords(
        "CIRCULAR_DEPENDENCY",
        "Tasks depend on each other in a circle",
        "Each of these tasks needs another one of them first, so none of them can ever begin.",
        ("Dependencies were written by several agents.", "A prerequisite was written the wrong way round."),
        (
            Action("See which tasks, and which link would be cut.", "miyabi state repair --dry {where} {session}"),
            Action("Cut it at the weakest link.", "miyabi state repair {where} {session}"),
            Action("Look at the order afterwards: what the cut link meant only a human knows."),
        ),
        "No task is lost. The dependency that is cut is in the archive.",
    ),
    ErrorWords(
        "DEPENDENCY_DEADLOCK",
        "Tasks or agents wait for each other",
        "Each holds what the next one waits for, so nobody goes on.",
        (
            "Two agents took the same locks in a different order.",
            "Blocked tasks wait for each other.",
        ),
        (
            Action("See who waits for whom, and who would go first.", "miyabi state repair --dry {where} {session}"),
            Action("Let the most important one go first.", "miyabi state repair {where} {session}"),
        ),
        "No task is lost. The lock or the dependency that gives way is in the archive.",
    ),
    ErrorWords(
        "TASK_ORPHANED",
        "A task has nobody who could do it",
        "The task is open, and no agent of the session has the role or the type that it needs.",
        (
            "The agent for it ended and was not started again.",
            "The role in the task is misspelled.",
        ),
        (
            Action("See which task, and what it needs.", "miyabi state analyze {where} --session {session}"),
            Action("Start an agent of that role, or change what the task asks for."),
        ),
        "The task stays as it is.",
    ),
)
