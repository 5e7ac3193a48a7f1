"""Tells what is foretold: as incidents of their own, which no run opens or closes, and to the channels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from miyabi.alert_rules import AlertRules
from miyabi.alert_text import Alert, alerts_of, foretold_alert
from miyabi.alerts_file import read_alerts_file
from miyabi.channels import tell
from miyabi.cli_fleet import FleetOfClone, keep, new_run, say
from miyabi.errors import RunError
from miyabi.file_lock import alone
from miyabi.foretold import write_foretold
from miyabi.incidents import closed_silently, judge, open_after
from miyabi.journal import make_folder
from miyabi.monitoring import monitoring_of
from miyabi.predicted import Predicted
from miyabi.prediction_judgement import Earlier, Judged, judge_predictions
from miyabi.records import IncidentChanged
from miyabi.subjects import forecast_of
from miyabi.verdict import FORETOLD, Verdict

if TYPE_CHECKING:
    from miyabi.history import History

_ALERTS = Path("inventory") / "alerts.yaml"
_LOCK = "foretold.lock"

# Seconds for which something must not be foretold any more until its incident is closed, and for which nothing is told
# of it after that: what comes and goes is told once.
QUIET = 3600.0


def tell_predictions(
    fleet: FleetOfClone, history: History, predicted: Sequence[Predicted], horizon: float, now: float
) -> list[Alert]:
    """Open, close and tell the incidents of what is foretold, and write down for prevention what is.

    + predicted: of one look ahead; whether they are in the history already does not matter, and what is said of a host
      that is not of the fleet does not count
    + horizon: seconds; what is foretold for later is not told
    + now: seconds since the epoch

    Returns what was told. Raises ``MiyabiError``. The channels are the control machine's own: a guardian's pane and a
    phone are reached by runs alone.
    """
    rules = read_alerts_file(_ALERTS)
    ours = [each for each in predicted if each.host in fleet.hosts]
    every = monitoring_of(fleet.file.monitoring).predictions.every
    try:
        make_folder(fleet.folder)
        with alone(fleet.folder / _LOCK):
            history.take_in()
            past = earlier_predictions(history, now - max(horizon, QUIET), now, {each.event for each in ours})
            judged = judge_predictions(ours, past, horizon=horizon, now=now, every=every)
            looked = [(each.host, each.subject) for each in ours if each.kind == "crossing"]
            write_foretold(fleet.folder, judged.crossings, looked, now)
            said = {(each.host, forecast_of(each.subject, each.kind)) for each in ours}
            said |= {(each.host, forecast_of(each.subject, each.kind)) for each in past}
            return _Moment(fleet, history, rules, new_run(now), now).tell(judged, said)
    except OSError as error:
        where = error.filename or fleet.folder
        raise RunError(f"{where}: what is foretold cannot be written down: {error.strerror}") from None


def earlier_predictions(history: History, since: float, now: float, but: Iterable[str] = ()) -> tuple[Earlier, ...]:
    """What was foretold earlier, oldest first, without what there is to draw of it.

    + but: records that do not count
    """
    from sqlalchemy import Connection, select  # noqa: PLC0415 - dear; the history that is asked has it loaded

    from miyabi.history_tables import TABLES  # noqa: PLC0415 - as above

    left_out = frozenset(but)

    def asked(connection: Connection) -> tuple[Earlier, ...]:
        table = TABLES[Predicted].c
        columns = (table.event, table.at, table.host, table.subject, table.kind, table.outcome, table.crosses_at)
        query = select(*columns, table.earliest, table.latest).where(table.at > since).order_by(table.id)
        return tuple(
            # One from the future was written before the clock was set back.
            Earlier(min(at, now), host, subject, kind, outcome, earliest if crosses_at is None else crosses_at, latest)
            for event, at, host, subject, kind, outcome, crosses_at, earliest, latest in connection.execute(query)
            if event not in left_out
        )

    return history.ask(asked)


@dataclass(frozen=True, slots=True)
class _Moment:
    """Where, by which rules and when it is told; ``run`` is the name that the records get."""

    fleet: FleetOfClone
    history: History
    rules: AlertRules
    run: str
    now: float

    def tell(self, judged: Judged, said: Collection[tuple[str, str]]) -> list[Alert]:
        """Keep what changes, and tell it.

        + said: of what anything was foretold lately: an incident of anything else is over
        """
        known = self.history.open_incidents()
        own = [each for each in known if each.kind == FORETOLD]
        left = [each for each in own if _case(each) not in judged.passed and self._is_said(each, said)]
        open_cases = {_case(each) for each in left}
        verdicts = self._worth_telling(judged, open_cases)
        changes = (
            *(closed_silently(each, run=self.run, now=self.now) for each in own if each not in left),
            *judge(left, verdicts, judged.well, run=self.run, now=self.now, healthy_after=QUIET, still_open=inf),
        )
        keep(self.fleet, *changes)
        low = [each for each in verdicts if each.severity == "LOW" and _case(each) in judged.new - open_cases]
        alerts = [
            *alerts_of(changes, verdicts, now=self.now),
            *(foretold_alert(each, self.now) for each in low),
        ]
        if alerts:
            self._send(alerts, open_after(known, changes))
        return alerts

    def _is_said(self, incident: IncidentChanged, said: Collection[tuple[str, str]]) -> bool:
        return incident.host in self.fleet.hosts and _case(incident) in said

    def _worth_telling(self, judged: Judged, open_cases: Collection[tuple[str, str]]) -> tuple[Verdict, ...]:
        """The verdicts without those whose incident was closed a moment ago."""
        if not judged.verdicts:
            return ()
        changes = self.history.records(IncidentChanged, since=self.now - QUIET)
        closed = {_case(each) for each in changes if each.kind == FORETOLD and each.change == "closed"}
        return tuple(each for each in judged.verdicts if _case(each) in open_cases or _case(each) not in closed)

    def _send(self, alerts: Sequence[Alert], incidents: Sequence[IncidentChanged]) -> None:
        done = tell(
            alerts,
            self.rules,
            folder=self.fleet.folder,
            run=self.run,
            now=self.now,
            say=say,
            earlier=incidents,
            breakers=self.history.breakers(),
        )
        keep(self.fleet, *done.records)


def _case(told: IncidentChanged | Verdict) -> tuple[str, str]:
    return told.host, told.target
