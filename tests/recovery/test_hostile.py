"""Any text in a spec arrives as it was written, or it is refused with its line; none is ever executed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from miyabi.errors import SpecError
from miyabi.spec_file import load_spec
from tests.fleet.machine import Machine
from tests.fleet.parameters import mostly_slow
from tests.fleet.tmux import TmuxServer
from tests.fleet.waiting import wait_until
from tests.recovery.operating import named_panes
from tests.recovery.playbook import recover, write_spec

TEXTS = [
    "it's", 'say "x"', "$(touch pwned)", "`touch pwned`", "'$(touch pwned)'", '"; touch pwned; "', "'; touch pwned; '",
    "a; touch pwned", "&& touch pwned", "| touch pwned", "> pwned", ";", "a;", "a\\;", "\\", "a\\", "\\$(touch pwned)",
    "#{pid}", "#(touch pwned)", "##", "#S", "#{q:pid}", "#[fg=red]", "###[x]#", "#", "%1", "%%", "%H:%M", "@1", "$1",
    "=s", "{marked}", "one\ntwo", "tab\there", "\x1b[A", "日本 é 🌸", "-x", "--", "-", "~", "~root", "$HOME",
    "${HOME}/x", "$NO_SUCH", "*", "?", "[a]", "{a,b}", "a|b", "!x", "a=b", "a.b", "a:b", " lead", "trail ", "x" * 150,
    "Enter", "C-c", "yes no",
]  # fmt: skip


def accepted(machine: Machine, build: Callable[[str], dict[str, Any]], texts: list[str] = TEXTS) -> list[str]:
    """The texts that a spec may have where ``build`` puts them; each other one is refused with its line."""
    good = []
    for text in texts:
        path = write_spec(machine.root, build(text))
        try:
            load_spec(path, base_directory=str(machine.root))
        except SpecError as error:
            refused = str(error)
        else:
            good.append(text)
            continue
        assert re.match(rf"{re.escape(str(path))}:\d+: .+: found .+; ", refused), refused
    return good


def converged(machine: Machine, spec: dict[str, Any]) -> None:
    """Build what ``spec`` says; a second run finds nothing to do, and nothing was executed."""
    path = write_spec(machine.root, spec)
    first = recover(machine, path)
    assert not first.failed, first
    second = recover(machine, path)
    assert (second.failed, second.commands) == (False, [])
    not_executed(machine)


def not_executed(machine: Machine) -> None:
    assert not [path for path in machine.root.rglob("*") if path.name == "pwned"]


def expanded(machine: Machine, text: str) -> str:
    """What the host makes of a value: a leading ~ and $NAME are its own."""
    text = re.sub(r"^~(?=/|$)", lambda _: str(machine.home), text)
    return text.replace("${HOME}", str(machine.home)).replace("$HOME", str(machine.home))


def session(**more: Any) -> dict[str, Any]:
    return {"session_name": "s", "windows": [{"panes": [None]}], **more}


def window(**more: Any) -> dict[str, Any]:
    return session(windows=[{"window_name": "w", "panes": [None], **more}])


def lines(tmux: TmuxServer, *command: str) -> list[str]:
    return tmux.run(*command).splitlines()


def program(path: Path) -> str:
    """A program that writes each of its arguments into a file of its own, and the path to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('#!/bin/sh\nn=0\nfor each in "$@"; do printf %s "$each" >"$HOME/argument-$n"; n=$((n + 1)); done\n')
    path.chmod(0o755)
    return str(path)


def arguments(machine: Machine, count: int) -> list[str]:
    """What such a program was given."""
    wait_until((machine.home / f"argument-{count - 1}").exists)
    return [(machine.home / f"argument-{number}").read_text(encoding="utf-8") for number in range(count)]


def test_session_names(machine: Machine, tmux_server: TmuxServer) -> None:
    names = accepted(machine, lambda text: session(session_name=text))
    assert {"it's", "`touch pwned`", ";", "a;", "日本 é 🌸", "*"} <= set(names)
    assert not {"a.b", "a:b", "\\", "#{pid}", "#(touch pwned)", "$HOME", "-x", "=s", "one\ntwo", " lead"} & set(names)
    converged(machine, {"sessions": [session(session_name=name) for name in names]})
    assert sorted(each.session_name or "" for each in tmux_server.libtmux.sessions) == sorted(names)


