"""Which conversation a running agent leads when nobody gave it one, and whether a restarted one goes on with its own.

Pure. A wrong answer would resume another agent's conversation, so that everything but certainty is no answer.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from miyabi import state
from miyabi.agent_kind import AgentKind, kind_of
from miyabi.agent_state import AgentPane, Conversation, TranscriptFile
from miyabi.conversation import is_gone, is_refused, is_session_id
from miyabi.processes import descendants
from miyabi.spec import Pane, Spec

# another: it leads a conversation that is not the one before. not-found: its program knows none of that id.
# refused: that conversation runs in the background elsewhere.
Sameness = Literal["same", "another", "not-found", "refused", "unknown"]

# What a command line says is cut at blanks, so that a prompt may look like options: only a UUID is believed there.
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# Seconds by which a host's own words about a process' start may be wrong: ps rounds them.
_SLACK = 2.0

_TEXT = r'"(?:[^"\\]|\\.){0,4000}"'
_FOLDER = re.compile(rf'"cwd"\s{{0,4}}:\s{{0,4}}({_TEXT})')
_MOMENT = re.compile(r'"timestamp"\s{0,4}:\s{0,4}"([0-9T:.Z+-]{10,40})"')
# A conversation that an agent leads with one of its own helpers, or that was led without a terminal.
_SIDE = re.compile(
    r'"isSidechain"\s{0,4}:\s{0,4}true|"source"\s{0,4}:\s{0,4}(?:\{|"(?:exec|vscode|mcp|app_?server)")|"parent_thread_id"',
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a process.

    + born_at: when it began, seconds since the epoch on its host
    + folder: that it works in; None when nobody can tell
    + files: those of its open files that may hold a conversation
    + is_own: whether it is the user's who asks
    """

    born_at: float
    folder: str | None = None
    files: tuple[str, ...] = ()
    is_own: bool = True


@dataclass(frozen=True, slots=True)
class Nameless:
    """An agent that runs, and whose conversation is not registered.

    + pane: what is wanted
    + kind: of agent
    + seen: its pane
    + agent: what was seen in it
    + pids: of its program, the outermost first
    + not_before: when its session was made, seconds since the epoch: it cannot be older
    """

    pane: Pane
    kind: AgentKind
    seen: state.Pane
    agent: AgentPane
    pids: tuple[int, ...]
    not_before: float = 0.0

    @property
    def may_be_known(self) -> bool:
        """Whether it is worth a question when its processes began, and what they hold open."""
        return any(_fits(file, self, self.not_before) for file in self.agent.candidates)


def nameless_agents(wanted: Spec, seen: state.Host, kinds: Mapping[str, AgentKind]) -> tuple[Nameless, ...]:
    """The agents whose conversations could be taken up again, if only they were known; () when that is unknown."""
    if seen.agents is None or seen.tmux is None or seen.processes is None:
        return ()
    known = {pane.name: pane for pane in seen.agents.panes}
    there = _panes(seen.tmux)
    created = {pane.pane_id: each.created for each in seen.tmux.sessions for w in each.windows for pane in w.panes}
    found = []
    for pane in _agent_panes(wanted):
        kind, agent, here = kind_of(pane, kinds), known.get(pane.name), there.get(pane.name)
        if kind is None or agent is None or here is None or pane.name in seen.agents.conversations:
            continue
        if (pane.agent and pane.agent.resume) or kind.resume:
            pids = tuple(each.pid for each in of_kind(descendants(seen.processes, here.pid or 0), kind))
            if pids:
                found.append(Nameless(pane, kind, here, agent, pids, created[here.pane_id]))
    return tuple(found)


def find_conversations(
    wanted: Spec,
    seen: state.Host,
    kinds: Mapping[str, AgentKind],
    origins: Mapping[int, Origin],
    *,
    by_command: bool = True,
) -> dict[str, Conversation]:
    """The conversations that agents lead which nobody has registered, by the spec's name of the pane.

    + origins: of the processes of the agents' kinds, by pid: any of them may have written in an agent's folder
    + by_command: whether a command line is believed; one that was told to take a conversation up may lead another

    Only what leaves no doubt is in it. Of several agents in one folder none is known by the folder's files.
    """
    agents = seen.agents
    unregistered = nameless_agents(wanted, seen, kinds)
    if agents is None or not unregistered:
        return {}
    processes = {each.pid: each for each in seen.processes or ()}
    found: dict[str, tuple[str, str]] = {}
    for each in unregistered:
        told = _told_by_command(each, processes) if by_command else None
        session_id = told or _told_by_files(each, origins)
        if session_id is None and not _is_joined(each, wanted, seen, kinds):
            session_id = _told_by_folder(each, seen, origins)
        if session_id is not None:
            found[each.pane.name] = (session_id, each.kind.name)
    taken = Counter(conversation.session_id for conversation in agents.conversations.values())
    taken.update(session_id for session_id, _ in found.values())
    return {
        name: Conversation(session_id, kind, agents.now)
        for name, (session_id, kind) in found.items()
        if taken[session_id] == 1
    }


def _told_by_command(each: Nameless, processes: Mapping[int, state.Process]) -> str | None:
    told = {named_in(processes[pid].arguments, each.kind) for pid in each.pids if pid in processes}
    return told.pop() if len(told) == 1 else None


