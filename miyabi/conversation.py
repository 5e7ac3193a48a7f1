"""Conversations of agents: which one a pane leads, and the command that begins it or takes it up again. Pure.

Each host keeps a register: beside the checkpoint ``NAME.json`` of an agent a file ``NAME.session`` with one line,
``1 KIND SESSION_ID SINCE``. What was registered before stands in ``NAME.session.previous``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from miyabi.agent_kind import AgentKind, kind_of
from miyabi.agent_state import AgentPane, Agents, Conversation
from miyabi.match import program_of
from miyabi.shell import quoted
from miyabi.spec import Agent, Pane, Session, Spec, Window

VERSION = "1"

# Where a host keeps what is known of its agents, as a word of shell text, and the variable that holds it while
# something is done there: a tmux server may have been started with other variables.
REGISTER = '"${XDG_STATE_HOME:-$HOME/.local/state}/miyabi/agents"'
AGENTS_FOLDER = f"MIYABI_AGENTS={REGISTER}"

# It stands on command lines and in paths: nothing else is ever taken for one. A first hyphen would make it an option.
_SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_KIND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

# File systems may not tell capital letters from small ones, so only small ones stand for themselves.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
_LONGEST_NAME = 120

# What chooses a conversation, or keeps it from being chosen, whatever the kind's own way of saying it is.
_CHOOSING = frozenset(
    {"--resume", "--session-id", "--continue", "--last", "--fork-session", "--no-session-persistence"}
)
_SHORT = frozenset({"-c", "-r"})

# What a program says that is to begin a conversation that it has.
_IN_USE = r"\balready (?:in use|exists)\b"

# How many of a screen's last lines tell why a program has ended.
_LAST_LINES = 5

# registered FOLDER NAME KIND SESSION_ID: writes the register anew unless it says the same; without a session id what is
# registered is over. Nothing of it may keep an agent from starting, so that every failure of it is silent.
_REGISTERED = r"""registered() (
  umask 077; mkdir -p "$1" && chmod 700 "$1" || exit 0
  file=$1/$2.session; line="1 $3 $4"; old=
  if [ -f "$file" ] && [ ! -L "$file" ]; then
    IFS= read -r old <"$file"
    case $old in "$line "*) exit 0;; esac
    cp -f "$file" "$file.previous"
    [ -n "$4" ] || rm -f "$file"
  elif [ -d "$file" ]; then mv -f "$file" "$file.previous"; fi
  [ -z "$4" ] || { printf '%s %s\n' "$line" "$(date +%s)" >"$file.$$" && mv -f "$file.$$" "$file"; } || rm -f "$file.$$"
) 2>/dev/null"""


def is_session_id(text: object) -> bool:
    """Whether ``text`` may be the id of a conversation."""
    return isinstance(text, str) and _SESSION_ID.fullmatch(text) is not None


def file_name(name: str) -> str:
    """The name under which the register keeps an agent, without an ending: safe, short and different for each.

    + name: the spec's name of its pane, any text
    """
    encoded = "".join(
        letter if letter in _PLAIN else "".join(f"%{byte:02x}" for byte in letter.encode("utf-8", "surrogatepass"))
        for letter in name
    )
    if len(encoded) <= _LONGEST_NAME:
        return encoded
    # Only a name that is too long pays for it.
    from hashlib import sha256  # noqa: PLC0415

    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{encoded[: _LONGEST_NAME - 40].rpartition('%')[0] or encoded[: _LONGEST_NAME - 40]}~{digest}"


def read_conversation(line: str) -> Conversation | None:
    """The conversation that a line of the register says; None when it says none that can be believed."""
    version, _, rest = line.rstrip("\n").partition(" ")
    fields = rest.split(" ")
    if version != VERSION or len(fields) != 3:
        return None
    kind, session_id, since = fields
    if not is_session_id(session_id) or not _KIND.fullmatch(kind) or not re.fullmatch(r"[0-9]{1,15}", since):
        return None
    return Conversation(session_id, kind, float(since))


def register_script(name: str, kind: str, session_id: str) -> str:
    """The shell text that writes an agent's conversation into its host's register; it always succeeds.

    + name: the spec's name of its pane
    + session_id: "" is that the registered one is over

    Raises ``ValueError`` for what cannot be an id or a kind.
    """
    return f"{AGENTS_FOLDER}; {_REGISTERED}; {_call(name, kind, session_id)}"


def _call(name: str, kind: str, session_id: str) -> str:
    if (session_id and not is_session_id(session_id)) or not _KIND.fullmatch(kind):
        raise ValueError(f"{session_id!r} of {kind!r} is no conversation")
    return f'registered "$MIYABI_AGENTS" {file_name(name)} {kind} {quoted(session_id)} || :'


def registrations(panes: Iterable[Pane]) -> str:
    """The shell text that registers the conversations that a start of ``panes`` begins or takes up; "" without any."""
    calls = [
        _call(pane.name, pane.agent.kind, pane.agent.session_id)
        for pane in panes
        if pane.agent is not None and pane.agent.session_id is not None and _KIND.fullmatch(pane.agent.kind)
    ]
    return "; ".join([AGENTS_FOLDER, _REGISTERED, *calls]) if calls else ""


def with_conversations(
    wanted: Spec, agents: Agents | None, kinds: Mapping[str, AgentKind], new_id: Callable[[str], str]
) -> Spec:
    """The spec in which every start of an agent takes up its conversation, or begins one whose id is known.

    + agents: what was seen of the host's agents; None, that it is unknown, leaves the spec as it is: to begin another
      conversation would be a guess
    + new_id: a new id for the pane of that name, the same one for as long as a run lasts

    Whatever runs is not touched by it: only the commands of a start are others.
    """
    if agents is None:
        return wanted
    starts = _Starts(agents, kinds, new_id, {pane.name: pane for pane in agents.panes})
    sessions = tuple(map(starts.session, wanted.sessions))
    return wanted if sessions == wanted.sessions else replace(wanted, sessions=sessions)


@dataclass(frozen=True, slots=True)
class _Starts:
    """What the starts of a host's agents need to know; ``seen`` holds the panes that are there, by name."""

    agents: Agents
    kinds: Mapping[str, AgentKind]
    new_id: Callable[[str], str]
    seen: Mapping[str, AgentPane]

    def session(self, session: Session) -> Session:
        windows = tuple(map(self.window, session.windows))
        return session if windows == session.windows else replace(session, windows=windows)

    def window(self, window: Window) -> Window:
        panes = tuple(map(self.pane, window.panes))
        return window if panes == window.panes else replace(window, panes=panes)

    def pane(self, pane: Pane) -> Pane:
        if pane.agent is None or not pane.commands:
            return pane
        kind = kind_of(pane, self.kinds)
        known = registered_conversation(pane.name, self.agents, kind)
        if known is None:
            return self.begun(pane, pane.agent, kind) or pane
        seen = self.seen.get(pane.name)
        if kind is None or seen is None or not is_gone(known, seen, kind):
            return self.resumed(pane, pane.agent, kind, known)
        # What cannot be taken up is over; without an id of its own the next one is found while it is led.
        over = replace(pane, agent=replace(pane.agent, kind=kind.name, session_id=""))
        return self.begun(pane, pane.agent, kind) or over

    def resumed(self, pane: Pane, agent: Agent, kind: AgentKind | None, known: Conversation) -> Pane:
        command = pane.commands[-1].text
        again = command_with(agent.resume or (kind.resume if kind else None), command, known.session_id, kind)
        if again is None:
            return pane
        first = command_with(kind.pin if kind else None, command, known.session_id, kind)
        seen = self.seen.get(pane.name)
        if seen is not None and _ends_with(known.session_id, seen, _IN_USE):
            # It is kept, only not where such conversations are looked for.
            first = None
        is_begun = seen is None or first is None or seen.transcript is not None or not (kind and kind.transcripts)
        name = kind.name if kind else known.kind
        named = replace(agent, kind=name, session_id=known.session_id, is_begun=is_begun)
        return _starting(pane, named, kind, again, first)

    def begun(self, pane: Pane, agent: Agent, kind: AgentKind | None) -> Pane | None:
        command = pane.commands[-1].text
        if kind is None or command_with(kind.pin, command, "0", kind) is None:
            return None
        session_id = self.new_id(pane.name)
        named = replace(agent, kind=kind.name, session_id=session_id, is_begun=False)
        again = command_with(agent.resume or kind.resume, command, session_id, kind)
        return _starting(pane, named, kind, again, command_with(kind.pin, command, session_id, kind))


