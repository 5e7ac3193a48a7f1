"""What is true of Termux on an Android phone: its wake lock, and how near it is to Android's limit of processes."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase
from typing_extensions import override

from facts.platform import host_section
from facts.probe import Section, SectionFact, probe_script, read_section, split_sections
from facts.processes import processes_section
from miyabi.errors import ParseError
from miyabi.limits import PHANTOM_LIMIT, PHANTOM_WARNING, phantoms
from miyabi.state import Observed
from miyabi.termux import HOLDER, IS_TERMUX

_SCRIPT = f"""{IS_TERMUX}
is_termux || {{ echo elsewhere; exit 0; }}
{HOLDER}
now=$(holder) || {{ echo 'the phone tells neither its boot nor the process of Termux'; exit 1; }}
kept=; {{ read -r kept <"$mark"; }} 2>/dev/null
shown "now $now"
shown "kept $kept\""""


@dataclass(frozen=True, slots=True)
class Lock(Observed):
    """Whether Miyabi took the wake lock.

    + termux: whether this is Termux at all
    + now: which boot and which process of the app would hold it
    + taken: which held it when it was taken; "" when it never was
    """

    termux: bool
    now: str = ""
    taken: str = ""

    @property
    def held(self) -> bool:
        """Whether the process that took it still runs."""
        return self.now != "" and self.now == self.taken


@dataclass(frozen=True, slots=True)
class Phantom(Observed):
    """How many processes Termux has.

    + count: all but the app itself
    + warning: from here on it is told
    + limit: what Android ends is above this, over all apps together
    """

    count: int
    warning: int = PHANTOM_WARNING
    limit: int = PHANTOM_LIMIT


def wake_section() -> Section[Lock]:
    """The section that tells whether Miyabi took the wake lock in this boot, for the app's process that runs now."""
    return Section("wake", _SCRIPT, _parse)


def _parse(lines: list[str]) -> Lock:
    if lines[0] == "elsewhere":
        return Lock(termux=False)
    told = {key: value.strip() for key, _, value in (line.partition(" ") for line in lines)}
    return Lock(termux=True, now=told["now"], taken=told["kept"])


class WakeLock(SectionFact[Lock]):
    """Return whether Miyabi took Termux's wake lock; None, with an error on the host, when unknown.

    Android tells no app whether the lock is held. So a mark is kept of the boot and the process that it was taken for,
    and one taken by hand is not known of.

    .. code:: python

        Lock(termux=True, now="boot 0d2a7a70-... app 3211 48211", taken="boot 0d2a7a70-... app 3211 48211")

    **Example:**

    .. code:: shell

        pyinfra inventory/pixel.py fact facts.termux.WakeLock
    """

    @override
    def command(self) -> str:
        """The probe with the wake section alone."""
        return probe_script([self.section()])

    @override
    def section(self) -> Section[Lock]:
        """The wake section."""
        return wake_section()


class Phantoms(FactBase[Phantom]):
    """Return how many processes Termux has, against Android's limit; None, with an error, elsewhere or when unknown.

    From Android 12 on, what apps have started beyond 32 processes in all is ended
    (https://github.com/agnostic-apollo/Android-Docs, phantom processes).

    .. code:: python

        Phantom(count=17, warning=24, limit=32)

    **Example:**

    .. code:: shell

        pyinfra inventory/pixel.py fact facts.termux.Phantoms
    """

    @override
    def command(self) -> str:
        """The probe with the two sections that it takes."""
        return probe_script([host_section(), processes_section()])

    @override
    def process(self, output: list[str]) -> Phantom:
        """Count Termux's processes."""
        found = split_sections(output)
        try:
            platform = read_section(host_section(), found).platform
            processes = read_section(processes_section(), found)
        except ParseError as error:
            raise FactProcessError(f"the number of processes is unknown: {error}") from error
        if platform != "termux":
            raise FactProcessError("this is no Android: it has no such limit")
        return Phantom(phantoms(processes))
