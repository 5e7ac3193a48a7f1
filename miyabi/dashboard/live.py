"""What the dashboard shows at this moment, and who is told when it changes.

One thread reads the history and renders what has changed; whoever listens is told by the event loop. A listener that is
slow misses what came between: it gets each part as it is when it is ready for it, and nothing piles up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Event, Thread

from sse_starlette.event import ServerSentEvent

from miyabi.dashboard.rendering import render_page, render_parts
from miyabi.errors import DashboardError, MiyabiError
from miyabi.figures import Overview
from miyabi.history import History
from miyabi.monitoring import Monitoring
from miyabi.overview import text
from miyabi.overview_reader import OverviewReader
from miyabi.overview_scan import scan

# Seconds between two looks whether there is anything new.
EVERY = 0.3
# Seconds that figures which take a scan may be old at least, and so many times as long as it takes; and at most.
_SCAN_EVERY, _SCAN_SHARE, _SCAN_ANYWAY = 60.0, 20.0, 900.0
# Seconds after which a scan that failed is tried again, at least.
_SCAN_AGAIN = 10.0
# Who listens at once, at most.
LISTENERS = 20


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the page as the event that brings it.

    + sequence: of the overview with which it changed last
    """

    sequence: int
    told: str
    event: bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown."""

    overview: Overview
    parts: Mapping[str, Part] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Scan:
    """The last scan: of which overview, when it began, and the seconds that it took."""

    sequence: int
    at: float
    took: float


def shown(overview: Overview, before: Shown | None) -> Shown:
    """What an overview looks like; parts that say the same as before are the same."""
    parts = {}
    for name, told in render_parts(overview).items():
        old = None if before is None else before.parts.get(name)
        if old is not None and old.told == told:
            parts[name] = old
            continue
        event = ServerSentEvent(told, event=name, id=str(overview.sequence)).encode()
        parts[name] = Part(overview.sequence, told, event)
    return Shown(overview, parts)


class Hub:
    """What is shown now, for the event loop's own thread."""

    def __init__(self, first: Shown) -> None:
        self.shown = first
        self._listeners: set[asyncio.Event] = set()
        self._is_closed = False

    @property
    def is_full(self) -> bool:
        """Whether nobody else may listen."""
        return len(self._listeners) >= LISTENERS

    def publish(self, fresh: Shown) -> None:
        """Show something else, and tell whoever listens."""
        is_news = fresh.parts is not self.shown.parts
        self.shown = fresh
        if is_news:
            for each in self._listeners:
                each.set()

    def page(self) -> str:
        """The whole page."""
        parts = {name: part.told for name, part in self.shown.parts.items()}
        return render_page(self.shown.overview, live=True, parts=parts)

    def close(self) -> None:
        """Let everybody go who listens."""
        self._is_closed = True
        for each in self._listeners:
            each.set()

    async def listen(self, since: int) -> AsyncIterator[bytes]:
        """The parts that have changed, as events, for as long as somebody listens.

        + since: the sequence of what the listener has; what is newer comes at once
        """
        if self.is_full:
            return
        if since > self.shown.overview.sequence:
            # Of a server before this one, whose clock was set back since.
            since = -1
        news = asyncio.Event()
        self._listeners.add(news)
        try:
            while not self._is_closed:
                news.clear()
                seen = self.shown
                for part in seen.parts.values():
                    if part.sequence > since:
                        yield part.event
                since = seen.overview.sequence
                await news.wait()
        finally:
            self._listeners.discard(news)


class Watcher:
    """Keeps what is shown up to date, in threads of its own.

    + opened: opens the history, with the journal taken in
    + days, hosts: as ``read_overview`` has them
    """

    def __init__(
        self, opened: Callable[[], History], monitoring: Monitoring, days: float, hosts: tuple[str, ...]
    ) -> None:
        self._opened, self._monitoring, self._days = opened, monitoring, days
        self._reader = OverviewReader(opened, monitoring, days=days, hosts=hosts, scan_every=None)
        self._ready, self._stopped = Event(), Event()
        self._first: Shown | MiyabiError | None = None
        self._tell: Callable[[Shown], None] | None = None
        self._told: int | None = None
        self._scans: Thread | None = None
        self._scanned = _Scan(0, 0.0, 0.0)
        # A database that does not answer must not keep the program from its end.
        self._thread = Thread(target=self._watch, name="history", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def first(self, timeout: float) -> Shown | None:
        """What is shown first; None when it is not read yet after ``timeout`` seconds. Raises ``HistoryError``."""
        self._ready.wait(timeout)
        if isinstance(self._first, MiyabiError):
            raise self._first
        return self._first

    def tell(self, tell: Callable[[Shown], None]) -> None:
        """Have everything that is shown from now on told, by the watcher's own thread."""
        self._tell = tell

    def stop(self) -> None:
        """End; what still waits for a database is left alone."""
        self._stopped.set()
        self._thread.join(1.0)

    def _watch(self) -> None:
        self._scan(0)
        try:
            overview = self._reader.read(time.time())
            self._told = overview.sequence
            seen = self._first = shown(overview, None)
        except MiyabiError as error:
            self._first = error
            return
        except Exception as error:  # noqa: BLE001 - whoever waits for the first page is told
            self._first = DashboardError(_unshown(error))
            return
        finally:
            self._ready.set()
        self._scanned = replace(self._scanned, sequence=overview.sequence)
        while not self._stopped.wait(EVERY):
            seen = self._once(seen)
            if self._tell is not None:
                self._tell(seen)
        self._reader.close()

    def _once(self, before: Shown) -> Shown:
        """What is shown now."""
        now, number = time.time(), before.overview.sequence
        try:
            overview = self._reader.read(now)
            self._scan_when_due(overview, now)
            if overview.sequence == self._told:
                return Shown(replace(overview, sequence=number), before.parts)
            fresh = shown(replace(overview, sequence=max(overview.sequence, number + 1)), before)
            self._told = overview.sequence
        except Exception as error:  # noqa: BLE001 - a page that says that it is old is better than none
            self._told = None
            if before.overview.trouble == _unshown(error):
                return before
            return shown(replace(before.overview, trouble=_unshown(error), sequence=number + 1), before)
        return fresh

    def _scan_when_due(self, overview: Overview, now: float) -> None:
        """Have figures counted anew that take a scan, beside what is quick: on a way of its own to the database."""
        if self._scans is not None and self._scans.is_alive():
            return
        old = now - self._scanned.at
        has_failed = bool(self._reader.unscanned)
        pause = max(_SCAN_AGAIN if has_failed else _SCAN_EVERY, _SCAN_SHARE * self._scanned.took)
        is_due = has_failed or overview.sequence != self._scanned.sequence
        if old < 0 or old >= _SCAN_ANYWAY or (old >= pause and is_due):
            self._scans = Thread(target=self._scan, args=(overview.sequence,), name="scan", daemon=True)
            self._scans.start()

    def _scan(self, sequence: int) -> None:
        began = time.time()
        try:
            with self._opened() as history:
                self._reader.scanned = scan(history, self._monitoring, began, self._days)
            self._reader.unscanned = ""
        except Exception as error:  # noqa: BLE001 - what is quick is shown all the same
            self._reader.unscanned = _uncounted(error)
        self._scanned = _Scan(sequence, began, time.time() - began)


def _uncounted(error: Exception) -> str:
    why = str(error) if isinstance(error, MiyabiError) else f"{type(error).__name__}: {error}"
    return text(" ".join(f"availability, levels and causes cannot be counted: {why}".split()))


def _unshown(error: Exception) -> str:
    return f"the history cannot be shown: {type(error).__name__}: {error}"
