"""The page over a real fleet: what a run finds and does is on it while it happens."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from miyabi.records import Observation, Recovered
from miyabi.sandbox import lifecycle
from miyabi.sandbox.faults import inject
from miyabi.sandbox.fleet import Sandbox
from tests.dashboard.browser import browsing, visiting
from tests.dashboard.serving import SOON, serving
from tests.fleet.control import REPOSITORY
from tests.fleet.leaks import TestRun
from tests.fleet.machine import Machine
from tests.fleet.programs import required
from tests.history.ground import Ground

# Every state that the card of a host has had, with when it had it.
_WATCH = """
window.__seen = [];
new MutationObserver(() => {
  const cards = [...document.querySelectorAll(".card")];
  const now = cards.find((each) => each.querySelector("h3 bdi").textContent === "mugen")?.className.split(" ").at(-1);
  if (now && window.__seen.at(-1)?.[0] !== now) window.__seen.push([now, Date.now() / 1000]);
}).observe(document.body, { subtree: true, childList: true, attributes: true });
"""


@pytest.fixture
def sandbox(test_run: TestRun) -> Iterator[Sandbox]:
    required("sshd")
    parent = test_run.new_folder("sandbox")
    yield lifecycle.up(parent / "s", plain=True)
    lifecycle.down(parent / "s")
    parent.rmdir()


def _recover(machine: Machine, sandbox: Sandbox) -> None:
    """Run what the sandbox's users run."""
    run = ("pyinfra", str(sandbox.inventory), "deploys/recover.py", "-y", "--limit", "mugen")
    done = machine.run(*run, cwd=REPOSITORY, timeout=100)
    assert done.code == 0, done.output


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_what_a_run_finds_and_repairs_is_on_the_page_while_it_runs(sandbox: Sandbox, machine: Machine) -> None:
    _recover(machine, sandbox)
    with (
        browsing(machine) as browser,
        serving(machine, "--folder", str(sandbox.folder), command=("sandbox", "dashboard")) as dashboard,
        visiting(browser, dashboard.url) as visit,
    ):
        assert visit.run("[...document.querySelectorAll('.card h3 bdi')].map((each) => each.textContent).sort()") == [
            "macbook",
            "mugen",
            "pixel",
        ]
        assert "healthy" in visit.card("mugen")
        visit.run(_WATCH)
        list(inject(sandbox, "server", "mugen"))
        broken = time.time()
        _recover(machine, sandbox)
        visit.wait("document.querySelector('#part-timeline').textContent.includes('L3 full restored')", 20)
        visit.wait("window.__seen.at(-1)?.[0] === 'healthy'", 20)
        seen = {str(state): float(at) for state, at in visit.run("window.__seen")}
        with Ground(sandbox.folder / "state" / "miyabi", None).open(time.time()) as history:
            looked = next(each.at for each in history.records(Observation, since=broken) if each.host == "mugen")
            back = max(each.at for each in history.records(Recovered, since=broken) if each.level == "L3")
        assert seen["drift"] - looked < SOON, (seen, looked)
        assert seen["healthy"] - back < SOON, (seen, back)
