"""A fresh clone builds: the locks fit pyproject.toml, and setup.sh says in one line what it cannot do."""

from __future__ import annotations

import re
import shutil
import tomllib

import pytest
from packaging.requirements import Requirement

from miyabi import __version__
from tests.fleet.control import REPOSITORY
from tests.fleet.machine import Finished, Machine
from tests.fleet.programs import required

_PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
_EXTRAS = _PROJECT["optional-dependencies"]
_LOCKS = {
    "requirements.lock": _PROJECT["dependencies"],
    "requirements-dev.lock": [
        *_PROJECT["dependencies"],
        *(each for extra in ("test", "check", "forecast", "traces") for each in _EXTRAS[extra]),
    ],
    "requirements-forecast.lock": [*_PROJECT["dependencies"], *_EXTRAS["forecast"]],
    "requirements-sandbox.lock": [*_PROJECT["dependencies"], *_EXTRAS["sandbox"]],
}


def _locked(lock: str) -> dict[str, str]:
    text = (REPOSITORY / lock).read_text()
    return {name: version for name, version in re.findall(r"^([a-z0-9-]+)==([^ ]+)", text, re.MULTILINE)}  # noqa: C416


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", _LOCKS)
def test_a_lock_fits_the_dependencies(lock: str) -> None:
    locked = _locked(lock)
    for requirement in map(Requirement, _LOCKS[lock]):
        version = locked.get(_normal(requirement.name))
        assert version is not None, f"{requirement} is not in {lock}: run make lock"
        assert requirement.specifier.contains(version), f"{lock} has {requirement.name} {version}: run make lock"


@pytest.mark.parametrize("lock", _LOCKS)
def test_a_lock_pins_every_package_by_hash_and_names_no_registry(lock: str) -> None:
    text = (REPOSITORY / lock).read_text()
    assert "://" not in text
    assert not re.findall(r"^--", text, re.MULTILINE)
    packages = [part for part in re.split(r"\n(?=[a-z])", text) if "==" in part]
    assert packages
    assert all("--hash=sha256:" in package for package in packages)


def test_the_locks_agree() -> None:
    locks = ("requirements.lock", "requirements-sandbox.lock", "requirements-dev.lock")
    run, sandbox, development = map(_locked, locks)
    assert run.items() <= sandbox.items() <= development.items()


@pytest.fixture
def clone(machine: Machine) -> Machine:
    """A machine with setup.sh in its HOME, and hardly anything on its PATH."""
    programs = machine.root / "bin"
    programs.mkdir()
    for program in ("sh", "dirname", "id", "env", "rm"):
        (programs / program).symlink_to(required(program))
    machine.environment["PATH"] = str(programs)
    shutil.copy(REPOSITORY / "setup.sh", machine.home)
    return machine


def _setup(machine: Machine, *arguments: str) -> Finished:
    return machine.run("sh", "setup.sh", *arguments)


def test_setup_says_that_there_is_no_python(clone: Machine) -> None:
    done = _setup(clone, "packages", "requirements.lock")
    assert done.code == 1
    assert done.stderr.splitlines()[-1].startswith("setup: no Python 3.11 or newer on PATH")


def test_setup_refuses_an_old_python_that_was_asked_for(clone: Machine) -> None:
    old = clone.home / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    clone.environment["PYTHON"] = str(old)
    done = _setup(clone, "packages", "requirements.lock")
    assert (done.code, done.stderr) == (1, f"setup: PYTHON={old} is not a Python 3.11 or newer\n")


def test_setup_says_what_to_install_when_it_cannot(clone: Machine) -> None:
    done = _setup(clone, "programs", "run")
    assert (done.code, done.stderr) == (
        1,
        "setup: tmux is missing: install it first (Debian and Ubuntu: apt-get install tmux)\n",
    )


def test_setup_tries_once_more_with_new_package_lists(clone: Machine) -> None:
    log = clone.home / "log"
    apt = clone.root / "bin" / "apt-get"
    # Knows no package until the lists are fetched; then it installs a tmux.
    apt.write_text(
        f"""#!/bin/sh
echo "$@" >>{log}
for word; do case $word in
    update) echo updated >>{log}.lists ;;
    install) [ -e {log}.lists ] || exit 100
        echo '#!/bin/sh' >{apt.parent}/tmux; {required("chmod")} +x {apt.parent}/tmux ;;
esac; done
"""
    )
    apt.chmod(0o755)
    # Being root is not what is tried here.
    identity = apt.parent / "id"
    identity.unlink()
    identity.write_text("#!/bin/sh\necho 0\n")
    identity.chmod(0o755)
    done = _setup(clone, "programs", "run")
    assert (done.code, done.stderr) == (0, "setup: installing tmux\n")
    steps = [line.split()[3] for line in log.read_text().splitlines()]
    assert steps == ["install", "update", "install"]
    assert _setup(clone, "programs", "run").stderr == ""
    assert len(log.read_text().splitlines()) == 3


def test_setup_makes_the_command_without_a_build(clone: Machine) -> None:
    python = clone.home / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 0\n")
    python.chmod(0o755)
    for program in ("cat", "chmod"):
        (clone.root / "bin" / program).symlink_to(required(program))
    done = _setup(clone, "packages", "requirements.lock")
    assert done.code == 0, done.output
    command = python.with_name("miyabi")
    assert command.read_text().startswith(f"#!{python}\n")
    assert f'"{clone.home}"' in command.read_text()
    assert command.stat().st_mode & 0o111


def test_make_help_names_every_target(machine: Machine) -> None:
    done = machine.run(required("make"), "help", cwd=REPOSITORY)
    assert done.code == 0, done.output
    named = [line.split()[0] for line in done.stdout.splitlines()]
    assert named == ["help", "setup", "recover", "demo", "forecast", "test", "slow", "check", "bench", "lock", "clean"]


def test_make_recover_runs_the_documented_command(machine: Machine) -> None:
    done = machine.run(required("make"), "-n", "recover", cwd=REPOSITORY)
    assert done.stdout.splitlines()[-1].endswith(" pyinfra inventory deploys/recover.py -y")


def test_the_program_knows_its_version() -> None:
    assert __version__ == _PROJECT["version"]
