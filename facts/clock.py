"""What a host's clock says, against the control machine's."""

from __future__ import annotations

from dataclasses import dataclass
from time import time

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase
from typing_extensions import override

from facts.probe import Section, probe_script, read_section, split_sections
from miyabi.errors import ParseError
from miyabi.limits import skew_between
from miyabi.state import Observed

_SCRIPT = "date +%s"


@dataclass(frozen=True, slots=True)
class Skew(Observed):
    """A host's clock.

    + told: what it said, in whole seconds since the epoch
    + ahead: seconds that it is ahead of the control machine's, negative when it is behind
    + uncertainty: seconds by which ``ahead`` may be wrong either way: the answer took that long to come
    """

    told: int
    ahead: float
    uncertainty: float


def clock_section() -> Section[int]:
    """The section that tells the seconds since the epoch; ``facts.observation.asked_between`` tells when it did."""
    return Section("clock", _SCRIPT, _parse)


def _parse(lines: list[str]) -> int:
    told = lines[-1].strip()
    if not told.isascii() or not told.isdigit():
        raise ParseError(f"date printed {told[:80]!r}")
    return int(told)


class Clock(FactBase[Skew]):
    """Return how far a host's clock is from the control machine's; None, with an error on the host, when unknown.

    .. code:: python

        Skew(told=1795236912, ahead=0.3, uncertainty=0.6)

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.clock.Clock
    """

    _asked = 0.0

    @override
    def command(self) -> str:
        """The probe with the clock section alone."""
        self._asked = time()
        return probe_script([self.section()])

    def section(self) -> Section[int]:
        """The clock section."""
        return clock_section()

    @override
    def process(self, output: list[str]) -> Skew:
        """Compare what the host said with when it was asked."""
        try:
            told = read_section(self.section(), split_sections(output))
        except ParseError as error:
            raise FactProcessError(f"clock is unknown: {error}") from error
        least, most = skew_between(told, self._asked, time())
        return Skew(told, round((least + most) / 2, 2), round((most - least) / 2, 2))
