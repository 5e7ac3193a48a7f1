"""What the commands about a fleet have in common: who its hosts are, what is remembered of them, how they say so."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from miyabi.errors import HistoryError, MiyabiError, RunError, TargetError
from miyabi.fleet_file import history_address, read_fleet_file
from miyabi.gate_rules import FleetFile
from miyabi.journal import append
from miyabi.presence import state_directory
from miyabi.pyinfra_command import require_clone
from miyabi.records import Record
from miyabi.spec import Spec
from miyabi.spec_cache import cached_spec
from miyabi.spec_document import nearest
from miyabi.spec_file import resolve_spec
from miyabi.ssh_aliases import left_out
from miyabi.subjects import INSTANCE
from miyabi.target_name import Known

if TYPE_CHECKING:
    from rich.status import Status
    from rich.table import Table

    from miyabi.history import History

_SPECS = Path("inventory") / "specs"
_FLEET = Path("inventory") / "fleet.yaml"

# Columns of what is not read on a terminal.
_PIPED = 120

as_json = click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")


@dataclass(frozen=True, slots=True)
class FleetOfClone:
    """The fleet of the clone that the command runs in.

    + hosts: by name, with their data in the inventory
    + groups: by name, with the hosts in them
    + file: what inventory/fleet.yaml says
    + folder: where the memory is
    + unknown_regions: of EC2, that could never be asked: which hosts there are in them nobody knows
    """

    hosts: Mapping[str, Mapping[str, object]]
    groups: Mapping[str, tuple[str, ...]]
    file: FleetFile
    folder: Path
    unknown_regions: tuple[str, ...] = ()

    def chosen(self, limits: Sequence[str]) -> tuple[str, ...]:
        """The hosts that ``--limit`` names, by name, group or pattern; all of them without. Raises ``TargetError``."""
        if not limits:
            return tuple(self.hosts)
        found: list[str] = []
        for pattern in limits:
            members = [host for name, hosts in self.groups.items() if fnmatchcase(name, pattern) for host in hosts]
            named = [host for host in self.hosts if fnmatchcase(host, pattern)]
            if not members and not named:
                names = (*self.hosts, *self.groups)
                raise TargetError(f"--limit {pattern}: {self.missing(pattern)}{nearest(pattern, names)}")
            found += [*named, *members]
        return tuple(dict.fromkeys(found))

    def missing(self, name: str) -> str:
        """Why there is no host of that name, and which there are."""
        if name in left_out:
            return f"left out: ssh does not know it on this machine; to add it, put into ~/.ssh/config: Host {name}"
        there = ", ".join(dict.fromkeys((*self.hosts, *self.groups))) or "none"
        return f"no such host; there are {there}{self.not_known}"

    @property
    def not_known(self) -> str:
        """To be added where hosts are told of: of which regions' instances nobody knows; "" is of none."""
        where = ", ".join(self.unknown_regions)
        return f"; not known: the EC2 instances in {where} (miyabi ec2 list says why)" if where else ""

    def spec(self, host: str) -> Spec | None:
        """The spec of a host; None when it has none that can be read."""
        reference = self.hosts.get(host, {}).get("spec")
        if reference is None:
            return None
        try:
            path = resolve_spec(str(reference), _SPECS)
            return cached_spec(path, str(path.resolve().parent) if host.startswith("@local") else "~")
        except MiyabiError:
            return None

    def known(self, more: Mapping[str, tuple[str, ...]] | None = None) -> Known:
        """What a target may be.

        + more: targets that were known earlier, by host
        """
        alone = {name: hosts[0] for name, hosts in self.groups.items() if len(hosts) == 1 and name not in self.hosts}
        beside = {host: tuple(targets) for host, targets in (more or {}).items()}
        for host, data in self.hosts.items():
            if data.get("instance_id"):
                beside[host] = (INSTANCE, *beside.get(host, ()))
        return Known({host: self.spec(host) for host in self.hosts}, alone, beside)


