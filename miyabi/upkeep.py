"""What upkeep found and did on one host in one run. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# repaired: it was wrong, and is proved to be right. tidied: something was done, and nothing was wrong. warning: told,
# nothing more. failed: wrong, and so the host fails.
Verdict = Literal["repaired", "tidied", "warning", "failed"]

# These say that something is not, or was not, as it should be.
DAMAGE: frozenset[Verdict] = frozenset({"repaired", "failed"})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that upkeep had to say.

    + subject: what it is about, such as ``sshd`` or ``server miyabi-tmux``
    + verdict: how it ended
    + reason: the evidence, or what was done, in words for the user
    + told: the kind of case that it is, where the verdict alone does not say that: see miyabi.severity
    + seconds: for how long it is so
    + lines: those that decided
    """

    subject: str
    verdict: Verdict
    reason: str
    told: str = ""
    seconds: float = 0.0
    lines: tuple[str, ...] = ()
