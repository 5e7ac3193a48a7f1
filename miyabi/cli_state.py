"""The command ``miyabi state``: the state of an orchestration's sessions, for a human in an emergency."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from miyabi.cli_options import plainly
from miyabi.errors import StateError

_workspace = click.option(
    "--workspace", metavar="PATH", help="The folder; without it this one, or the nearest above it with .claude/state."
)
_host = click.option("--host", metavar="HOST", help="A host of the inventory; without it this machine.")
_session = click.option(
    "--session", "sessions", multiple=True, metavar="NAME", help="Only this session's file; repeatable."
)
_yes = click.option("--yes", is_flag=True, help="Do it without asking.")
_dry = click.option("--dry", is_flag=True, help="Show what would change; change nothing.")
_as_json = click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")


def _command(*options: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command about one workspace, with the options that all of them have."""

    def make(function: Callable[..., None]) -> Callable[..., None]:
        for option in reversed((*options, _workspace, _host, _session, _as_json)):
            function = option(function)
        return plainly(function)

    return make


@click.group(short_help="The state of an orchestration's sessions: look, back up, repair, restore.")
def state() -> None:
    """Look after the state that an orchestration keeps in a workspace's .claude/state.

    What these commands replace is kept in .claude/recovery first. Exit code: 0 when all is well, 2 when something is
    wrong or left for a human, 1 when it could not be looked at or done.
    """


@state.command(short_help="How each session is, and what to do.")
@_command(click.option("--all", "is_all", is_flag=True, help="List every healthy session, too."))
def analyze(*, is_all: bool, is_json: bool, **place: Any) -> None:
    """Say how each session of a workspace is, what is wrong with it, and what to do, with commands ready to paste.

    Nothing is changed. A session that is only stale, or held by a running program, is told and is no error.
    """
    from miyabi import cli_state_look  # noqa: PLC0415 - for `miyabi state --help`

    raise SystemExit(cli_state_look.analyze(_place(**place), is_all=is_all, is_json=is_json))


@state.command(short_help="What an error means, and what to do.")
@click.argument("codes", nargs=-1, metavar="[CODE]...")
@_as_json
@plainly
def explain(codes: tuple[str, ...], *, is_json: bool) -> None:
    """Say of each CODE, such as SESSION_CORRUPTED, what it means, what it comes from, what to do, and what is safe.

    Without CODE all are listed.
    """
    from miyabi import cli_state_look  # noqa: PLC0415

    cli_state_look.explain(codes, is_json=is_json)


@state.command(short_help="Whether each session's file is right, strictly.")
@_command(click.argument("files", nargs=-1, metavar="[FILE]..."))
def validate(files: tuple[str, ...], *, is_json: bool, **place: Any) -> None:
    """Say whether each session of a workspace, or each FILE, is right in every detail; one line for each flaw.

    Nothing is changed.
    """
    from miyabi import cli_state_look  # noqa: PLC0415

    if files:
        if place["host"] or place["workspace"] or place["sessions"]:
            raise click.UsageError("name FILEs, or a workspace; not both")
        raise SystemExit(cli_state_look.validate_files(files, is_json=is_json))
    raise SystemExit(cli_state_look.validate(_place(**place), is_json=is_json))


@state.command(short_help="Keep all of it as it is now.")
@_command(click.option("--name", default="", metavar="NAME", help="What the backup is called; without it the time."))
def backup(name: str, *, is_json: bool, **place: Any) -> None:
    """Keep a workspace's sessions and events as they are now, in .claude/recovery/backup-NAME, and read it again."""
    from miyabi import cli_state_act  # noqa: PLC0415

    raise SystemExit(cli_state_act.backup(_place(**place), name, is_json=is_json))


@state.command(short_help="Put a backup back.")
@_command(
    click.argument("backup", default=""),
    click.option("--list", "is_list", is_flag=True, help="List the backups, the newest first."),
    _dry,
    _yes,
)
def restore(backup: str, *, is_list: bool, dry: bool, yes: bool, is_json: bool, **place: Any) -> None:
    """Put BACKUP back, or of each session its newest valid one; what is there now is kept as a backup first.

    BACKUP is a name of `miyabi state restore --list`. It shows what would change, and asks.
    """
    from miyabi import cli_state_act  # noqa: PLC0415

    there = _place(**place)
    if is_list:
        raise SystemExit(cli_state_act.list_backups(there, is_json=is_json))
    order = cli_state_act.Order("restore", dry=dry, yes=yes, is_json=is_json, backup=backup)
    raise SystemExit(cli_state_act.change(there, order))


@state.command(short_help="Repair what is damaged.")
@_command(click.argument("names", nargs=-1, metavar="[SESSION]..."), _dry, _yes)
def repair(names: tuple[str, ...], *, dry: bool, yes: bool, is_json: bool, **place: Any) -> None:
    """Repair each SESSION, or all: in place, from the event log, from a backup, or what is critical alone.

    It shows what would change, and asks. Nothing is lost: what is taken out of a state is in the archive first, and
    what could not be brought back is named. A program that writes meanwhile wins, and it is decided again.
    """
    from miyabi import cli_state_act  # noqa: PLC0415

    place["sessions"] = (*names, *place["sessions"])
    order = cli_state_act.Order("repair", dry=dry, yes=yes, is_json=is_json)
    raise SystemExit(cli_state_act.change(_place(**place), order))


@state.command(short_help="Rebuild sessions from the event log.")
@_command(_dry, _yes)
def replay(*, dry: bool, yes: bool, is_json: bool, **place: Any) -> None:
    """Rebuild sessions from the event log, whatever their files hold now, which is kept as a backup first.

    It shows what would change, and asks.
    """
    from miyabi import cli_state_act  # noqa: PLC0415

    order = cli_state_act.Order("replay", dry=dry, yes=yes, is_json=is_json)
    raise SystemExit(cli_state_act.change(_place(**place), order))


@state.command(short_help="Begin anew, with everything put aside.")
@_command(_yes, click.option("--force", is_flag=True, help="Even while agents of a session run."))
def reset(*, yes: bool, force: bool, is_json: bool, **place: Any) -> None:
    """Put all sessions of a workspace aside, whole, so that an orchestration begins anew.

    Nothing is deleted: first all of it is kept as a backup, then each session goes into .claude/recovery/quarantine.
    Open tasks are named. It asks twice.
    """
    from miyabi import cli_state_act  # noqa: PLC0415

    order = cli_state_act.Order("reset", dry=False, yes=yes, is_json=is_json, force=force)
    raise SystemExit(cli_state_act.change(_place(**place), order))


def _place(workspace: str | None, host: str | None, sessions: tuple[str, ...]) -> Any:
    from miyabi.cli_state_place import place_of  # noqa: PLC0415

    return place_of(workspace, host, tuple(map(_file_of, sessions)))


def _file_of(name: str) -> str:
    """The file of a session that a human has named: ``session-X.json``, ``session-X``, ``X``, or a path of it."""
    last = name.rstrip("/").rpartition("/")[2]
    if not last or not name.isprintable():
        raise StateError(f"{name!r}: allowed: the name of a session's file, such as session-1.json")
    last = last.removesuffix(".json")
    return f"{last if last.startswith('session-') else f'session-{last}'}.json"
