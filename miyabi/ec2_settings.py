"""What inventory/ec2.yaml says: which instances belong to the fleet, and how they are reached. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Way = Literal["public", "private", "ssm"]


@dataclass(frozen=True, slots=True)
class Ec2Settings:
    """What inventory/ec2.yaml says. No regions is no EC2.

    + tags: an instance belongs to the fleet when it has each of these keys with one of its values
    + groups: keys of tags; an instance whose ``role`` is ``worker`` is in the group ``role_worker``
    + profile: of the AWS configuration; "" is the default
    + connect: by which address, or through Systems Manager
    + user, key, port: for ssh; "" is the user's own
    + spec: the name of the spec, unless the instance's own tag ``spec_tag`` names another
    + keep: seconds for which what EC2 said is not asked again
    """

    regions: tuple[str, ...] = ()
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    groups: tuple[str, ...] = ()
    profile: str = ""
    connect: Way = "public"
    user: str = ""
    key: str = ""
    port: int = 22
    spec: str = "ec2"
    spec_tag: str = "miyabi:spec"
    keep: float = 300.0
