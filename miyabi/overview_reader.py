"""The overview of a fleet, read from its history: once, or again and again with only what is new.

Dear to import, as the history is: only where it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from miyabi.errors import HistoryError
from miyabi.figures import MEASURES, Chart, Measure, Overview, Series
from miyabi.history import History
from miyabi.history_engine import inode_of
from miyabi.history_figures import deeds, incident_stories, last_predictions, usage_series
from miyabi.history_news import Marks, grown, is_another, looks_between, marks, touched_runs
from miyabi.journal import JOURNAL, journal_size
from miyabi.last_looks import LastLooks
from miyabi.monitoring import DAY, Monitoring
from miyabi.overview import SUBJECTS, Figures, LastLook, chart_of, overview_of, run_of
from miyabi.overview_scan import Scanned, scan
from miyabi.predicted import Predicted
from miyabi.records import Decided, IncidentChanged, Observation, Record, Recovered, RunEnded, RunStarted
from miyabi.stretches import Stretches, step_for

# How many of each are shown: what is open, what happened, and what was done.
_OPEN, _STORIES, _DEEDS = 500, 100, 60
# New looks from which reading everything anew is quicker.
_MANY = 2000
# Seconds: how old figures may be that take a scan; how old a prediction may be that is shown; after how long it is
# looked again what is too old; after how long a database is asked whose files tell nothing, or do not change.
SCAN_EVERY = 60.0
_FORETOLD = DAY
_AGED_EVERY = 15.0
_ASK_EVERY, _ASK_ANYWAY = 1.0, 30.0


def read_overview(
    history: History, monitoring: Monitoring, now: float, days: float = 7.0, hosts: Collection[str] = ()
) -> Overview:
    """The fleet as the history knows it now. Raises ``HistoryError``.

    + now: seconds since the epoch
    + days: of how many days levels, causes, timeline and charts are
    + hosts: those of the inventory, which are shown even when no run has looked at them within ``days``
    """
    reader = OverviewReader(lambda: history, monitoring, days=days, hosts=hosts)
    return reader.read(now)


class OverviewReader:
    """Reads the history again and again, and only what is new of it; for one thread.

    + opened: opens the history, with the journal taken in
    + days, hosts: as ``read_overview`` has them
    + scan_every: seconds after which what takes a scan is counted anew when something has changed; None is that
      somebody else does it (``overview_scan.scan``), and sets ``scanned``, or why that failed: ``unscanned``
    """

    def __init__(
        self,
        opened: Callable[[], History],
        monitoring: Monitoring,
        *,
        days: float = 7.0,
        hosts: Collection[str] = (),
        scan_every: float | None = SCAN_EVERY,
    ) -> None:
        self.scanned: Scanned | None = None
        self.unscanned = ""
        self._opened, self._monitoring, self._days, self._hosts = opened, monitoring, days, tuple(hosts)
        self._scan_every = scan_every
        self._history: History | None = None
        self._marks: Marks | None = None
        self._changed: set[type[Record]] = set()
        self._file: int | None = None
        self._files: tuple[object, ...] = ()
        self._asked_at = self._made_at = float("-inf")
        self._counted: Scanned | None = None
        self._looks = LastLooks()
        self._taken: set[str] = set()
        self._stretches = Stretches(60.0, 0.0)
        self._series: dict[tuple[str, Measure], Series] = {}
        self._charts: dict[tuple[str, Measure], Chart] = {}
        self._predicted: dict[tuple[str, str], Predicted] = {}
        self._figures = Figures()
        self._trouble = ""
        self._is_new = True
        self._last: Overview | None = None

    def close(self) -> None:
        """Let go of the history."""
        if self._history is not None:
            self._history.close()
            self._history = None

    def read(self, now: float) -> Overview:
        """The fleet now; its ``sequence`` is the same as before when nothing has changed.

        When the history cannot be asked, the last overview stays, and its ``trouble`` says why. Raises ``HistoryError``
        only when there is none yet.
        """
        if self._is_due(now):
            self._asked_at = now
            try:
                self._trouble = self._ask(now)
            except HistoryError as error:
                if self._last is None:
                    raise
                self._trouble = str(error)
        return self._overview(now)

    def _is_due(self, now: float) -> bool:
        """Whether there may be something new."""
        if self._history is None or self._trouble:
            return not 0 <= now - self._asked_at < _ASK_EVERY
        files = _files(self._history)
        is_due = files != self._files or not 0 <= now - self._asked_at < (_ASK_ANYWAY if files else _ASK_EVERY)
        self._files = files
        return is_due

    def _ask(self, now: float) -> str:
        """Read what is new; why the journal could not be taken in, "" when it could."""
        if self._history is not None and _is_replaced(self._history, self._file):
            self.close()
            self._marks = None
        if self._history is None:
            self._history = self._opened()
            self._file = inode_of(self._history.place.file)
        history = self._history
        trouble = _taken_in(history)
        newest = history.ask(marks)
        before = self._marks
        if before is None or is_another(newest, before) or newest[Observation] - before[Observation] > _MANY:
            self._load(history, newest, now)
            self._changed = set(newest)
        else:
            changed = grown(newest, before)
            self._take(history, before, newest, changed)
            self._changed |= changed
        self._marks = newest
        self._count(history, now)
        return trouble

    def _load(self, history: History, newest: Marks, now: float) -> None:
        """Read everything anew."""
        history.ask(self._looks.load)
        self._taken = {each.event for each in history.ask(lambda asked: looks_between(asked, newest, newest))}
        step = step_for(self._days, len(MEASURES) * len(self._shown(now)))
        self._stretches = Stretches(step, self._days * DAY)
        self._stretches.fill(usage_series(history, now - self._days * DAY, now + 1, step).values())
        self._series, self._charts = {}, {}

    def _take(self, history: History, before: Marks, newest: Marks, changed: Collection[type[Record]]) -> None:
        """Read what is new of hosts."""
        looks: list[Observation] = []
        if Observation in changed:
            found = history.ask(lambda asked: looks_between(asked, before, newest))
            looks = [each for each in found if each.event not in self._taken]
            self._taken = {each.event for each in found}
        touched = history.ask(lambda asked: touched_runs(asked, before, changed))
        if looks or touched:
            history.ask(lambda asked: self._looks.take(asked, looks, touched))
        for each in looks:
            for measure in MEASURES:
                value: float | None = getattr(each, measure)
                if value is not None:
                    self._stretches.add(each.host, measure, each.at, value)

    def _count(self, history: History, now: float) -> None:
        """Ask for the figures of what has changed."""
        since, until = now - self._days * DAY, now + 1
        figures, changed = self._figures, self._changed
        if not {RunStarted, RunEnded}.isdisjoint(changed):
            runs = history.runs(1)
            figures = replace(figures, run=run_of(*runs[0]) if runs else None)
        if not {IncidentChanged, Decided, Recovered}.isdisjoint(changed):
            figures = replace(
                figures,
                # Asked for by themselves: however much has happened since, what is open stays on the page.
                open_incidents=incident_stories(history, since, until, _OPEN, is_open=True),
                timeline=incident_stories(history, since, until, _STORIES),
                deeds=deeds(history, since, until, _DEEDS),
            )
        if Predicted in changed:
            self._predicted = last_predictions(history, now - _FORETOLD)
            self._charts = {}
        if self._scan_every is not None:
            scanned = self.scanned
            if scanned is None or (changed and not 0 <= now - scanned.at < self._scan_every):
                self.scanned = scan(history, self._monitoring, now, self._days)
        self._figures = figures
        self._is_new |= bool(changed)
        self._changed = set()

    def _overview(self, now: float) -> Overview:
        """The overview of what was read."""
        last, scanned = self._last, self.scanned
        trouble = self._trouble or self.unscanned
        is_new = self._is_new or scanned is not self._counted or last is None or last.trouble != trouble
        if last is not None and not is_new and 0 <= now - self._made_at < _AGED_EVERY:
            self._last = replace(last, at=now)
            return self._last
        self._stretches.let_go(now)
        if scanned is not None:
            self._figures = replace(
                self._figures,
                levels=scanned.levels,
                causes=scanned.causes,
                availability=scanned.availability,
                fleet_availability=scanned.fleet_availability,
                budget=scanned.budget,
            )
        figures = replace(self._figures, charts=self._drawn())
        # A page that stays open while the server is started anew must not take the new numbers for old ones.
        sequence = int(10 * now) if last is None else last.sequence
        made = overview_of(self._shown(now), figures, now=now, sequence=sequence, days=self._days, trouble=trouble)
        if last is not None and _still(made) != _still(last):
            made = replace(made, sequence=sequence + 1)
        self._last, self._counted, self._made_at, self._is_new = made, scanned, now, False
        return made

    def _drawn(self) -> tuple[Chart, ...]:
        """The charts of the hosts that are shown, by host; those that have not changed are the same objects."""
        for series in self._stretches.changed():
            name = (series.host, series.measure)
            self._series[name] = series
            self._charts.pop(name, None)
            if not series.at:
                del self._series[name]
        for name, series in self._series.items():
            if name not in self._charts:
                self._charts[name] = chart_of(series, self._predicted.get((series.host, SUBJECTS[series.measure])))
        return tuple(self._charts[name] for name in sorted(self._charts))

    def _shown(self, now: float) -> list[LastLook]:
        """The last looks at the hosts of the inventory, and at others that somebody has looked at lately.

        Hosts that no run has looked at are told of beside others; where no run has ever been there is nothing to tell.
        """
        looks = {each.host: each for each in self._looks.looks()}
        if not looks:
            return []
        lately = [
            each
            for host, each in looks.items()
            if host in self._hosts or each.seen is None or now - each.seen.at <= self._days * DAY
        ]
        return lately + [LastLook(host, None) for host in self._hosts if host not in looks]


def _still(overview: Overview) -> Overview:
    """An overview without what only time has changed."""
    return replace(overview, at=0.0, sequence=0, hosts=tuple(replace(each, uptime=None) for each in overview.hosts))


def _taken_in(history: History) -> str:
    """Take the journal in; why that could not be, "" when it could."""
    try:
        if journal_size(history.folder):
            history.take_in()
    except HistoryError as error:
        # What is in the database already can be told in any case.
        return str(error)
    return ""


def _files(history: History) -> tuple[object, ...]:
    """What tells whether something was written; () for a database that is no file."""
    file = history.place.file
    if file is None:
        return ()
    return tuple(_state(path) for path in (file, Path(f"{file}-wal"), history.folder / JOURNAL))


def _state(path: Path) -> tuple[int, int, int] | None:
    with suppress(OSError):
        status = path.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns
    return None


def _is_replaced(history: History, inode: int | None) -> bool:
    """Whether another file is in the place of the one that is open."""
    return history.place.file is not None and inode_of(history.place.file) != inode
