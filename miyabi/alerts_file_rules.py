"""The rules of inventory/alerts.yaml that look at more than one value."""

from __future__ import annotations

from typing import Any, cast, get_args

from miyabi.alert_rules import NAMED_CHANNELS, AlertRules, Does
from miyabi.severity import SEVERITIES
from miyabi.spec_document import Document, nearest, shown
from miyabi.spec_found import Broken, Found
from miyabi.units import parse_percentage

STOP_FORM = "emergency_stop: {criticals: NUMBER, for: DURATION}, such as {criticals: 3, for: 30m}"

_KINDS = ("path", "host", "webhook", "apprise")
_SUBSCRIBERS = ("jsonlines", "webhook", "pane")
# Of these less is worse.
_SHRINKING = ("memory_available", "success_rate")


def step_of(value: object) -> tuple[Does | None, Any]:
    """The word of a step and what is given with it; no word for what is none, and what was found instead."""
    if isinstance(value, dict) and len(value) == 1:
        ((word, given),) = value.items()
    else:
        word, given = value, None
    return (cast("Does", word), given) if word in get_args(Does) else (None, word)


def _channels_exist(_: Document, root: Found) -> Broken:
    written = root.child("channels")
    known = list(written.value) if written else [each.name for each in AlertRules().channels]
    for severity, at, does, given in _steps(root):
        if does in {"log", "notify", "escalate_to_human"} and isinstance(given, list):
            for i, each in enumerate(given):
                if isinstance(each, str) and each not in known:
                    place = ("rules", severity, at, does, i)
                    there = ", ".join(map(str, known)) or "none"
                    yield place, f"found {shown(each)}", f"the names of channels: {there}{nearest(each, known)}"


def _stops_are_critical(_: Document, root: Found) -> Broken:
    for severity, at, does, _given in _steps(root):
        if does == "emergency_stop" and severity != "CRITICAL":
            yield ("rules", severity, at), "found emergency_stop", "it under CRITICAL alone"


def _steps(root: Found) -> list[tuple[str, int, str, Any]]:
    """Each step of the file that is well formed: severity, number, word, what is given with it."""
    rules = root.child("rules")
    found: list[tuple[str, int, str, Any]] = []
    for severity in SEVERITIES if rules else ():
        steps = rules.value.get(severity) if rules else None
        for at, step in enumerate(steps if isinstance(steps, list) else ()):
            does, given = step_of(step)
            if does is not None:
                found.append((severity, at, does, given))
    return found


def _channels_are_of_one_kind(_: Document, root: Found) -> Broken:
    channels = root.child("channels")
    for name, value in (channels.value if channels else {}).items():
        place = ("channels", str(name))
        if not isinstance(value, dict | None):
            continue
        given = [key for key in _KINDS if (value or {}).get(key) is not None]
        if len(given) > 1:
            yield place, f"found {' and '.join(given)}", f"one of {', '.join(_KINDS)}"
        elif name in NAMED_CHANNELS and given and (name, given[0]) != ("file", "path"):
            yield place, f"found {given[0]}", f"a name of its own for it: {name} is what it is by its name"
        elif name == "phone" and given != ["host"]:
            yield place, "found no host", "phone: {host: NAME}, a host of the inventory"
        elif name not in NAMED_CHANNELS and not given:
            there = ", ".join(NAMED_CHANNELS)
            yield place, f"found none of {', '.join(_KINDS)}", f"one of them, or one of the channels {there}"
        if (value or {}).get("headers") and "webhook" not in given:
            yield (*place, "headers"), "found headers", "them beside webhook alone"


def _subscribers_are_of_one_kind(_: Document, root: Found) -> Broken:
    for each in root.children("subscribers"):
        given = [key for key in _SUBSCRIBERS if each.value.get(key) is not None]
        if len(given) != 1:
            yield each.place, f"found {' and '.join(given) or 'none'} of them", f"one of {', '.join(_SUBSCRIBERS)}"
        elif each.value.get("headers") and given != ["webhook"]:
            yield (*each.place, "headers"), "found headers", "them beside webhook alone"


def _critical_is_worse(_: Document, root: Found) -> Broken:
    thresholds = root.child("thresholds")
    for metric in thresholds.value if thresholds else ():
        each = thresholds.child(metric) if thresholds else None
        if each is None:
            continue
        warning, critical = (_number(each.value.get(key)) for key in ("warning", "critical"))
        if warning is None and critical is None and not {"warning", "critical"} & set(each.value):
            yield each.place, "found no warning and no critical", "one of them, or both"
        if warning is None or critical is None:
            continue
        if metric in _SHRINKING and warning < critical:
            yield each.place, f"found warning {warning:g} below critical {critical:g}", "a warning above critical"
        if metric not in _SHRINKING and warning > critical:
            yield each.place, f"found warning {warning:g} above critical {critical:g}", "a warning below critical"


def _number(value: object) -> float | None:
    """A number or a percentage; None when it is malformed, which is reported elsewhere."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value) if isinstance(value, int | float) else parse_percentage(value)
    except ValueError:
        return None


ALERT_RULES = (
    _channels_exist,
    _stops_are_critical,
    _channels_are_of_one_kind,
    _subscribers_are_of_one_kind,
    _critical_is_worse,
)
