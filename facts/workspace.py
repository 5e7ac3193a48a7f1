"""The state that orchestrations keep in workspaces of a host: its sessions, their locks and backups."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast

from pyinfra.api import FactBase
from pyinfra.api.exceptions import FactProcessError
from pyinfra.context import ctx_host
from typing_extensions import override

from facts.disk import disk_section
from facts.host_spec import host_spec
from facts.load import load_section
from facts.memory import memory_section
from facts.observation import is_remembered
from facts.probe import Section, keyed_section, probe_script, read_section, split_sections
from miyabi.errors import MiyabiError, ParseError
from miyabi.host_paths import refuse_path
from miyabi.orchestration.rules import Orchestration
from miyabi.state import Disk, Load, Memory

# What only a fleet with orchestrations needs is imported where it is used: the levels import this module in every run.
if TYPE_CHECKING:
    from pyinfra.api import Host

    from miyabi.orchestration.analysis import Analysis, SessionReport
    from miyabi.orchestration.health_checks import HealthCheck
    from miyabi.orchestration.workspace import SeenFile, SeenWorkspace

T = TypeVar("T")

WORKSPACE = "workspace"

_MEMORY = "miyabi_workspaces"


def workspace_section(
    rules: Orchestration, known: Collection[str] = (), pids: Sequence[int] = ()
) -> Section[SeenWorkspace]:
    """The section that looks at a workspace, and changes nothing.

    + rules: those of the workspace
    + known: the digests of contents that need not travel
    + pids: of processes: whether they run, and since when

    Contents travel up to 8 MiB in all, the smallest first; ``contents_section`` asks for what is larger.
    """
    from miyabi.orchestration.workspace_listing import read_workspace  # noqa: PLC0415 - only a workspace needs it
    from miyabi.orchestration.workspace_script import workspace_script  # noqa: PLC0415 - as above

    script = workspace_script(rules.workspace, known, pids)
    return keyed_section(WORKSPACE, script, partial(read_workspace, workspace=rules.workspace, pids=tuple(pids)))


def contents_section(workspace: str, names: Sequence[str]) -> Section[dict[str, SeenFile]]:
    """The section that tells what files of a workspace hold, however large they are: nothing of it is to be shown.

    + names: paths below the workspace, such as ``.claude/state/session-a.json``
    """
    from miyabi.orchestration.workspace_listing import read_contents  # noqa: PLC0415 - as above
    from miyabi.orchestration.workspace_script import contents_script  # noqa: PLC0415 - as above

    return keyed_section(WORKSPACE, contents_script(workspace, names), partial(read_contents, names=tuple(names)))


def known_section(host: Host, rules: Orchestration, *, asked: bool = False) -> Section[SeenWorkspace]:
    """The section that asks for what is not known of a workspace, and stays the same while its answer is remembered.

    What was judged before need not travel, and the processes that its agents named are asked for.

    + asked: whether the section is wanted that was asked last, whatever another run has learned since
    """
    sections = host.connector_data.setdefault(_MEMORY, {})
    if rules not in sections or not (asked or is_remembered(host, sections[rules])):
        sections[rules] = _section(host.name, rules)
    return cast("Section[SeenWorkspace]", sections[rules])


def _section(host_name: str, rules: Orchestration) -> Section[SeenWorkspace]:
    from miyabi.session_cache import read_analyses  # noqa: PLC0415 - as above

    known = read_analyses(host_name, rules)
    pids = sorted({pid for each in known.values() for pid in each.pids.values()})
    return workspace_section(rules, known, pids)


def judged_sessions(host_name: str, rules: Orchestration, seen: SeenWorkspace) -> tuple[SessionReport, ...]:
    """How the sessions of a workspace are; what was judged of new contents is kept.

    + seen: a session whose content is neither there nor known is ``unknown``
    """
    return reports_of(rules, seen, analyses_of(host_name, rules, seen))


def reports_of(
    rules: Orchestration, seen: SeenWorkspace, analyses: Mapping[str, Analysis]
) -> tuple[SessionReport, ...]:
    """How the sessions of a workspace are.

    + analyses: what was judged of their contents, by digest
    """
    from miyabi.orchestration.analysis import judge_session  # noqa: PLC0415 - as above

    return tuple(judge_session(each, analyses.get(each.digest), seen, rules) for each in seen.sessions)


def analyses_of(
    host_name: str, rules: Orchestration, seen: SeenWorkspace, known: Mapping[str, Analysis] | None = None
) -> Mapping[str, Analysis]:
    """What is judged of the contents of a workspace's sessions, by digest; what is new is kept.

    + known: what was judged before; None reads it
    """
    from miyabi.orchestration.analysis import analyse  # noqa: PLC0415 - as above
    from miyabi.session_cache import keep_analyses, read_analyses  # noqa: PLC0415 - as above

    if not seen.sessions:
        return {}
    if known is None:
        known = read_analyses(host_name, rules)
    found = {each.digest: known[each.digest] for each in seen.sessions if each.digest in known}
    fresh = {
        each.digest: analyse(each.content, each.changed_at, rules)
        for each in seen.sessions
        if each.content is not None and each.digest not in found
    }
    if fresh:
        keep_analyses(host_name, rules, found | fresh)
    return found | fresh


class WorkspaceSummary(TypedDict):
    """One workspace, as ``Sessions`` tells it.

    + path: absolute on the host; as asked where ``trouble`` says why nothing could be seen
    """

    path: str
    now: float
    trouble: str
    sessions: list[dict[str, Any]]
    locks: list[dict[str, Any]]
    backups: list[dict[str, Any]]
    events: list[dict[str, Any]]


class Sessions(FactBase[list[WorkspaceSummary]]):
    """Return the sessions of the workspaces that the host's spec names, each judged; one execution, nothing is changed.

    + path: of a workspace, in place of the spec's; may begin with ``~`` or ``$NAME`` of the host

    A session is healthy, corrupted, stale, large, locked, zombie or unknown, with the issues that were found; what a
    file holds is not told. Contents travel only when they are new. ``[]`` when the spec names no workspace. None, with
    an error on the host, means that the answer was cut off, or that the spec cannot be read.

    .. code:: python

        [{"path": "/home/kaede/app", "now": 1795236912.0, "trouble": "",
          "sessions": [{"name": "session-a.json", "status": "zombie", "repair": "minor", "size": 20480,
                        "changed_at": 1795230000.0, "last_activity": 1795230000.0, "counts": {"tasks": 12, "agents": 3},
                        "issues": [{"code": "SESSION_ZOMBIE", "severity": "minor", "path": "", "repairable": True,
                                    "message": "its file is locked by process 4711, which has ended"}]}],
          "locks": [{"name": "session-a.json", "holder": "gone", "pid": 4711, "since": 1795229990.0}],
          "backups": [{"name": "session-a.json/20260131T235959Z.json", "size": 20400, "changed_at": 1795226400.0}],
          "events": [{"name": "2026-01-31.jsonl", "size": 90112, "changed_at": 1795230000.0}]}]

    **Example:**

    .. code:: shell

        pyinfra @local fact facts.workspace.Sessions path=~/app
    """

    @override
    def command(self, path: str | None = None) -> str:
        """The probe with one section for each workspace."""
        # An error here would end the run for all hosts: `process` tells it, for this one.
        self._wanted = _wanted(path)
        wanted = () if isinstance(self._wanted, str) else self._wanted
        self._sections = [
            replace(_section(_host_name(), rules), title=f"{WORKSPACE}_{number}")
            for number, rules in enumerate(wanted, 1)
        ]
        return probe_script(self._sections or [Section("spec", ":", list)])

    @override
    def process(self, output: list[str]) -> list[WorkspaceSummary]:
        """Judge every session by what the sections tell."""
        if isinstance(self._wanted, str):
            raise FactProcessError(self._wanted)
        found = split_sections(output)
        try:
            return [
                _summary(rules, read_section(section, found))
                for rules, section in zip(self._wanted, self._sections, strict=True)
            ]
        except ParseError as error:
            raise FactProcessError(f"the workspace is unknown: {error}") from error


def _wanted(path: str | None) -> tuple[Orchestration, ...] | str:
    """The workspaces that are asked for, or why none can be."""
    if path is not None:
        return refuse_path(path) or (Orchestration(path),)
    if not ctx_host.isset():
        return "no host is asked: name the workspace with path=..."
    try:
        return host_spec(ctx_host.get()).orchestration
    except MiyabiError as error:
        return str(error)


def _host_name() -> str:
    return ctx_host.get().name if ctx_host.isset() else ""


def _summary(rules: Orchestration, seen: SeenWorkspace) -> WorkspaceSummary:
    return {
        "path": seen.path,
        "now": seen.now,
        "trouble": seen.trouble,
        "sessions": [each.to_json() for each in judged_sessions(_host_name(), rules, seen)],
        "locks": [each.to_json() for each in seen.locks],
        "backups": [_file(each) for each in seen.backups],
        "events": [_file(each) for each in seen.events],
    }


def _file(file: SeenFile) -> dict[str, Any]:
    return {"name": file.name, "size": file.size, "changed_at": file.changed_at}


class CheckedWorkspace(TypedDict):
    """One workspace, as ``Health`` tells it.

    + status: the worst of its checks
    """

    path: str
    status: str
    checks: list[dict[str, Any]]


class Health(FactBase[list[CheckedWorkspace]]):
    """Return eight checks of each workspace that the host's spec names; one execution, nothing is changed.

    + path: of a workspace, in place of the spec's; may begin with ``~`` or ``$NAME`` of the host

    The checks are state consistency, session validity, agent responsiveness, resource availability, persistence
    integrity, communication flow, dependency resolution and event processing. Each says ``pass``, ``warn``, ``fail`` or
    ``unknown``, how many milliseconds judging it took, and why. None, with an error on the host, means that the answer
    was cut off, or that the spec cannot be read.

    .. code:: python

        [{"path": "/home/kaede/app", "status": "warn",
          "checks": [{"name": "state consistency", "status": "pass", "milliseconds": 0.01,
                      "details": "nothing is wrong"},
                     {"name": "persistence integrity", "status": "warn", "milliseconds": 0.02,
                      "details": "session-a.json has no backup yet"}]}]

    **Example:**

    .. code:: shell

        pyinfra mugen fact facts.workspace.Health
    """

    @override
    def command(self, path: str | None = None) -> str:
        """The probe with one section for each workspace, one for its disk, and those of the host's resources."""
        self._wanted = _wanted(path)
        wanted = () if isinstance(self._wanted, str) else self._wanted
        self._asked = [
            (replace(_section(_host_name(), rules), title=f"{WORKSPACE}_{number}"), _disk(rules, number))
            for number, rules in enumerate(wanted, 1)
        ]
        sections = [section for pair in self._asked for section in pair]
        return probe_script([*sections, memory_section(), load_section()])

    @override
    def process(self, output: list[str]) -> list[CheckedWorkspace]:
        """Judge every session, and check what came of it."""
        if isinstance(self._wanted, str):
            raise FactProcessError(self._wanted)
        from miyabi.orchestration.health_checks import worst  # noqa: PLC0415 - as above

        found = split_sections(output)
        memory, load = _read(memory_section(), found), _read(load_section(), found)
        told: list[CheckedWorkspace] = []
        for rules, (section, disk) in zip(self._wanted, self._asked, strict=True):
            try:
                seen = read_section(section, found)
            except ParseError as error:
                raise FactProcessError(f"the workspace is unknown: {error}") from error
            _, checks = checked_workspace(_host_name(), rules, seen, (_read(disk, found), memory, load))
            told.append({"path": seen.path, "status": worst(checks), "checks": [each.to_json() for each in checks]})
        return told


def checked_workspace(
    host_name: str, rules: Orchestration, seen: SeenWorkspace, has: tuple[Disk | None, Memory | None, Load | None]
) -> tuple[tuple[SessionReport, ...], tuple[HealthCheck, ...]]:
    """How the sessions of a workspace are, and the eight checks of it.

    + has: what the host has; None is unknown
    """
    from miyabi.orchestration.health_checks import Looked, Resources, check_health  # noqa: PLC0415 - as above

    disk, memory, load = has
    reports = judged_sessions(host_name, rules, seen)
    busy = None if load is None or not load.processors else 100 * load.one / load.processors
    return reports, check_health(Looked(seen, reports, rules, Resources(disk, memory, busy)), perf_counter)


def _disk(rules: Orchestration, number: int) -> Section[Disk]:
    return replace(disk_section(rules.workspace), title=f"disk_{number}")


def _read(section: Section[T], found: Mapping[str, tuple[int, list[str]]]) -> T | None:
    try:
        return read_section(section, found)
    except ParseError:
        return None
