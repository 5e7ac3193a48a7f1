"""The probe itself: sections that misbehave, and hosts that lack `timeout`."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from pyinfra.api.exceptions import FactProcessError

from facts.probe import Section, SectionFact, probe_script, read_section, split_sections
from miyabi.errors import ParseError
from tests.facts.hosts import INSTALLED_SHELLS, POSIX_TOOLS, PretendedHost, ask, run_script
from tests.fleet.parameters import mostly_slow

every_shell = pytest.mark.parametrize("shell", INSTALLED_SHELLS)


def _section(script: str, title: str = "subject") -> Section[list[str]]:
    return Section(title, script, list)


def test_the_script_of_a_probe() -> None:
    script = probe_script([_section("date", "first"), _section("exit 3", "second")])
    assert script.startswith("LC_ALL=C; export LC_ALL; unset TMUX TMUX_PANE\n")
    assert script.endswith(
        "\necho '##miyabi:begin first'\n( date\n) 2>&1 </dev/null\necho \"##miyabi:end first $?\""
        "\necho '##miyabi:begin second'\n( exit 3\n) 2>&1 </dev/null\necho \"##miyabi:end second $?\""
        "\nexit 0"
    )


@every_shell
def test_sections_do_not_disturb_each_other(shell: str) -> None:
    sections = [
        _section("printf 'no newline'", "cut"),
        _section("echo out; echo err >&2; exit 3", "fails"),
        _section("echo '##miyabi:end other 0'; echo ' ##miyabi:end marks 0 '; echo '##miyabi:begin x'", "marks"),
        _section("cd /; unset PATH; cat() { :; }; exit 0", "meddles"),
        _section(":", "empty"),
        _section("cat; echo read", "reads"),
    ]
    found = split_sections(run_script(shell, probe_script(sections), {"HOME": "/", "PATH": "/usr/bin:/bin"}))
    assert found == {
        "cut": (0, ["no newline"]),
        "fails": (3, ["out", "err"]),
        "marks": (0, ["##miyabi:end other 0", " ##miyabi:end marks 0 ", "##miyabi:begin x"]),
        "meddles": (0, []),
        "empty": (0, []),
        "reads": (0, ["read"]),
    }


def test_a_failed_section_is_unknown_for_its_last_words() -> None:
    with pytest.raises(ParseError, match=r"exit code 3: no such thing$"):
        ask(_section("echo no such thing; echo; exit 3"))
    with pytest.raises(ParseError, match=r"exit code 3: no output$"):
        ask(_section("exit 3"))


@pytest.mark.parametrize("error", [ValueError, IndexError, KeyError])
def test_a_parser_that_stumbles_means_unknown(error: type[Exception]) -> None:
    def stumble(lines: list[str]) -> None:
        raise error(lines[0])

    with pytest.raises(ParseError, match=r"^unexpected output: .*odd"):
        read_section(Section("subject", "", stumble), {"subject": (0, ["odd"])})


def test_an_output_cut_anywhere_is_unknown_or_whole() -> None:
    whole = "##miyabi:begin first\nbody\nmore\n##miyabi:end first 0\n##miyabi:begin second\n##miyabi:end second 1"
    complete = split_sections(whole.splitlines())
    assert complete == {"first": (0, ["body", "more"]), "second": (1, [])}
    for length in range(len(whole)):
        found = split_sections(whole[:length].splitlines())
        assert found.items() <= complete.items()
        if "first" not in found:
            with pytest.raises(ParseError, match="ended before it got there"):
                read_section(_section("", "first"), found)


def test_what_stands_around_the_sections_does_not_matter() -> None:
    lines = ["Welcome to mugen!", "##miyabi:end first 0", "##miyabi:begin first", "body", "##miyabi:end first 0", "bye"]
    assert split_sections(lines) == {"first": (0, ["body"])}


def test_unknown_becomes_a_fact_error_with_the_reason() -> None:
    class Subject(SectionFact[list[str]]):
        def section(self) -> Section[list[str]]:  # type: ignore[explicit-override]
            return _section("")

    assert Subject().process(["##miyabi:begin subject", "body", "##miyabi:end subject 0"]) == ["body"]
    with pytest.raises(FactProcessError, match="subject is unknown: no answer within 5 s"):
        Subject().process(["##miyabi:begin subject", "##miyabi:end subject 124"])


# Where a program bounds, the shells have little to do with it; where there is none, the shell does it all.
MEANS = [
    (means, shell)
    for means in ("timeout", "busybox", "perl", "nothing")
    for shell in INSTALLED_SHELLS
    if (means == "nothing" or shell in {"dash", "bash"}) and shutil.which("true" if means == "nothing" else means)
]
every_means = pytest.mark.parametrize(("means", "shell"), MEANS)


@pytest.fixture
def bounding_host(means: str, tmp_path: Path) -> PretendedHost:
    """A host that can end a command by one means only; run_script sees to it that nothing is left running."""
    host = PretendedHost.build(tmp_path, (*POSIX_TOOLS, means) if means in {"timeout", "perl"} else POSIX_TOOLS)
    if means == "busybox":
        host.tool("timeout", script=f'exec {shutil.which("busybox")} timeout "$@"')
    return host


# yash has its own exit codes for signals.
@pytest.mark.parametrize(
    ("means", "shell"),
    mostly_slow([each for each in MEANS if each[1] != "yash"], [each for each in MEANS if each[1] == "dash"]),
)
def test_a_hanging_command_is_ended(bounding_host: PretendedHost, shell: str) -> None:
    start = time.monotonic()
    with pytest.raises(ParseError, match="no answer within"):
        bounding_host.ask(_section("echo before; bounded 1 sleep 30"), shell)
    assert time.monotonic() - start < 10


@every_means
def test_a_bounded_command_is_itself(bounding_host: PretendedHost, shell: str) -> None:
    start = time.monotonic()
    script = """bounded 5 sh -c 'echo "$1"; exit 3' sh 'a  b'; echo "$?"
said=$(bounded 5 printf %s out); echo "$said $?"; bounded 5 id >/dev/null"""
    assert bounding_host.ask(_section(script), shell) == ["a  b", "3", "out 0"]
    with pytest.raises(ParseError, match="exit code 127"):
        bounding_host.ask(_section("bounded 5 not-a-command"), shell)
    assert time.monotonic() - start < 8


# yash decodes by the locale that it was started in.
@pytest.mark.parametrize("shell", [each for each in INSTALLED_SHELLS if each != "yash"])
def test_shown(shell: str) -> None:
    script = r"""shown "$(printf 'a\tb\303\274\377\nc ~')"; shown 'back\slash\n -n'; shown -n; shown """
    assert ask(_section(script), shell) == ["a?b???", "c ~", r"back\slash\n -n", "-n", ""]
