"""Which conversation an agent leads, and the command that takes it up: what is never confused, whatever is read."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import example, given, strategies as st

from miyabi import state
from miyabi.agent_kind import AgentKind, Pattern
from miyabi.agent_state import AgentPane, Agents, Conversation, TranscriptFile
from miyabi.build import pane_start, typed
from miyabi.conversation import (
    command_with,
    file_name,
    is_session_id,
    read_conversation,
    register_script,
    registrations,
    with_conversations,
)
from miyabi.conversation_search import Origin, find_conversations, named_in, same_conversation
from miyabi.match import program_name
from miyabi.spec import Agent, Command, Pane, Session, Spec, Window

CLAUDE = AgentKind(
    "claude",
    programs=("claude",),
    pin="{command} --session-id {session_id}",
    resume="{command} --resume {session_id}",
    transcripts="~/.claude/projects/*/{session_id}.jsonl",
    candidates="~/.claude/projects/{folder}/*.jsonl",
    patterns=(
        Pattern("no-conversation", r"^No conversation found with session ID"),
        Pattern("resume-refused", r"is running as a background session"),
    ),
)
CODEX = AgentKind(
    "codex",
    programs=("codex",),
    resume="{command} resume {session_id}",
    transcripts="~/.codex/sessions/*/*/*/rollout-*-{session_id}.jsonl",
    candidates="~/.codex/sessions/*/*/*/rollout-*.jsonl",
    patterns=(Pattern("no-conversation", r"No saved session found with ID"),),
)
KINDS = {"claude": CLAUDE, "codex": CODEX}

ONE = "0b6c1c1e-0d0f-4a53-9a9c-5d3f7f3f2a01"
TWO = "0b6c1c1e-0d0f-4a53-9a9c-5d3f7f3f2a02"
NEW = "11111111-2222-4333-8444-555555555555"

SESSION_IDS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
COMMANDS = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            [
                *(
                    "claude",
                    "codex",
                    "exec",
                    "npx",
                    "--",
                    "-c",
                    "--model=x",
                    "'a b'",
                    "&&",
                    ";",
                    "|",
                    ">",
                    "#",
                    "\\",
                    '"',
                ),
                *("'", "$(x)", "`x`", "FOO=1", "cd", "~/src", "--resume", "\n"),
            ]
        ),
        max_size=7,
    ).map(" ".join),
)


def spec_of(*panes: Pane) -> Spec:
    return Spec("spec.yaml", "", sessions=(Session("work", windows=(Window("main", panes=panes),)),))


def pane(name: str = "kaede", command: str = "claude", **agent: Any) -> Pane:
    return Pane(name, commands=(Command(command),), restart="on-failure", agent=Agent(**agent))


def panes_of(spec: Spec) -> tuple[Pane, ...]:
    return tuple(pane for session in spec.sessions for window in session.windows for pane in window.panes)


def started(wanted: Pane, agents: Agents | None = None, new: str = NEW) -> Pane:
    [found] = panes_of(with_conversations(spec_of(wanted), agents or Agents(), KINDS, lambda _: new))
    return found


def led(session_id: str = ONE, kind: str = "claude", name: str = "kaede", **seen: Any) -> Agents:
    panes = (AgentPane("%0", name, **seen),) if seen else ()
    return Agents(panes=panes, conversations={name: Conversation(session_id, kind, 5.0)}, now=100.0)


# The register.


@given(st.text(max_size=200), st.text(max_size=200))
@example("Kaede", "kaede")
@example("a" * 300, "a" * 299 + "b")
@example("%41", "A")
def test_each_name_has_a_file_of_its_own_wherever_it_is_kept(one: str, other: str) -> None:
    for name in (one, other):
        assert re.fullmatch(r"[a-z0-9_%~-]{0,160}", file_name(name))
    # A file system may take capital letters for small ones.
    assert (file_name(one).casefold() == file_name(other).casefold()) == (one == other)


def test_what_the_register_says_is_read() -> None:
    assert read_conversation(f"1 claude {ONE} 1795225010\n") == Conversation(ONE, "claude", 1795225010.0)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "1",
        f"1 claude {ONE}",
        f"2 claude {ONE} 5",
        f"1 claude {ONE} 5 6",
        f"1 claude {ONE} -5",
        "1 claude --dangerously-skip-permissions 5",
        "1 claude ../../x 5",
        "1 claude a;b 5",
        f"1 $(x) {ONE} 5",
        f"1 claude {ONE * 5} 5",
        f"1 claude {ONE} 5\n1 claude {TWO} 6",
        "1 claude ٣ 5",
    ],
)
def test_a_register_that_is_torn_or_strange_says_nothing(line: str) -> None:
    assert read_conversation(line) is None


@given(st.text())
def test_nothing_but_an_id_is_ever_read(line: str) -> None:
    found = read_conversation(line)
    assert found is None or is_session_id(found.session_id)


@pytest.mark.parametrize(("kind", "session_id"), [("claude", "a b"), ("claude", "-x"), ("c d", ONE), ("", ONE)])
def test_what_is_no_conversation_is_not_registered(kind: str, session_id: str) -> None:
    with pytest.raises(ValueError, match="is no conversation"):
        register_script("kaede", kind, session_id)


# The command.


@pytest.mark.parametrize(
    ("template", "command", "expected"),
    [
        (CLAUDE.resume, "claude", f"claude --resume {ONE}"),
        (CLAUDE.resume, "exec claude --model opus ", f"exec claude --model opus --resume {ONE}"),
        (CLAUDE.pin, "cd ~/src && FOO='a b' claude", f"cd ~/src && FOO='a b' claude --session-id {ONE}"),
        (CLAUDE.resume, "npx claude", f"npx claude --resume {ONE}"),
        (CODEX.resume, "codex -c model=o3", f"codex -c model=o3 resume {ONE}"),
        ("codex resume {session_id}", "whatever | it && is", f"codex resume {ONE}"),
        (CLAUDE.resume, "claude '{session_id} {command}'", f"claude '{{session_id}} {{command}}' --resume {ONE}"),
        # What its user says himself.
        (CLAUDE.resume, "claude --resume", None),
        (CLAUDE.resume, f"claude --session-id={TWO}", None),
        (CLAUDE.resume, f"claude -r {TWO}", None),
        (CLAUDE.resume, "claude -c", None),
        (CLAUDE.pin, "claude --continue", None),
        (CODEX.resume, "codex resume --last", None),
        # What cannot take more words.
        (CLAUDE.resume, "claude | tee log", None),
        (CLAUDE.resume, "claude; bash", None),
        (CLAUDE.resume, "claude & wait", None),
        (CLAUDE.resume, "(claude)", None),
        (CLAUDE.resume, "claude # mine", None),
        (CLAUDE.resume, "claude >log", None),
        (CLAUDE.resume, "claude 'open", None),
        (CLAUDE.resume, "claude \\", None),
        (CLAUDE.resume, "claude\nbash", None),
        (CLAUDE.resume, "claude -- 'a prompt'", None),
        (CLAUDE.resume, "bash", None),
        (CLAUDE.resume, "", None),
        (None, "claude", None),
    ],
)
def test_a_command_takes_up_a_conversation_or_is_left_alone(
    template: str | None, command: str, expected: str | None
) -> None:
    kind = CODEX if template and "codex" in command + template else CLAUDE
    assert command_with(template, command, ONE, kind) == expected


@given(COMMANDS, SESSION_IDS)
def test_an_id_that_is_added_to_any_command_is_the_agents_last_word(command: str, session_id: str) -> None:
    made = command_with(CLAUDE.resume, command, session_id, CLAUDE)
    if made is not None:
        assert shlex.split(made)[-2:] == ["--resume", session_id]
        assert shlex.split(made)[:-2] == shlex.split(command.strip())
        # Nothing in it was a comment, and nothing went on after the agent.
        assert made == f"{command.strip()} --resume {session_id}"
        assert not re.search(r"[;&|]\s*\Z", command)


@given(
    COMMANDS, st.sampled_from([None, Agents(), led(), led(lines=(f"No conversation found with session ID: {ONE}",))])
)
def test_a_pane_stays_the_same_agent_whatever_it_takes_up(command: str, agents: Agents | None) -> None:
    wanted = pane(command=command)
    [found] = panes_of(with_conversations(spec_of(wanted), agents, KINDS, lambda _: NEW))
    assert program_name(found) == program_name(wanted)
    assert replace(found, commands=wanted.commands, agent=wanted.agent) == wanted


# Which conversation a start is about.


def test_an_agent_without_a_conversation_begins_one_whose_id_is_known() -> None:
    found = started(pane(command="exec claude"))
    assert found.agent is not None
    assert (found.agent.session_id, found.agent.kind) == (NEW, "claude")
    assert found.agent.begin == f"exec claude --session-id {NEW}"
    assert found.commands[-1].text == f"exec claude --resume {NEW}"


def test_an_agent_takes_up_the_conversation_that_is_registered() -> None:
    found = started(pane(command="claude"), led())
    assert found.agent is not None
    assert found.agent.session_id == ONE
    assert found.commands[-1].text == f"claude --resume {ONE}"
    # One that was never spoken in is not kept anywhere: the host tells when the agent starts.
    assert found.agent.begin == f"claude --session-id {ONE}"


def test_the_specs_own_command_takes_it_up() -> None:
    wanted = pane(command="my-agent | tee log", kind="claude", resume="my-agent -r {session_id} | tee -a log")
    assert started(wanted, led()).commands[-1].text == f"my-agent -r {ONE} | tee -a log"
    assert started(wanted) == wanted


def test_a_kind_that_gives_its_ids_itself_begins_as_the_spec_says() -> None:
    wanted = pane(command="codex --yolo")
    assert started(wanted) == wanted
    found = started(wanted, led(kind="codex"))
    assert found.commands[-1].text == f"codex --yolo resume {ONE}"
    assert found.agent is not None
    assert found.agent.begin is None


def test_another_programs_conversation_is_not_taken_up() -> None:
    found = started(pane(command="claude"), led(kind="codex"))
    assert found.agent is not None
    assert found.agent.session_id == NEW


def test_what_is_unknown_begins_nothing() -> None:
    wanted = spec_of(pane())
    assert with_conversations(wanted, None, KINDS, lambda _: NEW) is wanted


def test_a_spec_without_agents_stays_the_very_same() -> None:
    wanted = spec_of(Pane("shell"), Pane("kept", commands=(Command("claude"),), restart="always"))
    assert with_conversations(wanted, led(name="kept"), KINDS, lambda _: NEW) is wanted


def test_only_the_last_command_is_the_agents() -> None:
    wanted = replace(pane(), commands=(Command("cd ~/src"), Command("claude")))
    found = started(wanted, led())
    assert [each.text for each in found.commands] == ["cd ~/src", f"claude --resume {ONE}"]


def test_a_conversation_that_its_program_does_not_find_is_over() -> None:
    said = ("$", f"No conversation found with session ID: {ONE}", "Pane is dead (status 1, Sat Nov 21 15:00:00 2026)")
    found = started(pane(), led(lines=said))
    assert found.agent is not None
    assert found.agent.session_id == NEW
    over = started(pane(command="codex"), led(kind="codex", lines=(f"ERROR: No saved session found with ID {ONE}.",)))
    assert over.agent is not None
    assert (over.agent.session_id, over.commands[-1].text) == ("", "codex")


@pytest.mark.parametrize(
    "lines",
    [
        (f"No conversation found with session ID: {TWO}",),
        ("No conversation found with session ID",),
        (f"No conversation found with session ID: {ONE}", *"abcdef"),
    ],
)
def test_words_about_another_or_an_old_failure_end_nothing(lines: tuple[str, ...]) -> None:
    found = started(pane(), led(lines=lines))
    assert found.agent is not None
    assert found.agent.session_id == ONE


def test_a_conversation_that_is_kept_elsewhere_is_taken_up() -> None:
    found = started(pane(), led(lines=(f"Error: Session ID {ONE} is already in use.",)))
    assert found.agent is not None
    assert (found.commands[-1].text, found.agent.begin) == (f"claude --resume {ONE}", None)
    assert next(command[-1] for command in typed(found, "%0")) == f" claude --resume {ONE}"


def test_the_host_chooses_when_the_agent_starts() -> None:
    words = pane_start(started(pane(), led()))
    script = words[words.index("-c", words.index("--")) + 1]
    assert isinstance(script, str)
    assert f'for t in "$HOME"/.claude/projects/*/{ONE}.jsonl;' in script
    assert words[-2:] == [f"claude --resume {ONE}", f"claude --session-id {ONE}"]


@pytest.mark.parametrize(
    ("agents", "expected"),
    [
        (Agents(), f" claude --session-id {NEW}"),
        (led(transcript=TranscriptFile("/x", ONE)), f" claude --resume {ONE}"),
        (led(lines=("$",)), f" claude --session-id {ONE}"),
        (led(), f" claude --resume {ONE}"),
    ],
)
def test_what_is_typed_is_what_one_look_has_told(agents: Agents, expected: str) -> None:
    commands = list(typed(started(pane(), agents), "%0"))
    assert commands[0] == ("send-keys", "-t", "%0", "-l", "--", expected)


def test_only_what_is_known_is_registered() -> None:
    assert registrations([Pane("shell"), pane()]) == ""
    text = registrations([started(pane()), started(pane("sakura"), led(TWO, name="sakura"))])
    assert f'registered "$MIYABI_AGENTS" kaede claude {NEW}' in text
    assert f'registered "$MIYABI_AGENTS" sakura claude {TWO}' in text


@given(st.lists(st.text(min_size=1), unique=True, max_size=6))
def test_no_two_agents_begin_the_same_conversation(names: list[str]) -> None:
    ids = count()
    spec = spec_of(*(pane(name) for name in names))
    found = with_conversations(spec, Agents(), KINDS, lambda _: f"new-{next(ids)}")
    assert len({each.agent.session_id for each in panes_of(spec) if each.agent}) <= 1
    assert len({each.agent.session_id for each in panes_of(found) if each.agent}) == len(names)


# Which conversation a running agent leads.


def host(*there: tuple[str, str, str], agents: Agents, others: tuple[str, ...] = ()) -> state.Host:
    """A host whose panes are (name, folder, command line); their shells' pids count from 100, the agents' from 200."""
    panes = tuple(
        state.Pane(f"%{n}", n, 100 + n, active=not n, name=name, path=path) for n, (name, path, _) in enumerate(there)
    )
    window = state.Window("@0", 0, "main", active=True, layout="", name="main", panes=panes)
    session = state.Session("$0", "work", 0, 0, name="work", windows=(window,))
    shells = [state.Process(100 + n, 1, "-bash") for n in range(len(there))]
    running = [state.Process(200 + n, 100 + n, line) for n, (*_, line) in enumerate(there)]
    foreign = [state.Process(300 + n, 1, line) for n, line in enumerate(others)]
    return state.Host(
        tmux=state.Tmux("3.3a", running=True, sessions=(session,)),
        processes=(*shells, *running, *foreign),
        agents=agents,
    )


def agents_seen(*candidates: tuple[str, TranscriptFile], names: tuple[str, ...] = ("kaede",), **known: str) -> Agents:
    panes = tuple(
        AgentPane(f"%{n}", name, candidates=tuple(file for each, file in candidates if each == name))
        for n, name in enumerate(names)
    )
    return Agents(panes, {name: Conversation(told, "claude") for name, told in known.items()}, now=1000.0)


def kept(session_id: str, changed_at: float = 900.0, head: str = "") -> TranscriptFile:
    return TranscriptFile(f"/home/me/.claude/projects/-src/{session_id}.jsonl", session_id, changed_at, head=head)


BORN = {200: Origin(500.0), 201: Origin(600.0), 202: Origin(700.0)}


def found_in(spec: Spec, seen: state.Host, origins: dict[int, Origin] | None = None) -> dict[str, str]:
    told = find_conversations(spec, seen, KINDS, BORN if origins is None else origins)
    return {name: each.session_id for name, each in told.items()}


def test_the_command_line_tells() -> None:
    seen = host(("kaede", "/src", f"claude --resume {ONE}"), agents=agents_seen())
    assert found_in(spec_of(pane()), seen, {}) == {"kaede": ONE}


def test_two_that_name_the_same_conversation_do_not_both_lead_it() -> None:
    names, line = ("kaede", "sakura"), f"claude --resume {ONE}"
    seen = host(*((name, f"/{name}", line) for name in names), agents=agents_seen(names=names))
    assert found_in(spec_of(*map(pane, names)), seen, {}) == {}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (f"claude --session-id {ONE}", ONE),
        (f"node /usr/bin/claude --resume={ONE} --model x", ONE),
        (f"claude --resume {ONE} --fork-session", None),
        (f"claude {ONE}", None),
        ("claude --resume last", None),
        (f"claude --resume {ONE} --resume {TWO}", None),
        ("claude", None),
    ],
)
def test_a_command_line_names_a_conversation_or_none(arguments: str, expected: str | None) -> None:
    assert named_in(arguments, CLAUDE) == expected


def test_the_file_that_an_agent_holds_open_tells_even_in_a_shared_folder() -> None:
    names = ("kaede", "sakura")
    files = [(name, kept(each)) for name in names for each in (ONE, TWO)]
    seen = host(*((name, "/src", "claude") for name in names), agents=agents_seen(*files, names=names))
    spec = spec_of(*map(pane, names))
    assert found_in(spec, seen) == {}
    held = {
        200: Origin(500.0, "/src", (kept(TWO).path,)),
        201: Origin(600.0, "/src", (kept(ONE).path, "/other.jsonl")),
    }
    assert found_in(spec, seen, held) == {"kaede": TWO, "sakura": ONE}


def test_the_only_conversation_of_its_folder_is_its_own() -> None:
    agents = agents_seen(("kaede", kept(ONE)), ("kaede", kept(TWO, changed_at=400.0)))
    assert found_in(spec_of(pane()), host(("kaede", "/src", "claude"), agents=agents)) == {"kaede": ONE}


@pytest.mark.parametrize(
    "candidates",
    [
        (),
        (kept(ONE, changed_at=400.0),),
        (kept(ONE), kept(TWO)),
        (kept(ONE, head='{"isSidechain":true}'),),
        (kept(ONE, head='{"cwd":"/elsewhere"}'),),
        (kept(ONE, head='{"timestamp":"1970-01-01T00:05:00.000Z"}'),),
        (kept("../x"),),
    ],
)
def test_a_file_that_may_be_anothers_tells_nothing(candidates: tuple[TranscriptFile, ...]) -> None:
    agents = agents_seen(*(("kaede", each) for each in candidates))
    assert found_in(spec_of(pane()), host(("kaede", "/src", "claude"), agents=agents)) == {}


@pytest.mark.parametrize(
    ("rival", "is_known"),
    [
        (None, False),
        (Origin(1.0), False),
        (Origin(1.0, "/src"), False),
        (Origin(1.0, "/elsewhere"), True),
        (Origin(1.0, is_own=False), True),
    ],
)
def test_nobody_else_may_have_written_it(rival: Origin | None, is_known: bool) -> None:
    agents = agents_seen(("kaede", kept(ONE)))
    told = found_in(
        spec_of(pane()),
        host(("kaede", "/src", "claude"), agents=agents, others=("claude",)),
        BORN | ({300: rival} if rival else {}),
    )
    assert told == ({"kaede": ONE} if is_known else {})


def test_one_whose_beginning_is_not_known_is_not_known() -> None:
    seen = host(("kaede", "/src", "claude"), agents=agents_seen(("kaede", kept(ONE))))
    assert found_in(spec_of(pane()), seen, {}) == {}


def test_another_agent_of_the_folder_may_have_begun_another_conversation() -> None:
    agents = agents_seen(("kaede", kept(ONE)), names=("kaede", "sakura"), sakura=TWO)
    spec, origins = spec_of(pane(), pane("sakura")), {200: Origin(500.0, "/src"), 201: Origin(600.0, "/src")}
    seen = host(("kaede", "/src", "claude"), ("sakura", "/src", "claude"), agents=agents)
    assert found_in(spec, seen, origins) == {}
    assert found_in(spec, seen, origins | {201: Origin(600.0, "/b")}) == {"kaede": ONE}


def test_codex_tells_the_folder_in_the_file() -> None:
    head = (
        '{"timestamp":"1970-01-01T00:10:00.000Z","type":"session_meta","payload":{"id":"x","cwd":"/src","source":"cli"'
    )
    wanted, line = spec_of(pane(command="codex")), ("kaede", "/src", "codex --yolo")
    assert found_in(wanted, host(line, agents=agents_seen(("kaede", kept(ONE, head=head))))) == {"kaede": ONE}
    for other in ("", head.replace("/src", "/elsewhere"), head.replace('"cli"', '"exec"'), head.replace('"cli"', "{")):
        assert found_in(wanted, host(line, agents=agents_seen(("kaede", kept(ONE, head=other))))) == {}


@given(
    st.lists(st.sampled_from(["/a", "/b"]), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([ONE, TWO, NEW]), st.floats(0, 1000)), max_size=6),
    st.dictionaries(st.integers(0, 2), st.sampled_from([ONE, TWO, NEW]), max_size=2),
    st.lists(st.sampled_from(["claude", f"claude --resume {ONE}", "vim"]), max_size=1),
)
def test_agents_are_never_confused(
    folders: list[str], files: list[tuple[int, str, float]], known: dict[int, str], others: list[str]
) -> None:
    names = tuple(f"a{n}" for n in range(len(folders)))
    registered = {names[n]: told for n, told in known.items() if n < len(names)}
    candidates = [(names[n], kept(told, at)) for n, told, at in files if n < len(names)]
    agents = agents_seen(*candidates, names=names, **registered)
    seen = host(*((n, f, "claude") for n, f in zip(names, folders, strict=True)), agents=agents, others=tuple(others))
    origins = {200 + n: Origin(500.0 + n, folder) for n, folder in enumerate(folders)}
    found = found_in(spec_of(*map(pane, names)), seen, origins)
    assert not found.keys() & registered.keys()
    assert not set(found.values()) & set(registered.values())
    assert len(set(found.values())) == len(found)
    # Without a word of its own, one of several in a folder is not known.
    assert all(folders.count(folders[names.index(name)]) == 1 for name in found)
    assert not (found and any(each.startswith("claude") for each in others))


# What came of a restart.


@pytest.mark.parametrize(
    ("seen", "command", "expected"),
    [
        ({"transcript": TranscriptFile("/x", ONE, 1001.0)}, "claude", "same"),
        ({"lines": ("hello",)}, f"claude --resume {ONE}", "same"),
        ({"lines": ("hello",)}, f"claude --resume {TWO}", "another"),
        ({"transcript": TranscriptFile("/x", TWO, 1001.0)}, "claude", "another"),
        ({"transcript": TranscriptFile("/x", ONE, 900.0)}, "claude", "unknown"),
        ({"lines": (f"No conversation found with session ID: {ONE}",)}, "claude", "not-found"),
        ({"lines": (f"Session {ONE} is running as a background session",)}, f"claude --resume {ONE}", "refused"),
        ({"lines": ("hello",)}, "bash", "unknown"),
    ],
)
def test_a_restart_kept_the_conversation_or_not(seen: dict[str, Any], command: str, expected: str) -> None:
    there = host(("kaede", "/src", command), agents=led(**seen))
    assert same_conversation(Conversation(ONE, "claude"), "kaede", there, CLAUDE, 1000.0) == expected


def test_a_register_that_names_another_one_says_so() -> None:
    there = host(("kaede", "/src", "claude"), agents=led(TWO, lines=("hello",)))
    assert same_conversation(Conversation(ONE, "claude"), "kaede", there, CLAUDE, 1000.0) == "another"
