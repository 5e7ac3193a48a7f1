"""What is left of panes that are damaged: their last lines, what is typed into them, and what the kernel says."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable, Sequence
from functools import partial

from facts.probe import COMMAND_TIMEOUT, Section, keyed_section
from miyabi.errors import ParseError
from miyabi.last_words import KernelLine, LastWords, Screen
from miyabi.shell import quoted
from miyabi.spec import TmuxServer

SUBJECT = "evidence"

# How many of its last lines a pane tells, and the most bytes that each of its answers may take.
LINES = 40
_BYTES = 60_000

_PANE_ID = re.compile(r"%\d+")
_HEAD = "#{pane_id} #{pid} #{cursor_x} #{cursor_y} #{pane_width} #{pane_dead_time}"
_KERNEL_LINE = re.compile(r"\[ *(\d+\.\d+)\] ?(.*)")

# Lines of the kernel's log about what it ended. A list of all tasks, pages long, comes with each of them.
_KERNEL_WORDS = r"[Oo]ut of memory|oom-kill|oom_reaper|[Mm]emory cgroup out|: segfault at |: traps: "


def evidence_section(pane_ids: Sequence[str], server: TmuxServer) -> Section[LastWords]:
    """The section that reads the screens of damaged panes, and the kernel's words about processes that it ended.

    + pane_ids: tmux's ids, such as ``%7``; one that is not there any more is left out of the answer
    + server: whose panes they are

    What cannot be read without being root is unknown and no failure. What looks like a secret is masked.

    **Example:**

    .. code:: python

        words = ask(host, evidence_section(["%7"], spec.tmux))
        if not isinstance(words, Unknown):
            print(words.screens["%7"].lines[-1])
    """
    panes = " ".join(each for each in pane_ids if _PANE_ID.fullmatch(each))
    client = f"tmux -u -L {quoted(server.socket_name)}" if server.socket_name else "tmux -u"
    # A client's answer is read up to its last line and not to the end of the pipe: see facts.tmux.tmux_section.
    script = rf"""command -v base64 >/dev/null || {{ echo 'base64 is not on this host: install it'; exit 127; }}
client() {{
  {{ bounded {COMMAND_TIMEOUT} {client} "$@" 2>/dev/null; printf '\nexit %s %s\n' "$?" "$$"; }} |
  sed "/^exit [0-9]* $$\$/q"
}}
server=
for pane in {panes}; do
  told=$(client display-message -p -t "$pane" '{_HEAD}')
  case $told in *"exit 124 $$") exit 124;; "$pane "*) ;; *) continue;; esac
  read -r pane server x y width died <<END
$told
END
  echo "pane $pane $x $y $width $died"
  client capture-pane -p -J -S -{LINES} -t "$pane" | sed 's/ *$//' | tail -c {_BYTES} | base64
  echo "visible $pane"
  client capture-pane -p -e -t "$pane" | sed 's/ *$//' | tail -c {_BYTES} | base64
done
echo "now $(date +%s)"
[ -r /proc/uptime ] && read -r up idle </proc/uptime && echo "uptime $up"
case $server in ''|*[!0-9]*) ;; *)
  group=$(sed -n 's/^0:://p' "/proc/$server/cgroup" 2>/dev/null)
  case $group in ''|/|*..*) ;; *) sed -n '/^oom_kill /p' "/sys/fs/cgroup$group/memory.events" 2>/dev/null;; esac
esac
words() {{
  {{ bounded {COMMAND_TIMEOUT} "$@" 2>/dev/null && echo '@read'; }} | grep -E '{_KERNEL_WORDS}|^@read$' | tail -n 50
}}
said=$(words dmesg)
case $said in *@read) ;; *) said=$(words journalctl -k -q --no-pager -o short-monotonic -n 3000);; esac
case $said in *@read) echo 'log read'; printf '%s\n' "$said" | tr -c '\n -~' '?' | sed '$d; s/^/kernel /';; esac
:"""
    return keyed_section(SUBJECT, script, partial(parse_evidence, frozenset(panes.split())))


def parse_evidence(pane_ids: frozenset[str], lines: Iterable[str]) -> LastWords:
    """The answer of the section.

    + pane_ids: what was asked for

    Raises ``ParseError`` when it is cut off.
    """
    blocks: dict[tuple[str, str], list[str]] = {}
    told: dict[str, str] = {}
    kernel: list[str] = []
    heads: dict[str, list[str]] = {}
    body: list[str] | None = None
    for line in lines:
        word, _, rest = line.partition(" ")
        if word in {"pane", "visible"}:
            pane, *numbers = rest.split()
            if pane not in pane_ids:
                raise ParseError(f"a pane that was not asked for: {pane[:20]!r}")
            heads.setdefault(pane, numbers)
            body = blocks.setdefault((word, pane), [])
        elif word == "kernel":
            kernel.append(rest)
        elif word in {"now", "uptime", "oom_kill", "log"}:
            told[word], body = rest, None
        elif body is not None:
            body.append(line)
        else:
            raise ParseError(f"reading the last words printed {line[:80]!r}")
    if "now" not in told:
        raise ParseError("the last words are cut off")
    return LastWords(
        screens={pane: _screen(pane, numbers, blocks) for pane, numbers in heads.items()},
        kernel=_kernel(kernel, told) if "log" in told else None,
        oom_kills=int(told["oom_kill"]) if "oom_kill" in told else None,
        now=float(told["now"]),
    )


def _screen(pane: str, numbers: list[str], blocks: dict[tuple[str, str], list[str]]) -> Screen:
    # A run that finds nothing damaged needs none of their patterns.
    from miyabi.draft import draft_in  # noqa: PLC0415
    from miyabi.masking import masked, plain  # noqa: PLC0415

    cursor_x, cursor_y, width = (int(each) for each in numbers[:3])
    said = plain(_text(blocks, "pane", pane))
    visible = _text(blocks, "visible", pane).split("\n")
    return Screen(
        pane_id=pane,
        lines=tuple([line for line in masked(said).split("\n") if line.strip()][-LINES:]),
        draft=masked(draft_in(visible, cursor_x, cursor_y, width)),
        cursor_x=cursor_x,
        cursor_y=cursor_y,
        died_at=float(numbers[3]) if len(numbers) > 3 else None,
    )


def _text(blocks: dict[tuple[str, str], list[str]], kind: str, pane: str) -> str:
    """What a client printed, without its last line, which tells how it ended."""
    try:
        text = b64decode("".join(blocks.get((kind, pane), ())), validate=True).decode(errors="replace")
    except binascii.Error as error:
        raise ParseError(f"the text of the panes is cut off: {error}") from error
    head, _, end = text.rstrip("\n").rpartition("\n")
    if not end.startswith("exit "):
        raise ParseError("the text of the panes is cut off")
    return head.removesuffix("\n")


def _kernel(lines: Iterable[str], told: dict[str, str]) -> tuple[KernelLine, ...]:
    from miyabi.masking import masked  # noqa: PLC0415 - as above

    uptime = float(told["uptime"]) if "uptime" in told else None
    found = (_KERNEL_LINE.match(line) for line in lines)
    return tuple(
        KernelLine(max(0.0, uptime - float(each[1])), masked(each[2])) for each in found if each and uptime is not None
    )
