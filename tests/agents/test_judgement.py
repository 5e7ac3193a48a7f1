"""What is made of an agent: by its screen, its processes, its transcript and its heartbeat."""

# ruff: noqa: RUF001 - the marks of agents
from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from miyabi import spec, state
from miyabi.agent_judgement import judge_agent
from miyabi.agent_kind import AgentKind
from miyabi.agent_kinds import agent_kinds_in
from miyabi.agent_loop import loop_in
from miyabi.agent_state import AgentPane, Agents, Heartbeat, Judgement, TranscriptFile
from miyabi.sandbox.imitations.agent import scenes
from tests.agents.corpus import NOW, Example, examples, judged, wrapped

ROOT = Path(__file__).parents[2]
RESTARTED = ("stalled", "exited", "dead")
BOX = ("─" * 60, "❯", "─" * 60, "  ? for shortcuts")
BUSY = ("✽ Drizzling… (5s · ↓ 121 tokens)", "", *BOX[:3], "  ⏵⏵ accept edits on · esc to interrupt")
LIVING = (state.Process(7, 1, "claude"), state.Process(8, 7, "node server.js"))
PANE = state.Pane("%1", 0, 7, active=True)


@cache
def kinds() -> dict[str, AgentKind]:
    return agent_kinds_in(ROOT / "inventory" / "agents")


def judge(
    *lines: str,
    kind: str | None = "claude",
    pane: state.Pane | None = PANE,
    processes: tuple[state.Process, ...] | None = LIVING,
    since: float | None = NOW - 30,
    stall_after: float | None = None,
    heartbeat: Heartbeat | None = None,
    transcript: TranscriptFile | None = None,
    offset: int = 0,
) -> Judgement:
    """What is made of a screen; all else is a living agent's, unless it is said."""
    seen = AgentPane("%1", "kaede", lines, same_since=since, transcript=transcript)
    wanted = spec.Pane("kaede", agent=spec.Agent(stall_after=stall_after))
    known = None if kind is None else kinds()[kind]
    agents = Agents((seen,), now=NOW, offset=offset)
    return judge_agent(wanted, pane, seen, processes, known, agents, heartbeat=heartbeat, now=NOW)


ALL = list(examples())


@pytest.mark.parametrize("name", sorted({f"{each.kind}-{each.condition}-{each.number}" for each in ALL}))
def test_the_corpus_is_read_right_at_every_width(name: str) -> None:
    for example in (each for each in ALL if f"{each.kind}-{each.condition}-{each.number}" == name):
        said = judged(example)
        assert said.condition in example.expected, (example.name, said)
        assert said.condition not in RESTARTED


def test_the_corpus_shows_each_condition_ten_times_and_what_looks_like_it_ten_times() -> None:
    told = Counter((each.kind, each.condition, each.number.rstrip("0123456789")) for each in ALL if each.width == 0)
    conditions = {each.condition for each in ALL}
    assert len(conditions) == 9
    assert {key[:2] for key in told} == {(kind, each) for kind in ("claude", "codex") for each in conditions}
    assert min(told.values()) >= 10