def test_window_names(machine: Machine, tmux_server: TmuxServer) -> None:
    names = accepted(machine, lambda text: window(window_name=text))
    assert {"it's", "$(touch pwned)", "a;", "-x", "\\", "%1", "a.b", "a:b", "{marked}"} <= set(names)
    assert not {"#{pid}", "#(touch pwned)", "##", "#S", "$HOME", "one\ntwo", "\x1b[A"} & set(names)
    converged(machine, session(windows=[{"window_name": name, "panes": [None]} for name in names]))
    assert [each.window_name for each in tmux_server.libtmux.windows] == names
    # They are found again, too, when they have to be made again.
    for window_id in lines(tmux_server, "list-windows", "-a", "-F", "#{window_id}")[1::2]:
        tmux_server.run("kill-window", "-t", window_id)
    converged(machine, session(windows=[{"window_name": name, "panes": [None]} for name in names]))
    assert sorted(each.window_name or "" for each in tmux_server.libtmux.windows) == sorted(names)


def test_pane_names(machine: Machine, tmux_server: TmuxServer) -> None:
    names = accepted(machine, lambda text: window(panes=[{"name": text}]))
    assert {"#{pid}", "#(touch pwned)", "$HOME", "a;", "-x", "%1", "a.b"} <= set(names)
    converged(machine, session(windows=[{"panes": [{"name": name}]} for name in names]))
    assert sorted(named_panes(tmux_server)) == sorted(names)


def test_typed_commands(machine: Machine, tmux_server: TmuxServer) -> None:
    commands = accepted(machine, lambda text: window(panes=[[text]]))
    assert {text for text in TEXTS if "\x1b" not in text} == set(commands)
    windows = [
        {"suppress_history": False, "panes": [{"shell": f"cat >{number}.txt", "shell_command": [command]}]}
        for number, command in enumerate(commands)
    ]
    converged(machine, session(windows=windows))
    for number, command in enumerate(commands):
        _is_written(machine.home / f"{number}.txt", f"{command}\n")
    not_executed(machine)


def _is_written(path: Path, text: str) -> None:
    found = ""

    def same() -> bool:
        nonlocal found
        found = path.read_text(encoding="utf-8") if path.exists() else "no file"
        return found == text

    wait_until(same, what=f"{path.name} holds {text!r}, not {found!r}")


def test_supervised_commands(machine: Machine, tmux_server: TmuxServer) -> None:
    def pane(text: str, number: int = 0) -> dict[str, Any]:
        # Shell text is executed on purpose: that it arrives unchanged shows in what it quotes.
        command = f"printf %s {shlex.quote(text)} >{number}.txt; exec sleep 1000"
        return {"panes": [{"shell_command": command, "restart": "always"}]}

    texts = accepted(machine, lambda text: session(windows=[pane(text)]))
    assert {text for text in TEXTS if "\x1b" not in text} == set(texts)
    converged(machine, session(windows=[pane(text, number) for number, text in enumerate(texts)]))
    for number, text in enumerate(texts):
        _is_written(machine.home / f"{number}.txt", text)
    not_executed(machine)


@pytest.mark.parametrize("scope", ["window", "pane"])
def test_directories(machine: Machine, tmux_server: TmuxServer, scope: str) -> None:
    def in_window(directory: str) -> dict[str, Any]:
        if scope == "window":
            return {"start_directory": directory, "panes": [None]}
        return {"panes": [{"start_directory": directory}]}

    # A file system knows these, tmux's list of windows would not tell them apart.
    texts = accepted(machine, lambda text: session(windows=[in_window(f"{machine.home}/d/{text}")]))
    assert {"#{pid}", "#(touch pwned)", "$(touch pwned)", "it's", "a;", "-x", "\\", "~", "%1"} <= set(texts)
    directories = [f"{machine.home}/d/{text}" for text in texts]
    for directory in directories:
        Path(expanded(machine, directory)).mkdir(parents=True)
    # Without a folder in front: from where the spec is.
    (machine.root / "-x").mkdir()
    (machine.root / "#(touch pwned)").mkdir()
    directories += ["-x", "#(touch pwned)", "~", "$HOME"]
    expected = [expanded(machine, each) for each in directories]
    expected[-4:-2] = [str(machine.root / "-x"), str(machine.root / "#(touch pwned)")]
    converged(machine, session(windows=[in_window(directory) for directory in directories]))
    found = [str(each.pane_current_path) for each in tmux_server.libtmux.panes]
    assert found == [str(Path(each)) for each in expected]


