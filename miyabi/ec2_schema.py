"""What a user may write in inventory/ec2.yaml."""

# ruff: noqa: RUF012 - pydantic copies the defaults for each model
from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from miyabi.ec2_settings import Ec2Settings, Way
from miyabi.spec_document import Document
from miyabi.spec_found import Broken, Found
from miyabi.spec_problems import read_as
from miyabi.spec_values import Duration, FilledText, Model, Text, Whole, as_text, refused
from miyabi.units import LONGEST_DURATION

_DEFAULTS = Ec2Settings()
# ap-northeast-1, us-gov-west-1, us-iso-east-1, eusc-de-east-1.
_REGION = re.compile(r"[a-z]{2,8}(?:-[a-z]{2,12}){1,3}-\d{1,2}", re.ASCII)
_PROFILE = re.compile(r"[A-Za-z0-9_.@:/+=,][A-Za-z0-9_.@:/+=,-]*", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*", re.ASCII)
# EC2 takes up to 200 values of a filter, and knows no longer keys and values of tags.
_MOST_VALUES = 200
_LONGEST_KEY, _LONGEST_VALUE = 128, 256


def _matching(pattern: re.Pattern[str], allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise refused(allowed)
        return value

    return AfterValidator(check)


def _at_most(longest: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value) > longest:
            raise refused(f"at most {longest} characters, as in EC2", f"{len(value)} characters")
        return value

    return AfterValidator(check)


def _file(value: str) -> str:
    if not value.startswith(("/", "~")):
        raise refused("an absolute path, or one that begins with ~")
    return value


def _values(given: object) -> Any:
    """The values of a tag: one, or a list of them."""
    values = given if isinstance(given, list) else [given]
    if not 1 <= len(values) <= _MOST_VALUES:
        raise refused(f"a value, or a list of 1 to {_MOST_VALUES} of them")
    return [as_text(each) for each in values]


def _a_day_at_most(seconds: float) -> float:
    if not 0 <= seconds <= min(86400.0, LONGEST_DURATION):
        raise refused("a duration of at most 1d")
    return seconds


_Region = Annotated[Text, _matching(_REGION, "the name of a region, such as ap-northeast-1")]
_Key = Annotated[FilledText, _at_most(_LONGEST_KEY)]
_Values = Annotated[
    list[Annotated[Text, _at_most(_LONGEST_VALUE)]],
    BeforeValidator(_values),
    WithJsonSchema({"type": ["string", "number", "array"]}),
]


class SshModel(Model):
    """How ssh reaches the instances. What is not said is the user's own."""

    user: Annotated[Text, _matching(_USER, "a user's name, such as ubuntu or ec2-user")] = ""
    """Who logs in, such as ubuntu or ec2-user."""
    key: Annotated[FilledText, AfterValidator(_file)] = ""
    """The file of the private key."""
    port: Annotated[Whole, Field(ge=1, le=65535)] = _DEFAULTS.port
    """The port of their sshd."""


class Ec2Model(Model):
    """Which instances belong to the fleet, and how they are reached."""

    regions: list[_Region] = []
    """Where instances are looked for; without regions there are none."""
    tags: dict[_Key, _Values] = {}
    """An instance belongs to the fleet when it has each of these tags with one of its values."""
    groups: list[_Key] = []
    """Keys of tags that make groups: an instance whose ``role`` is ``worker`` is in the group ``role_worker``."""
    profile: Annotated[Text, _matching(_PROFILE, "the name of a profile, of letters, digits and _.@:/+=,-")] = ""
    """The profile of the AWS configuration; without one the default."""
    connect: Way = _DEFAULTS.connect
    """By which address: public, private, or ssm for Systems Manager."""
    ssh: SshModel = SshModel()
    """How ssh reaches the instances."""
    spec: FilledText = _DEFAULTS.spec
    """The name of their spec, or its path."""
    spec_tag: _Key = _DEFAULTS.spec_tag
    """The key of the tag that names another spec for an instance."""
    keep: Annotated[Duration, AfterValidator(_a_day_at_most)] = _DEFAULTS.keep
    """How long what EC2 said is not asked again."""


def _fleet_is_told_apart(_: Document, root: Found) -> Broken:
    """Without a tag every instance of the account would belong to the fleet."""
    if root.value.get("regions") and not root.value.get("tags"):
        allowed = "tags beside them, such as tags: {miyabi: fleet}: they say which instances belong to the fleet"
        yield ("regions",), "found regions without tags", allowed


def settings_from_text(file: str, text: str) -> Ec2Settings:
    """What inventory/ec2.yaml says; ``~`` stands as it was written.

    + file: its path, to be named in problems

    Raises ``SpecError`` with every problem, each with its line.
    """
    model = read_as(file, text, Ec2Model, [_fleet_is_told_apart])
    return Ec2Settings(
        regions=tuple(dict.fromkeys(model.regions)),
        tags=tuple((key, tuple(values)) for key, values in model.tags.items()),
        groups=tuple(dict.fromkeys(model.groups)),
        profile=model.profile,
        connect=model.connect,
        user=model.ssh.user,
        key=model.ssh.key,
        port=model.ssh.port,
        spec=model.spec,
        spec_tag=model.spec_tag,
        keep=model.keep,
    )
