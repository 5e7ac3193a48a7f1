"""Shell text about git worktrees: which there are, what is known of one, and its removal. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from shlex import quote

from miyabi.bounded import BOUNDED
from miyabi.git_script import GIT, work_script
from miyabi.host_lock import alone
from miyabi.shell import HOST_ENVIRONMENT, HostText, quoted
from miyabi.workspaces import Worktree

# Seconds that a removal may take.
REMOVAL_TIMEOUT = 60

# Bytes of git's answer about what is ignored that are read.
_BYTES = 48_000

# told_inside PATH: the processes that work in it. A list that is complete for the user's own processes is enough: what
# others do in it is theirs.
_INSIDE = r"""told_inside() {
  if [ -d "/proc/$$/fd" ]; then
    ls -ld /proc/[0-9]*/cwd 2>/dev/null | while IFS= read -r line; do
      case $line in *" -> $1"|*" -> $1/"*) line=${line#*/proc/}; echo "inside ${line%%/*}";; esac
    done
  elif command -v lsof >/dev/null 2>&1; then
    bounded 5 lsof -w -a -u "$(id -u)" -d cwd -F pn 2>/dev/null | while IFS= read -r line; do
      case $line in p*) pid=${line#p};; "n$1"|"n$1/"*) echo "inside $pid";; esac
    done
  else echo 'inside unknown'; fi
}"""


def list_script(own: Iterable[str], repositories: Iterable[str]) -> str:
    """The shell text that lists the worktrees of some repositories, for ``miyabi.workspaces.read_listed``.

    + own: folders of the spec, to be told as they are called on the host
    """
    folders = " ".join(quoted(HostText(each)) for each in own)
    where = " ".join(quoted(HostText(each)) for each in repositories)
    return f"""{GIT}
for folder in {folders}; do
  ( cd -P -- "$folder" 2>/dev/null && path=$(pwd -P; echo .) && echo "own $(hexed "${{path%??}}")" )
done
for repository in {where}; do ( filters=0
  cd -P -- "$repository" 2>/dev/null || {{ echo "unreadable $(hexed "$repository")"; exit; }}
  list() {{ quiet "$@" worktree list --porcelain -z || quiet "$@" worktree list --porcelain; }}
  # A bare repository is looked into only when it is named as one.
  if [ -f HEAD ] && [ -d objects ]; then listed=$(list --git-dir=. | base64); else listed=$(list | base64); fi
  [ -n "$listed" ] || {{ echo "unreadable $(hexed "$repository")"; exit; }}
  path=$(pwd -P; echo .); echo "repository $(hexed "${{path%??}}")"; printf '%s\\n' "$listed"; echo 'end'
); done; echo 'all'"""


def orphan_script(path: str, older_than: float) -> str:
    """The shell text that tells all that decides about a worktree, for ``miyabi.workspaces.read_orphan``.

    + path: absolute, without links
    + older_than: seconds
    """
    minutes = ceil(older_than / 60)
    return f"""{_INSIDE}
told_inside {quote(path)}
young() {{
  found=$({{ bounded 10 find "$1" -xdev -mmin -{minutes} -print 2>/dev/null; echo "exit $?"; }} | head -n 1)
  case $found in 'exit 0') echo 'young no';; 'exit '*) echo 'young unknown';; *) echo 'young yes';; esac
}}
young {quote(path)}
{work_script(path, None)}
young "$own"
echo 'ignored'
{{ quiet status --porcelain=v2 -z --ignored=traditional --untracked-files=normal --ignore-submodules=all
  printf 'exit %s' "$?"; }} | {{ head -c {_BYTES}; cat >/dev/null; }} | base64
echo 'end'"""


def removal_script(worktree: Worktree) -> str:
    """The shell text that removes a worktree that is still as it was seen; git refuses one that has changes."""
    path = quote(worktree.path)
    script = f"""{BOUNDED}
shown() {{ printf '%s\\n' "$1" | tr -c '\\n -~' '?'; }}
{GIT}
{_INSIDE}
gone() {{ shown "$1: it is left alone" >&2; exit 1; }}
case $(told_inside {path}) in '') ;; *) gone 'somebody works in it by now';; esac
cd -P -- {path} && [ "$(pwd -P)" = {path} ] || gone 'it is not there any more'
unfiltered || gone 'a filter is configured that cannot be switched off'
[ "$(quiet rev-parse HEAD)" = {quote(worktree.head)} ] || gone 'it has just changed'
[ "$(quiet rev-list --count --max-count=1 HEAD --not --remotes)" = 0 ] || gone 'it has commits that no remote has'
common=$(quiet rev-parse --git-common-dir) && common=$(cd -P -- "$common" && pwd -P) || gone 'its repository is gone'
cd -P -- / && GIT_SECONDS={REMOVAL_TIMEOUT} asked --git-dir="$common" worktree remove -- {path}"""
    return f"{HOST_ENVIRONMENT}; LC_ALL=C; export LC_ALL\n{alone('worktrees', script)}"
