"""Instances for tests of the inventory."""

from __future__ import annotations

from typing import Any

from miyabi.instance import Instance


def instance(number: int = 1, name: str = "", **more: Any) -> Instance:
    """A running instance with both addresses."""
    fields: dict[str, Any] = {
        "instance_id": f"i-{number:017x}",
        "region": "ap-northeast-1",
        "name": name,
        "power": "running",
        "public_address": f"192.0.2.{number}",
        "private_address": f"10.0.0.{number}",
        "launched_at": 1_000_000.0 + number,
    }
    tags = {"miyabi": "fleet"} | ({"Name": name} if name else {})
    return Instance(**{**fields, "tags": tags, **more})
