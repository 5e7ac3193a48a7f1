"""What is known of a host's tasks: what its agents wrote down, and what is left of work that was cut short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyinfra.api import FactBase
from pyinfra.api.exceptions import FactProcessError
from pyinfra.context import ctx_host
from typing_extensions import override

from facts.host_spec import host_spec
from facts.probe import Section, keyed_section, probe_script, read_section, split_sections
from facts.workspaces import worktrees_section
from miyabi import partial_work
from miyabi.errors import MiyabiError, ParseError
from miyabi.git_facts import read_work
from miyabi.git_script import work_script
from miyabi.partial_work import GitFacts, assess, unknown_work
from miyabi.register_script import read_register, register_script
from miyabi.shell import HostText, quoted
from miyabi.spec import Pane, Spec
from miyabi.spec_tasks import Task
from miyabi.task_assignment import Register
from miyabi.task_registry import TaskEntry, agent_panes, registry_of, result_folders
from miyabi.workspaces import Listed, orphans_in, own_folders

REGISTER = "register"
WORK = "work"

_Found = Mapping[str, tuple[int, list[str]]]

# Seconds that a task's ``done_when`` may take.
DONE_TIMEOUT = 15


def register_section(wanted: Spec) -> Section[Register]:
    """The section that reads the checkpoints of a spec's agents, what each was given, and the results of tasks.

    + wanted: the spec; the section is worth asking only when it has tasks
    """
    panes = [pane for _, pane in agent_panes(wanted)]
    return _register_section([pane.name for pane in panes], _folders(wanted.tasks, panes))


def _register_section(agents: Sequence[str], folders: Sequence[str]) -> Section[Register]:
    script = register_script(agents, folders)
    return keyed_section(REGISTER, script, partial(read_register, agents=agents, folders=folders))


def _folders(tasks: Iterable[Task], panes: Sequence[Pane]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(folder for task in tasks for folder in result_folders(task, panes)))


def work_section(
    folder: str, branch: str | None = None, repositories: Sequence[str] = (), *, pull: bool = True
) -> Section[GitFacts]:
    """The section that tells what git says of a folder, without writing there or running what its repository names.

    + folder: may begin with ``~`` or ``$NAME``, which the host expands
    + branch: the one that the task names; None is any
    + repositories: where to look for what a folder that is gone has left
    + pull: whether GitHub's program is asked for its pull request, where it is there

    **Example:**

    .. code:: python

        facts = ask(host, work_section("~/trees/login", "feature/login"))
        if not isinstance(facts, Unknown):
            print(assess(facts, branch="feature/login"))
    """
    script = work_script(folder, branch, repositories, pull=pull)
    return keyed_section(WORK, script, partial(read_work, folder=folder))


def done_section(task: Task, folder: str) -> Section[bool | None]:
    """The section that asks a task's ``done_when``; None is that it gave no answer in time, or could not be run.

    + folder: in which the task is done; "" is the home
    """
    where = quoted(HostText(folder or "~"))
    script = (
        f"cd -- {where} 2>/dev/null || {{ echo 126; exit 0; }}\n"
        f"bounded {DONE_TIMEOUT} sh -c {quoted(task.done_when or 'false')} >/dev/null 2>&1; echo $?"
    )
    return keyed_section("done", script, _done)


def _done(lines: list[str]) -> bool | None:
    code = int(lines[-1])
    return None if code in {124, 126, 127} else code == 0


class Tasks(FactBase[dict[str, Any]]):
    """Return the tasks of a host's spec with how far each is, and who has what; None when that is unknown.

    .. code:: python

        {
            "agents": [{"name": "kaede", "role": "CodeGen", "target": "miyabi:codegen.kaede", "task": "login", ...}],
            "tasks": [{"task": {"id": "login", ...}, "state": "running", "agent": "kaede", "why": "", ...}],
            "troubles": [],
            "works": {},
            "orphans": [],
        }

    A host whose spec has no tasks, or that has no spec, gives empty lists.

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.tasks.Tasks
    """

    work = False

    @override
    def command(self) -> str:
        """The probe with the register's section, and those of the folders."""
        self._asked = _Asked.of(_wanted(), work=self.work)
        return probe_script(self._asked.sections())

    @override
    def process(self, output: list[str]) -> dict[str, Any]:
        """Join the sections; what is unknown of a folder leaves the rest as it is."""
        asked, found = self._asked, split_sections(output)
        try:
            register = read_section(asked.register, found)
        except ParseError as error:
            raise FactProcessError(f"the tasks are unknown: {error}") from error
        registry = registry_of(asked.wanted, register, asked.said(found))
        works = {each.task.id: asked.work(each, found) for each in registry.tasks}
        told = {name: {**work.to_json(), "is_kept": work.is_kept} for name, work in works.items() if work is not None}
        return registry.to_json() | {"works": told, "orphans": asked.orphans(found), "now": register.now}


