"""Each error of an orchestration's state, with what a human is told of it. Pure.

docs/errors.md says of each how it is detected, what is done, and which test proves it.
"""

from __future__ import annotations

from collections.abc import Mapping

from miyabi.orchestration.error_words import Action, ErrorWords
from miyabi.orchestration.error_words_agents import AGENT_WORDS
from miyabi.orchestration.error_words_hooks import HOOK_WORDS
from miyabi.orchestration.error_words_messages import MESSAGE_WORDS
from miyabi.orchestration.error_words_sessions import SESSION_WORDS
from miyabi.orchestration.error_words_state import STATE_WORDS

ERRORS: Mapping[str, ErrorWords] = {
    each.code: each for words in (SESSION_WORDS, STATE_WORDS, AGENT_WORDS, HOOK_WORDS, MESSAGE_WORDS) for each in words
}


def words_of(code: str) -> ErrorWords:
    """What is said of an error; of one that is not known, what is true of any."""
    return ERRORS.get(code) or ErrorWords(
        code,
        f"Something is wrong: {code}",
        "This is no error that is known here. Nothing is done about it by itself.",
        ("It was told by a program of another version.",),
        (
            Action("Keep all of it as it is now, before anything else.", "miyabi state backup {where}"),
            Action("See what is wrong with which session.", "miyabi state analyze {where}"),
        ),
        "All of it: what is not known is never acted on.",
    )