def test_the_directory_of_a_session(machine: Machine, tmux_server: TmuxServer) -> None:
    folder = machine.home / 'it\'s $(touch pwned) `touch pwned` #{pid} #(touch pwned) "x"; 日本;'
    folder.mkdir()
    program(folder / "prepare it")
    converged(machine, session(start_directory=str(folder), before_script="'./prepare it' ok"))
    assert arguments(machine, 1) == ["ok"]
    [pane] = tmux_server.libtmux.panes
    assert pane.pane_current_path == str(folder)


def test_environments(machine: Machine, tmux_server: TmuxServer) -> None:
    values = accepted(machine, lambda text: session(environment={"V": text}))
    assert {text for text in TEXTS if text.isprintable()} <= set(values)
    assert values == accepted(machine, lambda text: window(panes=[{"environment": {"V": text}}]))
    named = {f"V{number}": value for number, value in enumerate(values)}
    pane = {"environment": {f"P{name}": value for name, value in named.items()}}
    command = "env -0 >environment.tmp; mv environment.tmp environment"
    converged(machine, window(panes=[{**pane, "shell_command": command}]) | {"environment": named})
    wait_until((machine.home / "environment").exists)
    found = dict(each.split("=", 1) for each in (machine.home / "environment").read_text().split("\0") if each)
    expected = {name: expanded(machine, value) for name, value in named.items()}
    assert {name: found.get(name) for name in named} == expected
    assert {name: found.get(f"P{name}") for name in named} == expected


@pytest.mark.parametrize("kind", ["session", "global", "window", "after"])
def test_options(machine: Machine, tmux_server: TmuxServer, kind: str) -> None:
    def with_options(options: dict[str, str]) -> dict[str, Any]:
        keys = {"session": "options", "global": "global_options", "window": "options", "after": "options_after"}
        return (session if kind in {"session", "global"} else window)(**{keys[kind]: options})

    values = accepted(machine, lambda text: with_options({"@o": text}))
    assert {text for text in TEXTS if text.isprintable()} <= set(values)
    converged(machine, with_options({f"@o{number}": value for number, value in enumerate(values)}))
    scope = {"session": ["-t", "=s:"], "global": ["-g"], "window": ["-w", "-t", "=s:"], "after": ["-w", "-t", "=s:"]}
    found = [
        tmux_server.run("show-options", "-v", *scope[kind], f"@o{number}").removesuffix("\n")
        for number in range(len(values))
    ]
    assert found == [expanded(machine, value) for value in values]


def _words(machine: Machine, texts: list[str]) -> tuple[str, list[str]]:
    """A command line of a program with ``texts`` as its arguments, and what that should be given."""
    path = program(machine.home / "bin" / "write them")
    return shlex.join([path, *texts]), [expanded(machine, text) for text in texts]


def test_arguments_of_scripts(machine: Machine, tmux_server: TmuxServer) -> None:
    texts = accepted(machine, lambda text: session(before_script=shlex.join(["./x", text])))
    assert {text for text in TEXTS if text.isprintable()} <= set(texts)
    command, expected = _words(machine, texts)
    converged(machine, session(before_script=command))
    assert arguments(machine, len(texts)) == expected


def test_arguments_of_the_setup_script(machine: Machine, tmux_server: TmuxServer) -> None:
    def with_script(script: str) -> dict[str, Any]:
        return session() | {"recovery": {"setup_script": script}}

    texts = accepted(machine, lambda text: with_script(shlex.join(["./x", text])))
    assert {text for text in TEXTS if text.isprintable()} <= set(texts)
    command, expected = _words(machine, texts)
    converged(machine, with_script(command))
    assert arguments(machine, len(texts)) == expected


