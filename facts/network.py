"""Where a host can be reached, and through which interface it reaches the world."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from typing_extensions import override

from facts.probe import COMMAND_TIMEOUT, Section, SectionFact, probe_script
from miyabi import state
from miyabi.errors import ParseError

# The kernel lists the routes by destination, so the default ones come first, the one in use first of all.
# Android 10 denies /proc/net, Android 13 netlink (https://github.com/termux/termux-app/issues/2993), not `ifconfig`.
# 192.0.2.1 is nobody's (RFC 5737): the kernel is only asked where it would send.
_SCRIPT = rf"""route=
if [ -r /proc/net/route ]; then
  while read -r name to gateway flags references use metric mask rest; do
    case $to$mask in DestinationMask) continue;; 0000000000000000) ;; 00000000*) continue;; *) break;; esac
    route="$route
route $metric $flags $name"
  done </proc/net/route
  if [ -n "$route" ]; then shown "$route"; else ip -6 route show default 2>/dev/null; fi
else
  bounded {COMMAND_TIMEOUT} route -n get default 2>/dev/null || ip -o route get 192.0.2.1 2>/dev/null
fi
if command -v ip >/dev/null 2>&1 && said=$(ip -o addr 2>/dev/null); then shown "$said"
elif command -v ifconfig >/dev/null 2>&1 && said=$(bounded {COMMAND_TIMEOUT} ifconfig 2>/dev/null); then shown "$said"
elif [ -r /proc/net/fib_trie ]; then cat /proc/net/fib_trie /proc/net/if_inet6 2>/dev/null
else echo 'the host has neither ip nor ifconfig that would tell'; exit 1; fi
exit 0"""

_ROUTE = re.compile(r"^route (\d+) ([0-9A-Fa-f]+) (\S+)$")
_NAMED_ROUTE = re.compile(r"^(?:default|192\.0\.2\.1) .*\bdev (\S+)|^ *interface: (\S+)$")
_ADDRESS = re.compile(r"\binet6? +(?:addr: *)?([0-9a-fA-F:.]+)")
_TRIE_LEAF = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)$")
_INET6 = re.compile(r"^([0-9a-f]{32}) [0-9a-f]{2} ")
_REJECT = 0x200


def network_section() -> Section[state.Network]:
    """The section that tells the addresses and the default route."""
    return Section("network", _SCRIPT, _parse)


def _parse(lines: list[str]) -> state.Network:
    listed = [ip_address(text) for text in _addresses(lines)]
    if not listed:
        raise ParseError("the host told no address, not even its own loopback's")
    addresses: dict[str, None] = {}
    for address in listed:
        if not (address.is_loopback or address.is_unspecified or (address.version == 6 and address.is_link_local)):
            addresses[str(address)] = None
    return state.Network(tuple(addresses), _default_interface(lines))


def _addresses(lines: list[str]) -> Iterator[str]:
    leaf = ""
    for line in lines:
        if found := _ADDRESS.search(line):
            yield found[1]
        elif found := _INET6.match(line):
            yield ":".join(found[1][at : at + 4] for at in range(0, 32, 4))
        elif found := _TRIE_LEAF.search(line):
            leaf = found[1]
        elif leaf and line.strip() == "/32 host LOCAL":
            yield leaf


def _default_interface(lines: list[str]) -> str | None:
    rows = [found for found in map(_ROUTE.match, lines) if found and not int(found[2], 16) & _REJECT]
    if rows:
        return min(rows, key=lambda row: int(row[1]))[3]
    named = next((found for found in map(_NAMED_ROUTE.match, lines) if found), None)
    return (named[1] or named[2]) if named else None


class Network(SectionFact[state.Network]):
    """Return the addresses and the default interface of a host; None, with an error on the host, when unknown.

    ``addresses`` has neither loopback's nor IPv6 link-local ones, which lead nowhere without an interface; ``()`` means
    that there are none. ``default_interface`` is None when there is no default route, and on Android 13 and newer,
    which does not tell.

    .. code:: python

        Network(addresses=("192.0.2.17", "2001:db8::17"), default_interface="eth0")

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.network.Network
    """

    @override
    def command(self) -> str:
        """The probe with the network section alone."""
        return probe_script([self.section()])

    @override
    def section(self) -> Section[state.Network]:
        """The network section."""
        return network_section()
