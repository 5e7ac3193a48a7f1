"""Whether the services that a host's agents need answer."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from functools import partial
from math import ceil

from typing_extensions import override

from facts.listening import CONNECTS
from facts.probe import COMMAND_TIMEOUT, Section, SectionFact, keyed_section, probe_script
from miyabi.errors import ParseError
from miyabi.integration import Reach, endpoint_of, is_private, judge, variables_of
from miyabi.shell import HostText, quoted
from miyabi.spec_integration import Integration

# Each check is a job of its own, and tells its outcome by one short write: jobs that write at once do not mix.
_TELL = r"""tell() {
  said=${said##*"$newline"}
  printf 'result %s %s %.300s\n' "$1" "$code" "$(shown "$said")"
}
"""

# A header's value is only ever written by the shell itself: no process list shows it.
_HTTP = r"""curl_words() { sed -e 's/[\\"]/\\&/g' -e 's/^/header = "/' -e 's/$/"/'; }
http() {
  code=127; said='there is no curl or python3 to ask with'
  if command -v curl >/dev/null 2>&1; then
    said=$({ printf 'url = "%s"\n' "$1"; headers | curl_words; } |
      bounded "$2" curl -sS -g -K - -o /dev/null -w 'HTTP %{http_code}' --max-time "$2" 2>&1); code=$?
    # Which of curl's two outputs comes first is its own affair.
    [ "$code" -eq 0 ] || case $said in *'HTTP 000') said=${said%"$newline"*};; *) said=${said##*HTTP 000};; esac
    [ "$code" -ne 28 ] || code=124
  elif [ -z "$(headers)" ] && command -v wget >/dev/null 2>&1; then
    said=$(bounded "$2" wget -S -O /dev/null -T "$2" "$1" 2>&1 </dev/null); code=$?
    case $said in *HTTP/*) said=${said#*HTTP/}; said=${said#* }; said="HTTP ${said%%[!0-9]*}"; code=0;; esac
  elif command -v python3 >/dev/null 2>&1; then
    said=$(headers | bounded "$2" python3 -IS -c 'import sys, urllib.error, urllib.request
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_): pass
request = urllib.request.Request(sys.argv[1])
for line in sys.stdin: request.add_header(*line.rstrip("\n").split(": ", 1))
try: print("HTTP", urllib.request.build_opener(Stay).open(request, timeout=float(sys.argv[2])).status)
except urllib.error.HTTPError as error: print("HTTP", error.code)
except Exception as error: sys.exit(str(getattr(error, "reason", error)))' "$1" "$2" 2>&1); code=$?
  fi
}
"""

# Variables of the user's profile are not in the environment of a connection: its login shell knows them.
_VARIABLE = r"""if [ -z "${@NAME@:-}" ]; then
  said=$(bounded @TIMEOUT@ "${SHELL:-/bin/sh}" -l -c 'printf "\n##%s" "$@NAME@"' 2>/dev/null </dev/null)
  @NAME@=${said##*"$newline##"}
  [ -n "$@NAME@" ] || { code=78; said='$@NAME@ is not set on the host'; tell @NUMBER@; exit; }
fi
"""

_RESULT = re.compile(r"^result (\d+) (\d+) (.*)$")

Reaches = tuple[Reach | None, ...]


def integrations_section(integrations: tuple[Integration, ...], look: int = 1) -> Section[Reaches]:
    """The section that checks services, all of them at the same time.

    + integrations: what to check; the answer is in the same order, None for one whose headers hold a secret, which may
      not stand in a probe: see ``private_script``
    + look: which look it is; the second one waits a second, so that a lost packet is no trouble
    """
    jobs = "".join(f"( {_job(number, each)} ) &\n" for number, each in enumerate(integrations) if not is_private(each))
    pause = "sleep 1\n" if look > 1 else ""
    return keyed_section("integrations", f"{pause}{_TELL}{CONNECTS}{_HTTP}{jobs}wait", partial(_parse, integrations))


def private_section(integration: Integration) -> Section[Reaches]:
    """The section that checks one service whose headers are in the variable ``private`` of ``private_script``."""
    job = _job(0, integration, headers='eval "$private"')
    return keyed_section("integrations", _TELL + CONNECTS + _HTTP + job, partial(_parse, (integration,), private=False))


def private_script(integration: Integration) -> str:
    """The probe that checks one service; ``header_lines`` is its stdin."""
    return f"private=$(cat)\n{probe_script([private_section(integration)])}"


def header_lines(integration: Integration) -> str:
    """The shell text that prints the headers of a service, a line each."""
    lines = (f"printf '%s: %s\\n' {shlex.quote(name)} {quoted(HostText(value))}" for name, value in integration.headers)
    return "; ".join(lines) or ":"


def _job(number: int, integration: Integration, headers: str | None = None) -> str:
    """The shell text that checks one service and tells the outcome."""
    seconds = max(1, ceil(integration.timeout))
    if integration.command is not None:
        command = shlex.quote(integration.command)
        return f"said=$(bounded {seconds} sh -c {command} 2>&1 </dev/null); code=$?; tell {number}"
    if integration.tcp is not None:
        address, port = endpoint_of(integration.tcp) or ("", 0)
        return f"connects {shlex.quote(address)} {port} {seconds}; code=$?; tell {number}"
    needed = "".join(
        _VARIABLE.replace("@NAME@", name).replace("@TIMEOUT@", str(COMMAND_TIMEOUT)).replace("@NUMBER@", str(number))
        for name in variables_of(integration)
    )
    # The URL stands between double quotes in curl's configuration.
    url = (integration.http or "").replace("\\", "%5C").replace('"', "%22")
    given = headers or header_lines(integration)
    return f"{needed}headers() {{ {given}; }}\nhttp {shlex.quote(url)} {seconds}; tell {number}"


def _parse(integrations: tuple[Integration, ...], lines: list[str], *, private: bool = True) -> Reaches:
    told = {int(found[1]): found for found in map(_RESULT.match, lines) if found}
    answers: list[Reach | None] = []
    for number, each in enumerate(integrations):
        if private and is_private(each):
            answers.append(None)
        elif number in told:
            answers.append(judge(each, int(told[number][2]), told[number][3].strip()))
        else:
            raise ParseError(f"the check of {each.name} did not end")
    return tuple(answers)


class Reachable(SectionFact[Reaches]):
    """Return whether a service answers, and the cause if it does not; None, with an error on the host, when unknown.

    + command: succeeds when the service is well
    + tcp: ``host:port`` that takes a connection
    + http: a URL that answers with 200
    + timeout: seconds

    .. code:: python

        (Reach(reachable=False, cause="unauthorised (HTTP 401)"),)

    **Example:**

    .. code:: shell

        pyinfra inventory fact facts.integrations.Reachable tcp=github.com:443
    """

    # What the answer means depends on what was asked.
    asked = Integration("", command=":")

    @override
    def command(
        self, command: str | None = None, tcp: str | None = None, http: str | None = None, timeout: float = 5.0
    ) -> str:
        """The probe with this section alone."""
        self.asked = Integration(command or tcp or http or "", command, tcp, http, timeout=float(timeout))
        return probe_script([self.section()])

    @override
    def section(self) -> Section[Reaches]:
        """The section that was asked."""
        return replace(integrations_section((self.asked,)), title="integration")
