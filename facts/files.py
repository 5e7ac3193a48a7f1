"""Files of a host: temporary ones that are old, and configuration files with their backups."""

from __future__ import annotations

import shlex
from dataclasses import replace
from functools import partial

from typing_extensions import override

from facts.probe import COMMAND_TIMEOUT, Section, SectionFact, keyed_section, probe_script
from miyabi.config_backup import (
    ConfigFile,
    Judged,
    backups_script,
    config_script,
    content_script,
    read_backups,
    read_config,
    read_content,
)
from miyabi.config_check import FORMATS
from miyabi.host_paths import refuse_path
from miyabi.pruning import Prunable, prunable_script, read_prunable, refuse_prune
from miyabi.units import parse_duration

PRUNABLE = "temp"
CONFIG = "config"


def prunable_section(path: str, older_than: float | str = 7 * 86400) -> Section[Prunable]:
    """The section that finds what there is to remove.

    + path: a path or a pattern
    + older_than: seconds, or text such as ``7d``, since the last change
    """
    try:
        reason, age = refuse_prune(path), parse_duration(older_than)
    except ValueError as error:
        reason, age = f"older_than: {error}", 0.0
    return keyed_section(
        PRUNABLE, _refusal(reason) if reason else prunable_script(path, age, COMMAND_TIMEOUT), read_prunable
    )


def config_section(path: str, form: str) -> Section[ConfigFile]:
    """The section that tells how a configuration file stands, without a word of what it holds.

    + form: ``json``, ``yaml`` or ``toml``
    """
    reason = refuse_config(path, form)
    return keyed_section(CONFIG, _refusal(reason) if reason else config_script(path, form), read_config)


def content_section(path: str, form: str) -> Section[Judged]:
    """The section that judges what a configuration file holds: what it prints is not to be shown."""
    return keyed_section(CONFIG, content_script(path, form), partial(read_content, form=form))


def backups_section(path: str, form: str) -> Section[tuple[tuple[str, bool], ...]]:
    """The section that judges the backups of a configuration file: what it prints is not to be shown."""
    return keyed_section(CONFIG, backups_script(path, form), partial(read_backups, form=form))


def refuse_config(path: object, form: object) -> str | None:
    """Why there can be no such configuration file; None when there can."""
    if form not in FORMATS:
        return f"the format is {form!r}, and must be one of {', '.join(FORMATS)}"
    return refuse_path(path)


def _refusal(reason: str) -> str:
    return f"echo {shlex.quote(ascii(reason)[1:-1])}; exit 2"


class OldFiles(SectionFact[Prunable]):
    """Return what there is to remove at a path; None, with an error on the host, when unknown.

    + path: a path or a pattern with ``*``, ``?`` and ``[..]``; may begin with ``~`` or ``$NAME`` of the host
    + older_than: seconds, or text such as ``7d``, since the last change

    .. code:: python

        Prunable(count=2, size=81920, names=("/tmp/claude-1a2b", "/tmp/claude-3c4d"), outside=())

    **Example:**

    .. code:: shell

        pyinfra @local fact facts.files.OldFiles path='/tmp/claude-*' older_than=7d
    """

    @override
    def command(self, path: str, older_than: float | str = 7 * 86400) -> str:
        """The probe with this section alone."""
        return probe_script([replace(prunable_section(path, older_than), title=PRUNABLE)])

    @override
    def section(self) -> Section[Prunable]:
        """The section; its parser is the same for every path."""
        return Section(PRUNABLE, "", read_prunable)


class Config(SectionFact[ConfigFile]):
    """Return how a configuration file stands to its newest backup; None, with an error on the host, when unknown.

    + path: may begin with ``~`` or ``$NAME`` of the host
    + form: ``json``, ``yaml`` or ``toml``

    .. code:: python

        ConfigFile(state="same", newest="20260131T235959Z-600-1000-1000.json")

    **Example:**

    .. code:: shell

        pyinfra @local fact facts.files.Config path=~/.miyabi/config.json form=json
    """

    @override
    def command(self, path: str, form: str) -> str:
        """The probe with this section alone."""
        return probe_script([replace(config_section(path, form), title=CONFIG)])

    @override
    def section(self) -> Section[ConfigFile]:
        """The section; its parser is the same for every path."""
        return Section(CONFIG, "", read_config)
