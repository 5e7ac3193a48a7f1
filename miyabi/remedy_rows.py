"""The remedy table: when a row is meant, what it says, and what it leads to; the first that is meant counts. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from miyabi.instance import UNKNOWN_STATUS, Check, Power, ScheduledEvent
from miyabi.instance_rules import Remedy
from miyabi.remedy_past import half_stopped, overdue_stop, under_way
from miyabi.remedy_types import Case, Verb
from miyabi.remedy_words import EVENTS, NAMES, failing, moment, plain
from miyabi.words import lasting

# Seconds until it is worth looking again: EC2 makes its checks every minute, an instance changes its state faster.
NEXT_CHECK = 60.0
NEXT_STATE = 15.0

# Seconds for which an event of EC2's own is given time when EC2 does not say when it ends.
_EVENT_LASTS = 3600.0
_STUCK_AFTER = 600.0
_DISTURBING = frozenset({"instance-reboot", "system-reboot", "system-maintenance"})

_CONSOLE = "aws ec2 get-console-output --latest --output text --region {region} --instance-id {instance}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    + name: as advice, records and docs/l4.md call it
    + when: whether a case is one of it
    + says: why, in words
    + verb: what it leads to where there are no ``remedies``
    + remedies: from the mildest: the first is applied that was not tried, is allowed and not guarded against
    + only_told: why none of ``remedies`` is ever applied by itself; "" is that they are
    + until: with ``wait``: when to look again
    + step: what a human can do when nothing is applied; ``{instance}`` and ``{region}`` are filled in
    """

    name: str
    when: Callable[[Case], bool]
    says: Callable[[Case], str]
    verb: Verb = "tell"
    remedies: Callable[[Case], tuple[Remedy, ...]] | tuple[Remedy, ...] = ()
    only_told: str = ""
    until: Callable[[Case], float] | None = None
    step: str = _CONSOLE

    def order(self, case: Case) -> tuple[Remedy, ...]:
        """Its remedies for a case."""
        return self.remedies(case) if callable(self.remedies) else self.remedies


def _power(case: Case) -> Power | None:
    return None if case.instance is None else case.instance.power


def _is(*powers: Power) -> Callable[[Case], bool]:
    return lambda case: _power(case) in powers


def _soon(seconds: float) -> Callable[[Case], float]:
    return lambda case: case.now + seconds


def _state(case: Case) -> str:
    """Such as ``it is stopped (User initiated)``."""
    instance = case.instance
    reason = "" if instance is None else plain(instance.reason)
    power = "" if instance is None else instance.power.replace("-", " ")
    return f"it is {power}{f' ({reason})' if reason else ''}"


def _address(case: Case) -> str:
    """Where EC2 says that it is reached; "" is nowhere."""
    instance = case.instance
    if instance is None or case.connects_by == "ssm":
        return ""
    return instance.public_address if case.connects_by == "public" else instance.private_address


def _is_elsewhere(case: Case) -> bool:
    return not case.answers and bool(_address(case)) and _is_address(case.address) and not _is_its_own(case)


def _has_no_address(case: Case) -> bool:
    return not case.answers and case.connects_by != "ssm" and not _address(case) and not _is_its_own(case)


def _is_its_own(case: Case) -> bool:
    """Whether ssh was tried at one of the addresses that it has: an inventory may name another than it is said to."""
    instance = case.instance
    own = set() if instance is None else {instance.public_address, instance.private_address} - {""}
    return case.address in own


def _is_address(text: str) -> bool:
    """Whether a text is an address and no name, of which nobody knows here where it leads."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _progress(case: Case) -> str:
    tried = under_way(case)
    if tried is None:
        return ""
    return f"{NAMES[tried.remedy]} was begun {lasting(case.now - tried.at)} ago"


def _given_time(case: Case) -> float:
    tried = under_way(case)
    return case.now if tried is None else min(tried.at, case.now) + case.patience[tried.remedy]


def _is_stuck(case: Case) -> bool:
    if _power(case) == "stopping":
        return overdue_stop(case)
    started = None if case.instance is None else case.instance.launched_at
    return _power(case) == "pending" and started is not None and case.now - started > _STUCK_AFTER


def _event_at_work(case: Case) -> ScheduledEvent | None:
    """What EC2 itself is doing to it now."""
    for event in () if case.instance is None else case.instance.events:
        if event.code in _DISTURBING and event.not_before is not None:
            ends = event.not_before + _EVENT_LASTS if event.not_after is None else event.not_after
            if event.not_before <= case.now < ends:
                return event
    return None


def _event_says(case: Case) -> str:
    event = _event_at_work(case)
    if event is None or event.not_before is None:
        return ""
    what = EVENTS.get(event.code, plain(event.code))
    return f"{what} is scheduled from {moment(event.not_before, case.now)}, and may be what is seen"


def _checks(case: Case) -> dict[str, Check]:
    instance = case.instance
    if instance is None:
        return {}
    return {"system": instance.system, "instance": instance.computer, "EBS": instance.volumes}


def _fails(name: str) -> Callable[[Case], bool]:
    return lambda case: name in (checks := _checks(case)) and checks[name].status == "impaired"


def _failure(name: str) -> Callable[[Case], str]:
    def says(case: Case) -> str:
        words = failing(name, _checks(case).get(name, Check()), case.now)
        return f"{plain(case.left)} could not be restored, and {words}" if case.answers and case.left else words

    return says


def _untold(case: Case) -> str:
    found = [f"the {name} check says {check.status}" for name, check in _checks(case).items() if _is_untold(check)]
    return f"how it is cannot be told: {', '.join(found)}"


def _is_untold(check: Check) -> bool:
    return check.status in UNKNOWN_STATUS


def _heals_until(case: Case) -> float:
    """Until when EC2's own recovery is given time. Where nobody knows since when the check fails, it is since now."""
    since = _checks(case).get("system", Check()).since
    begins = next((at for at in (since, case.began) if at is not None), case.now)
    return min(begins, case.now) + case.rules.self_healing


