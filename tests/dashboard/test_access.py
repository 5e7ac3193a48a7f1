"""Who may see the dashboard: the rules by themselves, and a real server that is asked as it should not be."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from miyabi.dashboard.access import HEADERS, Access
from miyabi.dashboard.token_file import FILE, token_in
from miyabi.errors import DashboardError
from tests.dashboard.serving import Dashboard, serving, started
from tests.fleet.leaks import TestRun
from tests.fleet.machine import Machine

TOKEN = "a-token_of-forty-three-characters-as-made-x"  # noqa: S105 - it opens nothing
HOST = ("Host", "127.0.0.1:8765")


def _status(access: Access, *headers: tuple[str, str], method: str = "GET", path: str = "/", query: str = "") -> int:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    refusal = access.refusal(method, path, query, raw)
    return 200 if refusal is None else refusal.status


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8765", "LOCALHOST:1", "127.0.0.1:8765", "127.8.9.1", "[::1]:8765", "[::1]"]
)
def test_on_loopback_this_machine_needs_no_token(host: str) -> None:
    assert _status(Access(None), ("Host", host)) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8765",
        "192.0.2.1",
        "0.0.0.0",  # noqa: S104 - it is asked for, not bound
        "",
        "localhost@evil.example",
        "evil.example#localhost",
        "[::ffff:192.0.2.1]",
        "2130706433",
        "[::1",
        "localhost:notaport",
    ],
)
def test_on_loopback_no_other_name_is_answered(host: str) -> None:
    assert _status(Access(None), ("Host", host)) == 403


def test_a_request_without_a_host_or_with_two_is_refused() -> None:
    assert _status(Access(None)) == 400
    assert _status(Access(None), HOST, ("Host", "evil.example")) == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "X"])
def test_nothing_but_reading_is_answered(method: str) -> None:
    assert _status(Access(None), HOST, method=method) == 405
    assert _status(Access(TOKEN), HOST, ("Authorization", f"Bearer {TOKEN}"), method=method) == 405


@pytest.mark.parametrize(
    "headers",
    [
        [("Origin", "https://evil.example")],
        [("Origin", "null")],
        [("Origin", "http://127.0.0.1:9999")],
        [("Origin", "http://127.0.0.1:8765.evil.example")],
        [("Origin", "file://")],
        [("Origin", "http://127.0.0.1:8765"), ("Origin", "https://evil.example")],
        [("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "same-site")],
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")],
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")],
        [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
    ],
)
@pytest.mark.parametrize("token", [None, TOKEN])
def test_what_another_site_makes_a_browser_ask_for_is_refused(
    headers: list[tuple[str, str]], token: str | None
) -> None:
    assert _status(Access(token), HOST, *headers, ("Authorization", f"Bearer {TOKEN}")) == 403


@pytest.mark.parametrize(
    "headers",
    [
        [("Origin", "http://127.0.0.1:8765")],
        [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "cors")],
        [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")],
        [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")],
    ],
)
def test_the_page_itself_and_a_link_that_is_followed_are_answered(headers: list[tuple[str, str]]) -> None:
    assert _status(Access(None), HOST, *headers) == 200


@pytest.mark.parametrize(
    ("headers", "path", "query", "status"),
    [
        ([], "/", "", 401),
        ([], "/", f"token={TOKEN}", 200),
        ([], "/", f"token={TOKEN}&x=1", 200),
        ([], "/", f"token={TOKEN}&token=other", 401),
        ([], "/", f"token={TOKEN}x", 401),
        ([], "/", f"token={TOKEN[:-1]}", 401),
        ([], "/", f"token={TOKEN.upper()}", 401),
        ([], "/", "token=", 401),
        ([], "/", f"TOKEN={TOKEN}", 401),
        ([], "/", "token=" + "x" * 100_000, 401),
        ([], "/events", f"token={TOKEN}", 401),
        ([], "/api/overview", f"token={TOKEN}", 401),
        ([], "/metrics", f"token={TOKEN}", 401),
        ([], f"/{TOKEN}", "", 401),
        ([], "/healthz", "", 200),
        ([], "/healthz/", "", 401),
        ([("Authorization", f"Bearer {TOKEN}")], "/metrics", "", 200),
        ([("Authorization", f"bearer  {TOKEN} ")], "/metrics", "", 200),
        ([("Authorization", TOKEN)], "/metrics", "", 401),
        ([("Authorization", f"Basic {TOKEN}")], "/metrics", "", 401),
        ([("Authorization", "Bearer ")], "/metrics", "", 401),
        ([("Authorization", "Bearer \xe4")], "/metrics", "", 401),
        ([], "/", "&".join(f"a{number}=1" for number in range(200)), 401),
        ([("X-Token", TOKEN)], "/", "", 401),
        ([("Referer", f"http://127.0.0.1:8765/?token={TOKEN}")], "/", "", 401),
        ([("Cookie", f"miyabi_dashboard={TOKEN}")], "/events", "", 200),
        ([("Cookie", f"a=b; miyabi_dashboard={TOKEN}; c=d")], "/events", "", 200),
        ([("Cookie", f"other={TOKEN}")], "/events", "", 401),
        ([("Cookie", "miyabi_dashboard=")], "/events", "", 401),
        ([("Cookie", "\x00;;;=;miyabi_dashboard")], "/events", "", 401),
    ],
)
def test_elsewhere_it_takes_the_token_and_in_the_right_place(
    headers: list[tuple[str, str]], path: str, query: str, status: int
) -> None:
    elsewhere = ("Host", "mugen.example:8765")
    assert _status(Access(TOKEN), elsewhere, *headers, path=path, query=query) == status


@given(st.binary(max_size=60), st.binary(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_whatever_is_sent_is_answered_in_words(name: bytes, value: bytes, path: str, query: str) -> None:
    for header in (b"host", b"cookie", b"authorization", b"origin", b"sec-fetch-site", name):
        refusal = Access(TOKEN).refusal("GET", path, query, [(b"host", b"localhost"), (header, value)])
        assert refusal is None or (400 <= refusal.status < 500 and refusal.reason)
        assert refusal is not None or path == "/healthz"


def test_a_token_is_made_once_and_kept_for_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    first = token_in(folder)
    assert len(first) >= 32
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert token_in(folder) == first
    other = token_in(folder, is_new=True)
    assert other != first
    assert token_in(folder) == other


def test_a_token_that_others_could_have_written_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    token_in(folder)
    (folder / FILE).chmod(0o622)
    with pytest.raises(DashboardError, match="others may write it"):
        token_in(folder)


@pytest.mark.parametrize("kept", ["", "short", "with spaces in it, and as long as a token should be", "\xff" * 40])
def test_what_is_no_token_is_made_anew(tmp_path: Path, kept: str) -> None:
    folder = tmp_path / "memory"
    token_in(folder)
    (folder / FILE).write_text(kept)
    assert token_in(folder) != kept.strip()


def test_a_token_that_cannot_be_kept_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    folder.touch()
    with pytest.raises(DashboardError) as caught:
        token_in(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.fixture(scope="module")
def guarded(test_run: TestRun) -> Iterator[Dashboard]:
    """A dashboard on loopback that takes its token."""
    machine = Machine.build(test_run, "guarded")
    with serving(machine, "--token") as dashboard:
        yield dashboard
    machine.remove()


def test_the_url_that_is_printed_leads_in_and_the_browser_keeps_the_token(guarded: Dashboard) -> None:
    entrance, _, token = guarded.url.partition("?token=")
    assert entrance.startswith("http://127.0.0.1:")
    assert (guarded.state / FILE).read_text().strip() == token
    assert guarded.ask("/").status == 401
    assert guarded.ask("/").headers["www-authenticate"] == "Bearer"
    entered = guarded.ask(f"/?token={token}")
    assert entered.status == 200
    # Not by a redirect: behind another site's link the browser would leave the cookie out.
    assert 'http-equiv="refresh" content="0; url=./"' in entered.text
    assert token not in entered.text
    cookie = entered.headers["set-cookie"]
    assert {"httponly", "samesite=strict", "path=/"} <= {each.strip().casefold() for each in cookie.split(";")}
    page = guarded.ask("/", {"Cookie": cookie.partition(";")[0]})
    assert page.status == 200
    assert "Miyabi Recovery" in page.text
    assert token not in page.text
    assert guarded.ask("/metrics", {"Authorization": f"Bearer {token}"}).status == 200


@pytest.mark.parametrize(
    "path", ["/", "/events", "/static/page.css", "/metrics", "/api/overview", "/nothing", "/?token=wrong", "//healthz"]
)
def test_without_the_token_nothing_is_told(guarded: Dashboard, path: str) -> None:
    answer = guarded.ask(path)
    assert answer.status == 401
    assert answer.text == "this takes the token: open the URL that `miyabi dashboard` printed\n"


def test_the_token_is_shown_once(guarded: Dashboard) -> None:
    with started(guarded.machine, "--token") as second:
        assert second.process.stdout is not None
        line = second.process.stdout.readline()
    token = (guarded.state / FILE).read_text().strip()
    assert token not in line
    assert str(guarded.state / FILE) in line


@pytest.mark.slow
def test_a_new_token_shuts_the_old_one_out(machine: Machine) -> None:
    with serving(machine, "--token") as first:
        old = first.url.partition("?token=")[2]
    with serving(machine, "--new-token") as second:
        new = second.url.partition("?token=")[2]
        assert new not in {"", old}
        assert second.ask(f"/?token={old}").status == 401
        assert second.ask(f"/?token={new}").status == 200


def test_another_address_takes_the_token_without_being_asked_to(machine: Machine) -> None:
    with serving(machine, "--host", "0.0.0.0") as dashboard:  # noqa: S104 - the point
        token = dashboard.url.partition("?token=")[2]
        assert token
        dashboard.url = f"http://127.0.0.1:{dashboard.address[1]}/"
        assert dashboard.ask("/").status == 401
        # By whatever name: it may be behind another server.
        named = {"Host": "dashboard.example", "Authorization": f"Bearer {token}"}
        assert dashboard.ask("/", named).status == 200


def test_each_answer_is_closed_to_all_that_is_not_of_the_page(guarded: Dashboard) -> None:
    for path in ("/", "/healthz", "/nothing", "/static/page.css"):
        headers = guarded.ask(path).headers
        for name, value in HEADERS:
            assert headers[name.lower()] == value, path
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
