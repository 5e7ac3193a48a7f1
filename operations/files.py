"""Files on a host: temporary ones removed when they are old, configuration files brought back when they are broken."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from pyinfra import host
from pyinfra.api import FunctionCommand, StringCommand

from facts.files import (
    CONFIG,
    PRUNABLE,
    backups_section,
    config_section,
    content_section,
    prunable_section,
    refuse_config,
)
from facts.observation import Unknown, ask, forget
from miyabi.config_backup import ConfigFile, Judged, backup_script, restore_script
from miyabi.config_check import LIMIT
from miyabi.host_paths import names_in_words, refuse_count
from miyabi.limits import size
from miyabi.pruning import Prunable, pruning_script, refuse_prune
from miyabi.units import parse_duration
from operations.gate import operation, permission
from operations.quiet import ask_quietly, quietly
from operations.upkeep import failing, proof, warn

if TYPE_CHECKING:
    from pyinfra.api import Host, State
    from pyinfra.api.command import PyinfraCommand

# Seconds for one change: removing very many files takes its time, bringing one back waits for who is writing it.
_PATIENCE = 300


@operation()
def pruned(path: str, older_than: float | str = 7 * 86400) -> Generator[PyinfraCommand]:
    """Ensure that what is old at a path is gone: files, links, and folders whose every file is old.

    + path: a path or a pattern with ``*``, ``?`` and ``[..]``; may begin with ``~`` or ``$NAME`` of the host
    + older_than: seconds since the last change, to the minute, or text such as ``7d``; 0 is everything

    Refused are ``/``, ``~``, what holds more than temporary files (``~/*``, ``/etc/..``), ``..``, and a folder that is
    reached through a link. Only what belongs to the user is removed; a link is, and what it leads to is not. Left alone
    is what a process has open, works in or runs from (where there is a /proc), and a folder with a mount point, a
    socket, a FIFO, another user's file or a young one in it. All that is decided again at the moment of the removal.

    **Example:**

    .. code:: python

        from operations import files

        files.pruned(name="Remove what agents have left", path="/tmp/claude-*", older_than="7d")
    """
    subject = f"temp {path}"
    reason = refuse_prune(path)
    try:
        age = parse_duration(older_than)
    except (TypeError, ValueError) as error:
        reason, age = reason or f"older_than is {older_than!r}, and must be {error}", 0.0
    if reason is not None:
        yield from failing(host, subject, reason)
        return
    section = prunable_section(path, age)
    seen = ask(host, section)
    if isinstance(seen, Unknown):
        yield from failing(host, subject, seen.reason)
        return
    if seen.outside:
        warn(host, subject, f"left alone, because it lies elsewhere: {names_in_words(seen.outside)}")
    if not seen.count:
        host.noop(f"nothing is old at {path}")
        return
    if not (yield from permission(host, subject, "tidy", f"{seen.count} old ones, {size(seen.size)}")):
        return
    did = f"removed {seen.count} old ones, {size(seen.size)}"
    names = names_in_words(seen.names)
    host.log(f"{path}: {seen.count} to remove ({size(seen.size)}): {names}{' ..' * (seen.count > len(seen.names))}")
    _forget(PRUNABLE)
    yield StringCommand(pruning_script(path, age), _timeout=_PATIENCE)
    yield proof(host, subject, section, _still_there, did=did, seconds=1)


def _still_there(seen: Prunable) -> str | None:
    return f"still there: {names_in_words(seen.names)}" if seen.count else None


@operation()
def restored(path: str, format: str, backups: int = 5) -> Generator[PyinfraCommand]:  # noqa: A002 - the spec's word
    """Ensure that a configuration file is there and parses: one that does not comes back from its newest valid backup.

    + path: may begin with ``~`` or ``$NAME`` of the host
    + format: ``json``, ``yaml`` or ``toml``
    + backups: how many backups are kept; with 0 none are made

    A valid file that has changed is backed up, in ``~/.local/state/miyabi/backups``, readable by the user alone. One
    that is missing, empty or does not parse is replaced in one step, with its mode; a broken one is kept beside as
    ``NAME.broken-20260131T235959Z``, the last 5 of them. Where the file is a link, what it leads to is replaced. A file
    that changes while it is looked at, and one of more than 256 KiB, is left alone. Without a valid backup nothing is
    touched, and the operation fails.

    What the file holds is judged on the control machine; it is neither shown, nor part of a command.

    **Example:**

    .. code:: python

        from operations import files

        files.restored(name="Keep the configuration", path="~/.miyabi/config.json", format="json", backups=5)
    """
    subject = f"config {path}"
    reason = refuse_config(path, format) or refuse_count("backups", backups)
    if reason is not None:
        yield from failing(host, subject, reason)
        return
    seen = ask(host, config_section(path, format))
    if isinstance(seen, Unknown):
        yield from failing(host, subject, seen.reason)
    elif seen.state == "same":
        host.noop(f"{path} is as its newest backup")
    elif seen.state == "large":
        warn(host, subject, f"larger than {size(LIMIT)}, too large to be checked")
    else:
        judged = ask_quietly(host, content_section(path, format))
        if isinstance(judged, Unknown):
            yield from failing(host, subject, judged.reason)
        elif judged.flaw is None:
            yield from _back_up(subject, path, format, judged, backups)
        else:
            yield from _restore(subject, path, format, judged)


def _back_up(subject: str, path: str, form: str, judged: Judged, keep: int) -> Generator[PyinfraCommand]:
    if keep == 0:
        host.noop(f"{path} is valid")
        return
    if not (yield from permission(host, subject, "tidy", "it has changed since its last backup")):
        return
    _forget(CONFIG)
    yield StringCommand(backup_script(path, form, judged.digest, keep), _timeout=_PATIENCE)
    section = config_section(path, form)
    yield proof(host, subject, section, _not_backed_up, did="backed up", seconds=1, verdict="tidied")


def _not_backed_up(seen: ConfigFile) -> str | None:
    # One that changes all the time is another than its backup at once.
    return None if seen.state in {"same", "changed"} and seen.newest else f"it is {seen.state}"


def _restore(subject: str, path: str, form: str, judged: Judged) -> Generator[PyinfraCommand]:
    section = backups_section(path, form)
    told = ask_quietly(host, section)
    if isinstance(told, Unknown):
        yield from failing(host, subject, f"{judged.flaw}, and its backups are unknown: {told.reason}")
        return
    names = [name for name, _ in told]
    valid = next((name for name, is_valid in told if is_valid), None)
    if valid is None:
        lacks = "none of its backups is valid" if names else "it has no backup"
        yield from failing(host, subject, f"{judged.flaw}, and {lacks}: it is left as it is, for you to repair")
        return
    if not (yield from permission(host, subject, "restore", judged.flaw or "", cause="config-broken")):
        return
    host.log(f"{path}: {judged.flaw}; its backup {valid} comes back")
    _forget(CONFIG)
    yield StringCommand(
        restore_script(path, form, judged.digest, valid, names[: names.index(valid)]), _timeout=_PATIENCE
    )
    did = f"came back from its backup of {valid.partition('-')[0]}; what was found: {judged.flaw}"
    checked = proof(host, subject, content_section(path, form), lambda now: now.flaw, did=did, seconds=3)
    yield FunctionCommand(_prove_quietly, (checked,), {})


def _forget(subject: str) -> None:
    """What is remembered of a subject is not so any more, whatever comes of the command that follows."""
    if host.state.is_executing:
        forget(host, subject)


def _prove_quietly(state: State, host: Host, checked: FunctionCommand) -> bool:
    with quietly(state):
        return bool(checked.function(state, host, *checked.args))
