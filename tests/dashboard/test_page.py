"""The page in a real browser, over a real server, a real journal and a real history."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from playwright.sync_api import Browser

from miyabi.dashboard.rendering import export_page
from miyabi.figures import HostCard
from miyabi.predicted import Predicted
from miyabi.records import Decided, DriftSeen, IncidentChanged, Observation, Record, Recovered, RunEnded
from tests.dashboard.browser import DESKTOP, PHONE, Visit, browsing, visiting
from tests.dashboard.samples import HOSTILE, NOW, empty_overview
from tests.dashboard.serving import SOON, Dashboard, serving
from tests.fleet.control import REPOSITORY
from tests.fleet.leaks import TestRun
from tests.fleet.machine import Machine
from tests.fleet.waiting import wait_until
from tests.history.ground import make

_RUNS = count(1)

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def _look(host: str, health: str = "healthy", at: float | None = None, **told: object) -> Observation:
    at = time.time() if at is None else at
    values = {
        "sessions": 1, "windows": 3, "panes": 7, "disk_used": 61.2, "memory_available": 43.0, "load": 0.5,
        "uptime": 12 * DAY, "agents": {"work:main.kaede": "working"},
    } | told  # fmt: skip
    return make(Observation, at, run=f"r{next(_RUNS)}", host=host, health=health, **values)


def _broken(host: str, reason: str, *, held: bool = False) -> list[Record]:
    look = _look(host, "drift", reason=reason)
    about = {"run": look.run, "host": host, "target": "work:main.kaede", "level": "L1"}
    found: list[Record] = [look, make(DriftSeen, look.at, kind="agent-exited", reason=reason, cause="oom", **about)]
    if held:
        again = look.at + 30 * MINUTE
        found.append(
            make(
                Decided, look.at, does="restore", allowed=False, rule="tries", reason="5 tries", again_at=again, **about
            )
        )
    return found


def _past(host: str, now: float) -> Iterator[Record]:
    """A host's last two days: a disk that fills, a repair, an incident that is over."""
    for number in range(96):
        yield _look(host, at=now - 2 * DAY + 30 * MINUTE * number, disk_used=50 + number / 4, memory_available=40.0)
    about = {"run": "old", "host": host, "target": "work:main.kaede", "cause": "oom"}
    yield make(Recovered, now - 5 * HOUR, level="L1", does="restore", outcome="restored", seconds=2.5, **about)
    yield make(Recovered, now - 4 * HOUR, level="L2", does="restore", outcome="failed", seconds=9.0, **about)
    told = {**about, "incident": f"I-{host}", "severity": "HIGH", "kind": "not-restored", "summary": "exited again"}
    opened = now - 4 * HOUR
    yield make(IncidentChanged, opened, change="opened", opened_at=opened, told_at=opened, **told)
    yield make(IncidentChanged, now - 3 * HOUR, change="closed", opened_at=opened, told_at=opened, **told)
    ahead = tuple((now + HOUR * each, 74.0 + each / 2, 73.0 + each / 3, 75.0 + each) for each in range(48))
    crossing: dict[str, Any] = {"crosses_at": now + 32 * HOUR, "earliest": now + 20 * HOUR, "latest": now + 50 * HOUR}
    yield make(
        Predicted, now - MINUTE, host=host, subject="disk", kind="crossing", outcome="crosses",
        value=74.0, limit=90.0, samples=96, forecast=ahead,
        summary="reaches 90 % in about 32 h (20 h to 50 h)", **crossing,
    )  # fmt: skip
    yield make(RunEnded, now - 30, run="old", outcome="restored", seconds=3.0, hosts=1)


def _asked(visit: Visit) -> set[str]:
    """What a page has asked for, without whether the server lives, and the picture that a browser asks for once."""
    # What the browser tells is heard while it is asked something.
    visit.run("0")
    return {each.partition("?")[0].rpartition("/")[2] for each in visit.requests} - {"healthz", "icon.svg"}


@pytest.fixture(scope="module")
def ground(test_run: TestRun) -> Iterator[Machine]:
    machine = Machine.build(test_run, "page")
    yield machine
    machine.remove()


