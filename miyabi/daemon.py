"""Servers that run detached: what is seen of one, which of its processes are ours, and what that means. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

from miyabi.match import program_of
from miyabi.spec import McpServer
from miyabi.state import Observed

Standing = Literal["up", "down", "starting", "hung"]

# Seconds that a process which runs may take until its port answers. After that it hangs.
START_GRACE = 300.0

# Seconds for which a process of an earlier generation is left in peace: it may be on its way out.
ORPHAN_AGE = 60.0

# Programs whose command line holds a server's name because they look at it, work on it, or lead to it. As of November
# 2026.
LOOKERS = frozenset(
    {"awk", "bat", "cat", "code", "cp", "diff", "emacs", "find", "gdb", "git", "grep", "head", "inotifywait", "kill"}
    | {"less", "ls", "lsof", "man", "more", "mosh", "mv", "nano", "nvim", "pgrep", "pkill", "ps", "rg", "rm", "rsync"}
    | {"scp", "screen", "sed", "ssh", "strace", "tail", "tar", "tee", "timeout", "tmux", "vi", "view", "vim", "watch"}
    | {"xargs", "aider", "claude", "codex", "copilot", "crush", "cursor-agent", "gemini", "goose", "opencode"}
)

# Programs that start servers themselves when they are process 1 of a container: their children are nobody's orphans.
_SUPERVISORS = frozenset({"claude", "codex", "node", "pm2", "supervisord", "s6-svscan", "runsvdir", "tmux"})

_SHELL_COMMAND = re.compile(r"-?(?:\S*/)?(?:ba|z|da|a|k|mk|fi|c|tc|ya)?sh(?:\s+-\S+)*\s+-\w*c\b")
# What every shell that runs a script of ours has in its command line.
_OWN_SCRIPT = "unset TMUX TMUX_PANE"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Runner(Observed):
    """A process that may be a server's.

    + group: its process group, which a server that was started here leads
    + mark: when it was started, in the host's own terms: a pid with another mark is another process; None is unknown
    + age: seconds, None when the host does not tell
    + matches: whether the server's ``match`` is in its command line
    """

    pid: int
    parent: int
    group: int
    mark: str | None
    age: float | None
    arguments: str
    matches: bool = False


@dataclass(frozen=True, slots=True)
class Daemon(Observed):
    """What is seen of a server.

    + listening: whether somebody listens on its port; None when it has none
    + recorded: pid and mark of what was started or adopted last; None when nothing is recorded
    + processes: those that match, and those of the recorded process and its group
    + reapers: the pids that processes are given to when their parent ends
    + holder: the pid that listens on the port, where there are several to choose from; None is unknown
    """

    listening: bool | None = None
    recorded: tuple[int, str] | None = None
    processes: tuple[Runner, ...] = ()
    reapers: tuple[int, ...] = (1,)
    holder: int | None = None


def refuse_server(wanted: McpServer) -> str | None:
    """What is wrong with a server that was not read from a spec, and what is allowed; None when nothing is."""
    name, match, port = wanted.name, wanted.match, wanted.port
    checks = (
        (not name.strip() or not name.isprintable() or "/" in name, "process", name, "a printable name without /"),
        (not wanted.start.strip() or "\0" in wanted.start, "start", wanted.start, "the command that starts it"),
        (
            match is not None and not (match.strip() and match.isprintable()),
            "match",
            match,
            "printable text in the command line of its process",
        ),
        (
            port is not None and not (type(port) is int and 1 <= port <= 65535),
            "port",
            port,
            "a number from 1 to 65535",
        ),
        (wanted.expected not in {"up", "down"}, "expected", wanted.expected, "up or down"),
        (wanted.orphans not in {"report", "reap"}, "orphans", wanted.orphans, "report or reap"),
        *(
            (not _VARIABLE.fullmatch(key) or "\0" in value, "environment", key, "names of letters, digits and _")
            for key, value in wanted.environment
        ),
    )
    return next((f"{key} is {found!r}; allowed: {allowed}" for wrong, key, found, allowed in checks if wrong), None)


def file_name(process: str) -> str:
    """A server's name as the name of its files and locks on the host."""
    plain = _UNSAFE.sub("_", process)[:80]
    return plain if plain == process else f"{plain}.{crc32(process.encode(errors='replace')):08x}"


def is_supervisor(arguments: str) -> bool:
    """Whether process 1 with this command line may have started servers on purpose."""
    words = arguments.split()
    return bool(words) and {words[0].rsplit("/", 1)[-1], program_of(words[:3])} & _SUPERVISORS != set()


