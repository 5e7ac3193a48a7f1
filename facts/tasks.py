"""What is known of a host's tasks: what its agents wrote down, and what is left of work that was cut short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from pyinfra.context import ctx_host
from typing_extensions import override

from facts.host_spec import host_spec
from facts.probe import Section, SectionFact, keyed_section, probe_script
from miyabi.errors import MiyabiError
from miyabi.git_facts import read_work
from miyabi.git_script import work_script
from miyabi.partial_work import GitFacts
from miyabi.register_script import read_register, register_script
from miyabi.shell import HostText, quoted
from miyabi.spec import Pane, Spec, Task
from miyabi.task_assignment import Register
from miyabi.task_registry import agent_panes, registry_of, result_folders

REGISTER = "register"
WORK = "work"

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

        facts = ask(host, work_section("~/work/login", "feature/login"))
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


class Tasks(SectionFact[dict[str, Any]]):
    """Return the tasks of a host's spec with how far each is, and who has what; None when that is unknown.

    .. code:: python

        {
            "agents": [{"name": "kaede", "role": "CodeGen", "target": "miyabi:codegen.kaede", "task": "login", ...}],
            "tasks": [{"task": {"id": "login", ...}, "state": "running", "agent": "kaede", "why": "", ...}],
            "troubles": [],
        }

    A host whose spec has no tasks, or that has no spec, gives empty lists.

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.tasks.Tasks
    """

    @override
    def command(self) -> str:
        """The probe with the register's section alone."""
        self._wanted = _wanted()
        return probe_script([self.section()])

    @override
    def section(self) -> Section[dict[str, Any]]:
        """The register's section, whose answer is told as the registry."""
        wanted = self._wanted
        panes = [pane for _, pane in agent_panes(wanted)]
        agents, folders = [pane.name for pane in panes], _folders(wanted.tasks, panes)

        def parse(lines: list[str]) -> dict[str, Any]:
            return registry_of(wanted, read_register(lines, agents, folders)).to_json()

        return Section(REGISTER, register_script(agents, folders), parse)


def _wanted() -> Spec:
    """The spec of the current host; an empty one where it has none, which asks about nothing."""
    try:
        return host_spec(ctx_host.get())
    except (MiyabiError, AttributeError):
        return Spec("", "")
