"""The conversations of a host's agents: what a start of one takes up or begins, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from miyabi.conversation import with_conversations
from miyabi.spec import Spec
from miyabi.state import Host as HostState

if TYPE_CHECKING:
    from pyinfra.api import Host

    from miyabi.agent_kind import AgentKind

_NEW_IDS = "miyabi_new_conversations"


def conversing(host: Host, wanted: Spec, seen: HostState) -> Spec:
    """The spec of ``host`` in which each start of an agent takes up its conversation, or begins one that is known.

    + seen: the host as it was observed
    """
    if seen.agents is None:
        return wanted
    return with_conversations(wanted, seen.agents, _kinds(host), lambda name: _new_id(host, name))


def _kinds(host: Host) -> Mapping[str, AgentKind]:
    from facts.host_kinds import host_kinds  # noqa: PLC0415 - only a host with agents needs them

    return host_kinds(host)


def _new_id(host: Host, name: str) -> str:
    """A new conversation's id, the same one for as long as this run lasts: it is told to the host more than once."""
    known = cast("dict[str, str]", host.connector_data.setdefault(_NEW_IDS, {}))
    if name not in known:
        known[name] = _random_id()
    return known[name]


def _random_id() -> str:
    """A random UUID (version 4)."""
    number = bytearray(os.urandom(16))
    number[6] = number[6] & 0x0F | 0x40
    number[8] = number[8] & 0x3F | 0x80
    text = number.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