@pytest.mark.parametrize("kind", ["claude", "codex"])
@pytest.mark.parametrize(
    ("play", "how", "expected"),
    [
        ("limited", "", "limited"),
        ("limited", "auto", "limited"),
        ("limited", "menu", "limited permission"),
        ("login", "", "login"),
        ("login", "revoked", "login"),
        ("context-full", "", "context-full"),
        ("context-full", "failed", "context-full"),
        ("overloaded", "final", "overloaded"),
        ("overloaded", "retrying", "overloaded"),
        ("permission", "", "permission"),
        ("trust", "", "trust"),
        ("bypass", "", "trust permission"),
        ("working", "", "working"),
        ("looping", "", "looping"),
    ],
)
@pytest.mark.parametrize("width", [100, 50])
def test_the_imitated_agents_are_read_right(kind: str, play: str, how: str, expected: str, width: int) -> None:
    told: dict[str, Any] = {"play": play, "how": how, "until": NOW + 3600}
    lines = [*scenes.head(kind, "74ede5c9", 3), *scenes.typed(kind, "go on")]
    asked = scenes.question(kind, told, "/srv/work")
    if asked is not None:
        lines += asked.lines(kind, 0)
    else:
        lines += scenes.block(kind) * 5 if play == "looping" else []
        lines += scenes.banner(kind, told)
        if play in {"working", "looping"} or how == "retrying":
            lines += scenes.busy(kind, play, how, 12.0, 1)
        lines += ["", *(BOX if kind == "claude" else ("› ", "", "  gpt-5.5 high · ~/work"))]
    said = judge(*(row for line in lines for row in wrapped(line, width)), kind=kind)
    assert said.condition in expected.split(), said
    assert said.condition == "limited" or (play, kind) != ("limited", "claude")
    if play == "limited" and how != "menu":
        assert said.until is not None
        assert abs(said.until - NOW - 3600) <= 60


def test_a_pane_that_is_not_there_is_no_matter_of_the_agent() -> None:
    said = judge(pane=None)
    assert (said.condition, said.confidence) == ("unknown", 0.0)


@pytest.mark.parametrize(
    ("status", "signal", "condition", "cause", "detail"),
    [
        (1, None, "exited", "", "exited with status 1"),
        (0, None, "exited", "", "exited with status 0"),
        (130, None, "exited", "interrupted", "exited with status 130, as by signal 2"),
        (137, None, "exited", "", "exited with status 137, as by signal 9"),
        (None, "9", "dead", "", "died by signal 9"),
        (None, "2", "dead", "interrupted", "died by signal 2"),
        (None, "sigint", "dead", "interrupted", "died by signal sigint"),
        (None, None, "exited", "", "died, tmux does not tell how"),
    ],
)
def test_how_a_process_ended(status: int | None, signal: str | None, condition: str, cause: str, detail: str) -> None:
    pane = replace(PANE, dead=True, dead_status=status, dead_signal=signal)
    said = judge(*BUSY, pane=pane, since=None)
    assert (said.condition, said.cause, said.detail, said.confirmed) == (condition, cause, detail, True)


def test_what_a_dead_agent_says_last_is_told() -> None:
    dead = replace(PANE, dead=True, dead_status=134)
    heap = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"
    said = judge("<--- Last few GCs --->", heap, " 1: 0xb95 node::Abort()", pane=dead)
    assert (said.condition, said.cause) == ("exited", "out-of-memory")
    assert "heap" in said.detail
    refused = (
        "Session 74ede5c9-11 is running as a background session (74ede5c9). Run `claude attach 74ede5c9` to open it"
    )
    said = judge(refused, pane=replace(dead, dead_status=1))
    assert (said.condition, said.cause) == ("exited", "resume-refused")
    said = judge("No conversation found with session ID: 74ede5c9-11", pane=replace(dead, dead_status=1))
    assert (said.condition, said.cause) == ("exited", "no-conversation")


def test_where_only_a_shell_is_left_the_agent_has_exited_whatever_the_screen_shows() -> None:
    said = judge(*BUSY, processes=(state.Process(7, 1, "-zsh"),))
    assert (said.condition, said.detail) == ("exited", "only an idle shell is left in it")
    assert judge(*BUSY, processes=(state.Process(7, 1, "-zsh"), state.Process(9, 7, "claude"))).condition == "working"
    assert judge(*BUSY, processes=(state.Process(7, 1, "sh -c claude"),)).condition == "working"
    # What was not listed is not known to be gone.
    assert judge(*BUSY, processes=None).condition == "working"
    assert judge(*BUSY, processes=()).condition == "working"


def test_an_agent_of_no_known_kind_is_unknown_until_it_ends() -> None:
    assert judge(*BUSY, kind=None).condition == "unknown"
    assert judge(kind=None, pane=replace(PANE, dead=True, dead_status=3)).condition == "exited"


