"""Which kind of machine a host is, and who the probe is on it."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from facts.probe import Section, SectionFact, probe_script
from miyabi.errors import ParseError
from miyabi.state import Observed, Platform as PlatformName

# The shell reads Linux's own files itself; only Android (which denies them) and macOS need `uname`.
# `id -un` and not $USER, which sudo and su do not always set. A home may be named in any bytes: those travel in octal.
_SCRIPT = r"""system=; hostname=
case ${PREFIX:-} in */com.termux/*) system=Termux;; esac
[ -n "$system" ] || [ ! -d /data/data/com.termux/files/usr ] || system=Termux
[ -n "$system" ] || ! command -v sw_vers >/dev/null 2>&1 || system=Darwin
[ -n "$system" ] || { read -r system </proc/sys/kernel/ostype; } 2>/dev/null
[ -n "$system" ] || system=$(uname -s)
{ read -r hostname </proc/sys/kernel/hostname; } 2>/dev/null
[ -n "$hostname" ] || hostname=$(uname -n)
printf 'system %s\n' "$system"
shown "hostname $hostname"
printf 'user '; id -un 2>/dev/null
case $HOME in
*[!\ -~]*) printf 'octal'; printf %s "$HOME" | od -An -v -to1 | tr -d '\n'; echo;;
*) printf 'home %s\n' "$HOME";;
esac"""

_PLATFORMS: dict[str, PlatformName] = {"Linux": "linux", "Termux": "termux", "Darwin": "macos"}


@dataclass(frozen=True, slots=True)
class Identity(Observed):
    """Which machine this is, and as whom the probe ran.

    + hostname: as the kernel tells it (Android's is always ``localhost``)
    + home: what $HOME says; "" when it is not set
    """

    platform: PlatformName
    hostname: str
    user: str
    home: str


def host_section() -> Section[Identity]:
    """The section that tells platform, host name, user and home."""
    return Section("host", _SCRIPT, _parse)


def _parse(lines: list[str]) -> Identity:
    told = {key: value for key, _, value in (line.partition(" ") for line in lines)}
    system = told["system"]
    if system not in _PLATFORMS:
        raise ParseError(f"{system or 'a system without a name'} is neither Linux nor Termux nor macOS")
    home = told["home"] if "home" in told else bytes(int(each, 8) for each in told["octal"].split()).decode()
    return Identity(_PLATFORMS[system], told["hostname"], told["user"], home)


class Platform(SectionFact[Identity]):
    """Return what kind of machine a host is, and as whom the probe ran; None, with an error on the host, when unknown.

    Termux is told by $PREFIX or by its folder, since its kernel calls itself Linux
    (https://github.com/termux/termux-packages/wiki/Termux-file-system-layout).

    .. code:: python

        Identity(platform="linux", hostname="mugen", user="kaede", home="/home/kaede")

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.platform.Platform
    """

    @override
    def command(self) -> str:
        """The probe with the host section alone."""
        return probe_script([self.section()])

    @override
    def section(self) -> Section[Identity]:
        """The host section."""
        return host_section()
