"""The commands ``miyabi snapshot`` and ``miyabi adopt``."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path

import click

from miyabi.adopt import Adopted, adopt_session
from miyabi.cli_options import plainly
from miyabi.errors import SnapshotError
from miyabi.marks import marks_to_json
from miyabi.masking import shown
from miyabi.pyinfra_command import Target, require_clone, run_deploy, take_snapshot
from miyabi.restore import Choice, Restoration, restoration
from miyabi.resurrect import read_resurrect
from miyabi.snapshot_diff import differences, missing, pair
from miyabi.snapshot_files import find_snapshot, hosts_with_snapshots, kept_snapshots, read_snapshot
from miyabi.snapshot_model import Snapshot
from miyabi.snapshot_text import counts, moment, scrollback, tree

_LARGEST_SAVE_FILE = 20_000_000

_data = click.option("--data", multiple=True, metavar="KEY=VALUE", help="Host data for pyinfra, such as ssh_port=2222.")
_allow = click.option(
    "--allow", multiple=True, metavar="PROGRAM", help="A program that may be started again, beside those on the list."
)
_resurrect = click.option("--resurrect", metavar="FILE", help="Read a save file of tmux-resurrect instead of a host.")


@click.group()
def snapshot() -> None:
    """Look at what was kept of hosts' tmux sessions, and bring it back."""


@snapshot.command("list")
@click.argument("host", required=False)
@plainly
def list_snapshots(host: str | None) -> None:
    """List the snapshots of HOST, newest first; without HOST, of all."""
    hosts = [host] if host is not None else hosts_with_snapshots()
    if not hosts:
        click.echo("No snapshot is kept; take one with `pyinfra inventory deploys/snapshot.py -y`.")
    for each in hosts:
        files = kept_snapshots(each)
        if host is not None and not files:
            find_snapshot(each)
        if files:
            click.echo(shown(each))
        for number, path in enumerate(files, start=1):
            click.echo(f"{number:>4}  {path.stem:<20} {_summed_up(path)}")


def _summed_up(path: Path) -> str:
    try:
        return counts(read_snapshot(path))
    except SnapshotError as error:
        return f"damaged: {error}"


@snapshot.command()
@click.argument("host", required=False)
@click.argument("which", default="1")
@click.option("--scrollback", "pane", metavar="PANE", help="Print the text of one pane, by its id (%3) or name.")
@_resurrect
@plainly
def show(host: str | None, which: str, pane: str | None, resurrect: str | None) -> None:
    """Show a snapshot of HOST: its sessions, windows, panes, folders and commands.

    WHICH is a name or a number of `miyabi snapshot list`; without it the newest.
    """
    if (host is None) == (resurrect is None):
        raise click.UsageError("name a HOST, or --resurrect FILE")
    seen = _save_file(resurrect) if resurrect is not None else read_snapshot(find_snapshot(host or "", which))
    if pane is not None:
        click.echo(scrollback(seen, pane))
        return
    width = shutil.get_terminal_size().columns if os.isatty(1) else 10_000
    click.echo(tree(replace(seen, host=seen.host or resurrect or ""), width))


@snapshot.command()
@click.argument("host")
@click.argument("which", default="1")
@click.argument("other", required=False)
@_data
@plainly
def diff(host: str, which: str, other: str | None, data: tuple[str, ...]) -> None:
    """Show what changed on HOST from one snapshot to OTHER, or to what is there now.

    - is gone, + is new, ~ is different. WHICH and OTHER are names or numbers of `miyabi snapshot list`; 1 is the
    newest.
    """
    before = read_snapshot(find_snapshot(host, which))
    now = take_snapshot(_target(host, data)) if other is None else read_snapshot(find_snapshot(host, other))
    for line in differences(before, now) or ["no difference"]:
        click.echo(line)


@snapshot.command()
@click.argument("host")
@click.argument("which", default="1")
@click.option("--commands", is_flag=True, help="Start commands again: of managed panes, and those on the list.")
@_allow
@_data
@plainly
def restore(host: str, which: str, *, commands: bool, allow: tuple[str, ...], data: tuple[str, ...]) -> None:
    """Bring back on HOST what is missing of a snapshot; what is there stays as it is.

    Sessions, windows, panes, layouts and folders come back; each pane shows its old text, then a shell. WHICH is a name
    or a number of `miyabi snapshot list`; without it the newest.
    """
    path = find_snapshot(host, which)
    before = read_snapshot(path)
    target = _target(host, data)
    now = take_snapshot(target)
    text_file = f"{now.home}/.local/state/miyabi/restored/{path.stem}-{os.getpid()}.txt" if now.home else ""
    made = restoration(before, now, Choice(commands=commands, allowed=frozenset(allow), text_file=text_file))
    for note in made.notes:
        click.echo(f"note: {note}", err=True)
    if made.spec["sessions"]:
        _bring_back(target, made, text_file)
        now = take_snapshot(target)
    left = missing(before, pair(before, now))
    if left:
        raise SnapshotError(f"{host}: not everything is back:\n" + "\n".join(left))
    if made.spec["sessions"]:
        click.echo(f"{host}: everything of the snapshot of {moment(before.taken)} is there again")
    else:
        click.echo(f"{host}: nothing to do, everything of the snapshot of {moment(before.taken)} is there")


