"""The rules about what a spec says of its host that look at more than one value."""

from __future__ import annotations

from collections.abc import Callable

from miyabi.gate_rules import Rules
from miyabi.pruning import is_broad
from miyabi.spec import DiskLimit, MemoryLimit, ProcessLimit
from miyabi.spec_cockpit import Cockpit
from miyabi.spec_document import Document, nearest, shown
from miyabi.spec_found import Broken, Found, repeated
from miyabi.units import parse_duration, parse_percentage


def _server_names(document: Document, root: Found, _: list[Found]) -> Broken:
    yield from repeated(document, root.children("mcp_servers"), "name", "each server once")


def _thresholds(_: Document, root: Found, __: list[Found]) -> Broken:
    limits = root.child("limits")
    if limits is None:
        return
    for key, default, sign, wrong, allowed in (
        ("disk", DiskLimit(), 1, "above", "a warning at or below critical: used space grows"),
        ("memory_available", MemoryLimit(), -1, "below", "a warning at or above critical: available memory shrinks"),
    ):
        limit = limits.child(key)
        if limit is None:
            continue
        warning = _percentage(limit, "warning", default.warning)
        critical = _percentage(limit, "critical", default.critical)
        if warning is not None and critical is not None and warning * sign > critical * sign:
            yield limit.place, f"found warning {warning:g}% {wrong} critical {critical:g}%", allowed


def _percentage(limit: Found, key: str, default: float) -> float | None:
    """The percentage at ``key``; None when it is malformed, which is reported elsewhere."""
    try:
        return parse_percentage(limit.value.get(key, default))
    except (TypeError, ValueError):
        return None


def _unrecognisable_servers(_: Document, root: Found, __: list[Found]) -> Broken:
    for server in root.children("mcp_servers"):
        if "match" not in server.value and "port" not in server.value:
            yield server.place, "found no match and no port", "one of them, by which the running server is recognised"


def _orchestrations(document: Document, root: Found, _: list[Found]) -> Broken:
    yield from repeated(document, root.children("orchestration"), "workspace", "each workspace once")


def _broad_temp(_: Document, root: Found, __: list[Found]) -> Broken:
    for temp in root.children("temp"):
        path = temp.text("path")
        if path is not None and is_broad(path):
            allowed = "a path of its own below a directory, such as /tmp/claude-* or ~/tmp/*"
            yield (*temp.place, "path"), f"found {shown(path)}, which holds more than temporary files", allowed


def _integration_names(document: Document, root: Found, _: list[Found]) -> Broken:
    yield from repeated(document, root.children("integrations"), "name", "each integration once")


def _one_check(_: Document, root: Found, __: list[Found]) -> Broken:
    for integration in root.children("integrations"):
        yield from _exactly_one(integration, ("command", "tcp", "http"), "by which the service is checked")


def _reliefs(_: Document, root: Found, __: list[Found]) -> Broken:
    servers = [name for server in root.children("mcp_servers") if (name := server.text("name"))]
    limits = root.child("limits")
    for key in ("disk", "memory_available"):
        limit = limits.child(key) if limits else None
        if limit is not None and limit.value.get("prevent") is not None and not limit.value.get("relief"):
            yield (*limit.place, "prevent"), "found no relief that could prevent it", "prevent beside relief"
        for relief in limit.children("relief") if limit else []:
            yield from _exactly_one(relief, ("prune", "rotate", "restart"), "each relief does one thing")
            server = relief.text("restart")
            if server is not None and server not in servers:
                allowed = f"the name of one of the mcp_servers{nearest(server, servers)}"
                yield (*relief.place, "restart"), f"found {shown(server)}, which no server is called", allowed
            prune = relief.text("prune")
            if prune is not None and is_broad(prune):
                allowed = "a path of its own below a directory, such as ~/.cache/claude/*"
                yield (*relief.place, "prune"), f"found {shown(prune)}, which holds more than temporary files", allowed


def _exactly_one(owner: Found, keys: tuple[str, ...], why: str) -> Broken:
    there = [key for key in keys if owner.value.get(key) is not None]
    if len(there) != 1:
        found = f"found {' and '.join(there)}" if there else f"found no {' and no '.join(keys)}"
        yield owner.place, found, f"one of {', '.join(keys)}: {why}"


def _process_thresholds(_: Document, root: Found, __: list[Found]) -> Broken:
    limits = root.child("limits")
    processes = limits.child("processes") if limits else None
    if processes is None:
        return
    warning = processes.value.get("warning", ProcessLimit().warning)
    critical = processes.value.get("critical", ProcessLimit().critical)
    if isinstance(warning, int) and isinstance(critical, int) and warning > critical:
        yield processes.place, f"found warning {warning} above critical {critical}", "a warning at or below critical"


def _gate(_: Document, root: Found, __: list[Found]) -> Broken:
    gate = root.child("gate")
    if gate is None:
        return
    rules = Rules()
    backoff, flapping, confirm = (gate.child(key) for key in ("backoff", "flapping", "confirm"))
    if backoff is not None:
        first = _duration(backoff, "first", rules.backoff_first)
        longest = _duration(backoff, "longest", rules.backoff_longest)
        if first is not None and longest is not None and first > longest:
            yield (
                backoff.place,
                f"found first {first:g}s above longest {longest:g}s",
                "a first pause at or below longest",
            )
    if flapping is not None:
        start = _percentage(flapping, "start", rules.flapping_start)
        stop = _percentage(flapping, "stop", rules.flapping_stop)
        if start is not None and stop is not None and stop > start:
            yield flapping.place, f"found stop {stop:g}% above start {start:g}%", "a stop at or below start"
    if confirm is not None:
        seen, of = confirm.value.get("seen", rules.seen), confirm.value.get("of", rules.seen_of)
        if isinstance(seen, int) and isinstance(of, int) and seen > of:
            yield confirm.place, f"found seen {seen} above of {of}", "seen in at most as many looks as there are in of"


def _replacement(_: Document, root: Found, __: list[Found]) -> Broken:
    rules = root.child("l4")
    if rules is not None and _is_true(rules.value.get("replace")) and rules.value.get("launch_template") is None:
        allowed = "launch_template beside it, from which another instance is launched"
        yield (*rules.place, "replace"), "found replace without launch_template", allowed


def _cockpit(_: Document, root: Found, sessions: list[Found]) -> Broken:
    cockpit = root.child("cockpit")
    written = root.value.get("cockpit")
    if cockpit is None and not (isinstance(written, bool) and written):
        return
    # With true, or without a name, it is called as the default says.
    name = (cockpit.text("session_name") if cockpit else None) or Cockpit().session_name
    if any(session.text("session_name") == name for session in sessions):
        allowed = "a session_name of its own: {session_name: NAME}"
        yield (*root.place, "cockpit"), f"found {shown(name)}, which one of the sessions is called", allowed


def _is_true(value: object) -> bool:
    """Whether pydantic reads a value as true."""
    return str(getattr(value, "text", value)).lower() in {"true", "yes", "on", "1", "y", "t"}


def _duration(owner: Found, key: str, default: float) -> float | None:
    """The seconds at ``key``; None when they are malformed, which is reported elsewhere."""
    try:
        return parse_duration(owner.value.get(key, default))
    except (TypeError, ValueError):
        return None


HOST_RULES: tuple[Callable[[Document, Found, list[Found]], Broken], ...] = (
    _server_names,
    _unrecognisable_servers,
    _broad_temp,
    _orchestrations,
    _thresholds,
    _process_thresholds,
    _reliefs,
    _integration_names,
    _one_check,
    _gate,
    _replacement,
    _cockpit,
)