class Work(Tasks):
    """Return what ``Tasks`` does, and what is left of the work in the tasks' folders; it takes some seconds.

    ``works`` has for each task whose folder is known what holds of it, and ``orphans`` the worktrees of the spec's
    repositories in which nobody works; each ``done_when`` is asked.

    **Example:**

    .. code:: shell

        pyinfra mugen fact facts.tasks.Work
    """

    work = True


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the fact asks.

    + folders: by folder and branch, what is left there
    + done: by the task's id, and the folder in which it is asked
    + worktrees: None when nobody asks
    """

    wanted: Spec
    register: Section[Register]
    folders: Mapping[tuple[str, str | None], Section[GitFacts]]
    done: Mapping[tuple[str, str], Section[bool | None]]
    worktrees: Section[Listed] | None

    @classmethod
    def of(cls, wanted: Spec, *, work: bool) -> _Asked:
        panes = [pane for _, pane in agent_panes(wanted)]
        where = [(task, folder) for task in wanted.tasks for folder in result_folders(task, panes)] if work else []
        repositories = wanted.workspaces.repositories
        return cls(
            wanted,
            register_section(wanted),
            {(folder, task.branch): work_section(folder, task.branch, repositories) for task, folder in where},
            {(task.id, folder): done_section(task, folder) for task, folder in where if task.done_when},
            worktrees_section(own_folders(wanted), repositories) if work and repositories else None,
        )

    def sections(self) -> list[Section[Any]]:
        """All of them."""
        more = [self.worktrees] if self.worktrees else []
        return [self.register, *self.folders.values(), *self.done.values(), *more]

    def work(self, entry: TaskEntry, found: _Found) -> partial_work.Work | None:
        """What is left of the work on a task; None when its folder is not known."""
        section = self.folders.get((entry.worktree, entry.task.branch))
        if section is None:
            return None
        try:
            facts = read_section(section, found)
        except ParseError as error:
            return unknown_work(str(error))
        return assess(facts, branch=entry.task.branch, tests=entry.result.tests if entry.result else None)

    def said(self, found: _Found) -> dict[str, bool | None]:
        """What each ``done_when`` said; in one of several folders is enough."""
        told: dict[str, bool | None] = {}
        for (name, _), section in self.done.items():
            with suppress(ParseError):
                answer = read_section(section, found)
                told[name] = answer if told.get(name) is None else told[name] or answer
        return told

    def orphans(self, found: _Found) -> list[str]:
        """The worktrees in which nobody works."""
        if self.worktrees is None:
            return []
        try:
            return [each.path for each in orphans_in(read_section(self.worktrees, found))]
        except ParseError:
            return []


def _wanted() -> Spec:
    """The spec of the current host; an empty one where it has none, which asks about nothing."""
    try:
        return host_spec(ctx_host.get())
    except (MiyabiError, AttributeError):
        return Spec("", "")
