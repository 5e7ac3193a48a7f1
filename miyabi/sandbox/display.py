"""What the demo shows: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from miyabi.sandbox.run import Progress

_IDLE = re.compile(r"\] +(No changes|Skipped|Connected|Ready: .*)\s*$")


@dataclass(slots=True)
class Display:
    """Where the demo is shown."""

    console: Console = field(default_factory=lambda: Console(highlight=False))

    def title(self, text: str) -> None:
        """What comes next."""
        self.console.print(f"\n[bold]{escape(text)}[/bold]", soft_wrap=True)

    def say(self, text: str) -> None:
        """One more line."""
        self.console.print(f"  {escape(text)}", soft_wrap=True)

    @contextmanager
    def watching(self, progress: Progress) -> Iterator[Callable[[str], None]]:
        """Show a run while it goes on."""
        started = time.monotonic()
        if not self.console.is_terminal:
            yield lambda line: None if progress.summarises else self._plain(line, started)
            return
        with Live(console=self.console, refresh_per_second=8, get_renderable=lambda: _table(progress, started)):
            yield lambda _: None

    def _plain(self, line: str, started: float) -> None:
        if line.startswith(("--> Starting operation", "    [")) and not _IDLE.search(line):
            self.console.print(f"  {time.monotonic() - started:5.1f} s  {escape(line.strip())}", soft_wrap=True)


def _table(progress: Progress, started: float) -> Table:
    table = Table(title=f"{progress.operation}, {time.monotonic() - started:.1f} s", title_justify="left")
    for heading in ("host", "is at", "changed", "what was done"):
        table.add_column(heading)
    for name, host in progress.hosts.items():
        changed = "\n".join(f"{level} {seconds:.1f} s" for level, seconds in host.changed.items())
        table.add_row(name, escape(host.at), escape(changed), escape("\n".join(host.said[-6:])))
    return table
