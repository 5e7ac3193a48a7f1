"""Which boot of a host this is, and how long ago it was."""

from __future__ import annotations

import re

from typing_extensions import override

from facts.probe import Section, SectionFact, probe_script
from miyabi import state
from miyabi.errors import ParseError

# Android denies apps /proc/uptime and /proc/stat, and some versions also boot_id. `uptime` asks sysinfo(2) there.
# `btime` moves a little when the clock is set, so it is the last resort.
_SCRIPT = r"""boot_id=; seconds=
{ read -r boot_id </proc/sys/kernel/random/boot_id; } 2>/dev/null
{ read -r seconds rest </proc/uptime; } 2>/dev/null
if [ ! -d /proc/sys ]; then
  sysctl kern.bootsessionuuid kern.boottime 2>/dev/null
  printf 'now '; date +%s
else
  [ -z "$boot_id" ] || printf 'boot_id %s\n' "$boot_id"
  if [ -z "$boot_id" ]; then
    command -v getprop >/dev/null 2>&1 && { printf 'firstboot '; bounded 5 getprop ro.runtime.firstboot; }
    { while read -r key value rest; do
      [ "$key" = btime ] && { printf 'btime %s\n' "$value"; break; }
    done </proc/stat; } 2>/dev/null
  fi
  if [ -n "$seconds" ]; then printf 'uptime %s\n' "$seconds"
  else printf 'said '; uptime 2>/dev/null; fi
fi
exit 0"""

_LINE = re.compile(r"^(?:kern\.)?(boot_id|firstboot|btime|uptime|said|bootsessionuuid|boottime|now):? +(\S.*)$")
_BOOT_TIME = re.compile(r"\bsec = (\d+)")
_UP = re.compile(r"\bup +(?:(\d+) days?,? *)?(?:(\d+):(\d\d)|(\d+) hrs?|(\d+) min\w*|(\d+) secs?)?(?:,|$)")


def boot_section() -> Section[state.Boot]:
    """The section that tells the boot's identity and the uptime."""
    return Section("boot", _SCRIPT, _parse)


def _parse(lines: list[str]) -> state.Boot:
    told = {found[1]: found[2].strip() for found in map(_LINE.match, lines) if found}
    return state.Boot(_identity(told), _uptime(told))


def _identity(told: dict[str, str]) -> str:
    for key, prefix in (("boot_id", ""), ("bootsessionuuid", ""), ("firstboot", "firstboot:"), ("btime", "btime:")):
        if told.get(key):
            return prefix + told[key]
    raise ParseError("the host tells nothing that is different after every boot")


def _uptime(told: dict[str, str]) -> float | None:
    if "uptime" in told:
        return float(told["uptime"])
    started = _BOOT_TIME.search(told.get("boottime", ""))
    if started and "now" in told:
        return max(0.0, float(told["now"]) - float(started[1]))
    return _spoken_uptime(told.get("said", ""))


def _spoken_uptime(text: str) -> float | None:
    """The seconds in what ``uptime`` prints, such as ``21:36:10 up 2 days, 21:10,  load average: ...``."""
    found = _UP.search(text)
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, whole_hours, whole_minutes, seconds = (int(each or 0) for each in found.groups())
    return float(days * 86400 + (hours + whole_hours) * 3600 + (minutes + whole_minutes) * 60 + seconds)


class Boot(SectionFact[state.Boot]):
    """Return which boot of a host this is, and the seconds since then; None, with an error on the host, when unknown.

    ``boot_id`` is Linux's /proc/sys/kernel/random/boot_id (random(4)), macOS's ``kern.bootsessionuuid``, or, where
    Android denies the former, the property ``ro.runtime.firstboot``. ``uptime`` is None when the platform does not
    tell; on Termux it is right to the minute; on macOS it includes sleep.

    .. code:: python

        Boot(boot_id="6f1c1f52-5a0e-4a39-8d9c-2f0e9a1c7b11", uptime=93211.48)

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.boot.Boot
    """

    @override
    def command(self) -> str:
        """The probe with the boot section alone."""
        return probe_script([self.section()])

    @override
    def section(self) -> Section[state.Boot]:
        """The boot section."""
        return boot_section()