@pytest.fixture(scope="module")
def dashboard(ground: Machine) -> Iterator[Dashboard]:
    """A dashboard over a fleet with a past, in which a host is broken, and others have hostile names."""
    now = time.time()
    with serving(ground) as served:
        served.append(*_past("mugen", now), *_broken("pixel", "exited with status 1", held=True))
        told: dict[str, Any] = {"host": "pixel", "kind": "held", "severity": "HIGH", "opened_at": now, "told_at": now}
        served.append(make(IncidentChanged, now, incident="I-pixel", change="opened", summary="5 tries", **told))
        served.append(*(_look(f"node-{number:02}") for number in range(10)))
        served.append(*(record for text in HOSTILE for record in _broken(text, text)))
        wait_until(lambda: "node-09" in served.ask("/").text, 20)
        yield served


@pytest.fixture(scope="module")
def browser(ground: Machine) -> Iterator[Browser]:
    with browsing(ground) as started:
        yield started


@pytest.fixture
def visit(browser: Browser, dashboard: Dashboard) -> Iterator[Visit]:
    with visiting(browser, dashboard.url) as opened:
        yield opened


# --- What changes by itself ------------------------------------------------------------------------------------------


def test_a_card_changes_within_two_seconds(visit: Visit, dashboard: Dashboard) -> None:
    waited = []
    for health, records in (
        ("drift", _broken("live-1", "exited with status 1")),
        ("healthy", [_look("live-1")]),
        ("unreachable", [_look("live-1", "unreachable", reason="no route to host")]),
    ):
        began = time.monotonic()
        dashboard.append(*records)
        wait_until(lambda wanted=health: wanted in visit.card("live-1"), 15)  # type: ignore[misc]
        waited.append(time.monotonic() - began)
    assert median(waited) < SOON, waited
    assert "no route to host" in visit.page.inner_text("#part-hosts")
    assert "live-1 (unreachable)" in visit.page.inner_text("#part-summary")


def test_what_the_reader_does_survives_a_change(visit: Visit, dashboard: Dashboard) -> None:
    dashboard.append(_look("live-2"))
    wait_until(lambda: visit.card("live-2"), 15)
    more = visit.page.locator(".card", has_text="live-2").locator("summary")
    more.scroll_into_view_if_needed()
    more.focus()
    visit.page.keyboard.press("Enter")
    visit.run("document.activeElement.mine = 'yes'")
    scrolled = visit.run("scrollY")
    dashboard.append(_look("live-2", load=7.77), *_broken("live-3", "a new card before it"))
    wait_until(lambda: "drift" in visit.card("live-3") and "7.77" in visit.page.inner_text("#part-hosts"), 15)
    assert visit.run("document.activeElement.mine") == "yes"
    assert visit.run("document.activeElement.closest('details').open")
    assert scrolled > 0
    # What came above may move what is looked at, but nothing jumps to the top.
    assert visit.run("scrollY") > 0


def test_the_filter_holds_while_the_page_changes(visit: Visit, dashboard: Dashboard) -> None:
    visit.page.fill("#filter", "node-07")
    assert visit.run("[...document.querySelectorAll('.card')].filter((each) => !each.hidden).length") == 1
    dashboard.append(_look("node-07", load=8.88), _look("node-08", load=8.88))
    visit.wait("[...document.querySelectorAll('.card')].some((each) => each.textContent.includes('8.88'))")
    assert visit.run("[...document.querySelectorAll('.card')].filter((each) => !each.hidden).length") == 1
    assert visit.page.inner_text("#found").startswith("1 of ")


def test_times_count_on_by_themselves(browser: Browser, dashboard: Dashboard) -> None:
    with visiting(browser, dashboard.url) as visit:
        visit.page.clock.install()
        dashboard.append(_look("live-4", "unreachable", reason="away"))
        visit.wait("document.querySelector('#part-hosts').textContent.includes('live-4')")
    with visiting(browser, dashboard.url) as visit:
        wait_until(lambda: "events" in _asked(visit))
        asked = _asked(visit)
        said = visit.page.locator(".card", has_text="live-4").locator("time").first
        before = said.inner_text()
        visit.page.clock.install()
        visit.page.clock.fast_forward(180_000)
        visit.run("document.dispatchEvent(new CustomEvent('miyabi:changed'))")
        after = said.inner_text()
        assert before != after
        assert after.endswith("3 min ago")
        assert _asked(visit) == asked
        assert said.get_attribute("datetime")


