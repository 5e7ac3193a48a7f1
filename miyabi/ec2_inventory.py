"""The EC2 instances of the fleet as hosts of a pyinfra inventory.

What EC2 said is kept for a while: within that time a run imports nothing of AWS and asks nothing. A region that cannot
be asked costs a line on stderr, and no other host.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from miyabi.ec2_cache import Known, keep_answer, keep_instance, keep_trouble, read_known
from miyabi.ec2_file import read_ec2_file
from miyabi.ec2_hosts import GROUP, Member, membership, untrusted
from miyabi.ec2_settings import Ec2Settings
from miyabi.ec2_ways import Say, Ways, proxy_command
from miyabi.errors import MiyabiError
from miyabi.host_trust import Ring, is_due, learn_keys, read_ring
from miyabi.instance import Instance
from miyabi.spec_file import known_specs
from miyabi.ssh_aliases import Hosts
from miyabi.words import age, clock_time

# The regions whose instances are left out of this run, because EC2 has never said what there is.
left_out: list[str] = []

# The instances of the fleet as this run knows them, by id.
last_known: dict[str, Instance] = {}

_SPECS = Path(__file__).resolve().parent.parent / "inventory" / "specs"

# Consoles that are looked into at once.
_AT_ONCE = 8
_QUOTED = ('"', "'")


@dataclass(frozen=True, slots=True)
class FleetOfEc2:
    """The instances of the fleet, as they are known.

    + members: by name
    + known: what is known of each region
    """

    settings: Ec2Settings
    members: tuple[Member, ...] = ()
    known: tuple[Known, ...] = ()


def hosts_of(path: Path, others: Collection[str] | None = None, *, say: Say | None = None) -> dict[str, Hosts]:
    """The instances that inventory/ec2.yaml describes, as groups of hosts for a pyinfra inventory.

    + path: of the file
    + others: names that other hosts have; None is what stands in quotes in the inventories beside it
    + say: what is done with each line that a human should read; None is that it goes to stderr

    Returns the group ``ec2`` and one for each value of the tags that make groups; nothing without regions. Raises
    ``SpecError`` with every mistake in the file.
    """
    settings = read_ec2_file(path)
    if not settings.regions:
        return {}
    tell = say or _to_stderr
    now = time.time()
    fleet = known_fleet(settings, quoted_beside(path) if others is None else others, now, say=tell)
    ring = _learned(fleet, now, tell)
    ways = Ways.of(settings, tell)
    groups: dict[str, Hosts] = {GROUP: []}
    last_known.update({member.instance.instance_id: member.instance for member in fleet.members})
    for member in fleet.members:
        # By the file L4 finds out how the instance is reached by then.
        host = (member.name, ways.data(member, ring) | {"ec2_file": str(path.absolute())})
        for group in (GROUP, *dict.fromkeys(member.groups)):
            groups.setdefault(group, []).append(host)
    return groups


def known_fleet(
    settings: Ec2Settings,
    others: Collection[str],
    now: float,
    *,
    say: Say | None = None,
    refresh: bool = False,
) -> FleetOfEc2:
    """The instances of the fleet as EC2 said within the last minutes, or says now.

    + others: names that other hosts have
    + refresh: ask now, whatever is kept
    """
    tell = say or _to_stderr
    known = {region: read_known(settings, region) for region in settings.regions}
    stale = [
        region
        for region, each in known.items()
        if refresh or not (each.is_fresh(settings.keep, now) or each.again_at(now))
    ]
    if stale:
        known |= _ask(replace(settings, regions=tuple(stale)), now, tell)
    left_out[:] = [region for region, each in known.items() if each.asked_at is None and not each.instances]
    failed = (each for each in known.values() if each.failures)
    for line in _troubles(
        (each for each in failed if each.failed_at == now or not each.is_fresh(settings.keep, now)), now
    ):
        tell(line)
    instances = [each for region in known.values() for each in region.instances]
    members = membership(instances, settings, others, _specs(settings, instances))
    for note in members.notes:
        tell(note)
    return FleetOfEc2(settings, members.members, tuple(known.values()))


def _specs(settings: Ec2Settings, instances: Iterable[Instance]) -> list[str] | None:
    """The specs that the tag of an instance may name; None when none of them has that tag."""
    if not any(settings.spec_tag in each.tags for each in instances):
        return None
    folder, slash, _ = settings.spec.rpartition("/")
    return known_specs(Path(f"{folder}{slash}").expanduser() if slash else _SPECS)


def remember(path: Path, instance: Instance, now: float | None = None) -> None:
    """Keep what EC2 just said of an instance, so that the next run finds it where and as it is now.

    + path: of inventory/ec2.yaml
    + now: when it was said; None is this moment
    """
    settings = read_ec2_file(path)
    if instance.region in settings.regions:
        keep_instance(settings, instance, time.time() if now is None else now)


def _ask(settings: Ec2Settings, now: float, say: Say) -> dict[str, Known]:
    """Ask EC2 in each region of ``settings``, in all of them at once, and keep what it says."""
    from miyabi.ec2_api import look  # noqa: PLC0415 - what AWS needs is imported when it is asked

    looked = look(settings, say=say)
    known = {
        region: keep_answer(settings, region, tuple(instances), now) for region, instances in looked.instances.items()
    }
    return known | {region: keep_trouble(settings, region, str(why), now) for region, why in looked.troubles.items()}


def _troubles(regions: Iterable[Known], now: float) -> Iterator[str]:
    """What is wrong with regions, and what is done: one line for all of which the same is to be said."""
    alike: dict[tuple[str, str], list[str]] = {}
    for each in regions:
        # Who has no credentials has them in no region.
        _, name, words = each.trouble.partition(f"EC2 {each.region}: ")
        alike.setdefault((words or each.trouble, _meanwhile(each, now)), []).append(each.region if name else "")
    for (words, meanwhile), names in alike.items():
        where = ", ".join(filter(None, names))
        yield f"{f'EC2 {where}: ' if where else ''}{words}; {meanwhile.format(its='their' if names[1:] else 'its')}"


def _meanwhile(known: Known, now: float) -> str:
    """What is done without a region; ``{its}`` stands for whose instances."""
    again = known.again_at(now)
    when = f"; asked again from {clock_time(again, now)}, or by: miyabi ec2 list --refresh" if again else ""
    if known.asked_at is None:
        return f"{{its}} instances are left out{when}"
    return f"going on with what was known {age(now - known.asked_at)} ago{when}"


def _learned(fleet: FleetOfEc2, now: float, say: Say) -> Ring:
    """What is trusted, after the consoles were looked into of instances of which nothing is."""
    ring = read_ring()
    if ring.trouble:
        say(ring.trouble)
        return ring
    reachable = [each for each in fleet.members if not each.unreachable and not ring.of(each.instance.instance_id).keys]
    due = [each for each in reachable if is_due(ring.of(each.instance.instance_id), each.instance, now)]
    if due:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - a run that knows all keys needs none

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            failures = list(pool.map(lambda each: learn(fleet.settings, each.instance, each.address, now), due))
        ring = read_ring()
        said = {each.name: failure for each, failure in zip(due, failures, strict=True) if failure}
    else:
        said = {}
    for each in reachable:
        known = ring.of(each.instance.instance_id)
        if not known.keys:
            say(untrusted(each.name, each.instance, said.get(each.name) or known.found))
    return ring


def learn(settings: Ec2Settings, instance: Instance, address: str, now: float) -> str | None:
    """Trust the host keys that an instance has printed into its console.

    + address: where its sshd answers

    Returns why no key of it is trusted, in words; None when one is.
    """
    from miyabi.ec2_api import Region  # noqa: PLC0415 - what AWS needs is imported when it is asked
    from miyabi.offered_keys import offered_keys  # noqa: PLC0415

    way = proxy_command(settings, instance)
    try:
        console = Region(instance.region, settings.profile)
        return learn_keys(console, instance, now, lambda wanted: offered_keys(address, settings.port, way, wanted))
    except MiyabiError as error:
        return str(error)


def quoted_beside(path: Path) -> set[str]:
    """All that stands in quotes in the inventories beside ``path``, and their own names: other hosts are called so."""
    names: set[str] = set()
    with suppress(OSError):
        for each in path.parent.glob("*.py"):
            names.add(each.stem)
            text = each.read_text(encoding="utf-8", errors="replace")
            names.update(word for quote in _QUOTED for word in text.split(quote))
    return names


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"    {line}\n")
