"""What a user may write in inventory/agents/*.yaml: what is known of one kind of agent."""

# ruff: noqa: RUF012 - pydantic copies the defaults for each model
from __future__ import annotations

import re
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from miyabi.agent_kind import AgentKind, Pattern, Place, Sign
from miyabi.agent_state import AgentCondition
from miyabi.pattern_cost import costly
from miyabi.spec_document import Document, nearest
from miyabi.spec_found import Broken, Found
from miyabi.spec_problems import read_as
from miyabi.spec_values import FilledText, Model, Text, refused

# What no screen says: a stalled agent is told by its silence, a looping one by its repetition.
_UNSAID = ("looping", "stalled", "exited", "dead", "unknown")
SIGNS = tuple(
    sign for sign in (*get_args(AgentCondition), *(each for each in get_args(get_args(Sign)[0]))) if sign not in _UNSAID
)
_DEFAULTS = AgentKind("")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_PLACEHOLDER = re.compile(r"\{(\w*)\}")


def _sign(value: str) -> str:
    if value not in SIGNS:
        raise refused(f"one of {', '.join(SIGNS)}{nearest(value, SIGNS)}")
    return value


def _expression(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise refused(f"a regular expression of Python: {str(error).replace(chr(10), ' ')}") from None
    if why := costly(value):
        raise refused(f"an expression that no text makes slow: without {why}")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise refused("the name of a program, of letters, digits and _.-")
    return value


def _with(*names: str, needed: str = "") -> AfterValidator:
    def check(value: str) -> str:
        allowed = f"text without braces but {' and '.join(f'{{{each}}}' for each in names)}"
        allowed += f", and with {{{needed}}}" if needed else ""
        found = _PLACEHOLDER.findall(value)
        if set(found) - set(names) or (needed and needed not in found):
            raise refused(allowed)
        return value

    return AfterValidator(check)


def _share(value: object) -> float:
    number = getattr(value, "text", value)
    try:
        share = float(str(number)) if not isinstance(value, bool) else -1.0
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise refused("a number above 0, up to 1")
    return share


_Expression = Annotated[Text, AfterValidator(_expression)]
_Confidence = Annotated[float, BeforeValidator(_share), WithJsonSchema({"type": "number"})]


class PatternModel(Model):
    """One text by which a condition is told."""

    sign: Annotated[Text, AfterValidator(_sign)]
    """What it says: a condition, or one of retrying, reset, finished, resume-refused and no-conversation."""
    text: Annotated[FilledText, AfterValidator(_expression)]
    """A regular expression, searched in one line without its bullet."""
    with_text: _Expression = ""
    """Another one that must be in one of the lines around it."""
    where: Place = "line"
    """Where it counts: line, status (also below the input line) or dialog."""
    quoted: bool = False
    """Whether it counts in a line marked as a tool's output when no tool is seen above it."""
    confidence: _Confidence = Pattern("unknown", "").confidence
    """How sure it is, up to 1. Below 0.8 nothing is done but telling."""
    until: Annotated[Text, Field(pattern=r"^\w*$")] = ""
    """The name of the group in text that says when it ends."""


class KindModel(Model):
    """What is known of one kind of agent."""

    version: Text = ""
    """The version of the program up to which it is known."""
    dated: Text = ""
    """When it was looked at last."""
    programs: list[Annotated[Text, AfterValidator(_name)]] = []
    """The names of its program."""
    patterns: list[PatternModel] = []
    """The texts by which its condition is told."""
    input_line: _Expression = ""
    """A regular expression for a line in which a human types."""
    quoted_line: _Expression = ""
    """A regular expression for a line that quotes."""
    ticks: bool = _DEFAULTS.ticks
    """Whether its screen moves all the time while it works."""
    pin: Annotated[FilledText, _with("command", "session_id", needed="session_id")] | None = None
    """The command that starts a conversation whose id is given."""
    resume: Annotated[FilledText, _with("command", "session_id", needed="session_id")] | None = None
    """The command that takes a conversation up again."""
    transcripts: Annotated[Text, _with("session_id")] = ""
    """Where a conversation is kept, a pattern."""
    candidates: Annotated[Text, _with("folder")] = ""
    """Where conversations that were begun in a folder are kept, a pattern."""
    service: Text = ""
    """The service that it needs."""
    nudge: Text = _DEFAULTS.nudge
    """What is typed to make it go on."""
    compact: Text = ""
    """What is typed to make it shorten its context."""
    trust: list[FilledText] = []
    """The keys that say yes to its question about trust, as tmux names them."""


def _untils_exist(_: Document, root: Found) -> Broken:
    for each in root.children("patterns"):
        group, text = each.text("until"), each.text("text")
        if not group or text is None:
            continue
        try:
            groups = re.compile(text).groupindex
        except (re.error, RecursionError, OverflowError):
            continue
        if group not in groups:
            there = ", ".join(groups) or "none"
            yield (*each.place, "until"), f"found {group!r}", f"the name of a group (?P<NAME>...) in text: {there}"


def kind_from_text(file: str, text: str) -> AgentKind:
    """What is known of a kind of agent, without its name.

    + file: its path, to be named in problems

    Raises ``SpecError`` with every problem, each with its line.
    """
    model = read_as(file, text, KindModel, [_untils_exist])
    given: dict[str, Any] = {name: getattr(model, name) for name in KindModel.model_fields}
    patterns = tuple(
        Pattern(**{name: getattr(each, name) for name in PatternModel.model_fields}) for each in model.patterns
    )
    lists = {"programs": tuple(model.programs), "trust": tuple(model.trust), "patterns": patterns}
    return AgentKind(**{"name": "", **given, **lists})
