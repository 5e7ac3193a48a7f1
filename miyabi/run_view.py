"""What a run came to as a table, and which lines of pyinfra are worth showing meanwhile. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from miyabi.masking import shown
from miyabi.records import Decided, Recovered
from miyabi.run_outcome import Ended, HostOutcome
from miyabi.words import clock_time

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_STYLES: dict[Ended, str] = {
    "healthy": "green",
    "restored": "bold green",
    "held": "bold yellow",
    "failed": "bold red",
    "unknown": "bold magenta",
    "unreachable": "bold red",
    "asleep": "dim",
    "not-looked-at": "bold red",
}
_ORDER: tuple[Ended, ...] = tuple(reversed(_STYLES))

_OF_HOST = re.compile(r"^\s*\[[^\]]+\]\s+(?P<words>\S.*)$")
_USUAL = re.compile(
    r"(?:Connected|Success|No changes|Skipped)\b|Ready: |Loaded fact |no drift of |healthy, nothing to do"
)
_OPERATION = re.compile(r"^--> Starting operation: (?P<name>.+?)(?: \(.*\))?$")
_HEADLINE = re.compile(
    r"^--> (?:Loading|Connecting|Preparing|Detected|Beginning|Starting|Disconnecting|Skipping|Gathering)"
)
_NO_NEWS = re.compile(
    r"is left out, ssh does not know it|^Loading: |: executed \d+ commands$|^--> pyinfra error: No hosts remaining!$"
)
# What follows such a headline, up to the next one, is told otherwise.
_TOLD_OTHERWISE = frozenset({"--> Detected changes:", "--> Results:", "--> Recovery summary:"})


class Lines:
    """Which lines of pyinfra's output say something, and what it is doing."""

    def __init__(self) -> None:
        self.doing = ""
        self._is_told_otherwise = False

    def worth(self, line: str) -> str | None:
        """The line as it is to be shown; None for one that every run prints."""
        words = line.strip()
        if words.startswith("-->"):
            self._is_told_otherwise = words in _TOLD_OTHERWISE
            if found := _OPERATION.match(words):
                self.doing = found["name"]
        if self._is_told_otherwise or not words or _HEADLINE.match(words) or _NO_NEWS.search(words):
            return None
        of_host = _OF_HOST.match(line)
        if of_host is not None and _USUAL.match(of_host["words"]):
            return None
        return shown(line.rstrip())


def outcome_table(outcomes: Iterable[HostOutcome], now: float) -> Table:
    """One row for each host, and one for each thing that was repaired, did not hold, or is held."""
    from rich.table import Table  # noqa: PLC0415 - dear
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for title in ("HOST", "OUTCOME", "LEVEL"):
        table.add_column(title, no_wrap=True)
    table.add_column("TARGET", ratio=2, overflow="fold")
    table.add_column("WHAT CAME OF IT", ratio=3, overflow="fold")
    for outcome in sorted(outcomes, key=lambda each: (_ORDER.index(each.ended), each.host)):
        rows = _rows(outcome, now) or [(Text(""), Text(""), Text(shown(outcome.reason), style="dim"))]
        for number, row in enumerate(rows):
            first = number == 0
            host = Text(shown(outcome.host) if first else "", style="bold")
            table.add_row(host, Text(outcome.ended if first else "", style=_STYLES[outcome.ended]), *row)
    return table


def _rows(outcome: HostOutcome, now: float) -> list[tuple[Text, Text, Text]]:
    from rich.text import Text  # noqa: PLC0415

    told = [(each.level, each.target, f"did not hold: {each.reason}", "red") for each in outcome.failed]
    told += [(each.level, each.target, f"left: {each.reason}", "red") for each in outcome.left]
    told += [(each.level, each.target, _held_in_words(each, now), "yellow") for each in outcome.held]
    told += [(each.level, each.target, _restored_in_words(each), "green") for each in outcome.repaired]
    return [(Text(level), Text(shown(target)), Text(shown(words), style=style)) for level, target, words, style in told]


def _held_in_words(held: Decided, now: float) -> str:
    until = "" if held.again_at is None else f" until {clock_time(held.again_at, now)}"
    return f"held{until}: {held.reason}"


def _restored_in_words(recovery: Recovered) -> str:
    tries = "" if recovery.first_try else ", not at the first try"
    return f"restored in {recovery.seconds:.1f} s{tries}"
