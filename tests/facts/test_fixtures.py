"""Every parser against text that hosts print: the folders beside this file, one per fact, one file per case.

A case has ``lines`` (what the section printed), perhaps its exit ``code`` and the fact's arguments (``arg``), and
either the ``fact`` or, where the subject is unknown, words of the reason in ``unknown``. Where a fact asks for several
sections, ``sections`` has lines and codes by the section's title.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import TestCase

import pytest
from pyinfra.api.exceptions import FactProcessError
from pyinfra_testing.facts import make_fact_tests

FOLDERS = sorted(path for path in Path(__file__).parent.iterdir() if path.is_dir() and path.name[0].islower())

# pyinfra-testing leaves closing the cases' files to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*FileIO:pytest.PytestUnraisableExceptionWarning", "ignore:unclosed file:ResourceWarning"
)
MINIMUM = {"normal", "empty", "garbage"}


def _cases(folder: Path) -> type[TestCase]:
    module, _, name = folder.name.partition(".")
    fact = getattr(import_module(f"facts.{module}"), name)()
    cases: Any = make_fact_tests("facts", folder.name, folder)
    compare = cases._test

    def _test(self: TestCase, test_name: str, data: dict[str, Any]) -> None:
        sections = data["sections"] if "sections" in data else {fact.section().title: data}
        data["output"] = [line for title, printed in sections.items() for line in _section(title, printed)]
        # That the text of the command does what it should is proved by running it.
        data["command"] = fact.command(**data.get("arg", {}))
        if "unknown" in data:
            with pytest.raises(FactProcessError, match=re.escape(data["unknown"])):
                compare(self, test_name, data | {"fact": None})
        else:
            compare(self, test_name, data)

    cases._test = _test
    return cases  # type: ignore[no-any-return]


def _section(title: str, printed: dict[str, Any]) -> list[str]:
    end = f"##miyabi:end {title} {printed.get('code', 0)}"
    return [f"##miyabi:begin {title}", *printed["lines"].splitlines(), end]


for _folder in FOLDERS:
    if "." in _folder.name:
        globals()[f"Test{_folder.name}"] = _cases(_folder)


@pytest.mark.parametrize("folder", [each for each in FOLDERS if "." in each.name], ids=lambda folder: folder.name)
def test_every_fact_has_the_usual_cases(folder: Path) -> None:
    assert {path.stem for path in folder.iterdir()} >= MINIMUM
