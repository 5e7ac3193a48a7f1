"""The whole state of a host, observed in one execution."""

from __future__ import annotations

from collections.abc import Mapping
from time import sleep
from typing import TYPE_CHECKING, Any

from pyinfra.api import FactBase, StringCommand
from typing_extensions import override

from facts.agents import agent_panes, agents_section
from facts.boot import boot_section
from facts.disk import disk_section
from facts.host_kinds import host_kinds
from facts.host_spec import managed_socket
from facts.load import load_section
from facts.memory import memory_section
from facts.network import network_section
from facts.observation import PROBE_TIMEOUT, Unknown, ask, ask_together, forget
from facts.platform import host_section
from facts.probe import Section, probe_script, read_section, split_sections
from facts.processes import processes_section
from facts.sshd import sshd_section
from facts.tmux import tmux_section
from miyabi import state
from miyabi.errors import MiyabiError, ParseError
from miyabi.shell import HOST_ENVIRONMENT, quoted
from miyabi.spec import Limits, Spec
from miyabi.tmux_listing import version_key

if TYPE_CHECKING:
    from pyinfra.api import Host

    from miyabi.agent_kind import AgentKind

# What changes when something acts on tmux.
LADDER = ("tmux", "processes", "agents")

# How often a host is asked again when it was in the middle of something.
_PATIENCE = 5


class HostState(FactBase[state.Host]):
    """Return everything that Miyabi observes of a host, by one shell script in one execution.

    + socket_name: the tmux server, as in ``tmux -L``; None is the one that the host's data or spec names
    + sshd_port: the port that must answer; None is the one this very connection came through, else the platform's
    + disk_path: whose file system is measured, a leading ``~`` is the user's home on the host

    Each subject that could not be told is None, and ``unknown`` says why; agents are asked for by
    ``facts.agents.Agents``. None for the whole answer means that the host did not run the probe to its end.

    **Example:**

    .. code:: python

        from facts.host import HostState

        state = host.get_fact(HostState)
        if state is not None and state.memory is not None:
            print(state.memory.available_percent)
    """

    @override
    def command(
        self,
        socket_name: str | None = None,
        sshd_port: int | None = None,
        disk_path: str = "~",
    ) -> str:
        """The probe with all sections."""
        socket = managed_socket() if socket_name is None else socket_name
        return probe_script(_sections(socket, sshd_port, disk_path))

    @override
    def process(self, output: list[str]) -> state.Host:
        """Parse every section; one that is unknown leaves the others as they are."""
        return parse_host(output)


def _sections(socket_name: str | None, sshd_port: int | None, disk_path: str) -> list[Section[Any]]:
    return [
        host_section(),
        boot_section(),
        tmux_section(socket_name),
        processes_section(),
        sshd_section(sshd_port),
        disk_section(disk_path),
        memory_section(),
        load_section(),
        network_section(),
    ]


def parse_host(output: list[str]) -> state.Host:
    """The state of a host from the lines that the whole probe printed."""
    found = split_sections(output)
    answers: dict[str, Any] = {}
    for section in _sections(None, None, "~"):
        try:
            answers[section.title] = read_section(section, found)
        except ParseError as error:
            answers[section.title] = Unknown(str(error))
    return state_of(answers)


def observe(host: Host, spec: Spec) -> state.Host:
    """The state of ``host``: what is remembered, with new answers where something has changed it.

    It costs one execution at most, more only while tmux is in the middle of something. Every trouble of the host's ends
    in a state whose subjects are unknown.
    """
    sections = host_sections(host, spec, marks=True)
    ask_together(host, sections)
    seen = _assemble(host, sections)
    for _ in range(_PATIENCE):
        if not _is_changing(seen):
            break
        # A tmux with utempter (Debian's) may miss a quick death's SIGCHLD: it notices when another child ends, whose
        # own end it may miss, too: nobody waits for that.
        socket = f" -L {quoted(spec.tmux.socket_name)}" if spec.tmux.socket_name else ""
        waking = StringCommand(f"{HOST_ENVIRONMENT}; tmux{socket} run-shell -b :")
        host.run_shell_command(waking, _timeout=PROBE_TIMEOUT)
        sleep(0.1)
        forget(host, *LADDER)
        ask_together(host, sections)
        seen = _assemble(host, sections)
    return seen


def host_sections(host: Host, spec: Spec, *, marks: bool) -> list[Section[Any]]:
    """What the recovery levels want to know of ``host``, its agents by the kinds that are known for it.

    + marks: whether the panes of agents are marked with what was seen of them
    """
    if not any(agent_panes(spec)):
        return ladder_sections(spec)
    try:
        return ladder_sections(spec, host_kinds(host), marks=marks)
    except MiyabiError as error:
        # A deploy has refused such a file before; whoever asks without one learns why the agents are unknown.
        reason = quoted("; ".join(str(error).splitlines()))
        return [*ladder_sections(spec), Section("agents", f"echo {reason}; exit 1", list)]


def ladder_sections(
    spec: Spec, kinds: Mapping[str, AgentKind] | None = None, *, marks: bool = False
) -> list[Section[Any]]:
    """What the recovery levels want to know of a host: all but sshd's banner, the dearest answer of all.

    + kinds: what is known of kinds of agents; None leaves the agents out
    + marks: whether the panes of agents are marked with what was seen of them
    """
    sections = _sections(spec.tmux.socket_name, None, (spec.limits or Limits()).disk.path)
    asked = [section for section in sections if section.title != "sshd"]
    if kinds is not None and any(agent_panes(spec)):
        asked.append(agents_section(spec, kinds, marks=marks))
    return asked


def _is_changing(seen: state.Host) -> bool:
    """Whether tmux was asked in the middle of something: going away, or not yet told how a process ended."""
    if "server exited" in seen.unknown.get("tmux", ""):
        return True
    if seen.tmux is None or (version_key(seen.tmux.version) or (9,)) < (3, 3):
        # Before 3.3 tmux never tells a signal.
        return False
    panes = [pane for session in seen.tmux.sessions for window in session.windows for pane in window.panes]
    return any(pane.name and pane.dead and pane.dead_status is None and not pane.dead_signal for pane in panes)


def _assemble(host: Host, sections: list[Section[Any]]) -> state.Host:
    answers = {section.title: ask(host, section) for section in sections}
    return state_of(answers)


def state_of(answers: dict[str, Any]) -> state.Host:
    """A host's state from the answers by title; an ``Unknown`` becomes the reason for a None."""
    unknown = {title: each.reason for title, each in answers.items() if isinstance(each, Unknown)}
    values = {title: each for title, each in answers.items() if title not in unknown}
    unknown |= {title: "not asked" for title in ("sshd", "agents") if title not in answers}
    identity = values.pop("host", None)
    if identity is not None:
        values |= {name: getattr(identity, name) for name in ("platform", "hostname", "user", "home")}
    return state.Host(**values, unknown=unknown)
