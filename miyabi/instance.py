"""An EC2 instance as its account describes it, and how its checks stand. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from miyabi.state import Observed

Power = Literal["pending", "running", "shutting-down", "terminated", "stopping", "stopped"]
# The last two tell nothing: an instance whose check says so may be well or not.
Status = Literal["ok", "impaired", "not-applicable", "initializing", "insufficient-data"]

UNKNOWN_STATUS = frozenset({"initializing", "insufficient-data"})


@dataclass(frozen=True, slots=True)
class Check(Observed):
    """One of the checks that EC2 makes of an instance.

    + since: when it began to fail, in seconds since the epoch; None is that it does not, or EC2 does not say
    """

    status: Status = "insufficient-data"
    since: float | None = None


@dataclass(frozen=True, slots=True)
class ScheduledEvent(Observed):
    """What EC2 is going to do to an instance; one that is over, or called off, is none.

    + code: ``instance-retirement``, ``instance-stop``, ``instance-reboot``, ``system-reboot``, ``system-maintenance``
    + not_before, not_after: when, in seconds since the epoch; None is that EC2 does not say
    """

    code: str
    not_before: float | None = None
    not_after: float | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance(Observed):
    """One instance. What is None was not asked for, or could not be told.

    + system, computer, volumes: the checks of the machine below it, of the instance itself, of its attached EBS volumes
    + reason: why it is in its state, in EC2's words, such as ``Client.UserInitiatedShutdown: ...``
    + launched_at: when it was last started, in seconds since the epoch; a reboot changes nothing in it
    + has_fixed_address: whether its public address stays over a stop, because it is an elastic one
    + autoscaling_group: the group that replaces it when it stops; "" is none
    + root_device: ``ebs`` or ``instance-store``
    + has_instance_store: whether it has volumes that are erased when it stops
    + stop_protected, termination_protected: whether EC2 refuses to stop or to terminate it
    + agent: what Systems Manager says of its agent: ``Online``, ``ConnectionLost``, ``Inactive``; "" is none
    """

    instance_id: str
    region: str
    zone: str = ""
    name: str = ""
    power: Power
    reason: str = ""
    system: Check = field(default_factory=Check)
    computer: Check = field(default_factory=Check)
    volumes: Check = field(default_factory=Check)
    events: tuple[ScheduledEvent, ...] = ()
    launched_at: float | None = None
    private_address: str = ""
    public_address: str = ""
    has_fixed_address: bool = False
    is_spot: bool = False
    autoscaling_group: str = ""
    root_device: str = "ebs"
    instance_type: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    has_instance_store: bool | None = None
    stop_protected: bool | None = None
    termination_protected: bool | None = None
    agent: str | None = None

    @property
    def is_impaired(self) -> bool:
        """Whether a check of it fails."""
        return "impaired" in {self.system.status, self.computer.status, self.volumes.status}
