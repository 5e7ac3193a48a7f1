"""What upkeep found and did on one host in one run. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# repaired: it was wrong, and is proved to be right. warning: told, nothing more. failed: wrong, and so the host fails.
Verdict = Literal["repaired", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that upkeep had to say.

    + subject: what it is about, such as ``sshd`` or ``server miyabi-tmux``
    + verdict: how it ended
    + reason: the evidence, or what was done, in words for the user
    """

    subject: str
    verdict: Verdict
    reason: str
