"""The kinds of agents: inventory/agents/*.yaml, and everything that is wrong with one."""

from __future__ import annotations

import re
import time
from pathlib import Path
from textwrap import dedent

import pytest

from miyabi import spec
from miyabi.agent_kind import AgentKind, Pattern, kind_of
from miyabi.agent_kind_schema import SIGNS, KindModel, PatternModel, kind_from_text
from miyabi.agent_kinds import _from_json, _to_json, agent_kinds_in
from miyabi.agent_reading import read_screen
from miyabi.errors import SpecError
from miyabi.pattern_cost import costly

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FOLDER = ROOT / "inventory" / "agents"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def read(text: str) -> AgentKind:
    return kind_from_text("agent.yaml", dedent(text))


def refusals(text: str) -> list[str]:
    with pytest.raises(SpecError) as refused:
        read(text)
    return str(refused.value).splitlines()


def test_the_kinds_of_the_repository_are_right() -> None:
    kinds = agent_kinds_in(FOLDER)
    assert list(kinds) == ["claude", "codex"]
    for name, kind in kinds.items():
        assert kind.name == name
        assert kind.programs == (name,)
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", kind.dated)
        assert kind.version
        assert kind.ticks
        assert kind.resume
        assert kind.transcripts
        # Whatever a screen can say is known of each.
        missing = {"no-conversation", "resume-refused", "reset"} if name == "codex" else set()
        assert {pattern.sign for pattern in kind.patterns} >= set(SIGNS) - missing


def test_what_was_read_is_kept_exactly_and_taken_from_the_cache(tmp_path: Path) -> None:
    kinds = agent_kinds_in(FOLDER)
    for kind in kinds.values():
        assert _from_json(_to_json(kind)) == kind
    assert agent_kinds_in(FOLDER) == kinds


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": 3}', '{"kind": {"name": "x", "patterns": [3]}}'])
def test_what_was_not_kept_by_us_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        _from_json(text)


