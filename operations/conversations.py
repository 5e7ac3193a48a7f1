"""The conversations of a host's agents: what a start of one takes up or begins, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, cast

from pyinfra.api import StringCommand

from facts.host import observe
from facts.observation import Unknown, ask, forget
from miyabi.agent_kind import kind_of
from miyabi.agent_state import Conversation
from miyabi.conversation import register_script, with_conversations
from miyabi.drift import Target
from miyabi.shell import HOST_ENVIRONMENT
from miyabi.spec import Spec
from miyabi.state import Host as HostState

if TYPE_CHECKING:
    from pyinfra.api import Host

    from miyabi.agent_kind import AgentKind
    from miyabi.conversation_search import Origin, Sameness

_NEW_IDS = "miyabi_new_conversations"


def conversing(host: Host, wanted: Spec, seen: HostState) -> Spec:
    """The spec of ``host`` in which each start of an agent takes up its conversation, or begins one that is known.

    + seen: the host as it was observed
    """
    if seen.agents is None:
        return wanted
    return with_conversations(wanted, seen.agents, _kinds(host), lambda name: _new_id(host, name))


def conversations_kept(host: Host, wanted: Spec, before: HostState, targets: Collection[Target]) -> list[str]:
    """What became of the conversations of agents that were started again, in words, where that is not as it should be.

    + before: the host before that
    + targets: what was acted on
    """
    if before.agents is None or not before.agents.conversations:
        return []
    # A run that starts nothing pays for none of it.
    from miyabi.conversation_search import same_conversation  # noqa: PLC0415

    seen, kinds = observe(host, wanted), _kinds(host)
    said = []
    for session in wanted.sessions:
        for window in session.windows:
            for pane in window.panes:
                led = before.agents.conversations.get(pane.name)
                target = Target(session.session_name, window.name, pane.name)
                if pane.agent is None or led is None or not any(scope in targets for scope in target.scopes()):
                    continue
                kind = kind_of(pane, kinds)
                if kind is None or led.kind == kind.name:
                    sameness = same_conversation(led, pane.name, seen, kind, before.agents.now)
                    said += _in_words(sameness, target, led.session_id)
    return said


def _in_words(sameness: Sameness, target: Target, session_id: str) -> list[str]:
    if sameness == "another":
        return [f"{target} leads another conversation than before, which was {session_id}"]
    if sameness == "not-found":
        return [f"{target}: the conversation {session_id} is gone, its next start begins another"]
    if sameness == "refused":
        return [f"{target}: the conversation {session_id} runs in the background on the host: open it there, or end it"]
    return []


def conversations_found(host: Host, wanted: Spec, seen: HostState) -> dict[str, Conversation]:
    """The conversations that agents of ``host`` lead and nobody has registered, by the spec's name of the pane.

    + seen: the host as it was observed

    The host is asked once more, and only when there is something to be told by that: what leaves a doubt is left out.
    """
    if seen.agents is None or all(pane.conversation for pane in seen.agents.panes):
        return {}
    # Only who has an agent without a conversation pays for it.
    from facts.agent_origins import origins_section  # noqa: PLC0415
    from miyabi.conversation_search import find_conversations, nameless_agents, of_kind  # noqa: PLC0415

    kinds = _kinds(host)
    asking = {each.kind.name for each in nameless_agents(wanted, seen, kinds) if each.may_be_known}
    asked = {process.pid for name in asking for process in of_kind(seen.processes or (), kinds[name])}
    origins: dict[int, Origin] | Unknown = {}
    if asked:
        origins = ask(host, origins_section(asked))
    return find_conversations(wanted, seen, kinds, {} if isinstance(origins, Unknown) else origins)


def register(host: Host, found: Mapping[str, Conversation]) -> StringCommand:
    """The command that writes conversations into the register of ``host``.

    + found: by the spec's name of the pane
    """
    forget(host, "agents")
    scripts = [register_script(name, each.kind, each.session_id) for name, each in found.items()]
    return StringCommand("; ".join([HOST_ENVIRONMENT, *scripts]))


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
