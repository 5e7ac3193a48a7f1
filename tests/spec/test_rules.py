"""Every rule of a spec, with the exact line, place and words of its refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from miyabi.errors import SpecError
from miyabi.spec_file import parse_spec
from tests.spec.reading import pane, problems, spec

REFUSED = Path(__file__).parent / "refused"
LAYOUTS = (
    "even-horizontal, even-vertical, main-horizontal, main-vertical, tiled, main-horizontal-mirrored, "
    "main-vertical-mirrored, even, main, auto, or a layout string of tmux"
)
UNADDRESSED = "a name without . : and \\, which tmux rewrites or cannot address"
QUOTE = "text; YAML reads this word as a boolean: put it in quotes"
FORM = "a mapping with sessions, or a tmuxp workspace with session_name and windows"


@pytest.mark.parametrize("file", sorted(REFUSED.glob("*.yaml")), ids=lambda file: file.stem)
def test_refused_files(file: Path) -> None:
    """Every line of the text beside a refused file is what is said of it, in this order."""
    with pytest.raises(SpecError) as refused:
        parse_spec(file.name, file.read_bytes(), base_directory="~")
    assert str(refused.value).splitlines() == file.with_suffix(".txt").read_text(encoding="utf-8").splitlines()


def session(name: str) -> list[str]:
    return problems(f"session_name: {name}\nwindows: [{{}}]")


@pytest.mark.parametrize(
    ("name", "found", "allowed"),
    [
        ("a.b", "'a.b'", UNADDRESSED),
        ("'a:b'", "'a:b'", UNADDRESSED),
        ("'a\\b'", r"'a\\b'", UNADDRESSED),
        ("''", "an empty name", UNADDRESSED),
        ("$1", "'$1'", "a name that does not begin with $, which tmux takes for something else"),
        ("=x", "'=x'", "a name that does not begin with =, which tmux takes for something else"),
        ("'@1'", "'@1'", "a name that does not begin with @, which tmux takes for something else"),
        ("'%1'", "'%1'", "a name that does not begin with %, which tmux takes for something else"),
        ("-x", "'-x'", "a name that does not begin with -, which tmux takes for something else"),
        ("' a'", "' a'", "a name without spaces at its ends"),
        ("a#{pid}", "'a#{pid}'", "a name without #{, which tmux replaces"),
        ("a#(id)", "'a#(id)'", "a name without #(, which tmux replaces"),
        ("a#S", "'a#S'", "a name without #S, which tmux replaces"),
        ("a##b", "'a##b'", "a name without ##, which tmux replaces"),
        ("me-$USER", "'me-$USER'", "a name without variables: they are not expanded in names; write it out"),
        ('"a\\nb"', "the character U+000A", "text without control characters"),
        ('"a\\x7fb"', "the character U+007F", "text without control characters"),
        ('"a\\x9bb"', "the character U+009B", "text without control characters"),
        ("yes", "the boolean yes", QUOTE),
        ("[a]", "a list", "text"),
        ("~", "nothing", "text"),
    ],
)
def test_session_names(name: str, found: str, allowed: str) -> None:
    assert session(name) == [f"1: session_name: found {found}; allowed: {allowed}"]


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("1", "1"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("'yes'", "yes"),
        ("C#", "C#"),
        ("a#1", "a#1"),
        ("日本", "日本"),
        ("a b", "a b"),
        ("'{x}'", "{x}"),
        ("cost$5", "cost$5"),
    ],
)
def test_session_names_that_tmux_keeps(name: str, read: str) -> None:
    assert spec(f"session_name: {name}\nwindows: [{{}}]").sessions[0].session_name == read


@pytest.mark.parametrize(
    ("name", "found", "allowed"),
    [
        ("'#(id)'", "'#(id)'", "a name without #(, which tmux replaces"),
        ("$HOME", "'$HOME'", "a name without variables: they are not expanded in names; write it out"),
        ("${HOME}", "'${HOME}'", "a name without variables: they are not expanded in names; write it out"),
        ('"a\\tb"', "the character U+0009", "text without control characters"),
        ("on", "the boolean on", QUOTE),
    ],
)
def test_window_names(name: str, found: str, allowed: str) -> None:
    refused = problems(f"session_name: s\nwindows:\n  - window_name: {name}")
    assert refused == [f"3: windows[0].window_name: found {found}; allowed: {allowed}"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("'a:b'", "'a:b'"),
        ("''", "an empty name"),
        ("'  '", "an empty name"),
        ("' a'", "' a'"),
        ('"a\\u2028b"', "'a\\u2028b'"),
    ],
)
def test_pane_names(name: str, found: str) -> None:
    allowed = "a printable name without : (names with one are made for panes without a name)"
    refused = problems(f"session_name: s\nwindows:\n  - panes:\n      - name: {name}")
    assert refused == [f"4: windows[0].panes[0].name: found {found}; allowed: {allowed}"]


def test_names_that_repeat_as_number_and_text() -> None:
    refused = problems("sessions:\n- {session_name: 1, windows: [{}]}\n- {session_name: '1', windows: [{}]}")
    assert refused == ["3: sessions[1].session_name: found '1' again (first at line 2); allowed: each session once"]


def test_window_indexes_of_two_sessions_may_be_the_same() -> None:
    text = "sessions: [{session_name: a, windows: [window_index: 1]}, {session_name: b, windows: [window_index: 1]}]"
    assert [s.windows[0].window_index for s in spec(text).sessions] == [1, 1]


@pytest.mark.parametrize(
    ("layout", "allowed"),
    [
        ("middle", LAYOUTS),
        ("Tiled", f"{LAYOUTS}; did you mean tiled?"),
        ("main-vert", f"{LAYOUTS}; did you mean main-vertical?"),
        ("''", LAYOUTS),
        (
            "bb63,159x48,0,0{79x48,0,0,79x48,80,0}",
            "a layout string as tmux list-windows prints it: its checksum or its form is wrong",
        ),
    ],
)
def test_layouts_that_crash_or_fail(layout: str, allowed: str) -> None:
    (refused,) = problems(f"session_name: s\nwindows:\n- layout: {layout}")
    found = layout if layout.startswith("'") else f"'{layout}'"
    assert refused == f"3: windows[0].layout: found {found}; allowed: {allowed}"


@pytest.mark.parametrize("command", ['"a\\0b"', '"a\\x1b[A"', '"\\x03"', '[ls, "a\\rb"]', '{cmd: "a\\x7fb"}'])
def test_commands_with_control_characters(command: str) -> None:
    value = f"[{command}]" if command.startswith("{") else command
    (refused,) = problems(f"session_name: s\nwindows: [{{panes: [{{shell_command: {value}}}]}}]")
    assert refused.startswith("2: windows[0].panes[0].shell_command")
    assert refused.endswith("allowed: text without control characters but tab and newline")


def test_commands_may_hold_tab_and_newline() -> None:
    assert pane(r'{shell_command: "cat <<E\n\tx\nE"}').commands[0].text == "cat <<E\n\tx\nE"


def test_lone_surrogates_are_refused() -> None:
    (refused,) = problems('session_name: s\nwindows: [{panes: ["\\ud800"]}]')
    assert refused.startswith("2: found YAML that cannot be read")


@pytest.mark.parametrize("limits", ["{disk: {warning: 90%, critical: 90%}}", "{memory_available: {warning: 10}}"])
def test_thresholds_may_be_equal(limits: str) -> None:
    found = spec(f"limits: {limits}").limits
    assert found is not None
    assert found.disk.warning <= found.disk.critical
    assert found.memory_available.warning >= found.memory_available.critical


GUARDIAN = """\
session_name: s
windows:
  - window_name: main
    panes: [{name: conductor}, vim]
  - {}
