"""``python -m miyabi`` is the ``miyabi`` command, also where no such program is on PATH."""

from miyabi.cli import main

main(prog_name="miyabi")