def test_what_two_looks_agree_on_is_confirmed() -> None:
    assert not judge(*BUSY, since=None).confirmed
    assert not judge(*BUSY, since=NOW - 1).confirmed
    assert judge(*BUSY, since=NOW - 2).confirmed
    # A clock that was set back.
    assert not judge(*BUSY, since=NOW + 500).confirmed


SILENT = Heartbeat(2.0, 0.0)


@pytest.mark.parametrize(
    ("stall_after", "since", "heartbeat", "condition", "suspect"),
    [
        (None, NOW - 9000, SILENT, "working", False),
        (300.0, NOW - 200, SILENT, "working", False),
        (300.0, None, SILENT, "working", False),
        (300.0, NOW - 400, None, "working", True),
        (300.0, NOW - 400, SILENT, "stalled", False),
        (300.0, NOW - 400, Heartbeat(2.0, 0.02), "stalled", False),
        (300.0, NOW - 400, Heartbeat(2.0, 0.03), "working", False),
        (300.0, NOW - 400, Heartbeat(2.0, 1.9), "working", False),
        (300.0, NOW - 400, Heartbeat(0.0, 0.0), "working", False),
        (300.0, NOW - 400, Heartbeat(2.0, 0.0, stopped=(7,)), "stalled", False),
        # It has begun since: what the screen shows is older than it.
        (300.0, NOW - 400, Heartbeat(2.0, 0.0, born_at=NOW - 100), "working", False),
        (300.0, NOW - 400, Heartbeat(2.0, 0.0, born_at=NOW - 4000), "stalled", False),
    ],
)
def test_a_busy_screen_that_stands_still_is_stalled_when_its_processes_do_nothing(
    stall_after: float | None, since: float | None, heartbeat: Heartbeat | None, condition: str, suspect: bool
) -> None:
    said = judge(*BUSY, since=since, stall_after=stall_after, heartbeat=heartbeat)
    assert (said.condition, said.suspect) == (condition, suspect)
    assert said.condition != "stalled" or said.confidence >= 0.8


@pytest.mark.parametrize(
    "lines",
    [
        BOX,
        ("⏺ You've hit your session limit · resets 8pm (UTC)", "", *BOX),
        (" Do you want to proceed?", " ❯ 1. Yes", "   2. No", "", " Esc to cancel · Tab to amend"),
        ("⏺ Please run /login · API Error: 401", "", *BOX),
        ("npm WARN something",),
        ("✻ Crunched for 12s", "", *BOX),
        # It looks like work, and the agent has spoken since.
        ("✻ Reticulating… (3s · esc to interrupt)", "⏺ That is how it looks.", "", *BOX),
    ],
)
def test_what_does_not_work_never_stalls(lines: tuple[str, ...]) -> None:
    said = judge(*lines, since=NOW - 90000, stall_after=60.0, heartbeat=SILENT)
    assert said.condition not in RESTARTED
    assert not said.suspect


def test_of_a_screen_that_need_not_move_stillness_alone_is_no_proof() -> None:
    kind = replace(kinds()["claude"], ticks=False)
    seen = AgentPane("%1", "kaede", BUSY, same_since=NOW - 900)
    wanted = spec.Pane("kaede", agent=spec.Agent(stall_after=60.0))
    agents = Agents((seen,), now=NOW)

    def said(heartbeat: Heartbeat) -> Judgement:
        return judge_agent(wanted, PANE, seen, LIVING, kind, agents, heartbeat=heartbeat, now=NOW)

    assert said(SILENT).confidence < 0.8
    assert said(replace(SILENT, stopped=(8,))).confidence >= 0.8


SPINNER = "✻ Reticulating… (3s · ↑ 50 tokens · esc to interrupt)"
ASKS = (" Do you want to proceed?", " ❯ 1. Yes", "   2. No", "", " Esc to cancel · Tab to amend")


