"""The whole state of a host, observed in one execution."""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING, Any, cast

from pyinfra.api import FactBase, StringCommand
from typing_extensions import override

from facts.boot import boot_section
from facts.disk import disk_section
from facts.host_spec import managed_socket
from facts.load import load_section
from facts.memory import memory_section
from facts.network import network_section
from facts.platform import host_section
from facts.probe import Section, probe_script, read_section, split_sections
from facts.processes import processes_section
from facts.sshd import sshd_section
from facts.tmux import tmux_section
from miyabi import state
from miyabi.errors import ParseError
from miyabi.shell import HOST_ENVIRONMENT, quoted
from miyabi.spec import Spec
from miyabi.tmux_listing import version_key

if TYPE_CHECKING:
    from pyinfra.api import Host

# Seconds for the whole probe, as a last resort: each of its commands is bounded on the host itself.
PROBE_TIMEOUT = 60

# How often a host is asked again when it was in the middle of something.
_PATIENCE = 5

_MEMORY = "miyabi_observation"


class HostState(FactBase[state.Host]):
    """Return everything that Miyabi observes of a host, by one shell script in one execution.

    + socket_name: the tmux server, as in ``tmux -L``; None is the one that the host's data or spec names
    + sshd_port: the port that must answer; None is the one this very connection came through, else the platform's
    + ask_sshd: whether sshd is asked for its banner, which leaves a line in its log
    + disk_path: whose file system is measured, a leading ``~`` is the user's home on the host

    Each subject that could not be told is None, and ``unknown`` says why. None for the whole answer means that the
    host did not run the probe to its end.

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
        ask_sshd: bool = True,
    ) -> str:
        """The probe with all sections."""
        socket = managed_socket() if socket_name is None else socket_name
        sections = _sections(socket, sshd_port, disk_path)
        return probe_script(section for section in sections if ask_sshd or section.title != "sshd")

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
    values: dict[str, Any] = {}
    unknown: dict[str, str] = {}
    for section in _sections(None, None, "~"):
        try:
            values[section.title] = read_section(section, found)
        except ParseError as error:
            unknown[section.title] = str(error)
    if "sshd" not in found and "network" in found:
        # The probe went on behind its place.
        unknown["sshd"] = "not asked"
    identity = values.pop("host", None)
    if identity is not None:
        values |= {name: getattr(identity, name) for name in ("platform", "hostname", "user", "home")}
    return state.Host(**values, unknown=unknown)


def observe(host: Host, spec: Spec) -> state.Host:
    """The state of ``host``: the remembered one, or a new one when something changed it or pyinfra's stage moved on.

    It costs one execution, more only while tmux is in the middle of something. Every trouble of the host's ends in a
    state whose subjects are unknown.
    """
    stage = host.state.current_stage
    remembered = host.connector_data.get(_MEMORY)
    if remembered is not None and remembered[0] == stage:
        return cast("state.Host", remembered[1])
    seen = _ask(host, spec)
    for _ in range(_PATIENCE):
        if seen is None or not _is_changing(seen):
            break
        # A tmux with utempter (Debian's) may miss a quick death's SIGCHLD: it notices when another child ends.
        socket = f" -L {quoted(spec.tmux.socket_name)}" if spec.tmux.socket_name else ""
        host.run_shell_command(StringCommand(f"{HOST_ENVIRONMENT}; tmux{socket} run-shell :"), _timeout=PROBE_TIMEOUT)
        sleep(0.1)
        seen = _ask(host, spec)
    if seen is None:
        seen = state.Host(unknown={"tmux": "the host did not answer the probe"})
    host.connector_data[_MEMORY] = (stage, seen)
    return seen


def _is_changing(seen: state.Host) -> bool:
    """Whether tmux was asked in the middle of something: going away, or not yet told how a process ended."""
    if "server exited" in seen.unknown.get("tmux", ""):
        return True
    if seen.tmux is None or (version_key(seen.tmux.version) or (9,)) < (3, 3):
        # Before 3.3 tmux never tells a signal.
        return False
    panes = [pane for session in seen.tmux.sessions for window in session.windows for pane in window.panes]
    return any(pane.name and pane.dead and pane.dead_status is None and not pane.dead_signal for pane in panes)


def _ask(host: Host, spec: Spec) -> state.Host | None:
    seen = host.get_fact(
        HostState,
        socket_name=spec.tmux.socket_name or "",
        sshd_port=spec.sshd.port if spec.sshd else None,
        disk_path=spec.limits.disk.path,
        # What nobody wants to know is not asked: the banner is the dearest answer of all.
        ask_sshd=spec.sshd is not None,
        # A failing fact would fail the host and leave its operation running: the refusal is ours to make.
        _ignore_errors=True,
        _timeout=PROBE_TIMEOUT,
    )
    return cast("state.Host | None", seen)


def forget(host: Host) -> None:
    """Let the next ``observe`` of ``host`` look again: something changed it."""
    host.connector_data.pop(_MEMORY, None)