def fleet_of_clone() -> FleetOfClone:
    """The fleet of the working directory. Raises ``MiyabiError`` where there is none, or what is wrong with it."""
    from miyabi.cli import inventory_hosts  # noqa: PLC0415 - the program's entry imports this module when asked

    require_clone()
    with redirect_stderr(StringIO()):
        # Which hosts the inventory leaves out is no news here.
        hosts = inventory_hosts()
        inventory = import_module("inventory")
    lists = {name: value for name, value in vars(inventory).items() if name[0] != "_" and isinstance(value, list)}
    groups = {name: tuple(each for each in map(_name_of, value) if each in hosts) for name, value in lists.items()}
    file = read_fleet_file(_FLEET)
    folder = Path(file.state) if file.state else state_directory()
    regions = tuple(sorted(getattr(inventory, "_unknown_regions", ())))
    return FleetOfClone(hosts, {name: members for name, members in groups.items() if members}, file, folder, regions)


def _name_of(item: object) -> str:
    """The host that an item of an inventory's list is about."""
    return str(item[0] if isinstance(item, tuple) and item else item)


@contextmanager
def opened_history(fleet: FleetOfClone, now: float) -> Iterator[History]:
    """The history, for a command that cannot do without. Raises ``HistoryError``."""
    from miyabi.history import open_history  # noqa: PLC0415 - SQLAlchemy is dear

    with open_history(fleet.folder, history_address(fleet.file, os.environ), now=now, keep=fleet.file.keep) as history:
        yield history


@contextmanager
def history_if_any(fleet: FleetOfClone, now: float) -> Iterator[History | None]:
    """The history, for a command that is of use without; why there is none is said on stderr."""
    from miyabi.history import open_history  # noqa: PLC0415

    try:
        history = open_history(fleet.folder, history_address(fleet.file, os.environ), now=now, keep=fleet.file.keep)
    except HistoryError as error:
        say(f"note: what happened before is not known: {error}")
        yield None
        return
    with history:
        yield history


def keep(fleet: FleetOfClone, *records: Record) -> None:
    """Write records to the journal. Raises ``RunError`` when they cannot be kept."""
    try:
        append(fleet.folder, records)
    except OSError as error:
        raise RunError(f"{error.filename or fleet.folder}: nothing can be remembered: {error.strerror}") from None


def clock() -> float:
    """Now, in seconds since the epoch."""
    return time.time()


def new_run(now: float) -> str:
    """A name for a run, for ever."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S")
    return f"{stamp}-{os.getpid()}-{secrets.token_hex(3)}"


def controller() -> str:
    """The machine and the process that this is."""
    return f"{socket.gethostname()}:{os.getpid()}"


def show(make: Callable[[int], Table]) -> None:
    """Print a table: with colours on a terminal, plain and without trailing blanks when piped.

    + make: the table for a width in columns
    """
    from rich.console import Console  # noqa: PLC0415 - who prints no table does not pay for rich

    if sys.stdout.isatty():
        there = Console(highlight=False, emoji=False, markup=False)
        there.print(make(there.width))
        return
    width = max(_PIPED, int(os.environ.get("COLUMNS") or 0))
    there = Console(width=width, highlight=False, emoji=False, markup=False, no_color=True, file=StringIO())
    with there.capture() as captured:
        there.print(make(width))
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def width_of_output() -> int:
    """How many columns text may take."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPED


class Progress:
    """What is shown while something takes its time: nothing, unless somebody looks."""

    def __init__(self, status: Status | None) -> None:
        self._status = status

    def now(self, words: str) -> None:
        """Say what is done at this moment; only a terminal shows it."""
        if self._status is not None:
            from rich.text import Text  # noqa: PLC0415

            self._status.update(Text(words))

    def line(self, words: str) -> None:
        """Say something that stays."""
        if self._status is None:
            say(words)
        else:
            self._status.console.print(words, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def working(words: str, *, is_json: bool = False) -> Iterator[Progress]:
    """A spinner on the terminal while something takes its time; nothing elsewhere."""
    if is_json or not sys.stderr.isatty():
        yield Progress(None)
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    with Console(stderr=True).status(Text(words)) as status:
        yield Progress(status)


def print_json(answer: Mapping[str, Any]) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(answer, ensure_ascii=False, indent=2))


def say(words: str) -> None:
    """Say something that is no part of the answer."""
    click.echo(words, err=True)
