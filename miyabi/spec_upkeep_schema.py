"""What a user may write in a spec about the ground that the sessions stand on: servers, files, limits, services."""

# ruff: noqa: RUF012 - pydantic copies the defaults for each model
from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from miyabi.spec import DiskLimit, Limits, MemoryLimit, ProcessLimit
from miyabi.spec_values import (
    Duration,
    Endpoint,
    Environment,
    FilledCommand,
    FilledText,
    HeaderName,
    Model,
    Percentage,
    ServerName,
    Size,
    Text,
    WebAddress,
    Whole,
    refused,
)

_LONGEST_AHEAD = 30 * 86400.0


def _ahead(value: float) -> float:
    if not 0 < value <= _LONGEST_AHEAD:
        raise refused("a duration of more than 0s, and at most 30d")
    return value


class SshdModel(Model):
    """The ssh server that must answer."""

    port: Annotated[Whole, Field(ge=1, le=65535)] | None = None
    """Its port. Without one 8022 in Termux and 22 elsewhere."""
    start: FilledCommand | None = None
    """The command that starts it. Without one the platform's own way."""


class McpServerModel(Model):
    """An MCP server, or any other daemon."""

    name: ServerName
    """Its name, once in the spec."""
    start: FilledCommand
    """The command that starts it."""
    cwd: FilledText | None = None
    """Where it is started."""
    match: FilledText | None = None
    """Text in the command line of its process, by which it is recognised."""
    port: Annotated[Whole, Field(ge=1, le=65535)] | None = None
    """A port that it listens on, by which it is recognised."""
    expected: Literal["up", "down"] = "up"
    """Whether it should run."""
    environment: Environment = {}
    """Its variables."""
    orphans: Literal["report", "reap"] = "report"
    """What to do with processes of an earlier generation that nobody owns any more: tell of them, or end them."""


class LogModel(Model):
    """Logs to rotate."""

    path: FilledText
    """A path or a pattern, such as ``~/.miyabi/logs/*.log``."""
    max_size: Size = 100_000_000
    """The size from which a log is rotated. MB is 1000 * 1000 bytes, MiB is 1024 * 1024."""
    keep: Annotated[Whole, Field(ge=0, le=1000)] = 7
    """How many old ones are kept."""


class TempModel(Model):
    """Temporary files to remove."""

    path: FilledText
    """A path or a pattern, such as ``/tmp/claude-*``."""
    older_than: Duration = 7 * 86400
    """The age from which they are removed."""


class ConfigFileModel(Model):
    """A file that must exist and parse."""

    path: FilledText
    """Its path."""
    format: Literal["json", "yaml", "toml"]
    """What it must parse as."""
    backups: Annotated[Whole, Field(ge=0, le=1000)] = 5
    """How many good copies are kept."""


class ReliefModel(Model):
    """One thing that may be done when a resource is critical: one of ``prune``, ``rotate`` and ``restart``."""

    prune: FilledText | None = None
    """A path or a pattern: files to remove."""
    older_than: Duration = 0
    """The age from which ``prune`` removes them."""
    rotate: FilledText | None = None
    """A path or a pattern: logs to rotate, whatever their size."""
    keep: Annotated[Whole, Field(ge=0, le=1000)] = 3
    """How many old logs ``rotate`` keeps."""
    restart: ServerName | None = None
    """The name of one of the ``mcp_servers``."""


class DiskModel(Model):
    """How full the disk may be."""

    path: FilledText = DiskLimit().path
    """A path on the disk."""
    warning: Percentage = DiskLimit().warning
    """Used space from which it is a warning."""
    critical: Percentage = DiskLimit().critical
    """Used space from which it is critical."""
    relief: list[ReliefModel] = []
    """What may be done then, in this order, until it is no longer critical."""
    prevent: Annotated[Duration, AfterValidator(_ahead)] | None = None
    """For how long before it is foretold to be critical the same is done already. Without it never."""


class MemoryModel(Model):
    """How little memory may be available."""

    warning: Percentage = MemoryLimit().warning
    """Available memory below which it is a warning."""
    critical: Percentage = MemoryLimit().critical
    """Available memory below which it is critical."""
    relief: list[ReliefModel] = []
    """What may be done then, in this order, until it is no longer critical."""
    prevent: Annotated[Duration, AfterValidator(_ahead)] | None = None
    """For how long before it is foretold to be critical the same is done already. Without it never."""


class ProcessesModel(Model):
    """How many processes the user may have."""

    warning: Annotated[Whole, Field(ge=1)] = ProcessLimit().warning
    """The number from which it is a warning."""
    critical: Annotated[Whole, Field(ge=1)] = ProcessLimit().critical
    """The number from which it is critical."""


class ClockModel(Model):
    """How wrong the clock may be."""

    warning: Duration = Limits().clock_skew
    """The difference to the control machine's clock from which it is a warning."""


class LimitsModel(Model):
    """The resources that the host must stay within."""

    disk: DiskModel = DiskModel()
    """How full the disk may be."""
    memory_available: MemoryModel = MemoryModel()
    """How little memory may be available."""
    processes: ProcessesModel | None = None
    """How many processes the user may have. Without it Android's limit in Termux, none elsewhere."""
    clock_skew: ClockModel = ClockModel()
    """How wrong the clock may be."""


class IntegrationModel(Model):
    """A service that the host's agents need; one of ``command``, ``tcp`` and ``http`` tells whether it answers."""

    name: ServerName
    """Its name, once in the spec."""
    command: FilledCommand | None = None
    """A command that succeeds when the service is well."""
    tcp: Endpoint | None = None
    """``host:port`` that takes a connection."""
    http: WebAddress | None = None
    """A URL that answers with one of the codes in ``expect``."""
    expect: Annotated[list[Annotated[Whole, Field(ge=100, le=599)]], Field(min_length=1)] = [200]
    """The answers of ``http`` that are well."""
    headers: dict[HeaderName, Text] = {}
    """Sent with ``http``. Values may hold ``$NAME`` of the host's environment."""
    timeout: Annotated[Duration, Field(gt=0, le=20)] = 5
    """How long the check may take."""
    remedy: FilledCommand | None = None
    """A command that is tried once in a run when the service is down."""


class TermuxModel(Model):
    """What an Android phone is asked for."""

    wake_lock: bool = False
    """Whether it stays awake."""
    notifications: bool = False
    """Whether it shows how a recovery ended."""