def test_without_the_folder_nothing_is_known(tmp_path: Path) -> None:
    assert agent_kinds_in(tmp_path / "agents") == {}
    (tmp_path / "aider.yaml").write_text("programs: [aider]\n", encoding="utf-8")
    (tmp_path / ".aider.yaml.swp").write_text("\0", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("{", encoding="utf-8")
    assert agent_kinds_in(tmp_path) == {"aider": AgentKind("aider", programs=("aider",))}


def test_two_files_that_say_the_same_are_two_kinds(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text("ticks: true\n", encoding="utf-8")
    assert [kind.name for kind in agent_kinds_in(tmp_path).values()] == ["one", "two"]


def test_the_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("tick: true\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("programs: claude\n", encoding="utf-8")
    with pytest.raises(SpecError) as refused:
        agent_kinds_in(tmp_path)
    assert [line.split(": ")[0] for line in str(refused.value).splitlines()] == [
        f"{tmp_path}/a.yaml:1",
        f"{tmp_path}/b.yaml:1",
    ]


def test_every_mistake_is_told_with_its_line() -> None:
    assert refusals((HERE / "refused.yaml").read_text(encoding="utf-8")) == [
        *(HERE / "refused.txt").read_text(encoding="utf-8").splitlines()
    ]


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+b",
        r"(a*)*b",
        r"(?:a|a)*b",
        r"(?:\w+\s?)+x",
        r"(?P<n>x+|y){5,}z",
        r".*a.*b.*c.*d",
        r"(?:a{1,100}){1,100}b",
        r"((?:ab?)+)+",
        "a" * 3000,
    ],
)
def test_what_could_take_for_ever_is_refused(pattern: str) -> None:
    assert costly(pattern)


@pytest.mark.parametrize(
    "pattern",
    [r"^a{0,80}b", r"(?:[\w-]{1,20} ){0,4}limit", r"\(a\+\)+", r"[(a+)+]+", r"(?:ab)+c", r"a+b+c+", r"^x(?!y.{0,20}z)"],
)
def test_what_cannot_is_not(pattern: str) -> None:
    assert costly(pattern) is None


HOSTILE = ("a", " ", "(", "✻ a… (", "You've hit your a a a a ", "API Error: ", "· ", "1", "a-", "\t", "…", "• a(1s")


@pytest.mark.parametrize("kind", ["claude", "codex"])
def test_no_text_makes_a_pattern_slow(kind: str) -> None:
    for pattern in agent_kinds_in(FOLDER)[kind].patterns:
        form = re.compile(pattern.text)
        for unit in HOSTILE:
            text = (unit * 20_000)[:20_000]
            # Twice as long may take twice as long, and not four times; what is quick in any case is not compared.
            if (long := _seconds(form, text)) >= 0.05:
                short = min(_seconds(form, text[:10_000]) for _ in range(3))
                long = min(long, *(_seconds(form, text) for _ in range(2)))
                assert long < 0.05 or long < 3 * short, (pattern.text, unit, short, long)


def _seconds(form: re.Pattern[str], text: str) -> float:
    begun = time.process_time()
    form.search(text)
    return time.process_time() - begun


@pytest.mark.parametrize("unit", HOSTILE)
def test_no_screen_is_slow_to_read(unit: str) -> None:
    kind = agent_kinds_in(FOLDER)["claude"]
    read_screen(kind, ["warm"], shown_at=0.0)
    begun = time.process_time()
    read_screen(kind, [(unit * 20_000)[:20_000]] * 60, shown_at=0.0)
    assert time.process_time() - begun < 0.5


def test_a_pane_s_kind_is_what_its_spec_says_or_its_program() -> None:
    kinds = agent_kinds_in(FOLDER)
    assert kind_of(spec.Pane("p", (spec.Command("codex"),)), kinds) == kinds["codex"]
    assert kind_of(spec.Pane("p", (spec.Command("node ~/bin/claude --model x"),)), kinds) == kinds["claude"]
    assert kind_of(spec.Pane("p", (spec.Command("codex"),), agent=spec.Agent(kind="claude")), kinds) == kinds["claude"]
    assert kind_of(spec.Pane("p", (spec.Command("codex"),), agent=spec.Agent(kind="aider")), kinds) is None
    assert kind_of(spec.Pane("p", (spec.Command("vim"),)), kinds) is None


OWN = r"""
    programs: [aider]
    input_line: '^aider> '
    quoted_line: '^\| '
    patterns:
      - {sign: working, text: '^Waiting for \S+', confidence: 0.9}
      - {sign: limited, text: '^Rate limited until (?P<when>.+)', until: when}
      - {sign: permission, where: dialog, text: '^Run shell command\? \(Y\)es/\(N\)o'}
      - {sign: overloaded, text: '^retry', with_text: 'litellm', confidence: 0.8}
"""


@pytest.mark.parametrize(
    ("screen", "condition"),
    [
        ("Waiting for gpt-5", "working"),
        ("| Waiting for gpt-5\naider> ", "idle"),
        ("Rate limited until 2026-09-21T20:00:00Z\naider> ", "limited"),
        ("Run shell command? (Y)es/(N)o [Yes]:", "permission"),
        ("litellm.APIError\nretry in a moment", "overloaded"),
        ("retry in a moment", "unknown"),
        ("aider> Waiting for gpt-5", "idle"),
    ],
)
def test_a_kind_of_one_s_own(screen: str, condition: str) -> None:
    reading = read_screen(read(OWN), screen.split("\n"), shown_at=1_790_000_000.0)
    assert reading.condition == condition
    assert condition != "limited" or reading.until == 1_790_020_800.0


def test_a_pattern_says_what_it_was_given() -> None:
    assert read(OWN).patterns[1] == Pattern("limited", "^Rate limited until (?P<when>.+)", until="when")


def test_the_example_of_the_docs_is_right_and_every_key_stands_there() -> None:
    page = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    reading = read_screen(read(example), ["Rate limited until 8pm (UTC)", "> "], shown_at=1_790_000_000.0)
    assert (reading.condition, reading.until) == ("limited", 1_790_020_800.0)
    for key in (*KindModel.model_fields, *PatternModel.model_fields, *SIGNS):
        assert f"`{key}`" in page, key
