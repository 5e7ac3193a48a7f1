"""Shell text that reads and writes a host's register of agents and tasks, and what reads its answer. Pure.

The register is the folder ``$XDG_STATE_HOME/miyabi/agents``: ``NAME.json`` is an agent's checkpoint, ``NAME.task`` the
task that it was given, ``*_results.json`` what came of a task.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable, Sequence
from shlex import quote

from miyabi.checkpoint import LARGEST, Written
from miyabi.conversation import AGENTS_FOLDER, file_name
from miyabi.errors import ParseError
from miyabi.host_lock import alone
from miyabi.host_paths import HEXED, LATER, from_hex
from miyabi.shell import HOST_ENVIRONMENT, HostText, quoted
from miyabi.task_assignment import Register

# How many results of one folder are read, and how many copies of broken files are kept.
_RESULTS = 50
KEPT = 5

# What a script that writes ends with when the file is not any more what was read: EX_TEMPFAIL is a lock's.
CHANGED = 76

# told KIND KEY PATH: a line about a file, and what it holds. A file is known again by its inode, size and time.
_TOLD = rf"""told() {{
  if [ -L "$3" ] || {{ [ -e "$3" ] && [ ! -f "$3" ]; }}; then echo "odd $1 $2"; return; fi
  [ -f "$3" ] || return 0
  echo "file $1 $2 $(stat -c '%u %a %Y %i.%s.%Y' "$3" 2>/dev/null || stat -f '%u %Lp %m %i.%z.%m' "$3" 2>/dev/null)"
  head -c {LARGEST + 1} "$3" 2>/dev/null | base64; echo 'end'
}}"""


def register_script(agents: Sequence[str], folders: Sequence[str]) -> str:
    """The shell text that tells what the register says, for ``read_register``.

    + agents: the names of the agents
    + folders: where results may lie, besides the register; may begin with ``~`` or ``$NAME``
    """
    # What the shell of an agent reads is the environment of its own: the folder is the same for both.
    lines = [
        "command -v base64 >/dev/null || { echo 'base64 is not on this host: install it'; exit 127; }",
        AGENTS_FOLDER,
        HEXED,
        _TOLD,
        'echo "now $(date +%s) $(id -u)"',
    ]
    for number, name in enumerate(agents):
        path = f'"$MIYABI_AGENTS"/{file_name(name)}'
        lines += [f"told checkpoint {number} {path}.json", f"told assignment {number} {path}.task"]
    for number, folder in enumerate(("", *folders)):
        where = quoted(HostText(folder)) if folder else '"$MIYABI_AGENTS"'
        lines.append(
            f"count=0; for each in {where}/*_results.json; do\n"
            '  [ -e "$each" ] || [ -L "$each" ] || continue\n'
            f'  count=$((count + 1)); [ "$count" -le {_RESULTS} ] || break\n'
            f'  told result "{number}:$(hexed "${{each##*/}}")" "$each"\ndone'
        )
    return "\n".join([*lines, "echo all"])


def read_register(lines: Iterable[str], agents: Sequence[str], folders: Sequence[str]) -> Register:
    """The answer of ``register_script`` for the same names. Raises ``ParseError`` when it is cut off."""
    checkpoints: dict[str, Written] = {}
    assignments: dict[str, Written] = {}
    results: list[tuple[str, Written]] = []
    now, user, ended = 0.0, "", False
    rest = iter(lines)
    for line in rest:
        word, *fields = line.split(" ")
        if word == "now" and len(fields) == 2:
            now, user = float(fields[0]), fields[1]
        elif word == "all":
            ended = True
        elif word in {"file", "odd"} and len(fields) >= 2:
            kind, key, *stat = fields
            content = _content(rest) if word == "file" else None
            written = _written(key, content, stat, user)
            if kind == "result":
                number, _, name = key.partition(":")
                results.append((("", *folders)[int(number)], _named(written, from_hex(name))))
            else:
                found, ending = (checkpoints, "json") if kind == "checkpoint" else (assignments, "task")
                agent = agents[int(key)]
                found[agent] = _named(written, f"{file_name(agent)}.{ending}")
        else:
            raise ParseError(f"reading the register printed {line[:80]!r}")
    if not ended:
        raise ParseError("the register is cut off")
    return Register(checkpoints, assignments, tuple(results), now)


def _content(lines: Iterable[str]) -> bytes:
    body: list[str] = []
    for line in lines:
        if line == "end":
            try:
                return b64decode("".join(body), validate=True)
            except binascii.Error as error:
                raise ParseError(f"the register is cut off: {error}") from error
        body.append(line)
    raise ParseError("the register is cut off")


def _written(name: str, content: bytes | None, stat: Sequence[str], user: str) -> Written:
    if content is None or len(stat) != 4:
        return Written(name, None, is_own=False)
    owner, mode, changed, digest = stat
    # Neither group nor others may write it.
    is_own = owner == user and not int(mode, 8) & 0o022
    return Written(name, content, is_own, float(changed), digest)


def _named(written: Written, name: str) -> Written:
    return Written(name, written.content, written.is_own, written.changed_at, written.digest)


# What is at a file's place now, as ``Written.digest`` has it.
_THERE = """if [ -L "$file" ] || { [ -e "$file" ] && [ ! -f "$file" ]; }; then there=odd
elif [ -f "$file" ]; then
  there=$(stat -c '%i.%s.%Y' "$file" 2>/dev/null || stat -f '%i.%z.%m' "$file" 2>/dev/null)
