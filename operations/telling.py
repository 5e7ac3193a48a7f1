"""Who hears how a run ended: guardian and phones over their hosts, other channels and subscribers from here."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from pyinfra import logger
from pyinfra.api import StringCommand
from pyinfra.api.exceptions import PyinfraError

from facts.host import observe
from facts.host_spec import host_spec
from miyabi.climb import Climb
from miyabi.drift import Target
from miyabi.errors import MiyabiError
from miyabi.message import message_script, status_line
from miyabi.records import Signalled
from miyabi.spec import Spec
from operations import termux
from operations.climbing import climb_of
from operations.gate import may_tell
from operations.guardian import living_pane, tell_guardian
from operations.memory import memory_of, now
from operations.outcome import open_incidents, outcome_of
from operations.upkeep import findings

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

    from miyabi.alert_text import Alert
    from miyabi.delivery import Parcel

# Seconds for one word to one host.
_TIMEOUT = 20


def tell_here(host: Host, wanted: Spec, alerts: Iterable[Alert], done: str | None) -> Generator[PyinfraCommand]:
    """Tell the host's own guardian, and the phone itself where its spec asks for that.

    + alerts: what is told of this host
    + done: how a recovery ended that worked, in words; None when there was none
    """
    rules = outcome_of(host.state).rules
    lines = [status_line(None, "COMPLETE", done)] if done else []
    shown = [("recovery complete", done)] if done else []
    for alert in alerts:
        if any(channel.kind == "guardian" for channel in rules.channels_for(alert.severity)) and alert.incident:
            lines.append(status_line(None, "RECOVERED" if alert.change == "closed" else "FAILED", alert.line))
            if wanted.recovery.guardian and living_pane(observe(host, wanted).tmux, wanted.recovery.guardian):
                outcome_of(host.state).guarded.add(alert.line)
        if alert.incident:
            shown.append((f"recovery: {alert.severity}", alert.line))
    for line in lines:
        yield from tell_guardian(host, wanted, line)
    if wanted.termux.notifications and shown:
        # The nested operation asks for itself, and this one must have asked, too.
        may_tell(host)
        for title, text in shown:
            yield from termux.notification._inner(title=f"{host.name}: {title}", text=text)  # noqa: SLF001 - pyinfra's way to nest


def tell_everybody(state: State, signals: Iterable[Signalled]) -> None:
    """Send what the run has to tell to every channel and subscriber; each is bounded, and none can fail the run."""
    outcome, memory = outcome_of(state), memory_of(state)
    told = tuple(signals)
    if not outcome.alerts and not (outcome.rules.subscribers and told):
        return
    # Who has nothing to tell does not pay for it.
    from miyabi.channels import tell  # noqa: PLC0415
    from miyabi.delivery import SENT, is_for_the_run, parcels  # noqa: PLC0415

    for parcel in parcels(outcome.alerts, outcome.rules, told):
        if is_for_the_run(parcel):
            # What a guardian was told on its own host is not told again.
            here = parcel.to.kind == "guardian"
            left = tuple(each for each in parcel.alerts if not (here and each.line in outcome.guarded))
            is_told = here and parcel.alerts and not left
            outcome.sent |= {parcel.name: SENT} if is_told else _over_host(state, replace(parcel, alerts=left))
    delivered = tell(
        outcome.alerts,
        outcome.rules,
        folder=memory.folder,
        run=memory.run,
        now=now(),
        say=lambda text: logger.warning(f"--> {text}"),
        earlier=open_incidents(state),
        breakers=memory.ask_history(lambda history: history.breakers()) or {},
        signals=told,
        elsewhere=outcome.sent,
    )
    memory.keep(*delivered.records)
    for parcel in parcels(delivered.more, outcome.rules):
        if is_for_the_run(parcel) and outcome.sent.get(parcel.name) in {None, SENT}:
            _over_host(state, parcel)


def _over_host(state: State, parcel: Parcel) -> dict[str, str]:
    """Send what needs a connection to a host; what came of it by channel, nothing for a guardian that nobody has."""
    from miyabi.alert_text import for_guardian, for_phone  # noqa: PLC0415
    from miyabi.signals import line_of  # noqa: PLC0415
    from miyabi.termux import notification_script  # noqa: PLC0415

    kind, where = parcel.to.kind, parcel.to.where
    if kind == "phone":
        found = next((host for host in state.inventory if host.name == where), None)
        scripts = [notification_script(*for_phone(alert), "miyabi") for alert in parcel.alerts]
        return {parcel.name: "no such host in the inventory" if found is None else _say(found, scripts)}
    lines = [for_guardian(alert) for alert in parcel.alerts] + [line_of(signal) for signal in parcel.signals]
    for host in state.inventory:
        wanted = _spec(host)
        name = wanted.recovery.guardian if wanted and kind == "guardian" else where
        seen = climb_of(host).seen
        pane = living_pane(seen.tmux, name) if seen and name and host.connected else None
        if wanted is not None and pane is not None:
            return {parcel.name: _say(host, [message_script(line, pane, wanted.tmux) for line in lines])}
    if kind == "guardian" and not any((each := _spec(host)) and each.recovery.guardian for host in state.inventory):
        return {}
    return {parcel.name: "no host that was reached has such a pane"}


def _supervised(host: Host) -> list[Target]:
    """The panes of a host's spec that are kept running."""
    wanted = _spec(host)
    return [
        Target(session.session_name, window.name, pane.name)
        for session in (wanted.sessions if wanted else ())
        for window in session.windows
        for pane in window.panes
        if pane.supervised
    ]


