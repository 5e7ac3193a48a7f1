"""A real Chromium without a window, and what it has to say of a page: requests, complaints, dialogs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, sync_playwright

from tests.fleet.machine import Machine
from tests.fleet.programs import required
from tests.fleet.waiting import wait_until

DESKTOP = (1360, 900)
PHONE = (360, 740)

# What is counted in the page from its first moment on.
_COUNTED = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (told) =>
  window.__violations.push(told.violatedDirective + told.blockedURI));
"""


@dataclass(slots=True)
class Visit:
    """A page that is open, with all that it has asked for and complained of."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def run(self, script: str) -> Any:
        """What a script comes to in the page."""
        return self.page.evaluate(script)

    def card(self, host: str) -> str:
        """The classes of a host's card; "" when there is none."""
        return str(
            self.page.evaluate(
                "host => [...document.querySelectorAll('.card')]"
                ".find((each) => each.querySelector('h3 bdi').textContent === host)?.className ?? ''",
                host,
            )
        )

    def wait(self, script: str, timeout: float = 10.0) -> None:
        """Wait until a script is true in the page."""
        wait_until(lambda: self.run(script), timeout, what=script)

    def focused(self) -> str:
        """What has the focus: its name, else its text."""
        return str(self.run("(document.activeElement.id || document.activeElement.textContent).trim()"))

    def overflow(self) -> int:
        """How many pixels the page is wider than what shows it."""
        return int(self.run("document.documentElement.scrollWidth - innerWidth"))

    def scroll_through(self) -> None:
        """Show all of it once, so that what is drawn when it is seen is drawn."""
        self.run(
            "(async () => { for (let y = 0; y < document.documentElement.scrollHeight; y += 400) {"
            " scrollTo({top: y, behavior: 'instant'});"
            " await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))); }"
            " scrollTo({top: 0, behavior: 'instant'}); })()"
        )

    def axe(self) -> str:
        """What axe-core finds wrong, "" when that is nothing."""
        found = Axe().run(self.page)
        return "" if not found.violations_count else str(found.generate_report())

    def drawn(self) -> int:
        """How many charts have something on their canvas."""
        return int(
            self.run(
                "[...document.querySelectorAll('.plot canvas')].filter((each) => each.width && each.getContext('2d')"
                ".getImageData(0, 0, each.width, each.height).data.some((value) => value)).length"
            )
        )


@contextmanager
def browsing(machine: Machine) -> Iterator[Browser]:
    """A browser whose files are all on ``machine``."""
    program = required("chromium")
    folder = machine.root / "tmp"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TMPDIR", "HOME"):
            patch.setenv(name, str(folder))
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"):
            patch.delenv(name, raising=False)
        with sync_playwright() as playwright:
            # As root in a container Chromium's own sandbox cannot be had; only pages of these tests are shown.
            browser = playwright.chromium.launch(
                executable_path=program,
                args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-crash-reporter"],
                env={**machine.environment, "HOME": str(folder)},
            )
            try:
                yield browser
            finally:
                browser.close()


@contextmanager
def visiting(
    browser: Browser,
    url: str | Path,
    size: tuple[int, int] = DESKTOP,
    *,
    theme: str = "light",
    offline: bool = False,
    motion: str = "no-preference",
    complaints: tuple[str, ...] = (),
) -> Iterator[Visit]:
    """A page of a browser of its own, which may complain of nothing and ask nobody but its own server.

    + complaints: parts of what it may complain of all the same
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce" if motion == "reduce" else "no-preference",
        locale="en-GB",
        timezone_id="Asia/Tokyo",
    )
    try:
        context.set_offline(offline)
        context.add_init_script(_COUNTED)
        visit = Visit(context.new_page())
        _listen(visit)
        where = url.as_uri() if isinstance(url, Path) else url
        visit.page.goto(where, wait_until="load")
        yield visit
        assert visit.run("window.__violations") == []
        assert visit.run("window.__pwned") is None
        said = [each for each in visit.complaints if not any(part in each for part in complaints)]
        assert not said, said
        own = where if isinstance(url, Path) else where.partition("?")[0]
        asked = [each for each in visit.requests if not each.startswith((own, "data:image/svg+xml"))]
        assert not asked, asked
    finally:
        context.close()


def _listen(visit: Visit) -> None:
    def hear(told: ConsoleMessage) -> None:
        if told.type in {"error", "warning"}:
            visit.complaints.append(f"{told.type}: {told.text}")

    def dismiss(dialog: Dialog) -> None:
        visit.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page = visit.page
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("pageerror", lambda error: visit.complaints.append(f"error: {error}"))
    page.on("dialog", dismiss)
    page.on("console", hear)