else there=; fi"""


def unchanged_script(name: str, known: Written | None) -> str:
    """The shell text that ends with ``CHANGED`` when a file of the register is not any more what was read.

    + name, known: as for ``write_script``
    """
    return f"""( {AGENTS_FOLDER}; file="$MIYABI_AGENTS"/{quote(name)}
{_THERE}
{_check(name, known)}
)"""


def _check(name: str, known: Written | None) -> str:
    digest = "" if known is None else known.digest or "odd"
    meanwhile = f"{name} was written meanwhile: it is left as it is"
    return f'[ "$there" = {quote(digest)} ] || {{ echo {quote(meanwhile)} >&2; exit {CHANGED}; }}'


def write_script(
    name: str, text: str, known: Written | None, *, is_broken: bool = False, is_checked: bool = True
) -> str:
    """The shell text that puts a file of the register in its place, if it still is what was read.

    + name: of the file, such as ``kaede.task``
    + text: the new content; "" takes the file away
    + known: the file as it was read; None when there was none
    + is_broken: whether what is there is not believed: a copy of it is kept beside it for a human
    + is_checked: whether it must still be what was read

    The one before is kept as ``NAME.previous``. It ends with ``CHANGED`` when somebody wrote meanwhile.
    """
    script = f"""{AGENTS_FOLDER}; {LATER}
umask 077; mkdir -p "$MIYABI_AGENTS" && chmod 700 "$MIYABI_AGENTS" || exit 1
file="$MIYABI_AGENTS"/{quote(name)}
{_THERE}
{_check(name, known) if is_checked else ":"}
broken={"$there" if is_broken else ""}
if [ "$there" = odd ] || [ -n "$broken" ]; then
{_BROKEN}
elif [ -n "$there" ]; then cp -p "$file" "$file.previous" || exit 1; fi
{_put(text) if text else 'rm -f "$file"'}"""
    return f"{HOST_ENVIRONMENT}; LC_ALL=C; export LC_ALL\n{alone('agents', script)}"


# Somebody may want to see what was wrong with it: nothing that is not believed is written over.
_BROKEN = f"""  base=$file.broken-
  newest=$(ls -d "$base"* 2>/dev/null | sort | tail -n 1); stamp=$(later "${{newest#"$base"}}")
  if [ "$there" = odd ]; then mv "$file" "$base$stamp"
  else head -c {16 * LARGEST} "$file" >"$base$stamp"; fi || exit 1
  ls -d "$base"* | sort -r | tail -n +{KEPT + 1} | while IFS= read -r old; do rm -rf "$old"; done"""


def _put(text: str) -> str:
    return f"""unfinished="$file.$$"
if printf %s {quote(text)} >"$unfinished" && {{ sync "$unfinished" 2>/dev/null || :; }} && mv -f "$unfinished" "$file"
then :; else rm -f "$unfinished"; exit 1; fi"""
