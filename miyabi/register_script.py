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
from miyabi.host_paths import LATER
from miyabi.shell import HOST_ENVIRONMENT, HostText, quoted
from miyabi.task_assignment import Register

# How many results of one folder are read, and how many copies of broken files are kept.
_RESULTS = 50
KEPT = 5

# What a script that writes ends with when the file is not any more what was read: EX_TEMPFAIL is a lock's.
CHANGED = 76

# found KIND KEY PATH: remembers a file that is there. They are told by as many programs however many there are: one
# tells what they are, one what they hold, with a text between them that nobody can have known before. A file is known
# again by its inode, size and time.
_BEGIN = r"""for tool in base64 mktemp; do
  command -v "$tool" >/dev/null || { echo "$tool is not on this host: install it"; exit 127; }
done
work=$(mktemp -d "${TMPDIR:-/tmp}/miyabi.XXXXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT; trap 'exit 1' HUP INT TERM
next=$work/next; printf '\n%s\n' "${work##*.}" >"$next" && : >"$work/names" || exit 1
echo "now $(date +%s) $(id -u) ${work##*.}"; set --
found() {
  if [ -L "$3" ] || { [ -e "$3" ] && [ ! -f "$3" ]; }; then printf 'odd %s %s\0' "$1" "$2" >>"$work/names"; return 1; fi
  [ -f "$3" ] || return 1
  printf 'file %s %s\0' "$1" "$2" >>"$work/names"
}"""

_END = rf"""[ "$#" -eq 0 ] || stat -c '%u %a %Y %i.%s.%Y' "$@" >"$work/stats" 2>/dev/null ||
  stat -f '%u %Lp %m %i.%z.%m' "$@" >"$work/stats" 2>/dev/null || {{ echo 'a file went away meanwhile'; exit 1; }}
[ "$#" -eq 0 ] || while read -r owner mode changed digest; do
  size=${{digest#*.}}; size=${{size%.*}}; echo "stat $owner $mode $changed $digest"
  if [ "$size" -le {LARGEST} ]; then set -- "$@" "$1"; else set -- "$@" /dev/null; fi
  set -- "$@" "$next"; shift
done <"$work/stats"
echo 'contents'; cat "$work/names" "$next" "$@" 2>/dev/null | head -c {64 * LARGEST * 10} | base64; echo 'end'"""


def register_script(agents: Sequence[str], folders: Sequence[str]) -> str:
    """The shell text that tells what the register says, for ``read_register``.

    + agents: the names of the agents
    + folders: where results may lie, besides the register; may begin with ``~`` or ``$NAME``
    """
    lines = [AGENTS_FOLDER, _BEGIN]
    for number, name in enumerate(agents):
        for kind, ending in (("checkpoint", "json"), ("assignment", "task")):
            path = f'"$MIYABI_AGENTS"/{file_name(name)}.{ending}'
            lines.append(f'found {kind} {number} {path} && set -- "$@" {path}')
    for number, folder in enumerate(("", *folders)):
        where = quoted(HostText(folder)) if folder else '"$MIYABI_AGENTS"'
        lines.append(
            f"count=0; for each in {where}/*_results.json; do\n"
            f'  count=$((count + 1)); [ "$count" -le {_RESULTS} ] || break\n'
            f'  found result "{number}:${{each##*/}}" "$each" && set -- "$@" "$each"\ndone'
        )
    return "\n".join([*lines, _END])


def read_register(lines: Iterable[str], agents: Sequence[str], folders: Sequence[str]) -> Register:
    """The answer of ``register_script`` for the same names. Raises ``ParseError`` when it is cut off."""
    told, stats, body = _told(lines)
    _, now, user, nonce = told
    names, *contents = body.split(f"\n{nonce}\n".encode())
    heads = names.decode("utf-8", "surrogateescape").split("\0")[:-1]
    if len(contents) != len(stats) + 1:
        raise ParseError("the register is cut off, or somebody tampers with it")
    files = iter(zip(stats, contents, strict=False))
    checkpoints: dict[str, Written] = {}
    assignments: dict[str, Written] = {}
    results: list[tuple[str, Written]] = []
    for head in heads:
        word, kind, key = head.split(" ", 2)
        stat, content = next(files, ((), None)) if word == "file" else ((), None)
        if word == "file" and content is None:
            raise ParseError("the register is cut off")
        if kind == "result":
            number, _, name = key.partition(":")
            results.append((("", *folders)[int(number)], _written(name, content, stat, user)))
        else:
            found, ending = (checkpoints, "json") if kind == "checkpoint" else (assignments, "task")
            agent = agents[int(key)]
            found[agent] = _written(f"{file_name(agent)}.{ending}", content, stat, user)
    return Register(checkpoints, assignments, tuple(results), float(now))


def _told(lines: Iterable[str]) -> tuple[list[str], list[list[str]], bytes]:
    """The first line's words, what each file is, and what they hold."""
    first: list[str] = []
    stats: list[list[str]] = []
    body: list[str] | None = None
    for line in lines:
        if body is not None:
            if line == "end":
                return first, stats, _bytes(body)
            body.append(line)
        elif line == "contents" and first:
            body = []
        elif line.startswith("now ") and len(line.split(" ")) == 4:
            first = line.split(" ")
        elif line.startswith("stat ") and len(line.split(" ")) == 5:
            stats.append(line.split(" ")[1:])
        else:
            raise ParseError(f"reading the register printed {line[:80]!r}")
    raise ParseError("the register is cut off")


def _bytes(body: list[str]) -> bytes:
    try:
        return b64decode("".join(body), validate=True)
    except binascii.Error as error:
        raise ParseError(f"the register is cut off: {error}") from error


def _written(name: str, content: bytes | None, stat: Sequence[str], user: str) -> Written:
    if content is None or len(stat) != 4:
        return Written(name, None, is_own=False)
    owner, mode, changed, digest = stat
    if int(digest.split(".")[1]) > LARGEST:
        # It was not read.
        content = bytes(LARGEST + 1)
    # Neither group nor others may write it.
    return Written(name, content, owner == user and not int(mode, 8) & 0o022, float(changed), digest)


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
