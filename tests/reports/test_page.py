"""The HTML of a report in a real Chromium: alone, in the light and the dark, on a phone, for everybody."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest

from miyabi.reports.printing import printed
from tests.dashboard.browser import DESKTOP, PHONE, browsing, visiting
from tests.fleet.machine import Machine
from tests.reports.test_printing import HOSTILE, full


@pytest.mark.slow
def test_a_report_in_a_browser(machine: Machine, tmp_path: Path) -> None:
    usual, hostile = tmp_path / "usual.html", tmp_path / "hostile.html"
    usual.write_text(printed(full(tmp_path / "a"), "html", UTC))
    hostile.write_text(printed(full(tmp_path / "b", "".join(HOSTILE)), "html", UTC))
    with browsing(machine) as browser:
        for size in (DESKTOP, PHONE):
            for theme in ("light", "dark"):
                with visiting(browser, usual, size, theme=theme, offline=True) as visit:
                    assert visit.axe() == ""
                    assert visit.overflow() <= 0
            with visiting(browser, hostile, size, offline=True) as visit:
                assert visit.overflow() <= 0
                assert visit.run("document.images.length + document.scripts.length") == 0
        with visiting(browser, usual) as visit:
            drawn = (
                "[...document.querySelectorAll('polyline')].every((each) => each.getBoundingClientRect().width > 50)"
            )
            assert visit.run(drawn)
            visit.page.emulate_media(media="print")
            assert visit.run("getComputedStyle(document.querySelector('nav')).display") == "none"
