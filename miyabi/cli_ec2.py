"""The commands ``miyabi ec2``: which instances are in the fleet, and which host keys of theirs are trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from miyabi.cli_options import plainly
from miyabi.errors import InventoryError, TargetError

if TYPE_CHECKING:
    from rich.table import Table

    from miyabi.ec2_hosts import Member
    from miyabi.ec2_inventory import FleetOfEc2
    from miyabi.host_trust import Ring

_FILE = Path("inventory") / "ec2.yaml"

_as_json = click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")


@click.group()
def ec2() -> None:
    """Look at the EC2 instances of the fleet, and say which host keys of theirs are trusted."""


@ec2.command("list")
@click.option("--refresh", is_flag=True, help="Ask EC2 now, whatever was asked before.")
@_as_json
@plainly
def list_instances(*, refresh: bool, is_json: bool) -> None:
    """List the instances of the fleet: what EC2 said, and when.

    Nothing is changed. Exit code: 0, or 1 when a region could not be asked.
    """
    from miyabi.cli_fleet import clock, print_json, say, show  # noqa: PLC0415 - for `miyabi ec2 --help`
    from miyabi.ec2_inventory import left_out  # noqa: PLC0415
    from miyabi.host_trust import read_ring  # noqa: PLC0415

    now = clock()
    fleet = _fleet(now, refresh=refresh, quiet=is_json)
    ring = read_ring()
    if is_json:
        print_json(_json(fleet, ring, now))
    elif not fleet.members:
        # Of a region that was never asked nobody can tell.
        asked = [each.region for each in fleet.known if each.region not in left_out]
        if asked:
            click.echo(f"no instance in {', '.join(asked)} has the tags of inventory/ec2.yaml")
    else:
        show(lambda _: _table(fleet, ring, now))
    if ring.trouble:
        say(ring.trouble)
    if left_out or any(each.failures for each in fleet.known):
        raise SystemExit(1)


@ec2.command()
@click.argument("name")
@click.argument("fingerprint")
@_as_json
@plainly
def trust(name: str, fingerprint: str, *, is_json: bool) -> None:
    """Trust the host key of the instance NAME that has FINGERPRINT, and no other key of it.

    NAME is a host's name, or an instance's id. FINGERPRINT is what ssh-keygen -lf says of its key, SHA256:..., seen on
    the instance itself (Session Manager, serial console), not through ssh. The key is fetched from its address.
    """
    from miyabi import console_keys  # noqa: PLC0415 - for `miyabi ec2 --help`
    from miyabi.cli_fleet import clock, print_json  # noqa: PLC0415
    from miyabi.ec2_ways import proxy_command  # noqa: PLC0415
    from miyabi.host_trust import BY_HAND, trust as keep  # noqa: PLC0415
    from miyabi.offered_keys import offered_keys  # noqa: PLC0415

    wanted = console_keys.fingerprint(fingerprint)
    if wanted is None:
        raise click.BadParameter(f"{fingerprint!r}; allowed: SHA256: and 43 characters, as ssh-keygen -lf prints it")
    now = clock()
    fleet = _fleet(now)
    member = _member(fleet, name)
    if member.unreachable:
        start = "; start it first" if member.instance.power == "stopped" else ""
        raise InventoryError(f"{member.name}: its key cannot be fetched: {member.unreachable}{start}")
    settings = fleet.settings
    offered = offered_keys(member.address, settings.port, proxy_command(settings, member.instance), {wanted})
    keys = tuple(key for key in offered if key.fingerprint == wanted)
    if not offered:
        raise InventoryError(f"{member.name}: no sshd answers at {member.address} port {settings.port}; is it up?")
    if not keys:
        shown = ", ".join(f"{key.fingerprint} ({key.kind})" for key in offered)
        raise InventoryError(f"{member.name}: nothing is trusted: what answers at {member.address} shows {shown}")
    keep(member.instance.instance_id, member.instance.region, keys, BY_HAND, now)
    if is_json:
        print_json({"host": member.name, "instance_id": member.instance.instance_id, "trusted": [wanted]})
    else:
        click.echo(f"{member.name}: {keys[0].kind} {wanted} is trusted of {member.instance.instance_id} from now on")


@ec2.command("forget-key")
@click.argument("name")
@_as_json
@plainly
def forget_key(name: str, *, is_json: bool) -> None:
    """Trust no host key of the instance NAME any more: the next run looks into its console output again.

    NAME is a host's name, or an instance's id.
    """
    from miyabi.cli_fleet import clock, print_json  # noqa: PLC0415 - for `miyabi ec2 --help`
    from miyabi.host_trust import forget, read_ring  # noqa: PLC0415

    # EC2 may not know an instance any more whose keys are known here.
    is_known = name in read_ring().trusted
    instance_id = name if is_known else _member(_fleet(clock()), name).instance.instance_id
    had = forget(instance_id)
    if is_json:
        print_json({"instance_id": instance_id, "forgotten": had})
    else:
        click.echo(f"{instance_id}: {'its host keys are forgotten' if had else 'no host key of it was trusted'}")


def _fleet(now: float, *, refresh: bool = False, quiet: bool = False) -> FleetOfEc2:
    """The instances of the clone's fleet; what is wrong is said on stderr, unless ``quiet``."""
    from miyabi.cli_fleet import say  # noqa: PLC0415
    from miyabi.ec2_file import read_ec2_file  # noqa: PLC0415
    from miyabi.ec2_inventory import known_fleet, quoted_beside  # noqa: PLC0415
    from miyabi.pyinfra_command import require_clone  # noqa: PLC0415

    require_clone()
    settings = read_ec2_file(_FILE)
    if not settings.regions:
        raise InventoryError(f"{_FILE} names no regions: there are no instances in the fleet; docs/ec2.md tells how")
    return known_fleet(settings, quoted_beside(_FILE), now, say=(lambda _: None) if quiet else say, refresh=refresh)


