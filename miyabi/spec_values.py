"""The kinds of value that a spec is made of, and what each of them refuses.

A refusal is a pydantic error of the type ``spec``, whose context says what was found (where the value alone does not
say it) and what is allowed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError

from miyabi.spec_document import nearest
from miyabi.units import parse_duration, parse_percentage, parse_size

LAYOUTS = ("even-horizontal", "even-vertical", "main-horizontal", "main-vertical", "tiled")
MIRRORED_LAYOUTS = ("main-horizontal-mirrored", "main-vertical-mirrored")
OWN_LAYOUTS = ("even", "main", "auto")
ALL_LAYOUTS = (*LAYOUTS, *MIRRORED_LAYOUTS, *OWN_LAYOUTS)

_NAME_OF_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NAME_OF_OPTION = re.compile(r"(?:[A-Za-z][A-Za-z0-9_-]*|@[^\s\[\]=]+)(?:\[[^\s\[\]]+\])?", re.ASCII)
# What tmux replaces in the name of a new session or window: #{...}, #(...) and its one-letter aliases.
_FORMAT = re.compile(r"#[({,}#DFHIPSTWh]")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]")
_ENDPOINT = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", re.ASCII)
_WEB_ADDRESS = re.compile(r"https?://[!-~]+", re.ASCII)
_TEMPLATE_NAME = re.compile(r"[A-Za-z0-9()./_-]{3,128}(?::(?:[1-9]\d{0,17}|\$Latest|\$Default))?", re.ASCII)
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
_CELL = re.compile(r"\d{1,5}x\d{1,5},\d{1,5},\d{1,5}", re.ASCII)


class Model(BaseModel):
    """A mapping of a spec; keys that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def refused(allowed: str, found: str = "") -> PydanticCustomError:
    """The error that refuses a value.

    + allowed: what may stand there, or what to do
    + found: what stands there; the value itself when empty
    """
    return PydanticCustomError("spec", "{allowed}", {"allowed": allowed, "found": found})


def as_text(value: object) -> object:
    """``value`` as the text that it was written as, where YAML made a number of it."""
    if isinstance(value, bool):
        raise refused("text; YAML reads this word as a boolean: put it in quotes")
    if isinstance(value, int | float):
        return getattr(value, "text", str(value))
    if not isinstance(value, str):
        raise refused("text")
    return value


def _without(characters: str) -> Callable[[str], str]:
    """A check that the text holds no control characters but ``characters``."""
    exceptions = " but tab and newline" if characters else ""

    def check(value: str) -> str:
        for character in value:
            if unicodedata.category(character) in {"Cc", "Cs"} and character not in characters:
                raise refused(f"text without control characters{exceptions}", f"the character U+{ord(character):04X}")
        return value

    return check


def _not_empty(value: str) -> str:
    if not value.strip():
        raise refused("text that is not empty")
    return value


_TEXT_SCHEMA = WithJsonSchema({"type": ["string", "number"]})

Text = Annotated[str, BeforeValidator(as_text), AfterValidator(_without("")), _TEXT_SCHEMA]
CommandText = Annotated[str, BeforeValidator(as_text), AfterValidator(_without("\t\n")), _TEXT_SCHEMA]
FilledText = Annotated[Text, AfterValidator(_not_empty)]
FilledCommand = Annotated[CommandText, AfterValidator(_not_empty)]


def _plain_name(value: str, what: str) -> str:
    """``value``, unless tmux would make another name of it."""
    if match := _FORMAT.search(value):
        raise refused(f"a {what} without {match[0]}, which tmux replaces")
    if _VARIABLE.search(value):
        raise refused(f"a {what} without variables: they are not expanded in names; write it out")
    return value


def session_name(value: str) -> str:
    """Check the name of a session: it has to be what tmux will call it, and what it can be addressed by."""
    allowed = "a name without . : and \\, which tmux rewrites or cannot address"
    if not value:
        raise refused(allowed, "an empty name")
    if set(value) & set(".:\\"):
        raise refused(allowed)
    if value[0] in "$@%=-":
        raise refused(f"a name that does not begin with {value[0]}, which tmux takes for something else")
    if value != value.strip():
        raise refused("a name without spaces at its ends")
    return _plain_name(value, "name")


def window_name(value: str) -> str:
    """Check the name of a window: it has to be what tmux will call it."""
    return _plain_name(value, "name")


def pane_name(value: str) -> str:
    """Check the explicit name of a pane."""
    allowed = "a printable name without : (names with one are made for panes without a name)"
    if not value.strip() or value != value.strip():
        raise refused(allowed, "" if value.strip() else "an empty name")
    if ":" in value or not value.isprintable():
        raise refused(allowed)
    return value


def server_name(value: str) -> str:
    """Check the name of an MCP server or another daemon."""
    if not value.strip() or not value.isprintable() or "/" in value:
        raise refused("a printable name without /")
    return value


def socket_name(value: str) -> str:
    """Check the name of a tmux server's socket, as in ``tmux -L``."""
    if not value or "/" in value or value in {".", ".."}:
        raise refused("the name of a socket, as in tmux -L: not empty and without /")
    return value


def endpoint(value: str) -> str:
    """Check an address and a port, such as ``github.com:443`` or ``[::1]:8080``."""
    if not (found := _ENDPOINT.fullmatch(value)) or not 1 <= int(found[1]) <= 65535:
        raise refused("host:port, such as github.com:443")
    return value


