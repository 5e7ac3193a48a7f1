"""What GitHub is asked, and that whatever it does is said in bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from miyabi.reports.closed_work import between, next_page, work_of
from miyabi.reports.github import read_work
from tests.reports.github_server import dripping, issue, pages, pull, saying, served, silent

SINCE = datetime(2026, 11, 16, tzinfo=UTC).timestamp()
UNTIL = datetime(2026, 11, 23, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("GITHUB_TOKEN", "GH_TOKEN", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def _gh(folder: Path, script: str) -> None:
    (folder / "gh").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "gh").chmod(0o755)


def test_what_was_closed_and_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [
        issue(1, "2026-11-15T23:59:59Z"),
        issue(2, "2026-11-16T00:00:00Z", "first"),
        issue(3, "2026-11-22T23:59:59Z"),
        issue(4, "2026-11-23T00:00:00Z"),
        pull(5, None),
        pull(6, "2026-11-18T10:00:00Z", title="merged", user=None),
        pull(7, "2026-11-15T10:00:00Z"),
    ]
    with served(app=pages(items, 3)) as github:
        monkeypatch.setenv("GITHUB_API_URL", f"{github.url}/")
        (work,), missing = read_work(["example/app"], SINCE)
    assert missing == ()
    assert len(github.asked) == 3
    path = github.asked[0][0]
    assert path.startswith("/repos/example/app/issues?state=closed&since=2026-11-16T00%3A00%3A00Z&")
    found = between(work, SINCE, UNTIL)
    assert [(each.number, each.title, each.author) for each in found.closed] == [
        (2, "first", "kaede"),
        (3, "something", "kaede"),
    ]
    assert [(each.number, each.author, each.at) for each in found.merged] == [
        (6, "", datetime(2026, 11, 18, 10, tzinfo=UTC).timestamp())
    ]


def test_nothing_was_closed_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(app=pages([])) as github:
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        (work,), missing = read_work(["example/app"], SINCE)
    assert (work.closed, work.merged, missing) == ((), (), ())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (saying(403, X_RateLimit_Remaining="0"), "GitHub lets nobody ask more for now (rate limit; asked as nobody"),
        (saying(429), "GitHub lets nobody ask more for now (rate limit; asked as nobody"),
        (saying(403), "it refused (HTTP 403; asked as nobody: log in with gh, or set $GITHUB_TOKEN)"),
        (saying(401), "it refused (HTTP 401;"),
        (saying(404), "there is no such repository, or it is not ours to see (HTTP 404;"),
        (saying(500, "<html>"), "it answered HTTP 500"),
        (saying(200, "<html>"), "what it answered is no JSON"),
        (saying(200, "[" * 100_000), "what it answered is no JSON"),
        (saying(200, '{"message": "hello"}'), "what it answered are no issues"),
        (saying(200, "[1]"), "what it answered are no issues"),
        (saying(200, '[{"number": "x"}]'), "what it answered are no issues"),
        (saying(200, '[{"number": 1, "title": "", "closed_at": null}]'), "what it answered are no issues"),
        (saying(200, '[{"number": 1, "title": "", "closed_at": "soon"}]'), "what it answered are no issues"),
        (saying(302, Location="http://127.0.0.2:1/steal"), "it was moved to another server, which is not followed"),
        (
            saying(200, "[]", Link='<http://127.0.0.2:1/steal>; rel="next"'),
            "its next page is on another server, which is not followed",
        ),
        (silent, "no answer within 1 s"),
        (dripping, "no answer within 1 s"),
    ],
)
def test_a_failure_is_named(monkeypatch: pytest.MonkeyPatch, answer: Callable[..., None], why: str) -> None:
    begun = time.monotonic()
    with served(bad=answer, good=pages([issue(1, "2026-11-17T00:00:00Z")])) as github:
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        (work,), (missing,) = read_work(["example/bad", "example/good"], SINCE, timeout=1)
    assert work.repository == "example/good"
    assert missing.source == "GitHub: example/bad"
    assert missing.why.startswith(why)
    assert "\n" not in missing.why
    assert time.monotonic() - begun < 5


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with served() as github:
        pass
    monkeypatch.setenv("GITHUB_API_URL", github.url)
    assert read_work(["example/app"], SINCE)[1][0].why == "refused: nobody listens there"


@pytest.mark.parametrize("address", ["file:///etc/passwd", "nonsense", "ftp://127.0.0.1/"])
def test_an_address_of_no_use(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("GITHUB_API_URL", address)
    found, (missing,) = read_work(["example/app"], SINCE)
    assert found == ()
    assert missing.why == "the variable GITHUB_API_URL is no address of http or https"


def test_a_repository_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(app=saying(200, "[]", Link='</repos/example/app/issues?page=2>; rel="next"')) as github:
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        assert "more than 50 pages" in read_work(["example/app"], SINCE)[1][0].why
    assert len(github.asked) == 50


def test_a_repository_that_was_renamed_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(old=saying(301, Location="/repos/example/new/issues"), new=pages([])) as github:
        monkeypatch.setenv("GITHUB_API_URL", github.url)
        (work,), _ = read_work(["example/old"], SINCE)
    assert work.repository == "example/old"


def test_who_asks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def asked() -> str | None:
        with served(app=pages([])) as github:
            monkeypatch.setenv("GITHUB_API_URL", github.url)
            read_work(["example/app"], SINCE)
        return github.asked[0][1].get("Authorization")

    assert asked() is None
    monkeypatch.setenv("GITHUB_TOKEN", "from-the-environment")
    assert asked() == "Bearer from-the-environment"
    _gh(tmp_path, 'test "$*" = "auth token --hostname 127.0.0.1" && echo of-gh')
    assert asked() == "Bearer of-gh"
    _gh(tmp_path, "echo nobody is logged in >&2; exit 1")
    assert asked() == "Bearer from-the-environment"
    _gh(tmp_path, "echo 'two words'; echo more")
    assert asked() == "Bearer from-the-environment", "what is no token is never sent"


def test_the_last_page() -> None:
    assert next_page("") is None
    assert next_page('<https://x/a?page=1>; rel="prev", <https://x/a?page=3>; rel="next"') == "https://x/a?page=3"
    assert next_page('<https://x/a?page=1>; rel="prev", <https://x/a?page=3>; rel="last"') is None


def test_pages_that_overlap_count_once() -> None:
    told = [issue(1, "2026-11-17T00:00:00Z"), issue(1, "2026-11-17T00:00:00Z")]
    assert len(work_of("example/app", told).closed) == 1
