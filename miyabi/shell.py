"""Words of shell text that are safe to run on any host. Pure."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

# Android has no /tmp that an app may write to: Termux has its own, and a session that is no login may not say so.
TEMPORARY_FOLDER = '[ -w "${TMPDIR:-/tmp}" ] || [ ! -w "${PREFIX:-}/tmp" ] || { TMPDIR="$PREFIX/tmp"; export TMPDIR; }'

# Non-interactive shells lack the folders where Homebrew, Termux and users keep tmux; a client inside tmux must not
# talk to the server that it happens to run in.
HOST_ENVIRONMENT = (
    "unset TMUX TMUX_PANE; "
    'PATH="$PATH:/opt/homebrew/bin:/usr/local/bin:$HOME/.local/bin:${PREFIX:-/usr}/bin:/usr/sbin:/sbin"; export PATH; '
    f"{TEMPORARY_FOLDER}"
)

_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_HOME = re.compile(r"~(?=/|$)")
# Several stars in a row would mean "at any depth" in zsh. A bracket that is not closed is an ordinary character.
_INSIDE = r"(?:\[:[a-z]+:\]|[^]/$])"
_GLOB = re.compile(rf"(?P<star>\*+)|(?P<any>\?)|\[(?P<not>[!^]?)(?P<inside>\]{_INSIDE}*|{_INSIDE}+)\]")
_IN_BRACKETS = re.compile(r"\[:[a-z]+:\]|-|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class HostText:
    """Text in which the host itself expands a leading ``~`` and ``$NAME`` or ``${NAME}``; the rest stays literal.

    A variable that the host does not know stays, as ``$NAME``.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Secret:
    """A word whose value is masked wherever commands are shown."""

    word: str | HostText
    prefix: str = ""


Word = str | HostText | Secret


def quoted(word: str | HostText) -> str:
    """The word as one word of POSIX shell text."""
    return shlex.quote(word) if isinstance(word, str) else _expanding(word.text)


def _expanding(text: str) -> str:
    parts: list[str] = []
    home = _HOME.match(text)
    if home:
        parts.append('"$HOME"')
        text = text[home.end() :]
    position = 0
    for found in _VARIABLE.finditer(text):
        literal = text[position : found.start()]
        name = found[1] or found[2]
        # The default keeps the name of a variable that is not set, and \$ keeps it from being looked up again.
        parts += [shlex.quote(literal) if literal else "", f'"${{{name}-\\${name}}}"']
        position = found.end()
    rest = text[position:]
    if rest or not parts:
        parts.append(shlex.quote(rest))
    return "".join(parts)


def pattern(text: str) -> str:
    """A path, or a pattern with ``*``, ``?`` and ``[..]``, as shell text that the host expands to the paths there.

    + text: may begin with ``~`` or ``$NAME``, whose values are taken literally, whatever they hold

    Returns ``"$HOME"/'my logs'/*.log`` for ``~/my logs/*.log``; where nothing fits, a shell leaves it as it is.
    """
    home = _HOME.match(text)
    position = home.end() if home else 0
    parts = ['"$HOME"'] if home else []
    for found in _GLOB.finditer(text, position):
        parts.append(_literal(text[position : found.start()]))
        parts.append("*" if found["star"] else "?" if found["any"] else _brackets(found["not"], found["inside"]))
        position = found.end()
    parts.append(_literal(text[position:]))
    return "".join(parts) or "''"


def _literal(text: str) -> str:
    """Text in which only variables are expanded: a tilde within a path is a character like any other."""
    rest = text.lstrip("~")
    tildes = text[: len(text) - len(rest)]
    return (shlex.quote(tildes) if tildes else "") + (_expanding(rest) if rest else "")


def _brackets(negated: str, inside: str) -> str:
    kept = (part if len(part) > 1 or part == "-" else shlex.quote(part) for part in _IN_BRACKETS.findall(inside))
    return f"[{'!' if negated else ''}{''.join(kept)}]"


def command_line(text: str) -> str:
    """A program with its arguments as shell text, with ``~`` and ``$NAME`` expanded by the host."""
    try:
        words = shlex.split(text)
    except ValueError:
        # An unbalanced quote is part of a name, then.
        words = text.split()
    return " ".join(quoted(HostText(word)) for word in words)
