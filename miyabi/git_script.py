"""Shell text that asks git about a folder, without letting anything run that the repository names. Pure.

A repository's configuration can name programs (monitors, hooks, filters, pagers, helpers, transports): git is only
asked what needs none of them, and each is switched off beside it. Nothing is written, no lock is taken.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from miyabi.host_paths import HEXED
from miyabi.shell import HostText, quoted

# Seconds for one question to git, and for one to a service behind it.
GIT_TIMEOUT = 4
PULL_TIMEOUT = 8

# Bytes of git's answers that are read, before base64; more makes the counts of files "at least".
_BYTES = 48_000

# Commits that are counted, at most.
_COUNTED = 1000

# What comes from elsewhere must not lead git to another repository, or to programs.
_ALONE = """unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY GIT_NAMESPACE GIT_CONFIG
unset GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT GIT_EXTERNAL_DIFF GIT_DIFF_OPTS GIT_SSH
unset GIT_SSH_COMMAND GIT_PROXY_COMMAND GIT_EXEC_PATH GIT_TRACE GIT_TRACE2 GIT_TRACE2_EVENT GIT_REPLACE_REF_BASE
GIT_OPTIONAL_LOCKS=0 GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=none GIT_NO_LAZY_FETCH=1 GIT_PAGER=cat GIT_ASKPASS=false
GIT_EDITOR=false GIT_LITERAL_PATHSPECS=1
export GIT_OPTIONAL_LOCKS GIT_TERMINAL_PROMPT GIT_ALLOW_PROTOCOL GIT_NO_LAZY_FETCH GIT_PAGER GIT_ASKPASS GIT_EDITOR
export GIT_LITERAL_PATHSPECS"""

_OFF = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.sshCommand=false",
    "core.untrackedCache=keep",
    "credential.helper=",
    "diff.external=",
    "gc.auto=0",
    "gpg.program=false",
    "log.showSignature=false",
    "maintenance.auto=false",
    "safe.bareRepository=explicit",
    "status.submoduleSummary=false",
    "submodule.recurse=false",
)

_OPTIONS = " ".join(f"-c {shlex.quote(each)}" for each in _OFF)

# asked ARGUMENTS...: git with all of that, in the folder where the shell is. quiet: the same, without its complaints.
# unfiltered: makes FILTERS of what the repository says of filters, which `status` would run; it fails for a name that
# cannot be switched off.
GIT = f"""{_ALONE}
command -v git >/dev/null 2>&1 || {{ echo 'git is not on this host: install it'; exit 127; }}
asked() {{
  if [ "${{filters:-0}}" -gt 0 ]; then
    bounded "${{GIT_SECONDS:-{GIT_TIMEOUT}}}" sh -c "$WITHOUT" git "$@"
  else bounded "${{GIT_SECONDS:-{GIT_TIMEOUT}}}" git --no-pager {
    " ".join(f"-c {shlex.quote(each)}" for each in _OFF)
} "$@"; fi
}}
quiet() {{ asked "$@" 2>/dev/null; }}
unfiltered() {{
  filters=0; FILTERS=$(quiet config --name-only --get-regexp '^filter[.].*[.](clean|smudge|process|required)$')
  [ -n "$FILTERS" ] || return 0
  case $FILTERS in *=*) return 1;; esac
  export FILTERS; filters=1
}}
WITHOUT={
    shlex.quote(
        '''while IFS= read -r key; do [ -z "$key" ] || set -- -c "$key=" "$@"; done <<END
$FILTERS
END
exec git --no-pager '''
        + _OPTIONS
        + ' "$@"'
    )
}; export WITHOUT
{HEXED}"""

_MTIME = 'changed() { stat -c %Y "$1" 2>/dev/null || stat -f %m "$1" 2>/dev/null || echo 0; }'

_OPERATIONS = """for each in MERGE_HEAD:merge rebase-merge:rebase rebase-apply:rebase CHERRY_PICK_HEAD:cherry-pick \\
  REVERT_HEAD:revert BISECT_LOG:bisect; do
  [ ! -e "$own/${each%%:*}" ] || echo "operation ${each#*:}"
