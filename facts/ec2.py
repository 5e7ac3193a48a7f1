"""What EC2 says of the fleet's instances. The control machine asks, whichever host the question is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pyinfra import logger
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase
from typing_extensions import override

from miyabi.ec2_api import Region, look
from miyabi.ec2_file import read_ec2_file
from miyabi.ec2_settings import Ec2Settings
from miyabi.errors import MiyabiError
from miyabi.instance import Instance

if TYPE_CHECKING:
    from pyinfra.api import Host, State

EC2_FILE = Path(__file__).resolve().parent.parent / "inventory" / "ec2.yaml"

# What an instance is called, and what EC2 says of it; a region that could not be asked stands there with None.
Fleet = dict[str, Instance | None]


class InstanceStatus(FactBase[Instance | Fleet | None]):
    """Return what EC2 says now: state, checks, scheduled events, protections, and the rest of ``miyabi.instance``.

    On the control machine (``@local``): all instances of inventory/ec2.yaml by name, and None in the place of a region
    that could not be asked. On a host that is an instance: its own. On others: None. Checks that are ``initializing``
    or ``insufficient-data`` tell nothing; what else could not be told is None. Nothing is changed, and nothing kept.

    + instance, region: ask for this instance instead, on any host
    + file: which instances belong to the fleet; None is what the host's data names in ``ec2_file``, or else
      inventory/ec2.yaml

    .. code:: python

        {"worker-1": Instance(instance_id="i-0123456789abcdef0", region="ap-northeast-1", power="running", ...)}

    **Example:**

    .. code:: shell

        pyinfra @local fact facts.ec2.InstanceStatus
        pyinfra @local fact facts.ec2.InstanceStatus instance=i-0123456789abcdef0 region=ap-northeast-1
    """

    _host: Host | None = None
    _wanted: tuple[str | None, str | None] = (None, None)
    _named: str | None = None

    @override
    def check_preconditions(self, state: State, host: Host) -> None:
        """Note which host this is about: the one that is being worked on may be another."""
        self._host = host

    @override
    def command(self, instance: str | None = None, region: str | None = None, file: str | None = None) -> str:
        """A word that any host can say; the question itself is asked when it has been said."""
        self._wanted = (instance, region)
        self._named = file
        return "echo here"

    @override
    def process(self, output: list[str]) -> Instance | Fleet | None:
        """Ask EC2."""
        instance, region = self._wanted
        host = self._host
        if instance is None and region is None and host is not None and not host.name.startswith("@local"):
            instance, region = host.data.get("instance_id"), host.data.get("region")
            if instance is None:
                return None
        try:
            settings = self._settings()
            if instance is None and region is None:
                return _all(settings, host)
            return _one(settings, instance, region)
        except MiyabiError as error:
            raise FactProcessError(str(error)) from error

    def _settings(self) -> Ec2Settings:
        named = self._named or (self._host.data.get("ec2_file") if self._host is not None else None)
        return read_ec2_file(Path(str(named)).expanduser() if named else EC2_FILE)


def _one(settings: Ec2Settings, instance_id: str | None, region: str | None) -> Instance:
    if not instance_id or not region:
        raise FactProcessError(
            "instance and region belong together: instance=i-0123456789abcdef0 region=ap-northeast-1"
        )
    asked = Region(str(region), settings.profile)
    found = asked.instance(str(instance_id))
    if found is None:
        raise FactProcessError(f"EC2 {region}: there is no instance {instance_id} (any more)")
    return asked.detailed(found)


def _all(settings: Ec2Settings, host: Host | None) -> Fleet:
    """All instances of the fleet; raises ``FactProcessError`` when no region could be asked."""
    seen = look(settings, lambda region: region.all_detailed(region.instances(settings.tags)))
    troubles = [str(each) for each in seen.troubles.values()]
    told = len(troubles) - 1 if troubles and not seen.instances else len(troubles)
    for trouble in troubles[:told]:
        logger.error(f"{'' if host is None else host.print_prefix}{trouble}")
    if troubles[told:]:
        raise FactProcessError(troubles[told])
    instances = [each for name in settings.regions for each in seen.instances.get(name, ())]
    return _by_name(instances) | dict.fromkeys(seen.troubles)


def _by_name(instances: Iterable[Instance]) -> Fleet:
    """By name; those that have none, or the same, by id."""
    all_of_them = list(instances)
    times = Counter(each.name for each in all_of_them)
    return {each.name if each.name and times[each.name] == 1 else each.instance_id: each for each in all_of_them}
