"""Whether a session's state has the types that are known of it, and that knowledge as a JSON Schema. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from miyabi.orchestration.findings import Issue
from miyabi.orchestration.session_state import State
from miyabi.orchestration.values import dotted, kind_of, said
from miyabi.words import counted

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# From that many on they are only counted.
MOST = 100

_ID = "https://json-schema.org/draft/2020-12/schema"


def schema_flaws(state: State) -> tuple[Issue, ...]:
    """What in a state is of another type than its place needs, an issue for each place; never raises.

    What is not known of a state may be anything.
    """
    errors = _errors(state)
    if any(error["type"] == "string_unicode" for error in errors):
        # JSON may hold half a character, which pydantic cannot read.
        state = _whole(state)
        errors = _errors(state)
    return _issues(state, errors)


def session_json_schema() -> dict[str, Any]:
    """A session's state as a JSON Schema; ``docs/session-state.schema.json`` is its text."""
    return {"$schema": _ID, **_adapter().json_schema()}


def _errors(state: State) -> Sequence[Mapping[str, Any]]:
    from pydantic import ValidationError  # noqa: PLC0415 - only a content that is new is validated

    try:
        _adapter().validate_python(state)
    except ValidationError as error:
        return error.errors(include_url=False, include_input=False, include_context=False)
    return ()


def _whole(value: Any) -> Any:
    """``value`` with a question mark for each half of a character."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list) else value


@cache
def _adapter() -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - only a content that is new is validated

    from miyabi.orchestration.session_models import SessionState  # noqa: PLC0415 - pydantic is dear to import

    return TypeAdapter(SessionState)


def _issues(state: State, errors: Sequence[Mapping[str, Any]]) -> tuple[Issue, ...]:
    needed: dict[tuple[str, ...], list[str]] = {}
    found: dict[tuple[str, ...], str] = {}
    for error in errors:
        path, value = _place(state, error)
        found.setdefault(path, value)
        needed.setdefault(path, []).append(_needed(error))
    issues = []
    for path, wants in list(needed.items())[:MOST]:
        where = dotted(path)
        message = f"{said(where)} {found[path]}: {' or '.join(dict.fromkeys(wants))}"
        issues.append(Issue("STATE_VALIDATION_FAILED", "minor", where, message, repairable=False))
    if len(needed) > MOST:
        message = f"{counted(len(needed) - MOST, 'more place')} with something of the wrong kind"
        issues.append(Issue("STATE_VALIDATION_FAILED", "minor", "", message, repairable=False))
    return tuple(issues)


def _place(state: State, error: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Where the error is, and what is there; pydantic's place goes on into the types that would have been allowed."""
    here: Any = state
    path: list[str] = []
    for step in error["loc"]:
        if not isinstance(here, dict | list) or step not in (here if isinstance(here, dict) else range(len(here))):
            if error["type"] == "missing":
                return (*path, str(step)), "is missing"
            break
        here = here[step]
        path.append(str(step))
    shown = f"“{said(here)}”" if isinstance(here, str) else kind_of(here)
    return tuple(path), f"is {shown}"


def _needed(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "it is needed"
    wanted = str(error["msg"]).removeprefix("Input should be ").removeprefix("a valid ")
    return f"it should be {_WORDS.get(wanted, wanted)}"


_WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "list": "a list",
    "dictionary": "an object",
    "None": "null",
}
