"""The operator's cockpit on the control machine: a window for each session of the fleet that is attached."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pyinfra import host, logger
from pyinfra.api import FunctionCommand

from facts.cockpit import SUBJECT, SeenCockpit, cockpit_section
from facts.host_spec import host_spec, managed_server
from facts.observation import Unknown, ask, forget
from miyabi.cockpit import CockpitPlan, CockpitWindow, cockpit_windows, label_of, plan_cockpit
from miyabi.errors import MiyabiError
from miyabi.spec import Spec, TmuxServer
from miyabi.spec_cockpit import Cockpit
from operations.gate import operation, permission
from operations.upkeep import failing, proof, warn

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

# Seconds in which what was started says how it stands.
_PATIENCE = 10


@operation()
def kept(session_name: str = Cockpit().session_name) -> Generator[PyinfraCommand]:
    """Ensure that the cockpit on this machine shows each session of the run's hosts whose spec says ``attached``.

    + session_name: of the cockpit, in the tmux server that this machine's spec names

    Windows that are missing are made, and loops that have ended are started again; what is attached, what waits for its
    next try or for a human, and what a human has made there is left alone. Nothing is removed: a run may be about some
    of the hosts only. ``miyabi cockpit up`` removes what is wanted no more.

    **Example:**

    .. code:: python

        from operations import cockpit

        cockpit.kept(name="Cockpit")
    """
    if not host.name.startswith("@local"):
        warn(host, SUBJECT, "a cockpit is kept only on the machine that runs go out from: remove it from this spec")
        return
    server = managed_server()
    section = cockpit_section(session_name, server)
    seen = ask(host, section)
    if isinstance(seen, Unknown):
        yield from failing(host, SUBJECT, seen.reason)
        return
    wanted = tuple(_windows(host, session_name, server))
    plan = plan_cockpit(wanted, seen.panes, session_name)
    if not plan:
        host.noop(f"{session_name} has its {len(wanted)} windows")
        return
    if seen.is_anothers:
        why = f"the session {session_name} in tmux is another's; rename it, or give the cockpit another session_name"
        yield from failing(host, SUBJECT, why)
        return
    damage = _in_words(plan)
    if not (yield from permission(host, SUBJECT, "tidy", damage)):
        return
    host.log(f"Making {damage}")
    yield FunctionCommand(_make, (session_name, server, wanted), {})
    yield proof(
        host,
        SUBJECT,
        section,
        lambda found: _left(found, wanted, session_name),
        did=f"{session_name}: {damage}",
        seconds=_PATIENCE,
    )


def _windows(control: Host, session_name: str, server: TmuxServer) -> Iterator[CockpitWindow]:
    return cockpit_windows(_fleet(control.state), session_name, server, lambda path: str(Path(path).expanduser()))


def _fleet(state: State) -> Iterator[tuple[str, Mapping[str, object], Spec]]:
    """The hosts of the run that have a spec; those that are not reached belong to it, too."""
    for each in state.inventory:
        # A host whose spec cannot be read fails by itself.
        with suppress(MiyabiError):
            yield each.name, each.data.dict(), host_spec(each)


def _in_words(plan: CockpitPlan) -> str:
    again = [f"{label_of(pane)} ({pane.dead or 'by another way'})" for pane, _ in plan.rerun]
    return ", ".join([*(window.label for window in plan.make), *again])


def _left(seen: SeenCockpit, wanted: tuple[CockpitWindow, ...], session_name: str) -> str | None:
    plan = plan_cockpit(wanted, seen.panes, session_name)
    return f"not there: {_in_words(plan)}" if plan else None


def _make(state: State, host: Host, session_name: str, server: TmuxServer, wanted: tuple[CockpitWindow, ...]) -> bool:
    """Make what is missing now: a human may have made it meanwhile."""
    del state
    from miyabi.cockpit_tmux import CockpitTmux  # noqa: PLC0415 - libtmux is only for a run that changes something

    there = CockpitTmux(session_name, server)
    try:
        there.apply(plan_cockpit(wanted, there.panes(), session_name), lambda _: None)
    except MiyabiError as error:
        host.log_styled(f"{SUBJECT}: {error}", fg="red", log_func=logger.error)
        return False
    finally:
        forget(host, SUBJECT)
    return True
