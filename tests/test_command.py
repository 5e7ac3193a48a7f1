"""The commands exactly as the documents write them, and what they say to bad input."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.fleet.control import Fleet
from tests.fleet.parameters import mostly_slow

SMALL = {"sessions": [{"session_name": "small", "windows": [{"window_name": "one", "panes": [None]}]}]}


@pytest.fixture
def clone(ssh_fleet: Fleet) -> Path:
    """A copy of the playbook whose hosts have small specs."""
    copy = ssh_fleet.copy_repository()
    for name in ("control", "pixel", "mugen", "macbook"):
        (copy / "inventory" / "specs" / f"{name}.yaml").write_text(yaml.safe_dump(SMALL))
    return copy


@pytest.mark.parametrize("name", ["inventory", "inventory/"])
def test_pyinfra_inventory_names_the_folder(ssh_fleet: Fleet, clone: Path, name: str) -> None:
    ssh_fleet.add("mugen")
    done = ssh_fleet.pyinfra(name, "debug-inventory", cwd=clone)
    assert done.code == 0, done.output
    assert "[@local]" in done.output
    assert "[mugen]" in done.output
    assert "[pixel]" not in done.output
    assert done.output.count("pixel is left out") == 1


def test_a_new_clone_works_at_once_and_changes_nothing_the_second_time(ssh_fleet: Fleet, clone: Path) -> None:
    first = ssh_fleet.pyinfra("inventory", "deploys/recover.py", "-y", cwd=clone)
    assert first.code == 0, first.output
    assert "[@local] L3_FULL restored" in first.output
    for name in ("pixel", "mugen", "macbook"):
        assert re.search(
            rf"{name} is left out, .*to add it, put into ~/\.ssh/config: Host {name}, HostName", first.output
        )
    second = ssh_fleet.pyinfra("inventory", "deploys/recover.py", "-y", cwd=clone)
    assert second.code == 0, second.output
    assert second.output.count("No changes") == 5
    assert "Success" not in second.output.split("--> Results:")[0]


@pytest.mark.slow
def test_limits(ssh_fleet: Fleet, clone: Path) -> None:
    ssh_fleet.add("mugen")
    one = ssh_fleet.pyinfra("inventory", "deploys/recover.py", "-y", "--limit", "mugen", cwd=clone)
    assert one.code == 0, one.output
    assert re.search(r"\[mugen\] +L3_FULL restored", one.output)
    assert ssh_fleet.control_tmux.pid() is None
    absent = ssh_fleet.pyinfra("inventory", "deploys/recover.py", "-y", "--limit", "pixel", cwd=clone)
    assert absent.code == 0, absent.output
    assert "pixel is left out, ssh does not know it on this machine" in absent.output
    assert ssh_fleet.control_tmux.pid() is None
    wrong = ssh_fleet.pyinfra("inventory", "deploys/recover.py", "-y", "--limit", "mugne", cwd=clone)
    assert wrong.code == 1
    assert "--limit mugne: no such host or group in inventory/; there are control, pixel, mugen" in wrong.output
    assert "Traceback" not in wrong.output


def test_one_inventory_file_alone(ssh_fleet: Fleet, clone: Path) -> None:
    ssh_fleet.add("mugen")
    done = ssh_fleet.pyinfra("inventory/mugen.py", "deploys/recover.py", "-y", cwd=clone)
    assert done.code == 0, done.output
    assert "[mugen] L3_FULL restored" in done.output
    assert "left out" not in done.output


def test_the_prompt_shows_the_plan(ssh_fleet: Fleet, clone: Path) -> None:
    done = ssh_fleet.control.run("pyinfra", "inventory", "deploys/recover.py", cwd=clone, stdin="\n")
    assert done.code == 0, done.output
    plan, _, rest = done.output.partition("--> Detected changes:")
    assert "[@local] L3 Creating session small (no tmux server runs)" in plan
    assert "[@local] L3_FULL restored" in rest


def test_a_spec_by_path_and_a_plain_tmuxp_workspace(ssh_fleet: Fleet, clone: Path) -> None:
    path = ssh_fleet.control.home / "work space.yaml"
    path.write_text("session_name: plain\nwindows:\n  - window_name: one\n    panes: [echo hi]\n")
    done = ssh_fleet.pyinfra("@local", "deploys/recover.py", "-y", "--data", f"spec={path}", cwd=clone)
    assert done.code == 0, done.output
    assert ssh_fleet.control_tmux.run("list-windows", "-a", "-F", "#{session_name}:#{window_name}") == "plain:one"


# One alone, as one asks; and what else a host tells, in one go.
@pytest.mark.parametrize(
    "facts",
    [
        ("tmux.Sessions",),
        (
            *("tmux.Windows", "tmux.Panes", "tmux.Server", "sshd.Sshd", "disk.Disk", "memory.Memory", "load.Load"),
            *("boot.Boot", "network.Network", "processes.Processes", "host.HostState"),
        ),
    ],
)
def test_facts_ad_hoc(ssh_fleet: Fleet, clone: Path, facts: tuple[str, ...]) -> None:
    ssh_fleet.add("mugen")
    done = ssh_fleet.pyinfra("inventory", "fact", *(f"facts.{fact}" for fact in facts), cwd=clone)
    assert done.code == 0, done.output
    assert [f"Fact data for: facts.{fact}" in done.output for fact in facts] == [True] * len(facts)
    assert done.output.count('"mugen": ') == len(facts)
    assert '"mugen": null' not in done.output
    assert "Traceback" not in done.output


def _bad(folder: Path) -> dict[str, tuple[str, ...]]:
    """Bad specs by name: what --data spec= gets, and what the error must say."""
    unreadable = folder / "folder.yaml"
    unreadable.mkdir()
    invalid = folder / "invalid.yaml"
    invalid.write_text(
        "sessions:\n  - session_name: a.b\n    windows:\n      - window_name: w\n        panes:\n"
        "          - {name: x, shell_command: ls}\n          - {name: x, shell_command: ls}\n        layot: tiled\n"
    )
    return {
        "missing": ("nosuch", "nosuch"),
        "missing file": (str(folder / "nosuch.yaml"), "nosuch.yaml"),
        "a folder": (str(unreadable), "folder.yaml"),
        # A dot, a name twice, an unknown key.
        "mistakes": (str(invalid), "invalid.yaml:2", "invalid.yaml:7", "invalid.yaml:8"),
    }


@pytest.mark.parametrize("case", ["missing", "missing file", "a folder", "mistakes"])
def test_a_bad_spec_is_refused_before_any_host_is_touched(ssh_fleet: Fleet, clone: Path, case: str) -> None:
    given, *said = _bad(ssh_fleet.control.home)[case]
    done = ssh_fleet.pyinfra("@local", "deploys/recover.py", "-y", "--data", f"spec={given}", cwd=clone)
    assert done.code == 1, done.output
    assert [words in done.output for words in said] == [True] * len(said), done.output
    assert "Traceback" not in done.output
    assert ssh_fleet.control_tmux.pid() is None


def test_a_host_without_a_spec_says_how_to_name_one(ssh_fleet: Fleet, clone: Path) -> None:
    done = ssh_fleet.pyinfra("@local", "deploys/recover.py", "-y", cwd=clone)
    assert done.code == 1, done.output
    assert "@local: its data names no spec" in done.output
    assert "Traceback" not in done.output


_TMUX = """\
#!/bin/sh
[ "$1" = -V ] && echo 'tmux {version}' && exit
echo '{said}' >&2; exit 1
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tmux", "said"),
    [
        (None, "tmux is not installed on this host"),
        (_TMUX.format(version="3.1c", said="no server running on x"), "tmux 3.1c is older than 3.2a"),
        (_TMUX.format(version="3.5", said="protocol version mismatch (client 8)"), "protocol version mismatch"),
    ],
    ids=["missing", "too old", "version skew"],
)  # fmt: skip
def test_a_tmux_that_cannot_be_used(ssh_fleet: Fleet, clone: Path, tmux: str | None, said: str) -> None:
    programs = ssh_fleet.control.root / "programs"
    programs.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for program in Path(folder).iterdir():
            link = programs / program.name
            if program.name != "tmux" and not link.exists() and not link.is_symlink():
                link.symlink_to(program)
    if tmux is not None:
        (programs / "tmux").write_text(tmux)
        (programs / "tmux").chmod(0o755)
    host = ssh_fleet.add("mugen", PATH=str(programs), PREFIX=str(programs))
    done = ssh_fleet.pyinfra("inventory", "deploys/recover.py", "-y", "--limit", "mugen", cwd=clone)
    assert done.code == 1, done.output
    assert said in done.output
    assert "Traceback" not in done.output
    assert host.tmux.pid() is None


