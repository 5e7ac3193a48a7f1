"""The EC2 instance that a host is: how it stands, and what was done about it in this run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from miyabi.climb import Climb, in_words
from miyabi.errors import Ec2Error
from miyabi.inside_script import WAY_IS_CLOSED
from miyabi.instance_rules import REMEDIES
from miyabi.levels import Level
from miyabi.records import Recovered
from miyabi.spec import Spec
from miyabi.subjects import INSTANCE
from operations.availability import absent_for, down, is_instance, look_after
from operations.breakers import note_breaker
from operations.gate import rules_of, tries_in_incident
from operations.memory import Memory, memory_of, now
from operations.record import at_the_end

if TYPE_CHECKING:
    from pyinfra.api import Host

    from miyabi.ec2_api import Region
    from miyabi.ec2_settings import Ec2Settings
    from miyabi.gate_types import Decision
    from miyabi.instance import Instance
    from miyabi.remedy import Advice, Case, Tried

T = TypeVar("T")

SERVICE = "ec2"

_RESCUE = "miyabi_rescue"

# What the table's rows are called as causes (miyabi.cause_names).
_CAUSES = {
    "computer-impaired": "instance-impaired",
    "system-impaired": "system-impaired",
    "system-healing": "system-impaired",
    "volumes-impaired": "system-impaired",
    "stopped": "instance-stopped",
    "half-stopped": "instance-stopped",
    "changing": "instance-stopped",
    "stuck": "instance-stopped",
    "gone": "instance-gone",
    "terminated": "instance-gone",
}

# Seconds within which a try that is remembered and one of this run are the same.
_SAME_TRY = 1.0

# Troubles that say that nobody gets an answer for now.
_OF_SERVICE = frozenset({"credentials", "throttled", "unreachable", "fault"})


@dataclass(slots=True)
class Rescue:
    """What happened with a host's instance in this run.

    + advice: the remedy table's last word; None is that nobody asked
    + instance: as EC2 described it last
    + tried: what this run itself applied
    + answers_inside: whether sshd answers on the machine itself, as far as Systems Manager's agent has told
    + held: what the gate held
    + outcome: how it ended, in words for the summary; "" is that L4 had nothing to do
    + next_step: what a human can do then; "" is nothing
    + failure: why the last wait was in vain; "" is that the host came back, or nobody waited
    + is_asked_for: whether a remedy was asked for, so that only what it brings about is enough
    + is_planned: whether this is of the stage in which pyinfra only asks what would be done
    """

    advice: Advice | None = None
    instance: Instance | None = None
    tried: list[Tried] = field(default_factory=list)
    answers_inside: bool | None = None
    held: Decision | None = None
    outcome: str = ""
    next_step: str = ""
    failure: str = ""
    is_asked_for: bool = False
    is_planned: bool = False


def rescue_of(host: Host) -> Rescue:
    """What happened with the instance of ``host`` in this run so far; what was only planned has not happened."""
    is_planned = not host.state.is_executing
    known: Rescue | None = host.connector_data.get(_RESCUE)
    if known is None or (known.is_planned and not is_planned):
        known = host.connector_data[_RESCUE] = Rescue(is_planned=is_planned)
    return known


def instance_id_of(host: Host) -> str:
    """The id of the instance that ``host`` is."""
    return str(host.data.get("instance_id"))


def region_of(host: Host) -> Region:
    """EC2 in the region of the instance that ``host`` is."""
    from miyabi.ec2_api import Region  # noqa: PLC0415 - dear, and only L4 needs it

    return Region(str(host.data.get("region")), settings_of(host).profile)


def ec2_file_of(host: Host) -> Path | None:
    """The file that made ``host`` a part of the fleet; None when its inventory names it in another way."""
    named = host.data.get("ec2_file")
    return Path(str(named)) if named else None


def settings_of(host: Host) -> Ec2Settings:
    """What is said of how instances are reached; the defaults for one that no file describes."""
    from miyabi.ec2_file import read_ec2_file  # noqa: PLC0415 - only L4 needs it
    from miyabi.ec2_settings import Ec2Settings  # noqa: PLC0415

    path = ec2_file_of(host)
    return Ec2Settings() if path is None else read_ec2_file(path)


def case_of(host: Host, wanted: Spec, climb: Climb) -> Case:
    """All that the remedy table must know of the instance of ``host``, asked of EC2 now."""
    rescue = rescue_of(host)
    look_after(host)
    rescue.instance, unknown = _asked(host)
    return judged(host, wanted, climb, rescue.instance, unknown)


def judged(host: Host, wanted: Spec, climb: Climb, instance: Instance | None, unknown: str | None) -> Case:
    """All that the remedy table must know of the instance of ``host``, as EC2 has described it.

    + unknown: why EC2 could not be asked; None when it could
    """
    from miyabi.remedy import Case  # noqa: PLC0415 - only L4 needs it

    absent, tried = absent_for(host), tried_on(host)
    return Case(
        instance=instance,
        rules=wanted.l4,
        now=now(),
        unknown=unknown,
        answers=down(host) is None,
        left=left_by_levels(host, climb),
        address=_tried_address(host),
        connects_by=settings_of(host).connect,
        is_way_in_doubt=_is_way_in_doubt(host),
        answers_inside=_answers_inside(host, instance, tried),
        tried=tried,
        began=None if absent is None else now() - absent,
        max_level=wanted.recovery.max_level,
    )


def _answers_inside(host: Host, instance: Instance | None, tried: tuple[Tried, ...]) -> bool | None:
    """Whether sshd answers on the machine itself, as this run has heard, or an earlier one of the incident.

    What an earlier one has heard counts as long as EC2 finds nothing wrong: else it may have died since.
    """
    told = rescue_of(host).answers_inside
    looked = [each for each in tried if each.remedy == "run-command"]
    if told is not None or not looked or instance is None or instance.is_impaired:
        return told
    found = memory_of(host.state).ask_history(
        lambda history: history.records(Recovered, since=looked[-1].at, host=host.name, target=INSTANCE)
    )
    newest = next((each for each in found or () if each.does == "run-command"), None)
    return True if newest is not None and newest.reason.startswith(WAY_IS_CLOSED) else None


def left_by_levels(host: Host, climb: Climb) -> str:
    """What L3 had its turn at in this run, and is still wrong, on a host where no agent is left that runs.

    What the gate holds was not tried.
    """
    if down(host) is not None or climb.unknown:
        return ""
    seen = at_the_end(host, climb)
    if seen is None or "running" in seen.agents.values():
        # Whatever EC2's checks say: nothing that ends a healthy agent is called for.
        return ""
    tried = [
        drift
        for drift in climb.drifts
        # What L3 has created as a whole, it has tried each part of.
        if any(climb.attempts.get(scope) == Level.L3 for scope in drift.target.scopes())
    ]
    return in_words(drift for drift in tried if drift.target not in climb.held) or ""


def _asked(host: Host) -> tuple[Instance | None, str | None]:
    """The instance as EC2 describes it now, and why it could not be asked."""
    region = region_of(host)
    try:
        found = region.instance(instance_id_of(host))
        instance = None if found is None else region.detailed(found)
    except Ec2Error as error:
        return None, str(error)
    remember_instance(host, instance)
    return instance, None


def told_to_ec2(host: Host, question: Callable[[], T]) -> T:
    """Tell EC2 to do something, and return what it answers; raises ``Ec2Error`` as the question does.

    Its breaker notes whether it does. Questions alone say nothing: whoever gets no answer to these does nothing anyway,
    and an answer would close the breaker just before the gate looks at it.
    """
    memory = memory_of(host.state)
    try:
        answer = question()
    except Ec2Error as error:
        if error.kind in _OF_SERVICE:
            _note_service(memory, host, failed=True)
        raise
    _note_service(memory, host, failed=False)
    return answer


def _note_service(memory: Memory, host: Host, *, failed: bool) -> None:
    if host.state.is_executing:
        note_breaker(memory, f"service {SERVICE}", rules_of(host), failed=failed)


def known_instance(host: Host) -> Instance | None:
    """The instance of ``host`` as EC2 described it to the inventory; None when no file describes it."""
    if ec2_file_of(host) is None:
        return None
    from miyabi.ec2_inventory import last_known  # noqa: PLC0415 - only hosts that are instances

    return last_known.get(instance_id_of(host))


def remember_instance(host: Host, instance: Instance | None) -> None:
    """Let the next run find the instance where and as it is now."""
    path = ec2_file_of(host)
    if path is not None and instance is not None:
        from miyabi.ec2_inventory import remember  # noqa: PLC0415 - only L4 needs it

        remember(path, instance, now())


def tried_on(host: Host) -> tuple[Tried, ...]:
    """The remedies that were applied in the incident that the instance of ``host`` is in, oldest first."""
    from miyabi.remedy import Tried  # noqa: PLC0415 - only L4 needs it

    memory, own = memory_of(host.state), rescue_of(host).tried
    known = memory.histories(host.name, [INSTANCE])[INSTANCE]
    # Another controller may have begun something since this run did.
    mine = [each.at for each in memory.tries.get((host.name, INSTANCE), ())]
    earlier = [
        Tried(each.does, each.at, each.restored)
        for each in tries_in_incident(host, known)
        if each.level is Level.L4 and each.does in REMEDIES and all(abs(each.at - at) > _SAME_TRY for at in mine)
    ]
    return (*earlier, *own)


def _tried_address(host: Host) -> str:
    """Where ssh was tried; "" where EC2 gave no address to try."""
    address = str(host.data.get("ssh_hostname") or "")
    return "" if address.endswith(".invalid") else address


def _is_way_in_doubt(host: Host) -> bool:
    """Whether there are other instances in its region, and this run has reached none of them."""
    region = host.data.get("region")
    others = [
        each
        for each in host.state.inventory
        # By name: what an operation calls its host stands in for it, and is another object.
        if each.name != host.name
        and host.state.is_host_in_limit(each)
        and is_instance(each)
        and each.data.get("region") == region
    ]
    return bool(others) and all(down(each) is not None or not each.connected for each in others)


def cause_of_advice(advice: Advice) -> str:
    """Why the instance is down, by name."""
    return _CAUSES.get(advice.row, "host-unreachable")