@pytest.mark.parametrize(
    ("lines", "condition"),
    [
        ((SPINNER, "✶ Crunched for 12s", "", *BOX), "idle"),
        (("✶ Crunched for 12s", SPINNER, "", *BOX), "working"),
        ((SPINNER, "⏺ API Error: 529 Overloaded", "", *BOX), "overloaded"),
        (("⏺ API Error: 529 Overloaded", SPINNER, "", *BOX), "working"),
        ((*ASKS, "", SPINNER), "working"),
        ((SPINNER, "", *ASKS), "permission"),
        (("⏺ You've hit your session limit · resets 8pm", "❯ go on", "", *BOX), "idle"),
        (("❯ go on", "⏺ You've hit your session limit · resets 8pm", "", *BOX), "limited"),
        (("⏺ You've hit your session limit · resets 8pm", "❯ /usage", "", *BOX), "limited"),
        (("⏺ Please run /login · API Error: 401", "❯ /login", "  ⎿  Login successful", "", *BOX), "idle"),
    ],
)
def test_what_stands_below_is_newer(lines: tuple[str, ...], condition: str) -> None:
    assert judge(*lines).condition == condition


@pytest.mark.parametrize(("between", "condition"), [(9, "login"), (18, "idle")])
def test_what_stands_far_up_is_over(between: int, condition: str) -> None:
    assert judge("API Error: 401 Unauthorized", *(f"line {at}" for at in range(between)), *BOX).condition == condition


def test_a_screen_that_a_tool_shows_is_not_the_agent_s() -> None:
    shown = (
        "⏺ Bash(tmux capture-pane -p -t %4)",
        "  ⎿  ❯ go on",
        "       ⎿  You've hit your session limit · resets 8pm",
    )
    assert judge(*shown, "         /upgrade to increase your usage limit.", "", *BOX).condition == "idle"


def test_what_only_looks_like_work_is_never_suspected() -> None:
    said = judge("✻ Thinking…", "", *BOX, since=NOW - 9000, stall_after=60.0)
    assert (said.condition, said.suspect) == ("working", False)
    assert judge("✻ Thinking…", "", *BOX, since=NOW - 9000, stall_after=60.0, heartbeat=SILENT).condition == "working"


def test_an_open_menu_is_told_and_which_keys_say_yes() -> None:
    trust = (" Is this a project you created or one you trust?", "", " ❯ No, exit", "   Yes, I trust this folder", "")
    said = judge(*trust, " Enter to confirm · Esc to cancel")
    assert (said.condition, said.menu, said.keys) == ("trust", True, ("Down", "Enter"))
    first = (" Do you trust the files in this folder?", "", " ❯ 1. Yes, proceed", "   2. No, exit")
    assert judge(*first).keys == ("Enter",)
    last = ("   1. Yes, I trust this folder", " ❯ 2. No, exit", "", " Enter to confirm · Esc to cancel")
    assert judge(*last).keys == ("Up", "Enter")
    banner = ("⏺ You've hit your session limit · resets 8pm (UTC)", "", " What do you want to do?", "")
    waits = (
        " ❯ 1. Stop and wait for limit to reset",
        "   2. Upgrade your plan",
        "",
        " Enter to confirm · Esc to cancel",
    )
    said = judge(*banner, *waits)
    assert (said.condition, said.menu, said.keys) == ("limited", True, ())
    assert said.until is not None


def test_what_tries_again_by_itself_is_told_from_what_has_given_up() -> None:
    error = "API Error (529 Overloaded) · Retrying in 4 seconds… (attempt 4/10)"
    assert judge("❯ go on", f"  ⎿  {error}", "", *BUSY).retrying
    assert not judge("⏺ API Error: 529 Overloaded", "", *BOX).retrying


def test_a_limit_that_has_been_reset_is_over_since_it_is_shown() -> None:
    said = judge(*BOX[:3], "  Your usage limit has reset · press enter to continue", since=NOW - 50)
    assert (said.condition, said.until) == ("limited", NOW - 50)