def test_a_spec_without_sessions_needs_no_tmux_and_changes_nothing(ssh_fleet: Fleet, clone: Path) -> None:
    (clone / "inventory" / "specs" / "control.yaml").write_text("limits: {disk: {warning: 80%}}\n")
    done = ssh_fleet.pyinfra("inventory", "deploys/recover.py", "-y", cwd=clone)
    assert done.code == 0, done.output
    assert "[@local] healthy, nothing to do" in done.output


def test_environment_values_are_masked_in_output(ssh_fleet: Fleet, clone: Path) -> None:
    value = "hunter2 $HOME"
    windows = [{"window_name": "w", "panes": [{"environment": {"TOKEN": value}}]}]
    spec = {"sessions": [{"session_name": "s", "environment": {"KEY": value}, "windows": windows}]}
    (clone / "inventory" / "specs" / "control.yaml").write_text(yaml.safe_dump(spec))
    done = ssh_fleet.pyinfra("inventory", "deploys/recover.py", "-y", "-vvv", "--debug", cwd=clone)
    assert done.code == 0, done.output
    assert "TOKEN=" in done.output
    assert "hunter2" not in done.output
    assert ssh_fleet.control_tmux.run("show-environment", "-t", "=s:", "KEY").startswith("KEY=hunter2 /")