def _spec(host: Host) -> Spec | None:
    try:
        return host_spec(host)
    except (MiyabiError, AttributeError):
        return None


def _say(host: Host, scripts: Iterable[str]) -> str:
    try:
        if not host.connected:
            return f"{host.name} is not reached"
        for script in scripts:
            done, output = host.run_shell_command(StringCommand(script), _timeout=_TIMEOUT)
            if not done:
                return output.stderr.strip().rpartition("\n")[2] or "that failed"
    except (PyinfraError, OSError, EOFError) as error:
        return f"{host.name}: {error}"
    return "sent"


def signals_of(host: Host, climb: Climb) -> tuple[Signalled, ...]:
    """What others are told of a host on which something was done, or of one that is well."""
    from miyabi import signals  # noqa: PLC0415 - a run without changes has nothing to tell

    memory = memory_of(host.state)
    run, at = memory.run, now()
    tried = [drift for step in climb.steps for drift in step.drifts if drift.kind != "unmarked"]
    repaired = [each.subject for each in findings(host).values() if each.verdict == "repaired"]
    if not tried and not repaired:
        return ()
    affected = list(dict.fromkeys([*(str(drift.target) for drift in tried), *repaired]))
    left = {str(drift.target) for drift in climb.drifts}
    restored = [target for target in affected if target not in left]
    level = max((step.level for step in climb.steps if step.drifts), default=None)
    seconds = sum(step.seconds for step in climb.steps)
    status = signals.recovery_status(run, at, host.name, level, affected, len(restored) == len(affected), seconds)
    told: list[Signalled] = [status, signals.recovery_report(run, at, host.name, {"summary": ", ".join(affected)})]
    if not left and level is not None:
        told.append(signals.recovery_complete(run, at, host.name, level))
    tmux = climb.seen.tmux if climb.seen else None
    if tmux is not None:
        windows = [window for session in tmux.sessions for window in session.windows]
        panes = sum(len(window.panes) for window in windows)
        names = [session.session_name for session in tmux.sessions]
        told.append(signals.session_snapshot(run, at, host.name, names, len(windows), panes))
    agents = [agent for agent in _supervised(host) if {str(scope) for scope in agent.scopes()} & set(restored)]
    if agents:
        told.append(signals.agents_ready(run, at, host.name, map(str, agents)))
    return tuple(told)
