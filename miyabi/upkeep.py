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


def upkeep_in_words(findings: dict[str, Finding]) -> str:
    """One line about all findings, what was repaired first; "" when there is nothing to say."""
    parts = []
    repaired = [f"{each.subject} ({each.reason})" for each in findings.values() if each.verdict == "repaired"]
    if repaired:
        parts.append(f"upkeep restored {', '.join(repaired)}")
    parts += [f"{each.subject}: {each.reason}" for each in findings.values() if each.verdict == "failed"]
    parts += [f"warning: {each.subject}: {each.reason}" for each in findings.values() if each.verdict == "warning"]
    return "; ".join(parts)
