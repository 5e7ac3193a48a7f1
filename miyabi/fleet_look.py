"""One look at a fleet through pyinfra, beside what is remembered of it and what the gate would say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from miyabi.cli_fleet import FleetOfClone, history_if_any
from miyabi.gate import Pause, TargetHistory
from miyabi.gate_pauses import pauses_of_spec
from miyabi.health import FleetHealth, health_from_json
from miyabi.host_status import HostStatus, latest_causes, status_of, status_of_absent
from miyabi.learning import LOOK_BACK
from miyabi.outlook import STORM, Outlook, Remembered, fleet_now, storm_of, with_this_look
from miyabi.pauses import read_pauses
from miyabi.presence import remembered as presence_of
from miyabi.pyinfra_command import Answers, ask_fleet
from miyabi.records import DriftSeen, IncidentChanged, Observation, Recovered
from miyabi.spec import Spec

if TYPE_CHECKING:
    from miyabi.figures import Learned
    from miyabi.history import History

_FACT = "facts.fleet_health.Drifts"

# How many earlier looks at a host are read to tell since when it is as it is.
_LOOKS = 500

# Seconds for which the cause of a damage is remembered.
_CAUSES = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class FleetLook:
    """What one look at a fleet came to.

    + statuses: how each host stands that was asked for
    + looks: what was seen of those that answered
    + specs: of those that were asked for and have one
    + is_remembered: whether there is a history
    """

    now: float
    statuses: tuple[HostStatus, ...]
    looks: Mapping[str, FleetHealth]
    specs: Mapping[str, Spec]
    outlook: Outlook
    observations: Mapping[str, Sequence[Observation]] = field(default_factory=dict)
    is_remembered: bool = True


def look_at(fleet: FleetOfClone, hosts: Sequence[str], now: float) -> FleetLook:
    """Look at hosts of a fleet. Raises ``MiyabiError`` when there could be no look at all."""
    answers = ask_fleet(hosts, _FACT)
    looks = {host: health_from_json(told) for host, told in answers.facts.items() if host in hosts}
    specs = {host: wanted for host in hosts if (wanted := fleet.spec(host)) is not None}
    pauses = (*read_pauses(fleet.folder, now), *(p for host in specs for p in pauses_of_spec(host, specs[host], now)))
    learns = any(wanted.recovery.learn for wanted in specs.values())
    remembered, observations, is_remembered = _remembered(fleet, looks, pauses, now, learns=learns)
    outlook = Outlook(fleet_now(looks, fleet.hosts.keys(), remembered, fleet.file.rules, now), remembered, now)
    statuses = tuple(
        status_of(host, looks[host], specs[host], outlook, observations.get(host, ()))
        if host in looks and host in specs
        else _absent(host, answers)
        for host in hosts
    )
    return FleetLook(now, statuses, looks, specs, outlook, observations, is_remembered)


def _absent(host: str, answers: Answers) -> HostStatus:
    said = answers.said.get(host, ())
    return status_of_absent(host, said, presence_of(host).absent_since, is_connected="Connected" in said)


def _remembered(
    fleet: FleetOfClone, looks: Mapping[str, FleetHealth], pauses: tuple[Pause, ...], now: float, *, learns: bool
) -> tuple[Remembered, dict[str, Sequence[Observation]], bool]:
    """What is remembered, the last looks at each host, and whether there is a history at all."""
    histories: dict[tuple[str, str], TargetHistory] = {}
    with history_if_any(fleet, now) as history:
        if history is None:
            return Remembered(pauses=pauses), {}, False
        observations = {host: history.records(Observation, host=host, limit=_LOOKS) for host in fleet.hosts}
        for host, seen in looks.items():
            targets = [each.target for each in (*seen.drifts, *seen.unknown)]
            known = history.target_histories(host, targets, now)
            histories |= {(host, target): with_this_look(each, now) for target, each in known.items()}
        causes = latest_causes(history.records(DriftSeen, since=now - _CAUSES))
        recovered = history.records(Recovered, since=now - _CAUSES)
        incidents = history.open_incidents()
        remembered = Remembered(
            incidents=incidents,
            causes=causes,
            histories=histories,
            restored={(each.host, each.target): each.at for each in recovered[::-1] if each.outcome == "restored"},
            tried=_tried(history, incidents, fleet, now),
            breakers=history.breakers(),
            leases=history.leases(now),
            pauses=pauses,
            learned=_learned(history, now) if learns and any(seen.drifts for seen in looks.values()) else (),
        )
    return remembered, dict(observations), True


def _learned(history: History, now: float) -> tuple[Learned, ...]:
    from miyabi.history_repair_figures import learned  # noqa: PLC0415 - few specs want it

    return learned(history, now - LOOK_BACK, now)


def _tried(
    history: History, incidents: Iterable[IncidentChanged], fleet: FleetOfClone, now: float
) -> dict[tuple[str, str], float]:
    """When the targets of storms that are known were tried last."""
    tried: dict[tuple[str, str], float] = {}
    storms = [storm_of(each, fleet.hosts.keys()) for each in incidents if each.kind == STORM]
    for host in {host for storm in storms for host, _ in storm.targets}:
        targets = {target for storm in storms for on, target in storm.targets if on == host}
        known = history.target_histories(host, targets, now)
        tried |= {(host, target): each.tries[-1].at for target, each in known.items() if each.tries}
    return tried
