"""Whether an sshd answers on a host."""

from __future__ import annotations

import re

from typing_extensions import override

from facts.probe import Section, SectionFact, probe_script
from miyabi import state
from miyabi.errors import ParseError

# Seconds that a port may take to say who it is.
BANNER_TIMEOUT = 2

# SSH_CONNECTION ends with the address and the port that this very connection came to; UNKNOWN stands there for what is
# no TCP. An sshd that listens on one address only is found by it.
_PORT = r"""server=${SSH_CONNECTION:-}
case $server in *UNKNOWN*) server=;; esac
[ -n "$port" ] || port=${server##* }
server=${server#* * }; server=${server% *}
case $port in ''|*[!0-9]*) port=22
  case ${PREFIX:-} in */com.termux/*) port=8022;; *) [ ! -d /data/data/com.termux/files/usr ] || port=8022;; esac;;
esac
printf 'port %s\n' "$port"
"""

# Each exits with 0 when the port took the connection. A server may speak other lines before its banner (RFC 4253, 4.2).
# Who then says goodbye with a version of his own costs sshd one calm line in its log, not an error.
# nc would wait for the end: `x` is no protocol version, so that an sshd hangs up.
_TOOLS = rf"""ask() {{ case $1 in
bash) bounded {BANNER_TIMEOUT} bash -c 'exec 3<>"/dev/tcp/$0/$1" || exit 1
  lines=0
  while IFS= read -r -n 300 line <&3 || [ -n "$line" ]; do
    line=${{line%[[:cntrl:]]}}; printf "%s\n" "${{line//[^ -~]/?}}"
    case $line in SSH-*) printf "SSH-2.0-miyabi\r\n" >&3; exit 0;; esac
    lines=$((lines + 1)); [ "$lines" -lt 20 ] || exit 0
  done; exit 0' "$address" "$port";;
nc) {{ printf 'x\r\n' | bounded {BANNER_TIMEOUT} nc -w {BANNER_TIMEOUT} "$address" "$port"; echo "exit $?"; }} 2>&1 |
    tail -c 2000 | tr -d '\r' | tr -c '\n -~' '?';;
python3) bounded {BANNER_TIMEOUT} python3 -IS -c '
import socket, sys
try: heard = socket.create_connection(sys.argv[1:]).makefile("rb")
except OSError as error: sys.exit(str(error))
for line in iter(lambda: heard.readline(300), b""):
    print("".join(each if " " <= each <= "~" else "?" for each in line.decode("latin1").rstrip("\r\n")), flush=True)
    if line.startswith(b"SSH-"): break' "$address" "$port";;
perl) bounded {BANNER_TIMEOUT} perl -MIO::Socket::IP -e '$| = 1;
    my $heard = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1]) or print "$@\n" and exit 1;
    while (<$heard>) {{ s/\r?\n?$//; tr/ -~/?/c; print "$_\n"; exit 0 if /^SSH-/ }}' "$address" "$port";;
ssh-keyscan) bounded {BANNER_TIMEOUT} ssh-keyscan -T {BANNER_TIMEOUT} -p "$port" "$address";;
esac; }}
"""

# What took the connection has answered, with a banner or not; so has what was silent until the bound. An address that
# refused leaves the next one to ask. Every other trouble is the tool's own: then the next tool is asked.
_LOOP = r"""answer() { [ -z "$taken" ] || echo taken; shown "$said"; exit 0; }
taken=
said='there is no bash, nc, python3, perl or ssh-keyscan to ask with'
for tool in bash nc python3 perl ssh-keyscan; do
  command -v "$tool" >/dev/null 2>&1 || continue
  asked=
  for address in 127.0.0.1 ::1 $server; do
    said=$(ask "$tool" 2>&1); code=$?
    [ "$tool" != nc ] || { code=${said##*exit }; said=${said%exit *}; }
    case $said in *SSH-*) answer;; esac
    case $code in
    124) taken=yes; answer;;
    0) [ "$tool" = ssh-keyscan ] || taken=yes; [ -z "$said" ] || answer; asked=yes;;
    *) case $said in *[Rr]efused*|'') asked=yes;; esac;;
    esac
  done
  [ -z "$asked" ] || { said=; answer; }
done
shown "$said"; exit 1"""

_BANNER = re.compile(r"^(?:# \S+ )?(SSH-\d[\d.]*-.*)$")
# What OpenSSH says in place of its banner when it lives but takes no more connections for now (sshd_config(5),
# MaxStartups and PerSourcePenalties).
_BUSY = re.compile(r"^(?:Exceeded MaxStartups|Not allowed at this time)")


def sshd_section(port: int | None = None) -> Section[state.Sshd]:
    """The section that asks the ssh port of the host for its banner, on the host itself.

    + port: the port to ask; None is the one that this very connection came to, else 8022 on Termux and 22 elsewhere
    """
    return Section("sshd", f"port={'' if port is None else int(port)}\n{_PORT}{_TOOLS}{_LOOP}", _parse)


def _parse(lines: list[str]) -> state.Sshd:
    port = int(lines[0].removeprefix("port "))
    taken, said = lines[1:2] == ["taken"], lines[1:]
    for line in said:
        if found := _BANNER.match(line):
            return state.Sshd(port, answering=True, banner=found[1][:255])
        if _BUSY.match(line):
            raise ParseError(f"an sshd is there, but takes no connection for now: {line}")
    spoke = next((line.strip()[:80] for line in said[1:] if line.strip()), "") if taken else None
    return state.Sshd(port, answering=False, spoke=spoke)


class Sshd(SectionFact[state.Sshd]):
    """Return whether an sshd answers on a host; None, with an error on the host, when unknown.

    + port: the port to ask; None is the one that this very connection came to, else 8022 on Termux and 22 elsewhere

    It takes a real banner (RFC 4253, 4.2) within 2 s: a port that is closed, silent or speaks something else is
    ``answering=False``, and ``spoke`` tells the three apart. On macOS launchd holds the port, so this is right where
    looking for a process is not. Unknown is a host without a tool that can ask, and an sshd that says it is too busy.

    .. code:: python

        Sshd(port=22, answering=True, banner="SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7")

    **Example:**

    .. code:: shell

        pyinfra @local fact facts.sshd.Sshd port=8022
    """

    @override
    def command(self, port: int | None = None) -> str:
        """The probe with the sshd section alone."""
        return probe_script([sshd_section(port)])

    @override
    def section(self) -> Section[state.Sshd]:
        """The sshd section; its parser is the same for every port."""
        return sshd_section()
