"""Who asks AWS: boto3's session of one profile, and its clients, made when the first question is asked.

boto3 takes a third of a second to import, and the first client of EC2 a fifth: they are shared by all that asks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from miyabi.ec2_troubles import trouble
from miyabi.errors import Ec2Error

if TYPE_CHECKING:
    import boto3

T = TypeVar("T")

_WORDS = {"ec2": "EC2", "ssm": "SSM"}
# Seconds for which credentials that were not found are not searched again: a search may take two.
_SEARCH_AGAIN = 30.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long AWS is asked.

    + connect: seconds for the connection
    + read: seconds for an answer
    + attempts: how often, in all; between them is a pause that grows
    """

    connect: float = 3.0
    read: float = 10.0
    attempts: int = 3


class Account:
    """The credentials of one profile, as the environment says them. Threads and greenlets may use it at the same time.

    + profile: of the AWS configuration; "" is the default
    """

    def __init__(self, profile: str = "") -> None:
        self.profile = profile
        self._lock = RLock()
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, str, Patience], Any] = {}
        self._searched_in_vain: float | None = None

    def ask(self, service: str, region: str, patience: Patience, question: Callable[[Any], T]) -> T:
        """What a service answers.

        + service: ``ec2`` or ``ssm``
        + question: is given the client

        Raises ``Ec2Error``.
        """
        try:
            return question(self.client(service, region, patience))
        except Exception as error:
            if isinstance(error, Ec2Error):
                raise
            # boto3 raises many classes, not all of them its own: the file of an SSO session may be no JSON.
            found = trouble(_WORDS[service], region, error)
            if found.kind == "credentials" and self._searched_in_vain is None:
                # Whoever logs in meanwhile has others.
                forget(self)
            raise found from error

    def client(self, service: str, region: str, patience: Patience) -> Any:
        """boto3's client; making one is not safe in two threads at once, using it is."""
        key = (service, region, patience)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._new_client(*key)
            return self._clients[key]

    def _new_client(self, service: str, region: str, patience: Patience) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - see the module's docstring

        config = Config(
            retries={"mode": "standard", "total_max_attempts": patience.attempts},
            connect_timeout=patience.connect,
            read_timeout=patience.read,
            user_agent_extra="miyabi-recovery",
        )
        # `service` is no literal: the stubs have a class for each.
        return self._with_credentials().client(service, region_name=region, config=config)  # type: ignore[call-overload]

    def _with_credentials(self) -> boto3.Session:
        """The session. Where there are no credentials, the search for them takes seconds: it is made once for all."""
        import boto3  # noqa: PLC0415 - see the module's docstring
        from botocore.exceptions import NoCredentialsError  # noqa: PLC0415

        if self._searched_in_vain is not None and monotonic() < self._searched_in_vain + _SEARCH_AGAIN:
            raise NoCredentialsError
        if self._session is None:
            session = boto3.Session(profile_name=self.profile or None)
            if session.get_credentials() is None:
                self._searched_in_vain = monotonic()
                raise NoCredentialsError
            self._session, self._searched_in_vain = session, None
        return self._session


_accounts: dict[tuple[str, tuple[tuple[str, str], ...]], Account] = {}
_lock = RLock()


def account(profile: str = "") -> Account:
    """The account of a profile, the same for all that ask while the environment says the same."""
    key = (profile, tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))))
    with _lock:
        return _accounts.setdefault(key, Account(profile))


def forget(gone: Account) -> None:
    """Have the credentials looked up again by whoever asks next."""
    with _lock:
        for key in [key for key, each in _accounts.items() if each is gone]:
            del _accounts[key]
