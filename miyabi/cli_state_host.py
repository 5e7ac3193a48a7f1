"""``miyabi state`` on a workspace of a host: asked through its facts, and changed by ``deploys/state.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from io import StringIO
from typing import TYPE_CHECKING, Any

import click

from miyabi.cli_fleet import clock, print_json, working
from miyabi.errors import StateError
from miyabi.host_paths import refuse_path
from miyabi.masking import shown
from miyabi.orchestration.workspace import SeenFile
from miyabi.pyinfra_command import Target, ask_fleet, require_clone, run_deploy, stream_pyinfra
from miyabi.spec_document import nearest
from miyabi.state_looked import Looked, found_backups
from miyabi.words import iso

if TYPE_CHECKING:
    from miyabi.cli_state_act import Order
    from miyabi.cli_state_place import Place

_DEPLOY = "deploys/state.py"
_SESSIONS = "facts.workspace.Sessions"


def look_at_host(host: str, workspace: str) -> tuple[Looked, ...]:
    """How the sessions of a host's workspace are; of all that its spec names without one."""
    _require(host)
    if workspace and (reason := refuse_path(workspace)) is not None:
        raise StateError(f"--workspace: {reason}")
    answers = ask_fleet([host], _SESSIONS, arguments=[f"path={workspace}"] if workspace else ())
    if host not in answers.facts:
        raise StateError(f"{host}: it did not say: {(answers.said.get(host) or ['it was not reached'])[-1]}")
    told = answers.facts[host]
    if not told:
        raise StateError(f"{host}: its spec names no workspace under orchestration; name one with --workspace PATH")
    return tuple(_looked(host, each) for each in told)


def _looked(host: str, told: Mapping[str, Any]) -> Looked:
    files = [SeenFile(each["name"], each["size"], each["changed_at"]) for each in told.get("backups", ())]
    held = tuple(each["name"] for each in told.get("locks", ()) if each["holder"] == "alive")
    return Looked(
        *(told["path"], told.get("now") or clock(), host, told.get("trouble") or ""),
        *(tuple(told.get("sessions", ())), found_backups(files), held, bool(told.get("events"))),
    )


def back_up_host(place: Place, name: str) -> str:
    """Keep a workspace of a host as it is now; what the backup is called there."""
    _require(place.host)
    before = {each.name for there in look_at_host(place.host, place.workspace) for each in there.backups}
    run_deploy(Target(place.host, is_known=True), _DEPLOY, _data(place, "backup", backup=name), quiet=True)
    looked = look_at_host(place.host, place.workspace)
    made = [each.name for there in looked for each in there.backups if each.name not in before]
    if not made:
        raise StateError(f"{place.words}: the backup was made, and is not there")
    return ", ".join(made)


def change_host(place: Place, order: Order) -> int:
    """Do what a human wants on a host, after its state was shown and he has said yes; the exit code."""
    from miyabi.cli_state_act import allowed  # noqa: PLC0415 - it imports this module
    from miyabi.cli_state_look import code_of, look, looked_json, tell  # noqa: PLC0415

    before = look(place, is_json=order.is_json, gone_too=order.action in {"restore", "replay"})
    if not order.is_json:
        for each in before:
            tell(each, is_guided=False)
    if order.dry:
        return _plan(place, order, code_of(before))
    if not allowed(order, before, place.words):
        return 1
    data = _data(place, order.action, backup=order.backup)
    with working(f"{order.action} on {place.words}", is_json=order.is_json):
        run_deploy(Target(place.host, is_known=True), _DEPLOY, data, quiet=order.is_json)
    after = look(place, is_json=order.is_json, gone_too=True)
    code = code_of(after)
    if order.is_json:
        told = {"at": iso(clock()), "action": order.action, "dry": False, "host": place.host, "exit_code": code}
        seen = {"before": [looked_json(each) for each in before], "after": [looked_json(each) for each in after]}
        print_json({**told, **seen})
    else:
        for each in after:
            click.echo("")
            tell(each, is_guided=code != 0)
    return code


def _plan(place: Place, order: Order, code: int) -> int:
    """Show what pyinfra would do; the exit code."""
    words = [
        word
        for name, value in _data(place, order.action, backup=order.backup).items()
        for word in ("--data", f"{name}={value}")
    ]
    lines: list[str] = []
    ended = stream_pyinfra(["inventory", "--limit", place.host, *words, _DEPLOY, "--dry"], {}, lines.append)
    if order.is_json:
        told = {"action": order.action, "dry": True, "host": place.host, "exit_code": 1 if ended else code}
        print_json({**told, "said": [line for line in lines if line.strip()]})
    else:
        for line in lines:
            click.echo(shown(line))
        click.echo("nothing was changed")
    return 1 if ended else code


def _data(place: Place, action: str, *, backup: str = "") -> dict[str, str]:
    told = {"action": action, "workspace": place.workspace, "session": ",".join(place.sessions), "backup": backup}
    return {name: value for name, value in told.items() if value}


def _require(host: str) -> None:
    """Raise ``MiyabiError`` unless the inventory here knows the host."""
    from miyabi.cli import inventory_hosts  # noqa: PLC0415 - the program's entry imports this module when asked

    require_clone()
    with redirect_stderr(StringIO()):
        known: Sequence[str] = list(inventory_hosts())
    if host not in known:
        there = f"there are {', '.join(known[:12])}" if known else "the inventory knows none"
        raise StateError(f"--host {shown(host)}: no such host; {there}{nearest(host, known)}")