@pytest.mark.slow
def test_a_lost_connection_is_said_and_comes_back_by_itself(browser: Browser, ground: Machine) -> None:
    away = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET")
    with serving(ground) as first:
        url, port = first.url, first.address[1]
        first.append(_look("kept"))
        wait_until(lambda: "kept" in first.ask("/").text, 10)
        with visiting(browser, url, complaints=(*away, "[object Event]")) as visit:
            assert not visit.page.locator("#lost").is_visible()
            first.end()
            visit.page.locator("#lost").wait_for(state="visible", timeout=5_000)
            said = visit.page.inner_text("#lost")
            assert said.startswith("Connection lost. What is shown is as it was ")
            assert said.endswith("; trying again by itself.")
            assert "kept" in visit.page.inner_text("#part-hosts")
            first.append(_look("kept", "unreachable", reason="meanwhile"))
            with serving(ground, "--port", str(port)):
                visit.page.locator("#lost").wait_for(state="hidden", timeout=20_000)
                wait_until(lambda: "unreachable" in visit.card("kept"), 10)


# --- Charts ----------------------------------------------------------------------------------------------------------


def test_charts_are_drawn_with_what_is_foretold(visit: Visit, dashboard: Dashboard) -> None:
    visit.scroll_through()
    shown = visit.run("document.querySelectorAll('#part-charts > .charts .plot').length")
    visit.wait(f"document.querySelectorAll('.uplot canvas').length >= {shown}")
    assert shown > 0
    assert visit.drawn() >= shown
    first = visit.page.locator(".chart").first
    assert "mugen" in first.inner_text()
    assert "reaches 90 % in about 32 h" in first.inner_text()
    assert "now" in str(first.locator(".plot").get_attribute("aria-label"))
    picture = "document.querySelector('.chart canvas').toDataURL()"
    before = visit.run(picture)
    dashboard.append(_look("mugen", disk_used=12.0))
    visit.wait("document.querySelector('.chart .plot').dataset.numbers.includes('12.0')", 90)
    first.scroll_into_view_if_needed()
    wait_until(lambda: visit.run(picture) != before, 10)


def test_the_value_under_the_pointer_is_told(visit: Visit) -> None:
    visit.scroll_through()
    visit.wait("document.querySelector('.uplot')")
    plot = visit.page.locator(".chart .u-over").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    visit.page.mouse.move(box["x"] + 20, box["y"] + 20)
    visit.wait("document.querySelector('.at').textContent.includes('%')")
    visit.page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 20)
    visit.wait("document.querySelector('.at').textContent.includes('foretold')")


# --- What it looks like ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_everybody_can_read_it(browser: Browser, dashboard: Dashboard, size: tuple[int, int]) -> None:
    with visiting(browser, dashboard.url, size) as visit:
        visit.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        visit.scroll_through()
        for theme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=theme)
            ground = str(visit.run("getComputedStyle(document.body).backgroundColor"))
            assert (sum(map(int, ground[4:-1].split(","))) < 300) is (theme == "dark")
            assert visit.axe() == ""
        assert visit.overflow() <= 0


# How many lines each host's name takes.
_LINES = """
[...document.querySelectorAll(".card h3 bdi")].map((name) => {
  const text = document.createRange();
  text.selectNodeContents(name);
  return [name.textContent, new Set([...text.getClientRects()].map((line) => line.top)).size];
})
"""


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_name_is_not_squeezed_by_what_stands_beside_it(
    browser: Browser, tmp_path: Path, size: tuple[int, int]
) -> None:
    names = ["mugen", "macbook", "ip-10-0-12-34", "x" * 120]
    hosts = tuple(HostCard(name, "healthy", NOW - MINUTE, NOW - MINUTE, incidents=3) for name in names)
    file = tmp_path / "fleet.html"
    file.write_text(export_page(replace(empty_overview(), hosts=hosts)), encoding="utf-8")
    with visiting(browser, file, size) as visit:
        lines = dict(visit.run(_LINES))
        assert [lines[name] for name in names[:3]] == [1, 1, 1]
        assert max(lines.values()) < 20
        assert visit.overflow() <= 0