@pytest.mark.parametrize("data", mostly_slow(['{"socket": "x"}', "x", '{"socket_name": 1}'], ('{"socket": "x"}',)))
def test_a_wrong_tmux_server_in_a_hosts_data_is_refused(ssh_fleet: Fleet, clone: Path, data: str) -> None:
    arguments = ("--data", "spec=control", "--data", f"tmux={data}")
    done = ssh_fleet.pyinfra("@local", "deploys/recover.py", "-y", *arguments, cwd=clone)
    assert done.code == 1, done.output
    assert "@local: its data's tmux is" in done.output
    assert "Traceback" not in done.output


def test_a_server_of_its_own_by_the_hosts_data(ssh_fleet: Fleet, clone: Path) -> None:
    arguments = ("--data", "spec=control", "--data", 'tmux={"socket_name": "own"}')
    done = ssh_fleet.pyinfra("@local", "deploys/recover.py", "-y", *arguments, cwd=clone)
    assert done.code == 0, done.output
    assert ssh_fleet.control_tmux.pid() is None
    asked = ssh_fleet.pyinfra("@local", "fact", "facts.tmux.Sessions", *arguments, cwd=clone)
    assert '"small"' in asked.output
    ssh_fleet.control.run("tmux", "-L", "own", "kill-server")


@pytest.mark.parametrize(
    "inventory", mostly_slow(["nosuchhost", "inventory/nosuch.py", "nosuch.invalid"], ("nosuchhost",))
)
def test_an_unknown_host_is_an_error(ssh_fleet: Fleet, clone: Path, inventory: str) -> None:
    done = ssh_fleet.pyinfra(inventory, "deploys/recover.py", "-y", "--data", "spec=control", cwd=clone)
    assert done.code == 1, done.output
    assert f"{inventory}: no such inventory file, and no host that ssh knows on this machine" in done.output
    assert "Traceback" not in done.output


def test_any_host_that_ssh_knows_needs_no_inventory(ssh_fleet: Fleet, clone: Path) -> None:
    ssh_fleet.add("elsewhere")
    done = ssh_fleet.pyinfra("elsewhere", "deploys/recover.py", "-y", "--data", "spec=control", cwd=clone)
    assert done.code == 0, done.output
    assert "[elsewhere] L3_FULL restored" in done.output


def test_a_run_inside_tmux_works_on_the_default_server_all_the_same(ssh_fleet: Fleet, clone: Path) -> None:
    control = ssh_fleet.control
    control.run("tmux", "-L", "outer", "new-session", "-d", "-s", "outer")
    control.environment["TMUX"] = f"{ssh_fleet.control_tmux.socket_path.parent / 'outer'},1,0"
    for expected in ("L3_FULL restored", "healthy, nothing to do"):
        done = ssh_fleet.pyinfra("inventory", "deploys/recover.py", "-y", cwd=clone)
        assert done.code == 0, done.output
        assert f"[@local] {expected}" in done.output
    names = [
        control.run("tmux", "-L", name, "list-sessions", "-F", "#S").stdout.split() for name in ("default", "outer")
    ]
    assert names == [["small"], ["outer"]]
    control.run("tmux", "-L", "outer", "kill-server")