def named_in(arguments: str, kind: AgentKind) -> str | None:
    """The conversation that a command line of an agent names; None when it names none, or would begin a copy of it."""
    words = arguments.split()
    before = {
        word
        for template in (kind.pin, kind.resume)
        if template
        for word, after in pairwise(template.split())
        if after == "{session_id}"
    }
    if "--fork-session" in words:
        return None
    pairs = {*pairwise(words), *((flag, value) for flag, _, value in (word.partition("=") for word in words))}
    told = {value for flag, value in pairs if flag in before and _UUID.fullmatch(value)}
    return told.pop() if len(told) == 1 else None


def _told_by_files(each: Nameless, origins: Mapping[int, Origin]) -> str | None:
    """The conversation whose file the agent itself holds open."""
    held = {path for pid in each.pids if pid in origins for path in origins[pid].files}
    told = {file.session_id for file in each.agent.candidates if file.path in held and is_session_id(file.session_id)}
    return told.pop() if len(told) == 1 else None


def _told_by_folder(each: Nameless, seen: state.Host, origins: Mapping[int, Origin]) -> str | None:
    """The only conversation of the agent's folder that anybody has gone on with since the agent runs."""
    born = [origins[pid].born_at for pid in each.pids if pid in origins]
    rivals = {process.pid for process in of_kind(seen.processes or (), each.kind)} - set(each.pids)
    if len(born) != len(each.pids) or any(_may_write(origins.get(pid), each.seen.path) for pid in rivals):
        return None
    fitting = {file.session_id for file in each.agent.candidates if _fits(file, each, min(born))}
    return fitting.pop() if len(fitting) == 1 and all(map(is_session_id, fitting)) else None


def _is_joined(each: Nameless, wanted: Spec, seen: state.Host, kinds: Mapping[str, AgentKind]) -> bool:
    """Whether another agent of the kind lives in the folder whose conversation is not known either.

    It may have begun one before its process was to be seen.
    """
    there, known = _panes(seen.tmux) if seen.tmux else {}, seen.agents.conversations if seen.agents else {}
    for other in _agent_panes(wanted):
        pane = there.get(other.name)
        if pane is None or pane.dead or other.name in {each.pane.name, *known} or kind_of(other, kinds) != each.kind:
            continue
        if not pane.path or pane.path == each.seen.path:
            return True
    return False


def _may_write(other: Origin | None, folder: str) -> bool:
    """Whether another process may have written one of a folder's conversations: it is not known that it cannot."""
    return other is None or (other.is_own and other.folder in {None, folder})


def _fits(file: TranscriptFile, each: Nameless, born_at: float) -> bool:
    if file.changed_at < born_at - _SLACK or _SIDE.search(file.head):
        return False
    folder, moment = _FOLDER.search(file.head), _MOMENT.search(file.head)
    if folder is not None:
        if _decoded(folder[1]) != each.seen.path:
            return False
    elif "{folder}" not in each.kind.candidates:
        return False
    return moment is None or _begun(moment[1]) >= born_at - _SLACK


def _decoded(text: str) -> str | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _begun(moment: str) -> float:
    """A moment of a transcript, in seconds since the epoch; one that cannot be read was long ago."""
    from datetime import UTC, datetime  # noqa: PLC0415 - only who looks for a conversation needs it

    try:
        read = datetime.fromisoformat(moment)
    except ValueError:
        return 0.0
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def same_conversation(
    before: Conversation, name: str, seen: state.Host, kind: AgentKind | None, since: float
) -> Sameness:
    """Whether an agent that was started again goes on with the conversation that it led before.

    + before: that conversation
    + name: the spec's name of its pane
    + seen: its host after the start
    + since: when it was started, seconds since the epoch on the host

    ``unknown`` is not yet: a resumed agent may say nothing for a while.
    """
    agents = seen.agents
    agent = next((pane for pane in agents.panes if pane.name == name), None) if agents else None
    if agents is None or agent is None:
        return "unknown"
    if kind is not None and (is_refused(before, agent, kind) or is_gone(before, agent, kind)):
        return "refused" if is_refused(before, agent, kind) else "not-found"
    registered, written = agents.conversations.get(name), agent.transcript
    told = {registered.session_id if registered else "", written.session_id if written else ""}
    if told - {"", before.session_id}:
        return "another"
    return "same" if written is not None and written.changed_at > since else _by_processes(before, name, seen, kind)


def _by_processes(before: Conversation, name: str, seen: state.Host, kind: AgentKind | None) -> Sameness:
    here = _panes(seen.tmux).get(name) if seen.tmux else None
    if here is None or here.dead or kind is None:
        return "unknown"
    tree = descendants(seen.processes or (), here.pid or 0)
    told = {named_in(each.arguments, kind) for each in of_kind(tree, kind)} - {None}
    if not told:
        return "unknown"
    return "same" if told == {before.session_id} else "another"


def _agent_panes(wanted: Spec) -> Iterator[Pane]:
    for session in wanted.sessions:
        for window in session.windows:
            yield from (pane for pane in window.panes if pane.agent is not None)


def _panes(tmux: state.Tmux) -> dict[str, state.Pane]:
    return {
        pane.name: pane
        for session in tmux.sessions
        for window in session.windows
        for pane in window.panes
        if pane.name and not pane.dead
    }


def of_kind(processes: Iterable[state.Process], kind: AgentKind) -> Iterator[state.Process]:
    """Those of ``processes`` that run a program of ``kind``."""
    # As a pane is known to run an agent: an interpreter and its options may stand in front.
    return (
        each
        for each in processes
        if any(word.rsplit("/", 1)[-1] in kind.programs for word in each.arguments.split()[:3])
    )