def ours(seen: Daemon) -> tuple[Runner, ...]:
    """The processes of the recorded generation that are alive; ``()`` when its pid is another process's by now."""
    if seen.recorded is None:
        return ()
    pid, mark = seen.recorded
    if any(each.pid == pid and each.mark != mark for each in seen.processes):
        return ()
    return tuple(each for each in seen.processes if pid in (each.pid, each.group))


def serving(seen: Daemon, match: str | None) -> tuple[Runner, ...]:
    """The processes that are the server: those that match, or, without ``match``, the recorded generation.

    Who only looks at the server's files does not count, nor a shell that may have started it, unless that is ours.
    """
    own = ours(seen)
    if match is None:
        return own
    return tuple(each for each in seen.processes if each.matches and (_serves(each, match) or each in own))


def standing(seen: Daemon, *, match: str | None, port: int | None) -> Standing:
    """How a server stands.

    + match, port: how it is recognised

    With a port, the port decides: ``up`` when somebody listens there. When nobody does, but its process runs, it is
    ``starting``, and ``hung`` after ``START_GRACE`` seconds. Without a port it is ``up`` when its process runs; when
    what was started runs, but nothing in it matches, that is ``starting`` and then ``hung``, too.

    When what was recorded has ended, another process that matches counts for ``ORPHAN_AGE`` seconds: somebody may have
    started it just now. An older one is left of an earlier generation, and keeps nothing from being started.
    """
    if seen.listening if port is not None else serving(seen, match):
        return "up"
    own = ours(seen)
    running = serving(seen, match) or own
    if seen.recorded is not None and not own:
        running = tuple(each for each in running if each.age is None or each.age < ORPHAN_AGE)
    if not running:
        return "down"
    return "starting" if _young(running) else "hung"


def adoptable(seen: Daemon, match: str | None) -> Runner | None:
    """The process to record when nothing that is recorded runs, None when there is none.

    It is nobody's child: the one that holds the port, else the youngest.
    """
    if ours(seen):
        return None
    trees = [tree for tree in _trees(seen, match) if all(each.mark is not None for each in tree[:1])]
    holding = [tree[0] for tree in trees if any(each.pid == seen.holder for each in tree)]
    youngest = sorted((tree[0] for tree in trees), key=lambda each: (each.age or 0.0, -each.pid))
    return next(iter([*holding, *youngest]), None)


def orphans(seen: Daemon, match: str | None) -> tuple[Runner, ...]:
    """Processes of an earlier generation that nobody owns any more, parents first.

    They match, have lost their parent a while ago, are neither the recorded generation (or what will be recorded) nor
    below it, and none of their own holds the port. A process whose parent lives, such as the server that an agent
    started for itself, is never one.
    """
    current = {each.pid for each in ours(seen)}
    adopted = adoptable(seen, match)
    if adopted is not None:
        current.add(adopted.pid)
    found: list[Runner] = []
    for tree in _trees(seen, match):
        pids = {each.pid for each in tree}
        old = tree[0].age is not None and tree[0].age >= ORPHAN_AGE and all(each.mark for each in tree)
        if old and not pids & current and seen.holder not in pids:
            found += tree
    return tuple(found)


def in_words(processes: Iterable[Runner]) -> str:
    """Pids and command lines, cut and without secrets, for the user."""
    # Only who has something to tell pays for the patterns.
    from miyabi.masking import masked  # noqa: PLC0415

    return ", ".join(f"{each.pid} ({masked(each.arguments)[:60].strip()})" for each in processes)


def _young(running: Iterable[Runner]) -> bool:
    return any(each.age is not None and each.age < START_GRACE for each in running)


def _serves(process: Runner, match: str) -> bool:
    program = program_of(process.arguments.split()[:3])
    looks = program in LOOKERS and program not in match.split()
    return not looks and not _is_shell_command(process) and _OWN_SCRIPT not in process.arguments


def _is_shell_command(process: Runner) -> bool:
    return _SHELL_COMMAND.match(process.arguments) is not None


def _trees(seen: Daemon, match: str | None) -> list[list[Runner]]:
    """The matching processes that have lost their parent, each followed by those below it that match.

    A shell that was only to start the server belongs to it, when the server is below it.
    """
    if match is None:
        return []
    of_it = [each for each in seen.processes if each.matches and _OWN_SCRIPT not in each.arguments]
    of_it = [each for each in of_it if _serves(each, match) or _is_shell_command(each)]
    trees = []
    for root in of_it:
        if root.parent in seen.reapers:
            tree = [root]
            for process in tree:
                tree.extend(each for each in of_it if each.parent == process.pid and each not in tree)
            if any(_serves(each, match) for each in tree):
                trees.append(tree)
    return trees
