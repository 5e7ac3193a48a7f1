"""Configuration files are broken for real, and come back; what they hold is never seen anywhere."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from facts.files import backups_section, config_section, content_section
from facts.probe import probe_script, read_section, split_sections
from miyabi.config_backup import ConfigFile, backup_script, restore_script
from miyabi.config_check import LIMIT, flaw
from miyabi.errors import ParseError
from operations import files
from tests.facts.hosts import INSTALLED_SHELLS, SHELLS, ask
from tests.fleet.machine import Machine
from tests.fleet.waiting import wait_until
from tests.recovery.operating import Operated, operate

SECRET = "s3cr3t-t0ken"  # noqa: S105 - nobody's
GOOD = {
    "json": '{"token": "s3cr3t-t0ken", "list": [1, 2]}\n',
    "yaml": "token: s3cr3t-t0ken\nlist: [1, 2]\nother: !vault x\n",
    "toml": 'token = "s3cr3t-t0ken"\n[more]\nlist = [1, 2]\n',
}
BROKEN = {
    "json": '{"token": "s3cr3t-t0ken", "list": [1, 2',
    "yaml": "token: s3cr3t-t0ken\nlist: [1, 2\n",
    "toml": 'token = "s3cr3t-t0ken"\n[more\nlist = [1, 2',
}


def visible(machine: Machine) -> list[Path]:
    """What there is in a home, without what the run itself remembers."""
    names = ("history.db", "journal", "attention")
    return sorted(
        each
        for each in machine.home.rglob("*")
        if ".cache" not in each.parts and not (each.parent.name == "miyabi" and each.name.startswith(names))
    )


def digest(content: bytes) -> str:
    """How the host knows a file again."""
    return subprocess.run(["/usr/bin/cksum"], input=content, capture_output=True, check=True).stdout.decode().strip()


@pytest.fixture
def config(machine: Machine) -> Path:
    """A valid file with its backup."""
    path = machine.home / ".miyabi" / "config.json"
    path.parent.mkdir()
    path.write_text(GOOD["json"])
    path.chmod(0o640)
    assert not restore(machine).failed
    return path


def restore(machine: Machine, path: str = "~/.miyabi/config.json", form: str = "json", backups: int = 5) -> Operated:
    return operate(machine, files.restored, path=path, format=form, backups=backups)


def backups(machine: Machine) -> list[Path]:
    """All backups, the oldest first."""
    folder = machine.home / ".local" / "state" / "miyabi" / "backups"
    return sorted(path for path in folder.rglob("*") if path.is_file())


def kept_beside(path: Path) -> list[str]:
    """What the broken ones beside a file hold, the oldest first."""
    return [each.read_text() for each in sorted(path.parent.glob(f"{path.name}.broken-*"))]


def break_it(path: Path, content: str | None, age: float = 60) -> None:
    if content is None:
        path.unlink()
        return
    path.write_text(content)
    os.utime(path, (time.time() - age,) * 2)


def put_in_front(machine: Machine, name: str, script: str) -> None:
    folder = machine.root / "bin"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    machine.environment["PATH"] = f"{folder}:{machine.environment['PATH']}"


@pytest.mark.parametrize("form", ["json", "yaml", "toml"])
@pytest.mark.parametrize("damage", ["missing", "empty", "unparsable"])
def test_a_damaged_file_comes_back(machine: Machine, form: str, damage: str) -> None:
    path = machine.home / f"app.{form}"
    path.write_text(GOOD[form])
    path.chmod(0o640)
    first = restore(machine, f"~/app.{form}", form)
    assert not first.failed
    [kept] = backups(machine)
    assert kept.read_text() == GOOD[form]
    break_it(path, {"missing": None, "empty": "", "unparsable": BROKEN[form]}[damage])
    run = restore(machine, f"~/app.{form}", form)
    assert not run.failed, run.said
    assert path.read_text() == GOOD[form]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert kept_beside(path) == ([BROKEN[form]] if damage == "unparsable" else [])
    again = restore(machine, f"~/app.{form}", form)
    assert (again.failed, again.commands) == (False, [])
    assert len([each for each in visible(machine) if each.parent == machine.home]) == 2 + (damage == "unparsable")


def test_backups_are_private_and_the_newest_stay(machine: Machine, config: Path) -> None:
    for number in range(4):
        config.write_text(f'{{"number": {number}}}')
        assert not restore(machine, backups=3).failed
    assert [path.read_text() for path in backups(machine)] == [f'{{"number": {number}}}' for number in (1, 2, 3)]
    folder = backups(machine)[0].parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in backups(machine)} == {0o600}
    assert restore(machine, backups=3).commands == []


def test_the_newest_valid_backup_comes_back_and_the_others_are_put_aside(machine: Machine, config: Path) -> None:
    config.write_text('{"newer": 1}')
    assert not restore(machine).failed
    older, newer = backups(machine)
    newer.write_text("\0\0\0")
    break_it(config, BROKEN["json"])
    run = restore(machine)
    assert not run.failed, run.said
    assert config.read_text() == GOOD["json"]
    assert backups(machine) == [older, newer.with_name(f"{newer.name}.unusable")]
    assert restore(machine).commands == []


@pytest.mark.parametrize("content", [None, "", '{"cut off', "\0" * 100, "\xff"])
def test_without_a_valid_backup_nothing_is_touched(machine: Machine, config: Path, content: str | None) -> None:
    [kept] = backups(machine)
    kept.write_text("no longer valid")
    break_it(config, content)
    before = visible(machine)
    run = restore(machine)
    assert run.failed
    assert run.commands == []
    assert any("none of its backups is valid" in line for line in run.said), run.said
    assert visible(machine) == before
    assert content is None or config.read_text() == content


def test_no_backups_are_made_when_none_are_wanted(machine: Machine, config: Path) -> None:
    config.write_text("{}")
    for _ in range(2):
        run = restore(machine, backups=0)
        assert (run.failed, run.commands) == (False, [])
    assert len(backups(machine)) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"format": "ini"}, "the format is 'ini', and must be one of json, yaml, toml"),
        ({"backups": -1}, "backups is -1"),
        ({"backups": "5"}, "backups is '5'"),
        ({"path": "config.json"}, "begins with /, ~/ or"),
        ({"path": "~/../x.json"}, "without .."),
        ({"path": "$NOPE/x.json"}, "no absolute path"),
        ({"path": "~/.miyabi"}, "is no file"),
        ({"path": "~/fifo"}, "is no file"),
        ({"path": "~/away.json"}, "a link to a folder that is not there"),
        ({"path": "~/circle.json"}, "leads in a circle"),
    ],
)
def test_what_is_refused_or_unknown_touches_nothing(
    machine: Machine, config: Path, arguments: dict[str, str | int], words: str
) -> None:
    os.mkfifo(machine.home / "fifo")
    (machine.home / "away.json").symlink_to("/nowhere/x.json")
    (machine.home / "circle.json").symlink_to("circle.json")
    before = visible(machine)
    values: dict[str, str | int] = {"path": "~/.miyabi/config.json", "format": "json", **arguments}
    run = operate(machine, files.restored, **values)
    assert run.failed
    assert run.commands == []
    assert any(words in line for line in run.said), run.said
    assert visible(machine) == before


def test_a_file_in_a_folder_that_may_not_be_entered_is_not_missing(machine: Machine, config: Path) -> None:
    section = config_section(str(config), "json")
    nobody = 65534 if os.getuid() == 0 else None
    config.parent.chmod(0o600 if nobody is None else 0o700)
    done = subprocess.run(
        ["/bin/sh", "-c", probe_script([section])],
        env={"HOME": str(machine.home), "PATH": os.environ["PATH"]},
        user=nobody,
        capture_output=True,
        text=True,
        check=True,
    )
    config.parent.chmod(0o755)
    with pytest.raises(ParseError, match="cannot be looked into"):
        read_section(section, split_sections(done.stdout.splitlines()))


def test_a_file_that_is_too_large_is_told_of_and_left(machine: Machine, config: Path) -> None:
    config.write_text("x" * (LIMIT + 1))
    run = restore(machine)
    assert (run.failed, run.commands) == (False, [])
    assert any("too large to be checked" in line for line in run.said), run.said
    large = f'{{"x": "{"x" * (LIMIT - 9)}"}}'
    assert len(large) == LIMIT
    config.write_text(large)
    assert not restore(machine).failed
    assert backups(machine)[-1].read_text() == large


NAMES = ('it\'s "a".json', "$(touch made).json", "`touch made`;.json", "-rf.json", "a*b?.json", "ünï.json")


@pytest.mark.parametrize("name", NAMES)
def test_names_reach_no_shell(machine: Machine, name: str) -> None:
    path = machine.home / "my dir" / name
    path.parent.mkdir()
    path.write_text(GOOD["json"])
    assert not restore(machine, f"~/my dir/{name}").failed
    break_it(path, BROKEN["json"])
    assert not restore(machine, f"~/my dir/{name}").failed
    assert path.read_text() == GOOD["json"]
    assert restore(machine, f"~/my dir/{name}").commands == []
    assert not list(machine.root.rglob("made"))


def test_a_long_path_has_backups_too(machine: Machine) -> None:
    path = machine.home / ("x" * 200) / ("y" * 200)
    path.parent.mkdir()
    path.write_text("{}")
    assert not restore(machine, str(path)).failed
    assert restore(machine, str(path)).commands == []


def test_a_link_stays_and_what_it_leads_to_comes_back(machine: Machine, config: Path) -> None:
    dotfiles = machine.home / "dotfiles"
    dotfiles.mkdir()
    config.rename(dotfiles / "config.json")
    config.symlink_to("../dotfiles/config.json")
    assert restore(machine).commands == []
    break_it(dotfiles / "config.json", BROKEN["json"])
    assert not restore(machine).failed
    assert config.is_symlink()
    assert (dotfiles / "config.json").read_text() == GOOD["json"]
    (dotfiles / "config.json").unlink()
    assert not restore(machine).failed
    assert config.is_symlink()
    assert (dotfiles / "config.json").read_text() == GOOD["json"]


def test_a_folder_that_is_gone_comes_back_too(machine: Machine, config: Path) -> None:
    config.unlink()
    config.parent.rmdir()
    assert not restore(machine).failed
    assert config.read_text() == GOOD["json"]


def test_an_editor_that_writes_beside_it_is_not_disturbed(machine: Machine, config: Path) -> None:
    swap = config.with_name(".config.json.swp")
    swap.write_bytes(b"b0VIM")
    break_it(config, BROKEN["json"])
    assert not restore(machine).failed
    assert swap.read_bytes() == b"b0VIM"


def test_a_few_broken_ones_are_kept(machine: Machine, config: Path) -> None:
    for number in range(7):
        break_it(config, f"broken {number}")
        assert not restore(machine).failed
    assert kept_beside(config) == [f"broken {number}" for number in (2, 3, 4, 5, 6)]


WRITER = """import sys, time
path, good, end = sys.argv[1], sys.argv[2], time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    with open(path, "w") as file:
        file.write(good[:20]); file.flush(); time.sleep(0.3); file.write(good[20:])
    time.sleep(0.01)
