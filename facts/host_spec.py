"""The spec that a host's data names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pyinfra.context import ctx_host

from miyabi.errors import InventoryError, MiyabiError
from miyabi.levels import Level
from miyabi.spec import Spec, TmuxServer
from miyabi.spec_cache import cached_spec
from miyabi.spec_file import resolve_spec

if TYPE_CHECKING:
    from pyinfra.api import Host

_MEMORY = "miyabi_spec"

SPECS_DIRECTORY = Path(__file__).resolve().parent.parent / "inventory" / "specs"


def host_spec(host: Host) -> Spec:
    """The desired state of ``host``.

    + host: its data's ``spec`` is the name of a file in inventory/specs or a path; its data's ``tmux``
      (``{"socket_name": ..., "config_file": ...}``), if any, wins over the spec's

    Raises ``SpecError`` when the spec is missing or wrong, ``InventoryError`` when the host names none.
    """
    if _MEMORY not in host.connector_data:
        host.connector_data[_MEMORY] = _load(host)
    return cast("Spec", host.connector_data[_MEMORY])


def _load(host: Host) -> Spec:
    reference = host.data.get("spec")
    if reference is None:
        raise InventoryError(
            f"{host.name}: its data names no spec; add spec to the host's data in inventory/, or --data spec=FILE"
        )
    path = resolve_spec(str(reference), SPECS_DIRECTORY)
    # A relative path in a spec starts at the spec's folder, where host and control machine share a file system.
    base = str(path.resolve().parent) if _is_local(host) else "~"
    spec = _bounded(host, cached_spec(path, base))
    server = host.data.get("tmux")
    return spec if server is None else replace(spec, tmux=_server(host, server))


def _bounded(host: Host, spec: Spec) -> Spec:
    """The spec, with no higher level than the run asks for."""
    asked = host.data.get("max_level")
    if asked is None:
        return spec
    if asked not in Level.__members__:
        raise InventoryError(f"{host.name}: max_level is {asked!r}; allowed: {', '.join(Level.__members__)}")
    last = min(Level[asked], spec.recovery.max_level)
    return replace(spec, recovery=replace(spec.recovery, max_level=last))


def _server(host: Host, server: object) -> TmuxServer:
    keys = TmuxServer.__dataclass_fields__.keys()
    if (
        not isinstance(server, dict)
        or server.keys() - keys
        or not all(isinstance(each, str) for each in server.values())
    ):
        raise InventoryError(
            f"{host.name}: its data's tmux is {server!r}; allowed: a dict of text with {' and '.join(keys)}"
        )
    return TmuxServer(**server)


def managed_socket() -> str | None:
    """The socket name of the tmux server that the current host's spec manages; None for tmux's default."""
    return managed_server().socket_name


def managed_server() -> TmuxServer:
    """The tmux server that the current host's spec manages; tmux's default without a spec."""
    if not ctx_host.isset():
        return TmuxServer()
    try:
        return host_spec(ctx_host.get()).tmux
    except (MiyabiError, AttributeError):
        # A question about a host must not fail for want of a spec.
        return TmuxServer()


def _is_local(host: Host) -> bool:
    return host.name.startswith("@local")
