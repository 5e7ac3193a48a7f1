"""docs/spec.md: its examples are right, its mistakes are real, and it knows every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from miyabi.errors import SpecError
from miyabi.spec_file import parse_spec
from miyabi.spec_schema import json_schema

PAGE = (Path(__file__).parents[2] / "docs" / "spec.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_examples_are_right(text: str) -> None:
    assert parse_spec("spec.yaml", text.encode(), base_directory="~").sessions


def test_mistakes_are_real() -> None:
    (text,), (output,) = blocks("yaml refused"), blocks("text")
    with pytest.raises(SpecError) as refused:
        parse_spec("inventory/specs/dev.yaml", text.encode(), base_directory="~")
    assert str(refused.value).splitlines() == output.splitlines()


def test_every_key_is_described() -> None:
    definitions = json_schema()["$defs"]
    assert isinstance(definitions, dict)
    keys = {key for model in definitions.values() for key in model["properties"]}
    assert len(keys) > 50
    assert {key for key in keys if f"`{key}`" not in PAGE} == set()
