"""What decides about an instance, and what is decided. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from miyabi.instance import Instance
from miyabi.instance_rules import InstanceRules, Remedy
from miyabi.levels import Level

# apply: the remedy. reconnect: it has another address than was thought. wait: something is under way, or EC2 is given
# time. tell: a human has to decide. nothing: there is nothing to do.
Verb = Literal["apply", "reconnect", "wait", "tell", "nothing"]

# Seconds that a remedy is given from its beginning until it counts as of no help. EC2 resets a machine that does not
# shut down by itself only after "a few minutes" (it once said four), so a hung one is not back sooner.
PATIENCE: Mapping[Remedy, float] = MappingProxyType(
    {"run-command": 60.0, "start": 120.0, "reboot": 270.0, "stop-start": 300.0, "replace": 300.0}
)


@dataclass(frozen=True, slots=True)
class Tried:
    """A remedy that was applied in the incident that the host is in, by this run or an earlier one.

    + at: when it began, in seconds since the epoch
    + helped: whether the host came back; None is that nobody knows yet: it may be under way
    """

    remedy: Remedy
    at: float
    helped: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that decides.

    + instance: as EC2 describes it now; None is that EC2 knows no such instance
    + now: seconds since the epoch
    + unknown: why EC2 could not be asked; None when it could
    + answers: whether ssh answers
    + left: what was seen broken there and the levels below could not restore, such as ``miyabi:main.kaede``; "" is
      nothing. What could not be told does not belong here
    + address: where ssh was tried
    + connects_by: ``public``, ``private`` or ``ssm``
    + is_way_in_doubt: whether no other instance of its network is reached either, so that the way there may be broken
    + answers_inside: what Systems Manager's agent found when it looked from inside: whether sshd answers there; None is
      that it was not asked, or said nothing
    + tried: oldest first
    + began: when the incident began, in seconds since the epoch; None is that nobody knows
    + max_level: the spec's ``recovery.max_level``
    + patience: seconds that each remedy is given
    """

    instance: Instance | None
    rules: InstanceRules
    now: float
    unknown: str | None = None
    answers: bool = False
    left: str = ""
    address: str = ""
    connects_by: Literal["public", "private", "ssm"] = "public"
    is_way_in_doubt: bool = False
    answers_inside: bool | None = None
    tried: tuple[Tried, ...] = ()
    began: float | None = None
    max_level: Level = Level.L4
    patience: Mapping[Remedy, float] = field(default_factory=lambda: PATIENCE)


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do.

    + row: the name of the table's row that decided
    + reason: in words for the user, such as ``the instance check fails since 22:41 UTC``
    + remedy: what is called for; with ``tell`` it is what would be called for, and is not allowed or is guarded against
    + against: what speaks against ``remedy``, each in words; empty with ``apply``
    + next_step: what a human can do, with ``{host}`` where the host's name belongs (``miyabi.remedy.next_step`` puts it
      there); "" is nothing
    + until: with ``wait``: when to look again, in seconds since the epoch
    + warnings: what is to be told beside it, such as a retirement that is scheduled; ``{host}`` as above
    + where: the instance, such as ``i-0abc, ap-northeast-1a``; "" is that EC2 did not say
    """

    verb: Verb
    row: str
    reason: str
    remedy: Remedy | None = None
    against: tuple[str, ...] = ()
    next_step: str = ""
    until: float | None = None
    warnings: tuple[str, ...] = ()
    where: str = ""
