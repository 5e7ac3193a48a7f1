"""Reading a spec from text, for tests that need no file."""

from __future__ import annotations

from textwrap import dedent

import pytest

from miyabi.errors import SpecError
from miyabi.spec import Pane, Spec, Window
from miyabi.spec_file import parse_spec


def spec(text: str, base_directory: str = "/specs") -> Spec:
    """The spec that ``text`` describes."""
    return parse_spec("spec.yaml", dedent(text).encode(), base_directory=base_directory)


def window(text: str, base_directory: str = "/specs") -> Window:
    """The only window of the only session."""
    (session,) = spec(text, base_directory).sessions
    (found,) = session.windows
    return found


def pane(yaml: str) -> Pane:
    """A pane, from what stands behind ``- `` in ``panes``, on one line."""
    return window(f"session_name: s\nwindows: [{{window_name: w, panes: [{yaml}]}}]").panes[0]


def problems(text: str) -> list[str]:
    """Every problem of ``text`` in its order, without the file's name: ``12: path: found ...; allowed: ...``."""
    with pytest.raises(SpecError) as refused:
        spec(text)
    return [str(problem).removeprefix("spec.yaml:") for problem in refused.value.problems]
