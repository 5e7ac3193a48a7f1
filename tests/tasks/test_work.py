"""What is left of an agent's work: each state made by real git, told by the probe's own shell."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from facts.tasks import done_section, work_section
from miyabi.errors import ParseError
from miyabi.partial_work import Sign, Work, assess
from miyabi.spec_tasks import Task
from tests.facts.hosts import INSTALLED_SHELLS
from tests.tasks.ground import Ground, answer

COMMIT = "echo b >b.txt && git add b.txt && git commit -q -m second"
CONFLICT = """git checkout -q -b other && echo two >a.txt && git commit -q -am two && git checkout -q feature &&
  echo three >a.txt && git commit -q -am three"""

# What is done in a fresh worktree on the branch feature, and the signs that follow.
STATES: dict[str, tuple[str, list[Sign]]] = {
    "clean": (":", ["clean"]),
    "changed": ("echo x >>a.txt", ["uncommitted"]),
    "staged": ("echo x >>a.txt && git add a.txt", ["uncommitted"]),
    "removed": ("rm a.txt", ["uncommitted"]),
    "renamed": ("git mv a.txt c.txt", ["uncommitted"]),
    "untracked": ("echo x >new.txt", ["untracked"]),
    "ignored": ("echo x >ignored.txt", ["clean"]),
    "both": ("echo x >>a.txt && echo x >new.txt", ["uncommitted", "untracked"]),
    "unpushed": (COMMIT, ["unpushed"]),
    "pushed": (f"{COMMIT} && git push -q origin feature", ["pushed"]),
    "tracking": (f"{COMMIT} && git push -q -u origin feature 2>&1", ["pushed"]),
    "pushed and more": (f"{COMMIT} && git push -q origin feature && git commit -q --allow-empty -m 3", ["unpushed"]),
    "merged": (
        f"{COMMIT} && git push -q origin feature && git push -q origin feature:main && git fetch -q",
        ["merged"],
    ),
    "merged and gone": (
        f"""{COMMIT} && git push -q -u origin feature && git push -q origin feature:main &&
        git push -q origin :feature && git fetch -q -p""",
        ["merged"],
    ),
    "conflict": (f"{CONFLICT} && ! git merge -q other", ["conflict", "in-progress", "unpushed"]),
    "rebasing": (f"{CONFLICT} && ! git rebase -q other", ["conflict", "in-progress", "unpushed"]),
    "merging": (
        f"""{COMMIT} && git checkout -q -b other HEAD^ && git commit -q --allow-empty -m o && git checkout -q feature &&
        git merge -q --no-commit --no-ff other""",
        ["in-progress", "unpushed"],
    ),
    "picking": (f"{CONFLICT} && ! git cherry-pick other", ["conflict", "in-progress", "unpushed"]),
    "bisecting": ("git bisect start -q HEAD", ["in-progress"]),
    "detached": ("git checkout -q --detach", ["detached"]),
    "detached with commits": (f"git checkout -q --detach && {COMMIT}", ["detached", "unpushed"]),
    "other branch": ("git checkout -q -b mine", ["wrong-branch"]),
    "no branch": ("git checkout -q --detach && git branch -q -D feature", ["branch-missing", "detached"]),
    "stashed": ("echo x >>a.txt && git stash -q", ["stashed"]),
    "stashed elsewhere": (
        "git checkout -q -b mine && echo x >>a.txt && git stash -q && git checkout -q feature",
        ["clean"],
    ),
    "locked": ('touch "$(git rev-parse --git-dir)/index.lock"', ["locked"]),
    "stale lock": ('touch -d "2 hours ago" "$(git rev-parse --git-dir)/index.lock"', ["stale-lock"]),
}


def left(ground: Ground, folder: str = "~/work") -> Work:
    return assess(ground.facts(folder), branch="feature")


@pytest.mark.parametrize("name", STATES)
def test_each_state_is_told(ground: Ground, name: str) -> None:
    script, signs = STATES[name]
    ground.worktree()
    ground.sh(f"cd work && {{ {script}; }} >/dev/null 2>&1")
    work = left(ground)
    assert list(work.signs) == signs, work.words
    assert len(work.words) == len(signs)


def test_looking_changes_nothing(ground: Ground) -> None:
    work = ground.worktree()
    # The index is out of date: git would like to write it anew.
    os.utime(work / "a.txt")
    before = ground.sh("find . -printf '%p %s %T@ %C@\\n' | sort")
    assert left(ground).state == "clean"
    assert ground.sh("find . -printf '%p %s %T@ %C@\\n' | sort") == before


def test_words_for_humans(ground: Ground) -> None:
    ground.worktree()
    ground.sh(f"cd work && {COMMIT} && echo x >>a.txt && echo y >'b c.txt'")
    assert str(left(ground)) == (
        "1 file not committed (a.txt, b c.txt), 1 file that git does not know, 1 commit not pushed"
    )


def test_a_folder_that_is_gone_with_what_was_nowhere_else(ground: Ground) -> None:
    ground.worktree()
    ground.sh(f"cd work && {COMMIT} && cd .. && rm -rf work")
    facts = ground.facts(repositories=["~/main"])
    assert (facts.exists, facts.missing_work) == (False, 1)
    work = assess(facts, branch="feature")
    assert work.is_kept
    assert str(work) == "~/work is not there; branch feature has 1 commit that no remote has"
    # Without the branch's name it is found by what the repository remembers of the folder.
    assert ground.facts(branch=None, repositories=["~/main"]).missing_work == 1
    assert ground.facts(repositories=["~/nowhere"]).missing_work is None


def test_a_folder_that_is_gone_with_nothing_in_it(ground: Ground) -> None:
    ground.worktree()
    ground.sh("rm -rf work")
    work = assess(ground.facts(repositories=["~/main"]), branch="feature")
    assert (work.signs, work.is_kept) == (("folder-missing",), False)


def test_folders_that_are_no_repositories(ground: Ground) -> None:
    ground.sh(
        "mkdir plain; git init -q new; git init -q --bare bare.git; mkdir broken; echo 'gitdir: /nowhere' >broken/.git"
    )
    assert left(ground, "~/plain").state == "not-a-repository"
    assert left(ground, "~/new").state == "branch-missing" or left(ground, "~/new").state == "clean"
    assert left(ground, "~/bare.git").state in {"not-a-repository", "unsafe"}
    assert left(ground, "~/broken").state == "not-a-repository"
    assert assess(ground.facts("~/new", None)).state == "clean"


def test_a_repository_without_a_remote(ground: Ground) -> None:
    ground.sh(f"git init -q own && cd own && {COMMIT}")
    work = assess(ground.facts("~/own", None))
    assert str(work) == "its commits are on no remote: there is none"


def test_a_repository_of_somebody_else_is_told_and_not_trusted(ground: Ground) -> None:
    ground.worktree()
    ground.machine.environment["GIT_TEST_ASSUME_DIFFERENT_OWNER"] = "1"
    found = left(ground)
    assert found.state == "unsafe"
    assert "safe.directory" in str(found)


@pytest.mark.parametrize("shell", INSTALLED_SHELLS)
def test_every_shell_tells_the_same(ground: Ground, shell: str) -> None:
    ground.worktree("a work\u00fc 'q\" $(touch made)")
    folder = "~/a work\u00fc 'q\" $(touch made)"
    ground.sh(
        f"cd 'a work\u00fc '\\''q\" $(touch made)' && {COMMIT} && echo x >>a.txt && git stash -q && echo y >'n\newline'"
    )
    facts = ground.facts(folder, shell=shell)
    assert (facts.unpushed, facts.untracked, facts.stashes, facts.branch) == (1, 1, 1, "feature")
    assert facts.path == str(ground.home / "a work\u00fc 'q\" $(touch made)")
    assert facts.files == ("n\\newline",)
    assert not (ground.home / "made").exists()


# Each way in which a repository can name a program that git might run for whoever looks into it.
HOSTILE = {
    "monitor": "git config core.fsmonitor 'touch ~/made'",
    "hooks": "mkdir h && for h in post-index-change post-checkout pre-commit reference-transaction; do "
    "printf '#!/bin/sh\\ntouch ~/made\\n' >h/$h; chmod +x h/$h; done; git config core.hooksPath $PWD/h",
    "filter": "git config filter.x.clean 'touch ~/made; cat' && echo '* filter=x' >.gitattributes && echo x >>a.txt",
    "process": "git config filter.x.process 'touch ~/made' && git config filter.x.required true && "
    "echo '* filter=x' >.gitattributes && echo x >>a.txt",
    "filter with a name": "git config 'filter.x y\"$(touch made).clean' 'touch ~/made; cat' && echo x >>a.txt",
    "filter that cannot be off": "git config 'filter.a=b.clean' 'touch ~/made; cat' && "
    "echo '* filter=a=b' >.gitattributes && echo x >>a.txt",
    "pager": "git config core.pager 'touch ~/made' && git config pager.status true; git config pager.rev-list true",
    "external diff": "git config diff.external 'touch ~/made' && echo x >>a.txt",
    "text of a diff": "git config diff.x.textconv 'touch ~/made' && echo '* diff=x' >.gitattributes && echo x >>a.txt",
    "signatures": "git config gpg.program 'touch ~/made' && git config log.showSignature true",
    "alias": "git config alias.status '!touch ~/made' && git config alias.rev-list '!touch ~/made'",
    "transport": "git config extensions.partialClone origin && git config core.repositoryFormatVersion 1 && "
    "git config remote.origin.promisor true && git config remote.origin.url 'ext::touch ~/made' && "
    'echo 1111111111111111111111111111111111111111 >"$(git rev-parse --git-common-dir)/refs/remotes/origin/x"',
    "credentials": "git config credential.helper '!touch ~/made' && git config remote.origin.url https://127.0.0.1:1/x",
    "submodule": "git config status.submoduleSummary true && git config submodule.recurse true",
    "editor": "git config core.editor 'touch ~/made' && git config core.askPass 'touch ~/made'",
    "ssh": "git config core.sshCommand 'touch ~/made' && git config remote.origin.url ssh://127.0.0.1:1/x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_repository_runs_nothing(ground: Ground, name: str) -> None:
    ground.worktree()
    ground.sh(f"cd work && {{ {HOSTILE[name]}; }} >/dev/null; rm -f $HOME/made made")
    try:
        work = left(ground)
    except ParseError:
        pass
    else:
        assert work.signs
    assert not (ground.home / "made").exists()
    assert not (ground.home / "work" / "made").exists()


def test_a_hostile_repository_would_run_it_otherwise(ground: Ground) -> None:
    ground.worktree()
    ground.sh(f"cd work && {{ {HOSTILE['filter']}; }} && git status >/dev/null")
    assert (ground.home / "made").exists()


def test_what_leads_git_elsewhere_is_not_believed(ground: Ground) -> None:
    ground.worktree()
    ground.sh("git init -q elsewhere; cd elsewhere && echo x >untracked")
    ground.machine.environment["GIT_DIR"] = str(ground.home / "elsewhere" / ".git")
    ground.machine.environment["GIT_WORK_TREE"] = str(ground.home / "elsewhere")
    assert left(ground).state == "clean"


def _program(ground: Ground, name: str, script: str) -> None:
    folder = ground.machine.root / "bin"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    ground.machine.environment["PATH"] = f"{folder}:{ground.machine.environment['PATH']}"


@pytest.mark.parametrize(
    ("pulls", "sign", "words"),
    [
        ([{"number": 7, "state": "OPEN", "url": "https://x/7"}], "pr-open", "pull request https://x/7 is open"),
        ([{"number": 7, "state": "MERGED", "url": "https://x/7"}], "merged", "pull request https://x/7 is merged"),
        (
            [
                {"number": 9, "state": "CLOSED", "url": "https://x/9"},
                {"number": 7, "state": "OPEN", "url": "https://x/7"},
            ],
            "pr-open",
            "pull request https://x/7 is open",
        ),
        ([{"number": 9, "state": "CLOSED", "url": "https://x/9"}], "pr-closed", "pull request https://x/9 is closed"),
        ([], "pushed", "all commits are pushed, and there is no pull request"),
        ("nonsense", "pushed", "all commits are pushed, and there is no pull request"),
    ],
)
def test_pull_requests(ground: Ground, pulls: object, sign: Sign, words: str) -> None:
    _program(ground, "gh", f"[ \"$1 $2 $3 $4\" = 'pr list --head feature' ] && cat <<'END'\n{json.dumps(pulls)}\nEND")
    ground.worktree()
    ground.sh(f"cd work && {COMMIT} && git push -q origin feature")
    work = left(ground)
    assert (work.signs, work.words) == ((sign,), (words,))


def test_a_service_that_hangs_is_no_answer(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("miyabi.git_script.PULL_TIMEOUT", 1)
    _program(ground, "gh", "exec sleep 30")
    ground.worktree()
    ground.sh(f"cd work && {COMMIT} && git push -q origin feature")
    started = time.monotonic()
    assert left(ground).words == ("all commits are pushed",)
    assert time.monotonic() - started < 10


def test_recorded_tests_that_failed(ground: Ground) -> None:
    ground.worktree()
    work = assess(ground.facts(), branch="feature", tests=False)
    assert work.signs == ("tests-failing",)


def test_an_answer_that_is_cut_off_is_unknown(ground: Ground) -> None:
    section = work_section("~/work", "feature")
    with pytest.raises(ParseError):
        section.parse(["path 2f78", "common 2f78", "status", "AAAA"])
    with pytest.raises(ParseError):
        section.parse(["path 2f78"])


@pytest.mark.parametrize(
    ("command", "said"),
    [("test -f a.txt", True), ("test -f nothing", False), ("no-such-program-here", None), ("exit 3", False)],
)
def test_what_says_that_a_task_is_done(ground: Ground, command: str, said: bool | None) -> None:
    ground.worktree()
    task = Task("t", "do", done_when=command)
    assert answer(ground.machine, done_section(task, "~/work")) is said
    assert answer(ground.machine, done_section(task, "~/nowhere")) is None


def test_many_files_are_counted_at_least(ground: Ground) -> None:
    work = ground.worktree()
    for number in range(1500):
        (work / f"{'long' * 12}{number}").touch()
    started = time.monotonic()
    facts = ground.facts()
    assert facts.untracked > 500
    assert time.monotonic() - started < 10
    assert isinstance(work, Path)