@pytest.mark.parametrize("script", ["before", "setup"])
@pytest.mark.parametrize(
    "name",
    mostly_slow(
        ["it's", "$(touch pwned)", "a; touch pwned;", "-x", "#(touch pwned)", "~", "日本 `touch pwned`", "\\"],
        ("$(touch pwned)", "-x", "日本 `touch pwned`"),
    ),
)
def test_paths_of_scripts(machine: Machine, tmux_server: TmuxServer, name: str, script: str) -> None:
    command = f"{shlex.quote(program(machine.home / 'bin' / name))} ok"
    converged(
        machine,
        session(before_script=command) if script == "before" else session() | {"recovery": {"setup_script": command}},
    )
    assert arguments(machine, 1) == ["ok"]


def test_lines_for_the_guardian(machine: Machine, tmux_server: TmuxServer) -> None:
    names = accepted(machine, lambda text: window(window_name=text))
    guardian = "'$(touch pwned)' #(touch pwned);"
    first = {"window_name": "first", "panes": [{"name": guardian, "shell": "cat >guardian.txt"}]}
    windows = [first, *({"window_name": name, "panes": [None]} for name in names)]
    spec = {**session(windows=windows), "recovery": {"guardian": guardian}}
    converged(machine, spec)
    for pane, _ in list(named_panes(tmux_server).values())[1:]:
        tmux_server.run("kill-window", "-t", pane)
    converged(machine, spec)
    said = machine.home / "guardian.txt"
    wait_until(lambda: "COMPLETE" in said.read_text(encoding="utf-8"))
    targets = ", ".join(f"s:{name}" for name in names)
    assert f"[RECOVERY] L2_SESSION: Rebuilding window - {targets}\n" in said.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["it's", "$(touch pwned)", "`touch pwned`", "a; touch pwned;", "-x", "#{pid}", "日本", "a b", "\\", "~"]
)
def test_socket_names(machine: Machine, name: str) -> None:
    spec = session() | {"tmux": {"socket_name": name}}
    assert accepted(machine, lambda text: session() | {"tmux": {"socket_name": text}}, [name, "a/b", ".."])[:1] == [
        name
    ]
    converged(machine, spec)
    [folder] = (machine.root / "tmux").iterdir()
    assert [path.name for path in folder.iterdir()] == [name]


def test_the_path_of_a_configuration(machine: Machine, tmux_server: TmuxServer) -> None:
    path = machine.home / "it's $(touch pwned) #(touch pwned);.conf"
    path.write_text("set -g @read yes\n")
    converged(machine, session() | {"tmux": {"config_file": str(path)}})
    assert tmux_server.run("show-options", "-gv", "@read") == "yes"


def _everywhere(name: str) -> Iterator[dict[str, Any]]:
    yield session(environment={name: "x"})
    yield window(environment={name: "x"})
    yield window(panes=[{"environment": {name: "x"}}])


@pytest.mark.parametrize("name", ["A;B", "A B", "-g", "$(touch pwned)", "A=B", "A\nB", "1A", "é", ""])
def test_hostile_names_of_variables_are_refused(machine: Machine, name: str) -> None:
    assert [spec for spec in _everywhere(name) if accepted(machine, lambda _, spec=spec: spec, [""])] == []  # type: ignore[misc]


@pytest.mark.parametrize("name", ["-g", "a b", "a;b", "$(touch pwned)", "@a b", "#{pid}", "@", "", "status;x"])
def test_hostile_names_of_options_are_refused(machine: Machine, name: str) -> None:
    for key in ("options", "global_options"):
        assert not accepted(machine, lambda _, key=key: session(**{key: {name: "x"}}), [""])  # type: ignore[misc]
    for key in ("options", "options_after"):
        assert not accepted(machine, lambda _, key=key: window(**{key: {name: "x"}}), [""])  # type: ignore[misc]


def test_a_spec_of_tags_and_anchors_runs_nothing(machine: Machine) -> None:
    path = machine.root / "spec.yaml"
    path.write_text("session_name: !!python/object/apply:os.system [touch pwned]\nwindows: [{panes: [null]}]\n")
    with pytest.raises(SpecError, match=r"spec\.yaml:1"):
        load_spec(path, base_directory="/")
    run = recover(machine, path)
    assert (run.failed, run.commands) == (True, [])
    not_executed(machine)
