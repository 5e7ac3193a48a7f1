"""How what is wanted of EC2 is put into its words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from miyabi.instance import Instance

T = TypeVar("T")
# Keys of tags, and the values that each may have; no value is any.
Tags = Sequence[tuple[str, Sequence[str]]]

_WILD = re.compile(r"([\\*?])")
_TEMPLATE_ID = re.compile(r"lt-[0-9a-f]+")


def filters(tags: Tags) -> list[dict[str, Any]]:
    """The filters for instances with these tags; in a value ``*`` and ``?`` would stand for anything."""
    return [
        {"Name": f"tag:{key}", "Values": [_WILD.sub(r"\\\1", value) for value in values]}
        if values
        else {"Name": "tag-key", "Values": [key]}
        for key, values in tags
    ]


def has_tags(instance: Instance, tags: Tags) -> bool:
    """Whether an instance has each of these tags."""
    return all(key in instance.tags and (not values or instance.tags[key] in values) for key, values in tags)


def template_of(template: str) -> dict[str, str]:
    """A launch template as RunInstances wants it.

    + template: its name or id, and after a colon its version
    """
    name, _, version = template.partition(":")
    key = "LaunchTemplateId" if _TEMPLATE_ID.fullmatch(name) else "LaunchTemplateName"
    return {key: name} | ({"Version": version} if version else {})


def batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most ``size``."""
    return (list(items[start : start + size]) for start in range(0, len(items), size))
