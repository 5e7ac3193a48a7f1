"""Whether somebody wants what is to be done left alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from miyabi.drift import Target
from miyabi.gate_types import Pause, Request
from miyabi.spec import Spec
from miyabi.subjects import AGENT, INSTANCE

_EMERGENCY_STOP = "emergency stop"

# Seconds that what a spec calls maintenance is held at a time: it has no end of its own.
_MAINTENANCE = 3600.0


def emergency_stop(until: float, why: str, now: float) -> Pause:
    """The pause that stops everything."""
    return Pause("", "", until, f"{_EMERGENCY_STOP}: {why}", now)


def is_emergency_stop(pause: Pause) -> bool:
    """Whether a pause is the emergency stop of everything, and no human's wish."""
    return not pause.host and pause.reason.startswith(_EMERGENCY_STOP)


def pauses_of_spec(host: str, wanted: Spec, now: float) -> tuple[Pause, ...]:
    """What a spec itself wants to be left alone, as pauses."""
    named = [("", wanted.maintenance)]
    for session in wanted.sessions:
        named.append((session.session_name, session.maintenance))
        for window in session.windows:
            for pane in window.panes:
                target = str(Target(session.session_name, window.name, pane.name))
                named.append((target, pane.maintenance))
    return tuple(Pause(host, target, now + _MAINTENANCE, reason, now) for target, reason in named if reason is not None)


def pause_of(request: Request, pauses: Iterable[Pause], now: float) -> Pause | None:
    """The pause that holds a request for the longest time; None when nobody has asked for one.

    It holds what is paused, what is in that, what holds that, and what repairs nothing but paused targets. All that is
    on a host is in its instance, whose reboot ends it.
    """
    own = [each for each in pauses if each.until > now and each.host in {"", request.host}]
    ends = "" if request.target == INSTANCE and request.disturbs else request.target
    about = [each for each in own if is_within(request.target, each.target) or is_within(each.target, ends)]
    if about:
        return max(about, key=_end)
    longest = [
        max((each for each in own if is_within(target, each.target)), key=_end, default=None)
        for target in request.covers
    ]
    return min(filter(None, longest), key=_end) if longest and None not in longest else None


def _end(pause: Pause) -> float:
    return pause.until


def is_within(target: str, around: str) -> bool:
    """Whether a target is another one, or in it: ``work:main.kaede`` is in ``work:main``, ``work`` and "", the host.

    ``workshop`` is not in ``work``: a session is followed by a colon, a window by a dot. What an agent's case is about
    is in its pane.
    """
    if around in {"", target}:
        return True
    if target.startswith(AGENT):
        return is_within(target.removeprefix(AGENT), around)
    return target.startswith((f"{around}:", f"{around}.") if ":" in around else f"{around}:")
