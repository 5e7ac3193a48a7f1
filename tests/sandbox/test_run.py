"""What the demo reads from pyinfra's lines, and how it shows them."""

from __future__ import annotations

import io

from rich.console import Console

from miyabi.sandbox.display import Display
from miyabi.sandbox.run import HostProgress, Progress

_PRINTED = """\
--> Connecting to hosts...
    [pixel]   Connected
--> Starting operation: L1 pane\x20
    [mugen]   L1 Restarting pane miyabi:codegen.kaede (died by signal 9)
    [pixel]   No changes
    \x1b[1m[mugen]\x1b[0m   \x1b[32mSuccess\x1b[0m
--> Starting operation: L2 session\x20
    [mugen]   L2 did not hold: miyabi:review not there
    [mugen]   Error (ignored): executed 2 commands
    [pixel]   No changes
--> Starting operation: Confirm\x20
    [mugen]   Error: executed 0 commands
    [stranger] Success
--> Recovery summary:
    [pixel]   healthy, nothing to do
    [mugen]   L2_SESSION NOT restored in 3.1 s: miyabi:review
"""


def _fed() -> Progress:
    progress = Progress({"pixel": HostProgress(), "mugen": HostProgress()}, began=90)
    for second, line in enumerate(_PRINTED.splitlines(), 100):
        progress.feed(line, second)
    return progress


def test_progress_is_read_from_what_pyinfra_prints() -> None:
    progress = _fed()
    pixel, mugen = progress.hosts["pixel"], progress.hosts["mugen"]
    assert (pixel.changed, pixel.failed, pixel.outcome) == ({}, False, "healthy, nothing to do")
    assert mugen.changed == {"L1 pane": 3, "L2 session": 2, "Confirm": 1}
    assert (pixel.whole_after, mugen.whole_after) == (0, 21)
    assert mugen.said == [
        "L1 Restarting pane miyabi:codegen.kaede (died by signal 9)",
        "L2 did not hold: miyabi:review not there",
    ]
    assert mugen.failed
    assert mugen.outcome.startswith("L2_SESSION NOT restored")
    assert (progress.operation, mugen.at) == ("Confirm", "Confirm: done")


def test_a_level_that_did_not_hold_is_no_failure_by_itself() -> None:
    progress = Progress({"mugen": HostProgress()})
    progress.feed("--> Starting operation: L1 pane", 0)
    progress.feed("    [mugen] Error (ignored): executed 1 commands", 1)
    assert not progress.hosts["mugen"].failed


def test_lines_go_where_there_is_no_terminal() -> None:
    written = io.StringIO()
    progress = Progress({"mugen": HostProgress()})
    with Display(Console(file=written, width=40, highlight=False)).watching(progress) as watch:
        for line in _PRINTED.splitlines():
            watch(line)
    lines = [line.strip().partition(" s  ")[2] for line in written.getvalue().splitlines()]
    assert "[mugen]   L1 Restarting pane miyabi:codegen.kaede (died by signal 9)" in lines
    assert not any("No changes" in line for line in lines)


def test_a_terminal_gets_a_row_for_each_host() -> None:
    written = io.StringIO()
    console = Console(file=written, width=100, height=30, force_terminal=True, color_system=None)
    with Display(console).watching(_fed()):
        pass
    shown = written.getvalue()
    assert "Confirm" in shown
    assert "L1 pane 3.0 s" in shown
    assert "pixel" in shown
