"""pyinfra runs this file before it loads the inventory."""

from pathlib import Path

from pyinfra_cli.util import PYTHON_CODES

# `pyinfra inventory` names a folder, which pyinfra would try to open as a file: it gets the folder's own code instead.
_INVENTORY = Path(__file__).parent / "inventory" / "__init__.py"
for _name in ("inventory", "inventory/", "./inventory", "./inventory/"):
    PYTHON_CODES[_name] = compile(_INVENTORY.read_text(encoding="utf-8"), str(_INVENTORY), "exec")