def web_address(value: str) -> str:
    """Check a URL of http or https."""
    if not _WEB_ADDRESS.fullmatch(value):
        raise refused("a URL that begins with http:// or https://, without spaces")
    return value


def header_name(value: str) -> str:
    """Check the name of an HTTP header."""
    if not _HEADER_NAME.fullmatch(value):
        raise refused("a header's name of letters, digits and -")
    return value


def template_name(value: str) -> str:
    """Check the name or id of an EC2 launch template, and its version."""
    if not _TEMPLATE_NAME.fullmatch(value):
        raise refused("a launch template's name or id, and after a colon its version: a number, $Latest or $Default")
    return value


SessionName = Annotated[Text, AfterValidator(session_name)]
WindowName = Annotated[Text, AfterValidator(window_name)]
PaneName = Annotated[Text, AfterValidator(pane_name)]
ServerName = Annotated[Text, AfterValidator(server_name)]
SocketName = Annotated[Text, AfterValidator(socket_name)]
Endpoint = Annotated[Text, AfterValidator(endpoint)]
WebAddress = Annotated[Text, AfterValidator(web_address)]
HeaderName = Annotated[Text, AfterValidator(header_name)]
TemplateName = Annotated[Text, AfterValidator(template_name)]


def layout(value: str) -> str:
    """Check a layout: an unknown one does not only fail, it crashes the server of tmux 3.3a."""
    if value in ALL_LAYOUTS or layout_cells(value) is not None:
        return value
    if re.match(r"[0-9a-fA-F]{4},\d", value):
        raise refused("a layout string as tmux list-windows prints it: its checksum or its form is wrong")
    raise refused(f"{', '.join(ALL_LAYOUTS)}, or a layout string of tmux{nearest(value, ALL_LAYOUTS)}")


def layout_cells(value: str) -> int | None:
    """How many panes a layout string of tmux has room for.

    + value: such as ``bb62,159x48,0,0{79x48,0,0,79x48,80,0}``

    Returns ``2`` for the example; None when it is no layout string, or its checksum is wrong.
    """
    match = re.fullmatch(r"([0-9a-fA-F]{4}),([0-9x,{}\[\]]{1,8000})", value)
    if match is None or int(match[1], 16) != _checksum(match[2]):
        return None
    tree = match[2]
    cells = 0
    # Take away what is innermost until one cell is left: WxH,X,Y with a pane's number, or with cells in {} or [].
    leaf = re.compile(rf"{_CELL.pattern}(?:,\d{{1,9}}(?![\dx]))?(?=[,\]}}]|$)", re.ASCII)
    tree, cells = leaf.subn("c", tree)
    branch = re.compile(rf"{_CELL.pattern}(?:\{{c(?:,c)+\}}|\[c(?:,c)+\])", re.ASCII)
    replaced = 1
    while replaced:
        tree, replaced = branch.subn("c", tree)
    return cells if tree == "c" else None


def _checksum(tree: str) -> int:
    """The checksum that tmux makes of a layout: rotate right by one bit, add the next character, in 16 bits."""
    checksum = 0
    for character in tree:
        checksum = ((checksum >> 1) + ((checksum & 1) << 15) + ord(character)) & 0xFFFF
    return checksum


Layout = Annotated[
    Text,
    AfterValidator(layout),
    WithJsonSchema({"anyOf": [{"enum": list(ALL_LAYOUTS)}, {"type": "string", "pattern": "^[0-9a-fA-F]{4},"}]}),
]


def _variable_name(value: str) -> str:
    if not _NAME_OF_VARIABLE.fullmatch(value):
        raise refused("names of letters, digits and _ that do not begin with a digit")
    return value


def _option_name(value: str) -> str:
    if not _NAME_OF_OPTION.fullmatch(value):
        raise refused("the name of a tmux option, or @ and a name")
    return value


def _option_value(value: object) -> object:
    """What libtmux makes of the value: on and off of a boolean, and of a number its digits."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return str(int(value))
    return as_text(value)


OptionValue = Annotated[
    str,
    BeforeValidator(_option_value),
    AfterValidator(_without("")),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
Environment = dict[Annotated[str, AfterValidator(_variable_name)], Text]
Options = dict[Annotated[str, AfterValidator(_option_name)], OptionValue]


def _unit(parse: Callable[[str | float], float]) -> BeforeValidator:
    """A check that reads a value with ``parse``."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            value = ""
        try:
            return parse(getattr(value, "text", value))
        except ValueError as error:
            raise refused(str(error)) from None

    return BeforeValidator(read)


def _number(value: object) -> object:
    if isinstance(value, bool) or not (
        isinstance(value, int) or (isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value))
    ):
        raise refused("a whole number")
    return int(value)


_UNIT_SCHEMA: dict[str, Any] = {"type": ["string", "number"]}
Duration = Annotated[float, _unit(parse_duration), WithJsonSchema(_UNIT_SCHEMA | {"examples": ["10s", "5m", "7d"]})]
Size = Annotated[int, _unit(parse_size), WithJsonSchema(_UNIT_SCHEMA | {"examples": ["100MB", "64KiB"]})]
Percentage = Annotated[float, _unit(parse_percentage), WithJsonSchema(_UNIT_SCHEMA | {"examples": ["85%"]})]
Whole = Annotated[int, BeforeValidator(_number)]
