"""Do what a human asks for with the state that orchestrations keep in workspaces.

Usage: pyinfra HOSTS deploys/state.py --data action=ACTION [--data workspace=PATH] [--data session=NAME,...]
       [--data backup=NAME]

ACTION is one of: auto (a backup, then what is sick is repaired), backup, repair, replay, restore, clean, reset.
Without a workspace, those that the host's spec names. `miyabi state` asks before it does any of it.
"""

from typing import cast

from pyinfra import host, logger

from facts.host_spec import host_spec
from miyabi.errors import MiyabiError
from miyabi.orchestration.rules import Orchestration
from operations import recovery, state

ACTIONS = ("auto", "backup", "repair", "replay", "restore", "clean", "reset")

action = str(host.data.get("action") or "auto")
if action not in ACTIONS:
    logger.error(f"--> action is {action!r}; allowed: {', '.join(ACTIONS)}; nothing was changed on any host")
    raise SystemExit(1)
backup = str(host.data.get("backup") or "")
sessions = [name for name in str(host.data.get("session") or "").split(",") if name]


def wanted() -> list[Orchestration]:
    """The workspaces that are meant on the current host, with what its spec says of them."""
    path = host.data.get("workspace")
    try:
        named = list(host_spec(host).orchestration)
    except MiyabiError as error:
        # A workspace that is named needs no spec.
        named = []
        if not path:
            logger.error(f"--> {host.name}: {error}")
    if path:
        return [each for each in named if each.workspace == path] or [Orchestration(str(path))]
    if not named:
        logger.warning(f"--> {host.name}: its spec names no orchestration; name a workspace with --data workspace=PATH")
    return named


recovery.summarise_at_end()
for number, rules in enumerate(wanted(), start=1):
    suffix = f" {number}" if number > 1 else ""
    if action in {"auto", "backup", "replay", "restore", "reset"}:
        # What these replace, they replace as a whole: all of it is kept first.
        label = backup if action == "backup" else ""
        state.backed_up(name=f"Backup{suffix}", workspace=rules.workspace, label=label)
    if action != "backup":
        does = cast("state.Action", "repair" if action == "auto" else action)
        state.settled(name=f"{does.capitalize()}{suffix}", rules=rules, action=does, sessions=sessions, backup=backup)
