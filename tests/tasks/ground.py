"""Real git on a pretended machine: a bare remote, a clone of it with a commit, and worktrees in any state."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from facts.probe import Section
from facts.tasks import work_section
from miyabi.partial_work import GitFacts
from tests.facts.hosts import ask
from tests.fleet.machine import Machine
from tests.fleet.programs import required

T = TypeVar("T")


def answer(machine: Machine, section: Section[T], shell: str = "dash") -> T:
    """What a section says on a machine, run as the probe runs it."""
    return ask(section, shell, machine.home, **machine.environment)


@dataclass(frozen=True, slots=True)
class Ground:
    """A machine with ``~/remote.git``, its clone ``~/main`` and one commit, which both have."""

    machine: Machine

    @classmethod
    def build(cls, machine: Machine) -> Ground:
        """Make them."""
        required("git")
        ground = cls(machine)
        ground.sh(
            """git config --global user.name A && git config --global user.email a@b.c &&
            git config --global init.defaultBranch main && git config --global advice.detachedHead false &&
            git init -q --bare remote.git && git clone -q remote.git main 2>/dev/null && cd main &&
            echo one >a.txt && echo 'ignored*' >.gitignore && git add . && git commit -q -m first &&
            git push -q -u origin main && git remote set-head origin main"""
        )
        return ground

    @property
    def home(self) -> Path:
        """The machine's HOME."""
        return self.machine.home

    def sh(self, script: str) -> str:
        """Run a piece of shell in HOME; it must succeed."""
        ran = self.machine.sh(f"set -e; {script}")
        assert ran.code == 0, ran.output
        return ran.stdout

    def worktree(self, name: str = "work", branch: str = "feature") -> Path:
        """A new linked worktree on a new branch."""
        self.sh(f"git -C main worktree add -q -b {branch} {shlex.quote(f'../{name}')} origin/main >/dev/null 2>&1")
        return self.home / name

    def facts(
        self,
        folder: str = "~/work",
        branch: str | None = "feature",
        repositories: Sequence[str] = (),
        shell: str = "dash",
    ) -> GitFacts:
        """What the section says of a folder."""
        return answer(self.machine, work_section(folder, branch, repositories), shell)
