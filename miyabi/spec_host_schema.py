"""What a user may write in a spec about the host itself, besides its tmux sessions."""

# ruff: noqa: RUF012 - pydantic copies the defaults for each model
from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from miyabi.spec import DiskLimit, MemoryLimit
from miyabi.spec_values import (
    Duration,
    Environment,
    FilledCommand,
    FilledText,
    Model,
    Percentage,
    ServerName,
    Size,
    SocketName,
    Text,
    Whole,
)


class TmuxModel(Model):
    """The tmux server that the sessions live in."""

    socket_name: SocketName | None = None
    """As in ``tmux -L``. Without one tmux's default."""
    config_file: FilledText | None = None
    """As in ``tmux -f``, read when the server is started. Without one the user's own."""


class SshdModel(Model):
    """The ssh server that must answer."""

    port: Annotated[Whole, Field(ge=1, le=65535)] | None = None
    """Its port. Without one 8022 in Termux and 22 elsewhere."""


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


class DiskModel(Model):
    """How full the disk may be."""

    path: FilledText = DiskLimit().path
    """A path on the disk."""
    warning: Percentage = DiskLimit().warning
    """Used space from which it is a warning."""
    critical: Percentage = DiskLimit().critical
    """Used space from which it is critical."""


class MemoryModel(Model):
    """How little memory may be available."""

    warning: Percentage = MemoryLimit().warning
    """Available memory below which it is a warning."""
    critical: Percentage = MemoryLimit().critical
    """Available memory below which it is critical."""


class LimitsModel(Model):
    """The resources that the host must stay within."""

    disk: DiskModel = DiskModel()
    """How full the disk may be."""
    memory_available: MemoryModel = MemoryModel()
    """How little memory may be available."""


Budget = Annotated[Duration, Field(gt=0)]


class BudgetsModel(Model):
    """How long each level may take, from its first action to its proof."""

    L1: Budget = 10
    """A pane."""
    L2: Budget = 30
    """A window or a session."""
    L3: Budget = 60
    """The whole tmux server."""
    L4: Budget = 300
    """The machine."""


class RecoveryModel(Model):
    """How far a recovery may go, and whom it tells."""

    max_level: Literal["L1", "L2", "L3", "L4"] = "L3"
    """The last level of the ladder on this host."""
    setup_script: FilledText | None = None
    """A command that is run on the host after level L3 made something."""
    guardian: Text | None = None
    """The name of the pane that status lines are sent to."""
    budgets: BudgetsModel = BudgetsModel()
    """How long each level may take."""


class HostModel(Model):
    """What a spec says about its host, besides the sessions."""

    tmux: TmuxModel = TmuxModel()
    """The tmux server that the sessions live in."""
    sshd: SshdModel | None = None
    """The ssh server that must answer. Without it none is looked after."""
    mcp_servers: list[McpServerModel] = []
    """MCP servers and other daemons."""
    logs: list[LogModel] = []
    """Logs to rotate."""
    temp: list[TempModel] = []
    """Temporary files to remove."""
    config_files: list[ConfigFileModel] = []
    """Files that must exist and parse."""
    limits: LimitsModel = LimitsModel()
    """The resources that the host must stay within."""
    recovery: RecoveryModel = RecoveryModel()
    """How far a recovery may go, and whom it tells."""