def _bring_back(target: Target, made: Restoration, text_file: str) -> None:
    import yaml  # noqa: PLC0415 - only those who restore pay for it

    with _folder() as folder:
        spec, marks, text = folder / "spec.yaml", folder / "marks.json", folder / "scrollback.txt"
        spec.write_text(yaml.safe_dump(made.spec, sort_keys=False, allow_unicode=True, width=10**6), encoding="utf-8")
        marks.write_text(marks_to_json(tuple(made.marks)), encoding="utf-8")
        text.write_text(made.scrollback, encoding="utf-8")
        data = {"spec": str(spec), "marks": str(marks)}
        if made.scrollback:
            data |= {"scrollback": str(text), "scrollback_target": text_file}
        run_deploy(target, "deploys/restore.py", data, quiet=False)


@click.command()
@click.argument("words", nargs=-1, metavar="HOST SESSION")
@click.option("-o", "--output", metavar="FILE", help="Write the spec there, and give the session its names.")
@click.option("--force", is_flag=True, help="Replace FILE when it exists.")
@_allow
@_resurrect
@_data
@plainly
def adopt(  # noqa: PLR0913 - the command's options
    words: tuple[str, ...], output: str | None, *, force: bool, allow: tuple[str, ...], resurrect: str | None,
    data: tuple[str, ...],
) -> None:  # fmt: skip
    """Write a spec from a running SESSION of HOST.

    With -o the session is given the names that the spec has for it, and applying the spec right after changes nothing.
    Without -o the spec is printed, and nothing is changed. With --resurrect FILE the spec is written from a save file
    of tmux-resurrect, whose SESSION may be left out when it is the only one.
    """
    most = 1 if resurrect is not None else 2
    if len(words) > most or (resurrect is None and len(words) < most):
        raise click.UsageError("name HOST and SESSION, or --resurrect FILE and SESSION")
    path = None if output is None else _free_path(output, force=force)
    allowed = frozenset(allow)
    if resurrect is not None:
        seen, target = _save_file(resurrect), None
        name = words[0] if words else None
        origin = f"Written by `miyabi adopt` from {resurrect}."
    else:
        host, name = words
        target = _target(host, data)
        seen = take_snapshot(target)
        origin = f"Written by `miyabi adopt` from what ran on {host}."
    adopted = adopt_session(seen, name, origin=_one_line(origin), allowed=allowed)
    _checked(adopted)
    if path is None:
        click.echo(adopted.text, nl=False)
        return
    _write_spec(path, adopted, target)
    for note in adopted.notes:
        click.echo(f"note: {note}", err=True)
    agents = f", {adopted.agents} of them agents" if adopted.agents else ""
    click.echo(f"{path}: {adopted.windows} windows, {adopted.panes} panes{agents}")


def _checked(adopted: Adopted) -> None:
    """Read the spec as a run would: what is written is right, or it is not written."""
    from miyabi.spec_file import parse_spec  # noqa: PLC0415 - imports pydantic

    parse_spec("the session", adopted.text.encode(), base_directory="~")


def _write_spec(path: Path, adopted: Adopted, target: Target | None) -> None:
    """Write the spec beside its place, have the session take its names, and only then put it there."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".miyabi-", suffix=".yaml", dir=path.parent)
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be written: {error.strerror}") from None
    aside = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(adopted.text)
            file.flush()
            os.fsync(file.fileno())
        if target is not None:
            with _folder() as folder:
                marks = folder / "marks.json"
                marks.write_text(marks_to_json(adopted.marks), encoding="utf-8")
                run_deploy(target, "deploys/adopt.py", {"spec": str(aside), "marks": str(marks)}, quiet=True)
        aside.rename(path)
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        aside.unlink(missing_ok=True)


def _free_path(output: str, *, force: bool) -> Path:
    path = Path(output).expanduser().absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise SnapshotError(f"{output}: allowed: a file in a folder that exists")
    if path.suffix not in {".yaml", ".yml"}:
        raise SnapshotError(f"{output}: allowed: a name that ends in .yaml, by which a spec is known")
    if os.path.lexists(path) and not force:
        raise SnapshotError(f"{output}: exists; name another file, or replace it with --force")
    return path


def _save_file(resurrect: str) -> Snapshot:
    try:
        path = Path(resurrect).expanduser()
        if not stat.S_ISREG(path.stat().st_mode):
            raise SnapshotError(f"{resurrect}: allowed: a save file of tmux-resurrect")
        with path.open("rb") as file:
            content = file.read(_LARGEST_SAVE_FILE)
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{resurrect}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return read_resurrect(content, resurrect)


def _target(host: str, data: tuple[str, ...]) -> Target:
    from miyabi.cli import inventory_hosts  # noqa: PLC0415 - the program's entry imports this module when asked

    require_clone()
    with redirect_stderr(StringIO()):
        # Which hosts the inventory leaves out is no news here.
        known = inventory_hosts()
    return Target(host, host in known, data)


def _one_line(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that only the user may read, for as long as pyinfra needs what is in it."""
    with tempfile.TemporaryDirectory(prefix="miyabi-") as name:
        yield Path(name)
