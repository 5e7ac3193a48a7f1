"""pyinfra runs this file before it loads the inventory."""

import logging
import re
from pathlib import Path

import click
from pyinfra import logger
from pyinfra.context import ctx_state
from pyinfra_cli.inventory import _resolves_to_host
from pyinfra_cli.util import PYTHON_CODES, try_import_module_attribute

from operations.availability import watch_absences

# What paramiko logs of a connection that failed, pyinfra says in a line.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False

# Seconds to wait for a host's first word: one that is offline must not keep the others waiting.
CONNECT_TIMEOUT = 5

# `pyinfra inventory` names a folder, which pyinfra would try to open as a file: it gets the folder's own code instead.
_INVENTORY = Path(__file__).parent / "inventory" / "__init__.py"
for _name in ("inventory", "inventory/", "./inventory", "./inventory/"):
    PYTHON_CODES[_name] = compile(_INVENTORY.read_text(encoding="utf-8"), str(_INVENTORY), "exec")


def _refuse_unknown_inventory(name: str, data: tuple[str, ...]) -> None:
    """End the run when there is no such inventory and no such host: pyinfra would succeed with nobody to work on."""
    is_list = "," in name or "@" in name or any(each.startswith("ssh_hostname=") for each in data)
    if is_list or Path(name).exists() or try_import_module_attribute(name, raise_for_none=False) is not None:
        return
    if name.endswith(".py") or not _resolves_to_host(name):
        logger.error(
            f"--> {name}: no such inventory file, and no host that ssh knows on this machine; the whole fleet is "
            f"'inventory'; to add a host, put into ~/.ssh/config: Host {name}, HostName ADDRESS, User NAME"
        )
        raise SystemExit(1)


# What brings back instances that are not reached, beside whatever uses the operations for them: any other run leaves
# them out, as it does other hosts.
_REVIVING = {Path(__file__).resolve().parent / "deploys" / name for name in ("recover.py", "l4_infrastructure.py")}
_USES_EC2 = re.compile(r"\bec2\.(running|rebooted|reachable)\(")


def _revives(operations: tuple[str, ...]) -> bool:
    """Whether all that the run does is what takes a host that is not reached for one that may come back."""
    return bool(operations) and all(Path(each).resolve() in _REVIVING or _uses_ec2(Path(each)) for each in operations)


def _uses_ec2(deploy: Path) -> bool:
    try:
        return deploy.suffix == ".py" and _USES_EC2.search(deploy.read_text(encoding="utf-8")) is not None
    except (OSError, ValueError):
        return False


_context = click.get_current_context(silent=True)
if ctx_state.isset():
    watch_absences(ctx_state.get(), revives=_context is not None and _revives(_context.params.get("operations") or ()))

if _context is not None and _context.params.get("inventory"):
    _refuse_unknown_inventory(_context.params["inventory"], _context.params.get("data") or ())
