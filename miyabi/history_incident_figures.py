"""What the incidents come to: each from its beginning to its end, with what was done; and what was foretold. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, or_, select

from miyabi.figures import Deed, IncidentStory
from miyabi.gate_pauses import is_within
from miyabi.history_repair_figures import Done, holds, repairs
from miyabi.history_tables import TABLES, record_of
from miyabi.predicted import Predicted
from miyabi.records import IncidentChanged
from miyabi.verdict import covered

if TYPE_CHECKING:
    from miyabi.history import History

# Seconds that a run lasts at most before it opens an incident: what it did until then belongs to that.
_RUN = 3600.0


def incident_stories(
    history: History, since: float, until: float, limit: int | None = None, *, is_open: bool = False
) -> tuple[IncidentStory, ...]:
    """The incidents that were open at some time, as they stood at its end; what was opened last comes first.

    What was done is what was tried and held of an incident's target, of what that is in, of what is in it, and of what
    it covers: from the run that opened it to its end.

    + since, until: seconds since the epoch; ``until`` itself is not meant
    + limit: how many; None is all
    + is_open: only those that were still open at its end
    """

    def asked(connection: Connection) -> tuple[IncidentStory, ...]:
        last = _last(connection, since, until, limit, is_open=is_open)
        if not last:
            return ()
        opened_by = _opened_by(connection, [each.incident for each in last])
        begin = min(each.opened_at for each in last) - _RUN
        done: dict[str, list[Done]] = defaultdict(list)
        for each in (*repairs(connection, begin, until), *holds(connection, begin, until)):
            done[each.deed.host].append(each)
        return tuple(_story(each, opened_by[each.incident], done) for each in last)

    return history.ask(asked)


def _last(
    connection: Connection, since: float, until: float, limit: int | None, *, is_open: bool
) -> list[IncidentChanged]:
    """How each incident stood at the end of a time, if it was open in it."""
    table = TABLES[IncidentChanged]
    newest = select(func.max(table.c.id)).where(table.c.at < until).group_by(table.c.incident)
    left = table.c.change != "closed"
    query = (
        select(table)
        .where(table.c.id.in_(newest), left if is_open else or_(left, table.c.at >= since))
        .order_by(table.c.opened_at.desc(), table.c.id.desc())
        .limit(limit)
    )
    return [record_of(IncidentChanged, row) for row in connection.execute(query).mappings()]


def _opened_by(connection: Connection, incidents: Sequence[str]) -> dict[str, str]:
    """The run that each incident was opened by."""
    seen = TABLES[IncidentChanged].c
    first = select(func.min(seen.id)).group_by(seen.incident)
    query = select(seen.incident, seen.run).where(seen.id.in_(first))
    wanted = set(incidents)
    return {incident: run for incident, run in connection.execute(query) if incident in wanted}


def _story(last: IncidentChanged, opened_by: str, done: Mapping[str, Iterable[Done]]) -> IncidentStory:
    closed_at = last.at if last.change == "closed" else None
    hosts = [last.host] if last.host else list(done) if last.covers else []
    belongs = [
        each.deed
        for host in hosts
        for each in done.get(host, ())
        if (each.run == opened_by or last.opened_at <= each.until)
        and (closed_at is None or each.deed.at <= closed_at)
        and _concerns(last, each.deed)
    ]
    return IncidentStory(
        last.incident,
        last.host,
        last.target,
        last.kind,
        last.severity,
        last.summary,
        last.cause,
        last.opened_at,
        closed_at,
        tuple(sorted(belongs, key=lambda deed: deed.at)),
    )


def _concerns(incident: IncidentChanged, deed: Deed) -> bool:
    """Whether something was done about an incident."""
    if incident.host and (is_within(deed.target, incident.target) or is_within(incident.target, deed.target)):
        return True
    return deed.host in incident.covers or covered(deed.host, deed.target) in incident.covers


def last_predictions(history: History, since: float) -> dict[tuple[str, str], Predicted]:
    """What was foretold last, by host and subject.

    + since: seconds since the epoch; what is older is left out
    """
    table = TABLES[Predicted]
    newest = select(func.max(table.c.id)).group_by(table.c.host, table.c.subject)
    query = select(table).where(table.c.id.in_(newest), table.c.at >= since).order_by(table.c.id)

    def asked(connection: Connection) -> dict[tuple[str, str], Predicted]:
        found = (record_of(Predicted, row) for row in connection.execute(query).mappings())
        return {(each.host, each.subject): each for each in found}

    return history.ask(asked)