def _starting(pane: Pane, agent: Agent, kind: AgentKind | None, again: str | None, first: str | None) -> Pane:
    """The pane whose start takes up the conversation by ``again``, or begins it by ``first`` where it is not kept."""
    if again is not None and first is not None and kind is not None and kind.transcripts:
        kept = kind.transcripts.replace("{session_id}", agent.session_id or "")
        return _commanded(pane, again, replace(agent, kept=kept, begin=first))
    return _commanded(pane, again if again is not None and (agent.is_begun or first is None) else first or "", agent)


def _commanded(pane: Pane, text: str, agent: Agent) -> Pane:
    commands = (*pane.commands[:-1], replace(pane.commands[-1], text=text))
    return replace(pane, commands=commands, agent=agent)


def registered_conversation(name: str, agents: Agents, kind: AgentKind | None) -> Conversation | None:
    """The conversation that is registered for a pane and fits what runs there; None when there is none.

    + kind: of agent that the pane is for, whose program would not know another kind's conversations; None is unknown
    """
    known = agents.conversations.get(name)
    if known is None or not is_session_id(known.session_id):
        return None
    return known if kind is None or known.kind in {"", kind.name} else None


def is_gone(known: Conversation, seen: AgentPane, kind: AgentKind) -> bool:
    """Whether the program's own last words are that it does not find the conversation ``known``."""
    return _said(known, seen, kind, "no-conversation")


