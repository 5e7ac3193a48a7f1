"""Questions whose answers pyinfra shows to nobody, however much the user wants to see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from facts.observation import Unknown, ask
from facts.probe import Section

if TYPE_CHECKING:
    from pyinfra.api import Host, State

T = TypeVar("T")

_QUIET, _SHOWN = "miyabi_quiet", "miyabi_shown"


def ask_quietly(target: Host, section: Section[T]) -> T | Unknown:
    """What ``section`` sees on ``target``, which pyinfra shows to nobody: files may hold what is secret."""
    with quietly(target.state):
        return ask(target, section)


@contextmanager
def quietly(state: State) -> Iterator[None]:
    """Let pyinfra not show what facts print, however much the user wants to see; for several hosts at once."""
    asking = getattr(state, _QUIET, 0)
    if not asking:
        setattr(state, _SHOWN, state.print_fact_output)
    setattr(state, _QUIET, asking + 1)
    state.print_fact_output = False
    try:
        yield
    finally:
        setattr(state, _QUIET, getattr(state, _QUIET) - 1)
        if not getattr(state, _QUIET):
            state.print_fact_output = getattr(state, _SHOWN)