def _may_heal(case: Case) -> bool:
    # EC2 recovers no spot instance.
    instance = case.instance
    return _fails("system")(case) and instance is not None and not instance.is_spot and case.now < _heals_until(case)


def _healing(case: Case) -> str:
    return f"{_failure('system')(case)}, which EC2 mends itself as a rule"


def _closed(case: Case) -> str:
    failures = [failing(name, check, case.now) for name, check in _checks(case).items() if check.status == "impaired"]
    seen = "ssh does not answer here, but from inside sshd was seen to answer, so the way there is closed"
    return "; ".join((seen, *failures))


def _is_left(case: Case) -> bool:
    return case.answers and bool(case.left)


def _for_ssh(case: Case) -> tuple[Remedy, ...]:
    online = case.instance is not None and case.instance.agent == "Online"
    return ("run-command", "reboot") if online else ("reboot",)


_FINE = "ssh does not answer, and all checks of the instance are fine"

ROWS = (
    Row("healthy", lambda case: case.answers and not case.left, lambda _: "it answers, and nothing is left", "nothing"),
    Row(
        "not-asked",
        lambda case: case.unknown is not None,
        lambda case: f"EC2 could not be asked: {plain(case.unknown or '')}",
        "wait",
        until=_soon(NEXT_CHECK),
    ),
    Row(
        "contradiction",
        lambda case: case.answers and _power(case) not in {None, "running"},
        lambda case: f"it answers, but EC2 says that {_state(case)}",
        "wait",
        until=_soon(NEXT_STATE),
    ),
    Row(
        "another-address",
        _is_elsewhere,
        lambda case: f"its address is {plain(_address(case))} now, not {plain(case.address)}",
        "reconnect",
    ),
    Row(
        "half-stopped",
        half_stopped,
        lambda _: "it was stopped to be started again, and was not started",
        remedies=("start",),
    ),
    Row("under-way", lambda case: under_way(case) is not None, _progress, "wait", until=_given_time),
    Row(
        "gone",
        lambda case: case.instance is None,
        lambda _: "EC2 knows no such instance",
        step="check the account and the region of inventory/ec2.yaml; if it was terminated, launch another one",
    ),
    Row("terminated", _is("shutting-down", "terminated"), _state, remedies=("replace",), step="launch another one"),
    Row(
        "stuck",
        _is_stuck,
        lambda case: f"{_state(case)}, and stays so",
        step="look at it in the EC2 console; aws ec2 stop-instances --force --region {region} --instance-ids {instance}"
        " ends what does not stop, and may damage its file systems",
    ),
    Row("changing", _is("pending", "stopping"), _state, "wait", until=_soon(NEXT_STATE)),
    Row("stopped", _is("stopped"), _state, remedies=("start",), step="start it in the EC2 console"),
    Row(
        "event-at-work",
        lambda case: _event_at_work(case) is not None,
        _event_says,
        "wait",
        until=_soon(NEXT_CHECK),
    ),
    Row(
        "checks-unknown",
        lambda case: any(map(_is_untold, _checks(case).values())),
        _untold,
        "wait",
        until=_soon(NEXT_CHECK),
    ),
    Row(
        "no-address",
        _has_no_address,
        lambda case: f"it has no {case.connects_by} address",
        step="give it one, or set another connect in inventory/ec2.yaml",
    ),
    Row(
        "way-closed",
        lambda case: case.answers_inside is True and not case.answers,
        _closed,
        step="check its security groups, routes and network ACLs, and the network of this machine",
    ),
    Row("system-healing", _may_heal, _healing, "wait", until=_heals_until),
    Row("system-impaired", _fails("system"), _failure("system"), remedies=("stop-start",)),
    Row(
        "volumes-impaired",
        _fails("EBS"),
        _failure("EBS"),
        remedies=("stop-start",),
        only_told="a volume that does not answer may be at fault itself",
        step="look at its volumes in the EC2 console",
    ),
    Row("computer-impaired", _fails("instance"), _failure("instance"), remedies=("reboot", "stop-start")),
    Row(
        "left",
        _is_left,
        lambda case: f"{plain(case.left)} could not be restored, but it answers and its checks are fine",
        step="ssh {host}",
    ),
    Row(
        "way-in-doubt",
        lambda case: case.is_way_in_doubt,
        lambda _: f"{_FINE}; no other instance of its network is reached either, so the way there may be closed",
        step="check the network of this machine, its VPN, and the routes and security groups there",
    ),
    Row("ssh-dead", lambda _: True, lambda _: _FINE, remedies=_for_ssh),
)