recovery:
  guardian: GUARDIAN
"""


@pytest.mark.parametrize("name", ["conductor", "'s:main.2'", "'s:window-2.1'"])
def test_guardians(name: str) -> None:
    assert spec(GUARDIAN.replace("GUARDIAN", name)).recovery.guardian == name.strip("'")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("conducter", "; did you mean conductor?"), ("'s:main.1'", "; did you mean s:main.2?"), ("x", "")],
)
def test_guardians_that_are_no_panes(name: str, hint: str) -> None:
    found = f"found '{name.strip(chr(39))}', which no pane is called"
    refused = problems(GUARDIAN.replace("GUARDIAN", name))
    assert refused == [f"7: recovery.guardian: {found}; allowed: a pane's name{hint}"]


@pytest.mark.parametrize(
    ("windows", "found"),
    [
        ("windows: []", "found a list; allowed: at least 1"),
        ("windows:", "found nothing; allowed: a list"),
        ("windows: {}", "found a mapping; allowed: a list"),
        ("options: {}", "found no windows; allowed: windows: its windows, at least one"),
    ],
)
def test_a_session_without_windows(windows: str, found: str) -> None:
    line = 1 if windows.startswith("options") else 2
    assert problems(f"session_name: s\n{windows}") == [f"{line}: windows: {found}"]


@pytest.mark.parametrize("path", ["/tmp/claude-*", "~/tmp/*", "~/.cache/x", "$TMPDIR/claude-*", "/tmp/claude/*"])  # noqa: S108
def test_temporary_files_of_their_own(path: str) -> None:
    assert spec(f"temp: [{{path: '{path}'}}]").temp[0].path == path


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("", f"1: found an empty file; allowed: {FORM}"),
        ("# nothing\n", f"1: found an empty file; allowed: {FORM}"),
        ("---\n", f"1: found an empty file; allowed: {FORM}"),
        ("\n\n- a", f"3: found a list as the whole file; allowed: {FORM}"),
        ("hello", f"1: found 'hello' as the whole file; allowed: {FORM}"),
        ("yes", f"1: found the boolean yes as the whole file; allowed: {FORM}"),
    ],
)
def test_files_that_are_no_mapping(text: str, refused: str) -> None:
    assert problems(text) == [refused]


def test_numbers_keep_the_text_they_were_written_as() -> None:
    found = spec(
        "session_name: s\nenvironment: {A: 007, B: 1.50, C: 0x1F, D: 1_000, E: 12:30, F: 2024-01-01}\nwindows: [{}]"
    )
    assert dict(found.sessions[0].environment) == {
        "A": "007",
        "B": "1.50",
        "C": "0x1F",
        "D": "1_000",
        "E": "12:30",
        "F": "2024-01-01",
    }


def test_a_layout_string_may_have_more_cells_than_panes() -> None:
    text = "session_name: s\nwindows: [{layout: 'bb62,159x48,0,0{79x48,0,0,79x48,80,0}', panes: [a]}]"
    assert len(spec(text).sessions[0].windows[0].panes) == 1


def test_numbers_of_options_are_their_digits() -> None:
    found = spec("session_name: s\noptions: {a: 0x10, b: 1_000, c: 1.50, d: on, e: 'on', f: 007}\nwindows: [{}]")
    assert dict(found.sessions[0].options) == {"a": "16", "b": "1000", "c": "1.50", "d": "on", "e": "on", "f": "7"}