def _member(fleet: FleetOfEc2, name: str) -> Member:
    for each in fleet.members:
        if name in {each.name, each.instance.instance_id}:
            return each
    names = ", ".join(each.name for each in fleet.members) or "none"
    raise TargetError(
        f"{name}: no such instance in the fleet; there are {names}; or ask anew: miyabi ec2 list --refresh"
    )


def _keys(member: Member, ring: Ring) -> str:
    known = ring.of(member.instance.instance_id)
    return known.source if known.keys else "not trusted"


def _table(fleet: FleetOfEc2, ring: Ring, now: float) -> Table:
    from rich.table import Table  # noqa: PLC0415 - who prints no table does not pay for rich

    from miyabi.words import age  # noqa: PLC0415

    asked = {each.region: each.asked_at for each in fleet.known}
    table = Table(box=None, pad_edge=False)
    for column in ("host", "instance", "region", "state", "checks", "address", "spec", "host key", "as of"):
        table.add_column(column, overflow="fold")
    for each in fleet.members:
        instance, at = each.instance, asked[each.instance.region]
        table.add_row(
            each.name,
            instance.instance_id,
            instance.region,
            instance.power,
            _checks(each),
            "-" if each.unreachable else each.address,
            each.spec,
            _keys(each, ring),
            "-" if at is None else age(now - at),
        )
    return table


def _checks(member: Member) -> str:
    instance = member.instance
    checks = {"system": instance.system, "instance": instance.computer, "volumes": instance.volumes}
    told = {name: check.status for name, check in checks.items() if check.status not in {"ok", "not-applicable"}}
    fine = "ok" if any(check.status == "ok" for check in checks.values()) else "-"
    return ", ".join(f"{name} {status}" for name, status in told.items()) or fine


def _json(fleet: FleetOfEc2, ring: Ring, now: float) -> dict[str, Any]:
    from miyabi.instance_json import instance_to_json  # noqa: PLC0415
    from miyabi.words import iso  # noqa: PLC0415

    return {
        "at": iso(now),
        "regions": [
            {"region": each.region, "asked_at": iso(each.asked_at), "trouble": each.trouble if each.failures else None}
            for each in fleet.known
        ],
        "hosts": [
            {
                "host": each.name,
                "spec": each.spec,
                "groups": ["ec2", *each.groups],
                "address": None if each.unreachable else each.address,
                "unreachable": each.unreachable or None,
                "host_keys": [key.fingerprint for key in ring.of(each.instance.instance_id).keys],
                "trusted_by": ring.of(each.instance.instance_id).source or None,
                "instance": instance_to_json(each.instance),
            }
            for each in fleet.members
        ],
    }
