"""What is said of errors of messages. Data for ``miyabi.orchestration.error_table``; pure."""

from __future__ import annotations

from miyabi.orchestration.error_words import Action, ErrorWords

_LOOK = Action("See which, of which session.", "miyabi state analyze {where} --session {session}")
_REPAIR = Action("Repair the state; it shows what would change, and asks.", "miyabi state repair {where} {session}")

MESSAGE_WORDS = (
    ErrorWords(
        "MESSAGE_QUEUE_OVERFLOW",
        "A queue has more messages than it may",
        "Somebody is sent more messages than are read. All high and critical ones and the 50 newest others are kept "
        "in the queue, the rest is archived.",
        ("The agent that the queue belongs to does not read any more.", "Two agents answer each other without an end."),
        (_LOOK, _REPAIR, Action("See whether the agent works.", "miyabi status --limit {host}")),
        "Every message: those that are no longer in the queue are in .claude/recovery/archive.",
    ),
    ErrorWords(
        "MESSAGE_DELIVERY_FAILED",
        "A message could not be delivered",
        "The message has not reached its recipient. It is tried again as often as its priority allows (critical 10, "
        "high 5, normal 3, low 1 times); then it is put among the dead letters, and its sender is told.",
        ("The recipient has ended.", "The recipient's name is misspelled."),
        (_LOOK, _REPAIR),
        "The message: it is in its queue, or among the dead letters, whole.",
    ),
    ErrorWords(
        "MESSAGE_CORRUPTION",
        "A message cannot be read",
        "Something in a queue is no message: it is no object, or lacks what a message must have.",
        ("A program was ended while it wrote.", "A program of another version wrote it."),
        (_LOOK, _REPAIR),
        "What it was is in the archive, as it was. The other messages of the queue stay.",
    ),
    ErrorWords(
        "CHANNEL_UNAVAILABLE",
        "A channel or a queue is not there",
        "A part of the state where messages are kept is missing, or is something else than a list.",
        ("A program of another version wrote the state.", "It was edited by hand."),
        (_LOOK, _REPAIR),
        "What was in its place is in the archive; the channel is made anew, empty.",
    ),
    ErrorWords(
        "BROADCAST_FAILED",
        "A message to all has not reached everybody",
        "Some recipients of a broadcast have had it, and others have not.",
        ("Some of them had ended by then.", "The sender was ended while it sent."),
        (_LOOK, _REPAIR),
        "The message, with who has had it. Those who have not are tried again as for any message.",
    ),
)
