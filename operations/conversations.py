"""The conversations of a host's agents: what a start of one takes up or begins, and what came of it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from pyinfra.api import StringCommand

from facts.host import observe
from facts.observation import Unknown, ask, forget
from miyabi.agent_kind import kind_of
from miyabi.agent_state import Conversation
from miyabi.conversation import is_refused, register_script, with_conversations
from miyabi.drift import Target
from miyabi.shell import HOST_ENVIRONMENT
from miyabi.spec import Pane, Spec
from miyabi.state import Host as HostState

if TYPE_CHECKING:
    from pyinfra.api import Host

    from miyabi.agent_kind import AgentKind
    from miyabi.conversation_search import Origin, Sameness

_NEW_IDS = "miyabi_new_conversations"

# Seconds after which a conversation that runs in the background is asked for again.
_TRIED_AGAIN = 600.0


def conversing(host: Host, wanted: Spec, seen: HostState) -> Spec:
    """The spec of ``host`` in which each start of an agent takes up its conversation, or begins one that is known.

    + seen: the host as it was observed
    """
    if seen.agents is None:
        return wanted
    return with_conversations(wanted, seen.agents, _kinds(host), lambda name: _new_id(host, name))


def led_elsewhere(host: Host, wanted: Spec, seen: HostState) -> frozenset[str]:
    """The agents whose program has refused, a moment ago, to take up a conversation that runs in the background.

    + seen: the host as it was observed

    Starting one again would end the same way, or make a copy of the conversation: that is left to a human, and tried
    again after a while.
    """
    agents = seen.agents
    if agents is None or not agents.conversations:
        return frozenset()
    wants = {pane.name: pane for _, pane in _agents(wanted)}
    found = set()
    for pane in agents.panes:
        since = agents.now if pane.same_since is None else pane.same_since
        led = agents.conversations.get(pane.name)
        kind = kind_of(wants[pane.name], _kinds(host)) if pane.name in wants else None
        if led is not None and kind is not None and agents.now - since < _TRIED_AGAIN and is_refused(led, pane, kind):
            found.add(pane.name)
    return frozenset(found)


def conversations_kept(host: Host, wanted: Spec, before: HostState, targets: Collection[Target]) -> list[str]:
    """What became of the conversations of agents that were started again, in words, where that is not as it should be.

    + before: the host before that
    + targets: what was acted on

    One that certainly goes on with another conversation than its own is registered with that, and the one before is
    kept beside it.
    """
    if before.agents is None or not before.agents.conversations:
        return []
    # A run that starts nothing pays for none of it.
    from miyabi.conversation_search import same_conversation  # noqa: PLC0415

    seen, kinds = observe(host, wanted), _kinds(host)
    said, resumed = [], {}
    for target, pane in _agents(wanted):
        led, kind = before.agents.conversations.get(pane.name), kind_of(pane, kinds)
        if led is None or kind is None or led.kind != kind.name or not set(target.scopes()) & set(targets):
            continue
        sameness = same_conversation(led, pane.name, seen, kind, before.agents.now)
        if sameness in {"same", "unknown"}:
            resumed[pane.name] = (target, led)
        said += _in_words(sameness, target, led.session_id)
    others = _others(host, wanted, seen, {name: led for name, (_, led) in resumed.items()}) if resumed else {}
    if others:
        host.run_shell_command(register(host, others))
    for name in others:
        target, led = resumed[name]
        said += _in_words("another", target, led.session_id)
    return said


def _agents(wanted: Spec) -> Iterator[tuple[Target, Pane]]:
    for session in wanted.sessions:
        for window in session.windows:
            for pane in window.panes:
                if pane.agent is not None:
                    yield Target(session.session_name, window.name, pane.name), pane


def _others(host: Host, wanted: Spec, seen: HostState, resumed: Mapping[str, Conversation]) -> dict[str, Conversation]:
    """Those of the agents that lead another conversation than the one they were told to take up."""
    from facts.agents import agents_section  # noqa: PLC0415 - as where it is called

    section = agents_section(wanted, _kinds(host), marks=False, registered=False)
    forget(host, section.title)
    asked = ask(host, section)
    if seen.agents is None or isinstance(asked, Unknown):
        return {}
    registered = {name: led for name, led in seen.agents.conversations.items() if name not in resumed}
    found = _found(host, wanted, replace(seen, agents=replace(asked, conversations=registered)), by_command=False)
    return {name: led for name, led in found.items() if name in resumed and led.session_id != resumed[name].session_id}


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
    return _found(host, wanted, seen, by_command=True)


def _found(host: Host, wanted: Spec, seen: HostState, *, by_command: bool) -> dict[str, Conversation]:
    # Only who has an agent without a conversation pays for it.
    from facts.agent_origins import origins_section  # noqa: PLC0415
    from miyabi.conversation_search import find_conversations, nameless_agents, of_kind  # noqa: PLC0415

    kinds = _kinds(host)
    asking = {each.kind.name for each in nameless_agents(wanted, seen, kinds) if each.may_be_known}
    asked = {process.pid for name in asking for process in of_kind(seen.processes or (), kinds[name])}
    origins: dict[int, Origin] | Unknown = {}
    if asked:
        origins = ask(host, origins_section(asked))
    known = {} if isinstance(origins, Unknown) else origins
    return find_conversations(wanted, seen, kinds, known, by_command=by_command)


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
