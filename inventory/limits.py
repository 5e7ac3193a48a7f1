"""What `--limit` and `--exclude` may name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase

import click
from pyinfra import logger

from miyabi.ssh_aliases import Hosts, left_out


def refuse_unknown_names(groups: Mapping[str, Hosts], unknown_regions: Collection[str] = ()) -> None:
    """End the run when `--limit` or `--exclude` names a host that the fleet does not have.

    + groups: the hosts of the fleet by group
    + unknown_regions: of EC2, whose instances nobody knows

    pyinfra itself only warns, and a mistyped host looks like a healthy one. A host that is left out because ssh does
    not know it is no mistake: the line that says so has been printed.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return
    hosts = [name for group in groups.values() for name, _ in group]
    known = [*groups, *hosts, *left_out, "inventory"]
    for option in ("limit", "exclude"):
        for pattern in context.params.get(option) or ():
            if not any(fnmatchcase(name, pattern) for name in known):
                there = ", ".join(dict.fromkeys(known))
                where = ", ".join(sorted(unknown_regions))
                missing = f"; not known: the EC2 instances in {where}" if where else ""
                logger.error(
                    f"--> --{option} {pattern}: no such host or group in inventory/; there are {there}{missing}"
                )
                raise SystemExit(1)
