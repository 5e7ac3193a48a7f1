"""Makes a report: asks git, GitHub and the inventory beside the history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING

from miyabi.monitoring import Monitoring, monitoring_of
from miyabi.reports.gathering import gather
from miyabi.reports.git_log import read_commits
from miyabi.reports.past import Asked
from miyabi.reports.report import Report
from miyabi.reports.span import Span, before

if TYPE_CHECKING:
    from miyabi.cli_fleet import FleetOfClone
    from miyabi.history import History


def make_report(fleet: FleetOfClone, history: History, span: Span, now: float, zone: tzinfo | None = None) -> Report:
    """The report of a span, or of as much of it as is over.

    + now: seconds since the epoch
    + zone: of the reader; None is this machine's

    What cannot be asked is named in it, and costs some seconds at most. Raises ``HistoryError``.
    """
    monitoring = monitoring_of(fleet.file.monitoring)
    asked = ask(monitoring, before(span, zone).since, fleet.hosts)
    return gather(history, monitoring, span, asked, now=now, zone=zone)


def ask(monitoring: Monitoring, since: float, hosts: Mapping[str, Mapping[str, object]]) -> Asked:
    """What the other sources say of the time from ``since`` on.

    + hosts: of the inventory, with their data
    """
    wanted = monitoring.reports
    commits, missing = read_commits(wanted.repositories, since) if wanted.repositories else ({}, ())
    work = None
    if wanted.github:
        from miyabi.reports.github import read_work  # noqa: PLC0415 - who asks nobody needs none of it

        found, unanswered = read_work(wanted.github, since)
        # Where nobody answered, nothing is known: that is not zero.
        work, missing = found or None, (*missing, *unanswered)
    return Asked(commits or None, work, _instances(hosts), tuple(hosts), missing)


def _instances(hosts: Mapping[str, Mapping[str, object]]) -> dict[str, tuple[str, str]]:
    """The id and the type of each host that is an EC2 instance; what its data says of its type comes first."""
    found = {
        host: (str(data["instance_id"]), str(data.get("instance_type") or ""))
        for host, data in hosts.items()
        if data.get("instance_id")
    }
    if all(kind for _, kind in found.values()):
        return found
    # The inventory was read from what EC2 said last.
    from miyabi.ec2_inventory import last_known  # noqa: PLC0415 - a fleet without instances does not pay for it

    return {
        host: (instance_id, kind or (last_known[instance_id].instance_type if instance_id in last_known else ""))
        for host, (instance_id, kind) in found.items()
    }
