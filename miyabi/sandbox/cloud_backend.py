"""moto, asked inside the same process."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from miyabi.sandbox.cloud_faults import Answer
from miyabi.sandbox.cloud_files import ACCOUNT

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def _moto() -> Application:
    # What moto would only load to list machine images that nobody here asks for.
    os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415

    warnings.simplefilter("ignore")
    application: Application = DomainDispatcherApplication(create_backend_app)
    return application


@dataclass(slots=True)
class Backend:
    """moto's server, as a function.

    + application: its WSGI application
    """

    application: Application = field(default_factory=_moto)

    def forward(self, environ: dict[str, Any], body: bytes) -> Answer:
        """What moto answers to a request whose body is another one now."""
        said: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], None]:
            said["status"], said["headers"] = int(status.split(" ", maxsplit=1)[0]), dict(headers)
            return lambda _: None

        asked = environ | {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        written = self.application(asked, start)
        try:
            text = b"".join(written)
        finally:
            if (close := getattr(written, "close", None)) is not None:
                close()
        return Answer(said["status"], text, said["headers"].get("Content-Type", "text/xml"))

    def ids(self, region: str) -> list[str]:
        """The instances of a region, however they are."""
        return [instance.id for instance in _backend(region).all_instances()]

    def power(self, region: str, instance_id: str) -> str:
        """The state of an instance; "" when there is none."""
        instance = _backend(region).get_instance_by_id(instance_id)
        return str(instance.state) if instance else ""

    def tag(self, region: str, instance_id: str, key: str) -> str:
        """A tag of an instance; "" when it has none."""
        instance = _backend(region).get_instance_by_id(instance_id)
        tags = instance.get_tags() if instance else []
        return next((str(tag["value"]) for tag in tags if tag["key"] == key), "")

    def note_start(self, region: str, instance_id: str) -> None:
        """An instance that is started was launched now; moto leaves the moment of its first launch."""
        from moto.core.utils import utcnow  # noqa: PLC0415

        instance = _backend(region).get_instance_by_id(instance_id)
        if instance:
            instance.launch_time = utcnow()


def _backend(region: str) -> Any:
    from moto.ec2.models import ec2_backends  # noqa: PLC0415

    return ec2_backends[ACCOUNT][region]