def entry(**told: Any) -> str:
    return json.dumps({"type": "assistant", "isSidechain": False, "timestamp": "2026-09-21T14:13:10.000Z", **told})


def said_by_model(text: str) -> str:
    return entry(message={"role": "assistant", "stop_reason": "end_turn", "content": [{"type": "text", "text": text}]})


def failed(text: str, status: int | None, error: str, **more: Any) -> str:
    message = {"role": "assistant", "model": "<synthetic>", "content": [{"type": "text", "text": text}]}
    return entry(isApiErrorMessage=True, apiErrorStatus=status, error=error, message=message, **more)


def kept(*lines: str, changed_at: float = NOW - 30) -> TranscriptFile:
    return TranscriptFile("/t.jsonl", "74ede5c9", changed_at, lines)


LIMIT = failed("You've hit your session limit · resets 8pm (UTC)", 429, "rate_limit")


def test_the_transcript_tells_of_a_limit_that_has_left_the_screen_or_never_stood_there() -> None:
    said = judge("something else", transcript=kept(LIMIT))
    assert (said.condition, said.confidence) == ("limited", 0.85)
    assert said.until == 1_790_020_800.0
    said = judge("⏺ Done.", "", *BOX, transcript=kept(LIMIT))
    assert said.condition == "limited"
    assert said.confidence < 0.8
    said = judge("⏺ You've hit your session limit · resets 8pm (UTC)", "", *BOX, transcript=kept(LIMIT))
    assert (said.condition, said.confidence) == ("limited", 0.97)


def test_what_is_newer_in_the_transcript_is_believed() -> None:
    over = kept(LIMIT, json.dumps({"type": "user", "message": {"content": "go on"}}), said_by_model("Done."))
    banner = ("⏺ You've hit your session limit · resets 8pm (UTC)", "", *BOX)
    assert judge(*banner, transcript=over).confidence < 0.8
    assert judge("⏺ Done.", "", *BOX, transcript=over).condition == "idle"
    # A transcript that is older than the screen knows nothing of it.
    assert judge(*banner, transcript=replace(over, changed_at=NOW - 5000)).confidence >= 0.9


def test_what_is_at_work_or_asks_is_not_in_the_transcript_yet() -> None:
    assert judge(*BUSY, transcript=kept(LIMIT)).condition == "working"
    asks = (" Do you want to proceed?", " ❯ 1. Yes", "   2. No", "", " Esc to cancel · Tab to amend")
    assert judge(*asks, transcript=kept(LIMIT)).condition == "permission"


@pytest.mark.parametrize(
    ("line", "condition"),
    [
        (
            failed("API Error: Server is temporarily limiting requests (not your usage limit)", 429, "rate_limit"),
            "overloaded",
        ),
        (failed("some other words", 429, "rate_limit"), "overloaded"),
        (failed("some other words", 529, "server_error"), "overloaded"),
        (failed("some other words", 401, "authentication_failed"), "login"),
        (failed("Prompt is too long", 400, "invalid_request"), "context-full"),
        (failed("some other words", None, "billing_error"), "limited"),
        (failed("some other words", 400, "invalid_request"), "unknown"),
        (said_by_model("API Error: 401"), "unknown"),
        ("{", "unknown"),
        ("[1, 2]", "unknown"),
        ('{"type": "assistant", "message": 7}', "unknown"),
        ("{" * 10000, "unknown"),
        ('{"type":"system","subtype":"api_error","retryAttempt":2,"maxRetries":10}', "overloaded"),
    ],
)
def test_the_errors_of_claude_s_transcript(line: str, condition: str) -> None:
    assert judge("something else", transcript=kept(line)).condition == condition


def test_what_other_agents_wrote_into_the_transcript_is_passed_over() -> None:
    side = failed("API Error: 529 Overloaded", 529, "server_error").replace(
        '"isSidechain": false', '"isSidechain": true'
    )
    assert judge("something else", transcript=kept(side)).condition == "unknown"
    assert judge("something else", transcript=kept(LIMIT, side)).condition == "limited"
    assert judge("something else", transcript=kept('cut off"}', LIMIT, '{"type":"summary"}')).condition == "limited"


