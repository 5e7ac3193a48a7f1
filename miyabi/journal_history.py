"""What the journal alone remembers: for as long as the database cannot be asked.

A database that is away must not make every run the first one: what was tried and told since it went stands in the
journal, which waits for it. Nothing is taken out of it here.
"""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from typing_extensions import override

from miyabi.errors import HistoryError
from miyabi.history import History
from miyabi.history_engine import place_of
from miyabi.journal import waiting
from miyabi.records import from_line


class JournalHistory(History):
    """The journal as a history of its own, in a temporary file."""

    @override
    def take_in(self) -> int:
        """Read the journal again; how many records of it were new."""
        try:
            records = [record for line in waiting(self.journal) if (record := from_line(line)) is not None]
        except OSError as error:
            raise HistoryError(f"{self.journal}: the journal cannot be read: {error.strerror}") from None
        return self.write(records)

    @override
    def close(self) -> None:
        """Remove the temporary file."""
        super().close()
        rmtree(self.folder, ignore_errors=True)

    journal: Path


def history_of_journal(folder: Path, now: float) -> JournalHistory:
    """What the journal in ``folder`` remembers. Raises ``HistoryError`` when there is no room for it.

    + now: seconds since the epoch
    """
    try:
        place = Path(mkdtemp(prefix="miyabi-journal-"))
    except OSError as error:
        raise HistoryError(f"there is no room for a temporary file: {error.strerror}") from None
    history = JournalHistory(place, place_of(place, None), now)
    history.journal = folder
    history.take_in()
    return history