def is_refused(known: Conversation, seen: AgentPane, kind: AgentKind) -> bool:
    """Whether the program's own last words are that the conversation ``known`` runs elsewhere."""
    return _said(known, seen, kind, "resume-refused")


def _said(known: Conversation, seen: AgentPane, kind: AgentKind, sign: str) -> bool:
    # Of one that runs in the background, a program may tell the beginning of the id alone.
    named = known.session_id[:8] if sign == "resume-refused" else known.session_id
    return any(_ends_with(named, seen, pattern.text) for pattern in kind.patterns if pattern.sign == sign)


def _ends_with(named: str, seen: AgentPane, text: str) -> bool:
    # An agent may have written about such a message: it counts only where it ends the screen and names this very id.
    last = [line for line in seen.lines if line.strip() and not line.startswith("Pane is dead")][-_LAST_LINES:]
    return any(named in line and re.search(text, line.strip()) for line in last)


def command_with(template: str | None, command: str, session_id: str, kind: AgentKind | None) -> str | None:
    """The command that begins a conversation or takes it up, as ``template`` makes it of ``command``.

    + template: with ``{session_id}``, and ``{command}`` where the whole command stands
    + command: the spec's own

    None when there is no template, or the command is one that nothing can be added to: it says itself which
    conversation it means, or the agent is not what stands last in it.
    """
    if template is None or not is_session_id(session_id):
        return None
    if "{command}" in template and not _takes_more(command, template, kind):
        return None
    # One after the other would replace what stands in the command.
    return re.sub(
        r"\{(command|session_id)\}", lambda found: command.strip() if found[1] == "command" else session_id, template
    )


def _takes_more(command: str, template: str, kind: AgentKind | None) -> bool:
    """Whether words that are added at the end of a command are the agent's, and say what it does not say itself."""
    words = last_words(command)
    if words is None:
        return False
    program = program_of(words)
    if program is None or (kind is not None and kind.programs and not _is_of(program, words, kind)):
        return False
    # Behind two hyphens everything is a prompt.
    own = _CHOOSING | {"--"} | {word for word in template.split() if "{" not in word}
    # A short option is a conversation's where its long one is: elsewhere -c may set anything.
    own |= _SHORT if any(word.startswith("--") for word in template.split()) else frozenset()
    return not any(word.partition("=")[0] in own for word in words)


def _is_of(program: str, words: list[str], kind: AgentKind) -> bool:
    return program in kind.programs or any(word.rsplit("/", 1)[-1] in kind.programs for word in words[:3])


def last_words(command: str) -> list[str] | None:
    """The words of the last command on a command line; None when what is added at its end would not be theirs."""
    text = command.strip()
    if "\n" in text or text.endswith("\\"):
        return None
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for word in lexer:
            if word in {"&&", "||", ";"}:
                words = []
            elif word.startswith("#") or set(word) <= set("();<>|&"):
                return None
            else:
                words.append(word)
    except ValueError:
        return None
    return words or None