def codex_entry(**payload: Any) -> str:
    return json.dumps({"timestamp": "2026-09-21T14:13:10.000Z", "type": "event_msg", "payload": payload})


@pytest.mark.parametrize(
    ("payload", "condition"),
    [
        ({"type": "task_complete", "error": {"message": "x", "codex_error_info": "usage_limit_exceeded"}}, "limited"),
        ({"type": "error", "message": "some other words", "codex_error_info": "unauthorized"}, "login"),
        ({"type": "error", "message": "other words", "codex_error_info": "context_window_exceeded"}, "context-full"),
        ({"type": "error", "message": "Selected model is at capacity.", "codex_error_info": None}, "overloaded"),
        ({"type": "stream_error", "message": "retrying 1/5"}, "overloaded"),
        ({"type": "task_complete", "error": None}, "unknown"),
        ({"type": "task_started"}, "unknown"),
        ({"type": 7}, "unknown"),
    ],
)  # fmt: skip
def test_the_errors_of_codex_s_transcript(payload: dict[str, Any], condition: str) -> None:
    counted = codex_entry(type="token_count", info=None)
    assert (
        judge("something else", kind="codex", transcript=kept(codex_entry(**payload), counted)).condition == condition
    )


def test_a_loop_is_shown_once() -> None:
    block = ("⏺ Once more.", "⏺ Bash(npm test)", "  ⎿  3 failed", "⏺ The mock is not reset.")
    said = judge(*(block * 5), "", *BUSY)
    assert said.condition == "looping"
    assert sorted(said.lines) == sorted(each.strip() for each in block)


@pytest.mark.parametrize("times", [0, 1, 3])
def test_what_is_repeated_less_than_four_times_is_no_loop(times: int) -> None:
    block = ("one line of words", "another line of words", "a third line of words")
    assert loop_in(block * times) == ()
    assert loop_in(block * 4)


def test_numbers_and_times_make_no_difference_to_a_loop() -> None:
    lines = [
        f"{text} {number}" for number in range(4) for text in ("run the tests:", "failed after", "try again, attempt")
    ]
    assert loop_in(lines)


TEXT = st.lists(st.text(max_size=80), max_size=30)
MARKED = st.lists(
    st.sampled_from(
        [
            *(line for each in ALL[:: len(ALL) // 60] for line in each.lines),
            "```",
            "❯ ",
            "› 1. Yes",
            "  2. No",
            "⎿",
            "╭──╮",
            "╰──╯",
        ]
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(TEXT, MARKED), st.sampled_from(["claude", "codex"]))
def test_no_text_ends_a_living_agent(lines: list[str], kind: str) -> None:
    said = judge(*lines, kind=kind, since=NOW - 90000, stall_after=60.0)
    assert said.condition not in RESTARTED
    assert 0 <= said.confidence <= 1


@settings(max_examples=200, deadline=None)
@given(st.one_of(TEXT, MARKED))
def test_a_busy_line_at_the_end_of_any_screen_is_work(lines: list[str]) -> None:
    for kind, line in (
        ("claude", "✻ Reticulating… (3s · ↑ 50 tokens · esc to interrupt)"),
        ("codex", "• Working (12s • esc to interrupt)"),
    ):
        said = judge(*lines, line, kind=kind)
        assert said.condition in {"working", "looping"} or said.retrying


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=200), max_size=5))
def test_no_transcript_is_a_trouble(lines: list[str]) -> None:
    assert judge("something", transcript=kept(*lines)).condition == "unknown"


@pytest.mark.parametrize("example", [each for each in ALL if each.width == 0], ids=lambda each: each.name)
def test_colours_make_no_difference(example: Example) -> None:
    coloured = tuple(f"\x1b[38;5;246m{line}\x1b[0m\x1b[K" for line in example.lines)
    assert judged(replace(example, lines=coloured)).condition in example.expected