done"""


def work_script(folder: str, branch: str | None, repositories: Sequence[str] = (), *, pull: bool = False) -> str:
    """The shell text that tells what git says of a folder, for ``miyabi.git_facts.read_work``.

    + folder: may begin with ``~`` or ``$NAME``, which the host expands
    + branch: the one that a task names
    + repositories: where to look for what a folder that is gone has left
    + pull: whether GitHub is asked for its pull request, where its program is there
    """
    named = quoted(branch or "")
    return f"""{GIT}
{_MTIME}
folder={quoted(HostText(folder))}; wanted={named}
case $folder in /*) ;; *) shown "$folder: this is no absolute path here"; exit 2;; esac
if [ ! -d "$folder" ]; then
  echo 'missing'
{_lost(repositories)}
  echo 'all'; exit 0
fi
cd -P -- "$folder" || exit 1
path=$(pwd -P; echo .); path=${{path%??}}; echo "path $(hexed "$path")"
said=$(asked rev-parse --is-inside-work-tree 2>&1); code=$?
[ "$code" -ne 124 ] || exit 124
if [ "$code" -ne 0 ] || [ "$said" != true ]; then
  echo "refused $(hexed "$said")"; echo 'all'; exit 0
fi
own=$(quiet rev-parse --git-dir; echo .); own=${{own%??}}
common=$(quiet rev-parse --git-common-dir; echo .); common=${{common%??}}
common=$(cd -P -- "$common" && pwd -P) && own=$(cd -P -- "$own" && pwd -P) || exit 1
echo "common $(hexed "$common")"
[ "$own" != "$common" ] || echo 'main'
unfiltered || {{ echo "refused $(hexed 'a filter is configured that cannot be switched off')"; echo 'all'; exit 0; }}
now=$(date +%s)
[ ! -e "$own/index.lock" ] || echo "lock $((now - $(changed "$own/index.lock")))"
{_OPERATIONS}
echo 'status'
{{ quiet status --porcelain=v2 --branch -z --untracked-files=normal --ignore-submodules=all; printf 'exit %s' "$?"; }} |
  {{ head -c {_BYTES}; cat >/dev/null; }} | base64
echo 'end'
branch=$(quiet symbolic-ref -q --short HEAD)
[ -z "$(quiet for-each-ref --count=1 '--format=x' refs/remotes)" ] || echo 'remote'
if quiet rev-parse -q --verify 'HEAD^{{commit}}' >/dev/null; then
  count=$(quiet rev-list --count --max-count={_COUNTED} HEAD --not --remotes); code=$?
  [ "$code" -ne 124 ] || exit 124
  echo "unpushed ${{count:-unknown}}"
  default=$(quiet symbolic-ref -q refs/remotes/origin/HEAD)
  for each in "$default" refs/remotes/origin/main refs/remotes/origin/master; do
    [ -n "$each" ] && quiet rev-parse -q --verify "$each^{{commit}}" >/dev/null || continue
    echo "default $(hexed "${{each#refs/remotes/origin/}}")"
    quiet merge-base --is-ancestor HEAD "$each"; echo "merged $?"
    break
  done
fi
if [ -n "$branch" ]; then
  [ -z "$(quiet for-each-ref --count=1 '--format=x' "refs/remotes/*/$branch")" ] || echo 'upstream'
fi
if [ -n "$wanted" ]; then
  if quiet rev-parse -q --verify "refs/heads/$wanted" >/dev/null ||
    [ -n "$(quiet for-each-ref --count=1 '--format=x' "refs/remotes/*/$wanted")" ]; then echo 'wanted yes'
  else echo 'wanted no'; fi
fi
if [ -f "$common/logs/refs/stash" ]; then
  echo 'stashes'; tail -c {_BYTES} "$common/logs/refs/stash" | base64; echo 'end'
fi
{_pull() if pull else ""}
echo 'all'"""


def _pull() -> str:
    return f"""if [ -n "$branch" ] && command -v gh >/dev/null 2>&1; then
  unset GIT_ALLOW_PROTOCOL
  GH_PROMPT_DISABLED=1 GH_NO_UPDATE_NOTIFIER=1 GH_SPINNER_DISABLED=1 NO_COLOR=1 GH_PAGER=cat
  export GH_PROMPT_DISABLED GH_NO_UPDATE_NOTIFIER GH_SPINNER_DISABLED NO_COLOR GH_PAGER
  set -- pr list --head "$branch" --state all --limit 5 --json number,state,url
  if pulls=$(bounded {PULL_TIMEOUT} gh "$@" 2>/dev/null); then
    echo 'pulls'; printf %s "$pulls" | head -c {_BYTES} | base64; echo 'end'
  fi
fi"""


def _lost(repositories: Sequence[str]) -> str:
    """What looks for the commits of a worktree that is gone: its branch, or where the repository says that it was."""
    if not repositories:
        return ":"
    words = " ".join(quoted(HostText(each)) for each in repositories)
    return f"""  real=$(cd -P -- "${{folder%/*}}" 2>/dev/null && pwd -P)/${{folder##*/}}
  for repository in {words}; do
    cd -P -- "$repository" 2>/dev/null || continue
    head=
    [ -z "$wanted" ] || head=$(quiet rev-parse -q --verify "refs/heads/$wanted^{{commit}}")
    [ -n "$head" ] || head=$(quiet worktree list --porcelain | {{
      here=; while IFS= read -r line; do
        case $line in "worktree $folder"|"worktree $real") here=1;; 'worktree '*) here=;;
          HEAD*) [ -z "$here" ] || echo "${{line#HEAD }}";; esac
      done; }})
    [ -n "$head" ] || continue
    count=$(quiet rev-list --count --max-count={_COUNTED} "$head" --not --remotes) && echo "lost $count" && break
  done"""