def test_nothing_moves_for_who_wants_no_motion(browser: Browser, dashboard: Dashboard) -> None:
    with visiting(browser, dashboard.url, motion="reduce") as visit:
        assert visit.run("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
        moving = "[...document.querySelectorAll('*')].filter((each) => getComputedStyle(each).animationName !== 'none')"
        assert visit.run(f"{moving}.length") == 0


def test_on_paper_all_of_it_is_there(visit: Visit) -> None:
    visit.page.emulate_media(media="print")
    # What changes just then comes closed, and the next sheet has it.
    sheet = "dispatchEvent(new Event('afterprint')), dispatchEvent(new Event('beforeprint'))"
    closed = "document.querySelectorAll('details:not([open])').length"
    wait_until(lambda: visit.run(f"{sheet}, {closed}") == 0)
    assert not visit.page.locator("#filter").is_visible()
    visit.run("dispatchEvent(new Event('afterprint'))")
    assert visit.run("document.querySelectorAll('details[open]').length") == 0


# --- What the reader does --------------------------------------------------------------------------------------------


def test_all_of_it_is_reached_by_the_keyboard(visit: Visit) -> None:
    press = visit.page.keyboard.press
    press("Tab")
    assert visit.focused() == "Skip to the fleet"
    assert visit.run("document.activeElement.getBoundingClientRect().left") >= 0
    press("Enter")
    assert visit.focused() == "fleet"
    press("/")
    assert visit.focused() == "filter"
    visit.page.keyboard.type("pixel")
    assert visit.run("[...document.querySelectorAll('.card')].filter((each) => !each.hidden).length") == 1
    press("Escape")
    assert visit.run("[...document.querySelectorAll('.card')].filter((each) => each.hidden).length") == 0
    press("Tab")
    assert visit.focused() == "theme"
    reached = []
    for _ in range(60):
        press("Tab")
        reached.append(str(visit.run("document.activeElement.tagName")))
        if reached[-1] == "BODY":
            break
        assert visit.run("getComputedStyle(document.activeElement).outlineStyle") != "none", reached
    assert {"A", "SUMMARY"} <= set(reached)
    assert visit.run(
        "[...document.querySelectorAll('summary, button, a[href], input')].every((each) => each.tabIndex >= 0)"
    )


def test_a_theme_that_was_chosen_is_kept(visit: Visit) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = visit.run(ground)
    for words in ("Theme: light", "Theme: dark"):
        visit.page.click("#theme")
        assert visit.page.inner_text("#theme") == words
    dark = visit.run(ground)
    assert dark != light
    visit.page.reload()
    assert visit.run(ground) == dark
    assert visit.page.inner_text("#theme") == "Theme: dark"
    visit.page.click("#theme")
    assert visit.run(ground) == light


# --- The file --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_file_needs_no_server_and_no_network(browser: Browser, dashboard: Dashboard, ground: Machine) -> None:
    file = ground.root / "tmp" / "fleet.html"
    done = ground.run("python3", "-m", "miyabi", "dashboard", "--export", str(file), cwd=REPOSITORY)
    assert done.code == 0, done.output
    for size in (DESKTOP, PHONE):
        with visiting(browser, file, size, offline=True) as visit:
            visit.scroll_through()
            assert visit.drawn() > 0
            assert visit.overflow() <= 0
            assert visit.requests[0] == file.as_uri()
            visit.page.fill("#filter", "node-03")
            assert visit.run("[...document.querySelectorAll('.card')].filter((each) => !each.hidden).length") == 1
            visit.page.click("#theme")
            assert "as it was" in visit.page.inner_text("header")
            if size == PHONE:
                assert visit.axe() == ""
    file.unlink()