"""


@pytest.mark.slow
def test_a_file_that_is_being_written_is_not_judged(machine: Machine, config: Path) -> None:
    good = '{"a": "long text that is written in two pieces"}'
    command = [sys.executable, "-c", WRITER, str(config), good, "60"]
    with subprocess.Popen(command, env=machine.environment) as process:
        wait_until(lambda: config.read_text() == good[:20], what="it is half written")
        restore(machine)
        process.kill()
    assert kept_beside(config) == []
    assert config.read_text() in {good, good[:20], ""}


def test_a_file_that_was_broken_just_now_comes_back_in_the_same_run(machine: Machine, config: Path) -> None:
    break_it(config, BROKEN["json"], age=0)
    run = restore(machine)
    assert not run.failed
    assert config.read_text() == GOOD["json"]


def test_a_human_who_repairs_it_meanwhile_wins(machine: Machine, config: Path) -> None:
    break_it(config, BROKEN["json"])
    [kept] = backups(machine)
    script = restore_script(str(config), "json", digest(BROKEN["json"].encode()), kept.name, [])
    config.write_text('{"repaired": true}')
    assert machine.sh(script).code == 0
    assert config.read_text() == '{"repaired": true}'
    assert kept_beside(config) == []


def test_a_full_disk_leaves_the_file_and_its_backups(machine: Machine, config: Path) -> None:
    [kept] = backups(machine)
    large = f'{{"large": "{"x" * 200_000}"}}'
    config.write_text(large)
    limited = machine.sh(f"ulimit -f 16\n{backup_script('~/.miyabi/config.json', 'json', digest(large.encode()), 1)}")
    assert limited.code != 0
    assert backups(machine) == [kept]
    assert config.read_text() == large
    assert not restore(machine).failed
    *_, newest = backups(machine)
    break_it(config, BROKEN["json"])
    judged = digest(BROKEN["json"].encode())
    script = restore_script("~/.miyabi/config.json", "json", judged, newest.name, [])
    assert machine.sh(f"ulimit -f 16\n{script}").code != 0
    assert config.read_text() == BROKEN["json"]
    assert len(list(config.parent.iterdir())) == 1
    put_in_front(machine, "cp", "echo 'cp: No space left on device' >&2; exit 1")
    run = restore(machine)
    assert run.failed
    assert any("No space left" in line for line in run.said), run.said
    assert config.read_text() == BROKEN["json"]


@pytest.mark.parametrize("tool", ["cp", "cmp", "sync", "chmod", "ln", "mv"])
def test_killed_anywhere_there_is_a_whole_file_and_the_next_run_repairs(
    machine: Machine, config: Path, tool: str
) -> None:
    for when in ("before", "after"):
        break_it(config, BROKEN["json"])
        real = f'/usr/bin/env PATH="{os.environ["PATH"]}" {tool} "$@"'
        put_in_front(machine, tool, f"[ {when} = before ] || {real}\nkill -9 0")
        [kept] = [path for path in backups(machine) if path.suffix == ".json"]
        judged = digest(BROKEN["json"].encode())
        machine.run("sh", "-c", restore_script(str(config), "json", judged, kept.name, []))
        (machine.root / "bin" / tool).unlink()
        assert config.read_text() in {BROKEN["json"], GOOD["json"]}
        assert not restore(machine).failed
        assert config.read_text() == GOOD["json"]


@pytest.mark.parametrize("script", ["exit 1", "head -c 20 | /usr/bin/od -An -v -tx1", "echo rubbish", "exec cat"])
def test_what_could_not_be_read_as_a_whole_is_not_judged(machine: Machine, config: Path, script: str) -> None:
    changed = '{"changed": "and longer than before"}'
    config.write_text(changed)
    put_in_front(machine, "od", script)
    run = restore(machine)
    assert run.failed
    assert run.commands == []
    assert config.read_text() == changed
    assert not any("longer" in line for line in run.said)


@pytest.fixture
def traced(machine: Machine) -> Iterator[Path]:
    """Every command line that the tools of the host are called with."""
    seen = machine.root / "seen"
    for tool in ("cp", "cmp", "mv", "cksum", "od", "tr", "stat", "chmod", "mkdir", "date", "ln"):
        real = subprocess.run(["/usr/bin/which", tool], capture_output=True, text=True, check=True).stdout.strip()
        put_in_front(machine, tool, f'echo "$0 $*" >>{seen}; exec {real} "$@"')
    yield seen
    assert SECRET not in seen.read_text()


def test_nobody_sees_what_a_file_holds(
    machine: Machine, traced: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = machine.home / "app.json"
    path.write_text(GOOD["json"])
    deploy = tmp_path / "deploy.py"
    deploy.write_text("from operations import files\nfiles.restored(path='~/app.json', format='json')\n")
    told = ""
    repository = Path(__file__).parents[2]
    for content in (GOOD["json"], BROKEN["json"]):
        break_it(path, content)
        run = machine.run("pyinfra", "@local", str(deploy), "-y", "-vvv", "--debug", cwd=repository)
        assert run.code == 0, run.output
        told += run.output
    assert path.read_text() == GOOD["json"]
    assert "##miyabi:begin" in told
    for form in (SECRET, SECRET.encode().hex(), "t0ken"):
        assert form not in told
    # The check itself can see: what is printed of the state is there.
    assert re.search(r"came back|comes back", told)


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_every_shell_tells_backs_up_and_restores(shell: str, machine: Machine) -> None:
    path = machine.home / "it's.json"
    path.write_text(GOOD["json"])
    home = str(machine.home)
    good, broken = (digest(text.encode()) for text in (GOOD["json"], BROKEN["json"]))
    assert ask(config_section("~/it's.json", "json"), shell, HOME=home) == ConfigFile("changed", None)
    judged = ask(content_section("~/it's.json", "json"), shell, HOME=home)
    assert (judged.flaw, judged.digest) == (None, good)
    done = machine.run(*SHELLS[shell], "-c", backup_script("~/it's.json", "json", good, 5))
    assert (done.code, done.output) == (0, "")
    [kept] = backups(machine)
    assert ask(config_section("~/it's.json", "json"), shell, HOME=home) == ConfigFile("same", kept.name)
    break_it(path, BROKEN["json"])
    assert ask(content_section("~/it's.json", "json"), shell, HOME=home).digest == broken
    assert ask(backups_section("~/it's.json", "json"), shell, HOME=home) == ((kept.name, True),)
    done = machine.run(*SHELLS[shell], "-c", restore_script("~/it's.json", "json", broken, kept.name, []))
    assert (done.code, done.output) == (0, "")
    assert path.read_text() == GOOD["json"]
    assert kept_beside(path) == [BROKEN["json"]]


@pytest.mark.parametrize("form", ["json", "yaml", "toml"])
@pytest.mark.parametrize(
    "content", ["", "\n \n", "\0", "\ud800", "[" * 100_000, "secret-word", "}{", "a = [", "[a", "[*secret]"]
)
def test_flaws_are_told_without_a_word_of_the_content(form: str, content: str) -> None:
    found = flaw(content.encode("utf-8", "surrogatepass"), form)
    assert found is not None
    assert "secret" not in found


@pytest.mark.parametrize(
    ("form", "content"),
    [
        *GOOD.items(),
        ("json", "[]"),
        ("json", "\ufeff{}"),
        ("yaml", "# only comments\n"),
        ("yaml", "a: &x [1]\nb: *x\n"),
        ("yaml", "---\na: 1\n---\nb: 2\n"),
        ("toml", "# only comments\r\na = 1\r\n"),
    ],
)
def test_valid_files_have_no_flaw(form: str, content: str) -> None:
    assert flaw(content.encode(), form) is None
