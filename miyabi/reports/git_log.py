"""Asks git for the commits of repositories on this machine, each in bounded time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from miyabi.reports.commits import FORMAT, Commit, commits_of
from miyabi.reports.report import Missing

# Seconds for one repository.
_TIMEOUT = 10.0
_MOST = 100_000
# Nothing is fetched, shown, asked or started that a repository's own configuration names.
_QUIET = ("-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "-c", "protocol.allow=never")
# A stash or a note is no work of anybody's.
_REFS = ("--exclude=refs/stash", "--exclude=refs/notes/*", "--all")


def read_commits(
    folders: Iterable[str], since: float, timeout: float = _TIMEOUT
) -> tuple[dict[str, tuple[Commit, ...]], tuple[Missing, ...]]:
    """The commits of each repository from ``since`` on, on all branches and in all worktrees, by its name.

    + folders: of the repositories; those that are worktrees of one repository are read once
    + timeout: seconds for each

    Returns what was read, and the folders of which git could not tell.
    """
    found: dict[str, tuple[Commit, ...]] = {}
    missing: list[Missing] = []
    known: set[Path] = set()
    for folder in folders:
        try:
            common = _common_folder(folder, timeout)
            if common in known:
                continue
            known.add(common)
            name = Path(folder).expanduser().resolve().name
            found[folder if name in found or not name else name] = _commits(folder, since, timeout)
        except FileNotFoundError as error:
            why = "there is no such folder" if error.filename != "git" else "git is not installed"
            missing.append(Missing(f"commits of {folder}", why))
        except subprocess.TimeoutExpired:
            missing.append(Missing(f"commits of {folder}", f"git gave no answer within {timeout:g} s"))
        except (OSError, RuntimeError, ValueError) as error:
            missing.append(Missing(f"commits of {folder}", str(getattr(error, "strerror", None) or error)))
    return found, tuple(missing)


def _common_folder(folder: str, timeout: float) -> Path:
    """Where a repository keeps what all of its worktrees share."""
    path = Path(folder).expanduser()
    return (path / _git(path, ["rev-parse", "--git-common-dir"], timeout).strip()).resolve()


def _commits(folder: str, since: float, timeout: float) -> tuple[Commit, ...]:
    # git leaves off at the first commit that is older; a day more is for clocks that were set back.
    words = ["log", *_REFS, f"--since={int(since - 86400)}", f"--max-count={_MOST}", "--no-show-signature"]
    told = _git(Path(folder).expanduser(), [*words, f"--format={FORMAT}"], timeout)
    return tuple(each for each in commits_of(told) if each.at >= since)


def _git(folder: Path, words: list[str], timeout: float) -> str:
    """What git prints. Raises ``ValueError`` with what it complains of."""
    # What a hook that started us, or somebody's session, has set would lead to another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(  # noqa: S603 - words, no shell
        ["git", *_QUIET, *words],  # noqa: S607 - wherever the system has it
        cwd=folder,
        env={**environment, "LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        raise ValueError(lines[0].removeprefix("fatal: ") if lines else f"git ended with {done.returncode}")
    return done.stdout.decode(errors="replace")
