"""``miyabi state backup``, ``restore``, ``repair``, ``replay`` and ``reset``: they show what they would do, and ask."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import click

from miyabi.cli_fleet import clock, print_json, say, width_of_output, working
from miyabi.cli_state_look import code_of, look, looked_json, tell, tell_lines
from miyabi.cli_state_place import Place
from miyabi.errors import StateError
from miyabi.masking import shown
from miyabi.orchestration.error_table import words_of
from miyabi.orchestration.error_text import error_lines
from miyabi.orchestration.error_words import Places
from miyabi.orchestration.guidance import FoundBackup
from miyabi.state_looked import Looked
from miyabi.state_repair import Settled
from miyabi.state_view import settled_code, settled_json, settled_lines
from miyabi.words import both_clocks, counted, iso, made

Action = Literal["restore", "repair", "replay", "reset"]

_QUESTIONS = {
    "restore": "Put these backups back",
    "repair": "Repair it",
    "replay": "Replace it with what the event log says",
    "reset": "Put all of them aside",
}
_ANEW = "reset"

# Who uses a session: who has locked its file, and the agents that it names.
_USERS: tuple[Callable[[Looked], tuple[str, ...]], ...] = (lambda each: each.held, lambda each: each.living)


@dataclass(frozen=True, slots=True)
class Order:
    """What a human wants to have done.

    + backup: the name of the one to put back; "" is the newest valid one
    + force: whether it is done although a running program holds a session
    """

    action: Action
    dry: bool
    yes: bool
    is_json: bool
    backup: str = ""
    force: bool = False


def backup(place: Place, name: str, *, is_json: bool) -> int:
    """Keep a workspace as it is now; the exit code."""
    if place.sessions:
        raise StateError("a backup is of the whole workspace: leave --session out")
    if name and (not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or not name.isascii()):
        raise StateError(f"--name {name!r}: allowed: letters, digits, '-', '_' and '.'")
    with working(f"backing up {place.words}", is_json=is_json):
        if place.host:
            from miyabi.cli_state_host import back_up_host  # noqa: PLC0415 - only for a host

            told = back_up_host(place, name)
        else:
            from miyabi.cli_state_local import back_up_here  # noqa: PLC0415

            told = back_up_here(place.workspace, name)
    if is_json:
        print_json({"exit_code": 0, "host": place.host or None, "workspace": place.workspace, "backup": told})
    else:
        click.echo(f"{place.words}: kept as {shown(told)}")
    return 0


def list_backups(place: Place, *, is_json: bool) -> int:
    """Tell which backups there are, the newest first; the exit code."""
    looked = look(Place(place.workspace, place.host), is_json=is_json)
    if is_json:
        workspaces = [
            {
                "workspace": each.path,
                "trouble": each.trouble or None,
                "backups": [{"name": kept.name, "made_at": iso(kept.made_at)} for kept in _of(each, place)],
            }
            for each in looked
        ]
        print_json({"host": place.host or None, "workspaces": workspaces})
        return 1 if any(each.trouble for each in looked) else 0
    for each in looked:
        if each.trouble:
            raise StateError(f"{shown(each.path)}: {shown(each.trouble)}")
        kept = _of(each, place)
        if not kept:
            click.echo(f"{shown(each.path)}: no backup is kept; `miyabi state backup` makes one")
        for found in kept:
            click.echo(f"{shown(found.name)}  {both_clocks(found.made_at)}, {made(each.now - found.made_at)}")
    return 0


def _of(looked: Looked, place: Place) -> list[FoundBackup]:
    """The backups of the sessions that are meant; a whole one is of all."""
    names = place.sessions
    return [
        each
        for each in looked.backups
        if not names or each.name.startswith("backup-") or each.name.partition("/")[0] in names
    ]


def change(place: Place, order: Order) -> int:
    """Do what a human wants, after it was shown and he has said yes; the exit code."""
    if place.host:
        from miyabi.cli_state_host import change_host  # noqa: PLC0415 - only for a host

        return change_host(place, order)
    from miyabi.cli_state_local import change_here  # noqa: PLC0415

    return change_here(place, order)


def allowed(order: Order, looked: Sequence[Looked], words: str) -> bool:
    """Whether a human says yes. Raises ``StateError`` when it may not be done, or nobody can be asked."""
    held, living = ([shown(name) for each in looked for name in names(each)] for names in _USERS)
    if order.action == "reset" and held:
        raise StateError(f"{', '.join(held[:3])}: a running program holds it and would write it again; end that first")
    if order.action == "reset" and living and not order.force:
        raise StateError(f"{', '.join(living[:3])}: agents of it run; end them first, or add --force")
    if order.yes:
        return True
    if sys.stdin is None or sys.stdin.closed:
        raise StateError(f"{words}: nothing was changed: nobody can be asked; --yes does it without asking")
    try:
        if not click.confirm(f"{_QUESTIONS[order.action]}?", err=True):
            say("nothing was changed")
            return False
        if order.action == "reset":
            typed = click.prompt(f"Type {_ANEW} to begin anew", default="", show_default=False, err=True)
            if typed.strip() != _ANEW:
                say("nothing was changed")
                return False
    except click.Abort:
        say("")
        raise StateError(f"{words}: nothing was changed: nobody has answered; --yes does it without asking") from None
    return True


def tell_settled(settled: Sequence[Settled], *, is_plan: bool, is_short: bool = False) -> None:
    """Print what was, or would be, done about each session that needs something, and how many need nothing.

    + is_short: whether a line for each is enough, because the rest was told before
    """
    busy = [each for each in settled if each.outcome != "nothing" or each.decision.steps]
    for each in busy:
        for number, line in enumerate(settled_lines(each, is_plan=is_plan)):
            if number == 0 or not is_short:
                click.secho(line, bold=number == 0)
    if len(busy) < len(settled):
        click.echo(f"{counted(len(settled) - len(busy), 'session')}: nothing to do")
    if not settled:
        click.echo("there is no session")


def _tell_errors(settled: Sequence[Settled], place: Place) -> None:
    """Print what it means that something could not be written, each kind once."""
    for code in dict.fromkeys(each.code for each in settled if each.code):
        click.echo("")
        names = [shown(each.name) for each in settled if each.code == code]
        places = Places(place.workspace, names[0] if len(names) == 1 else "", place.host)
        tell_lines(list(error_lines(words_of(code), places, width_of_output())))


def finish(order: Order, place: Place, settled: Sequence[Settled], kept: str) -> int:
    """Tell what was done, and how it is now, by looking again; the exit code.

    + kept: the name of the backup that was made first; "" when none was
    """
    after = look(place, is_json=order.is_json, gone_too=True)
    code = 1 if 1 in (first := {settled_code(settled, is_plan=False), code_of(after)}) else max(first)
    if order.action == "reset":
        # What was put aside is what was asked for, and its open tasks were named.
        code = 1 if any(each.outcome in {"failed", "overtaken"} for each in settled) else 0
    if order.is_json:
        done = [settled_json(each) for each in settled]
        told = {"at": iso(clock()), "action": order.action, "dry": False, "exit_code": code, "backup": kept or None}
        print_json({**told, "sessions": done, "after": [looked_json(each) for each in after]})
        return code
    tell_settled(settled, is_plan=False, is_short=not order.yes)
    _tell_errors(settled, place)
    for each in after:
        click.echo("")
        tell(each, is_guided=code != 0)
    return code
