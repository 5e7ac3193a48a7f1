"""What EC2 said last, kept for each region, so that a run every minute does not ask every minute.

The cache is only a saving. Whatever is wrong with it (torn, not writable, somebody else's, from the future) costs time,
never a run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from miyabi.ec2_hosts import is_changing
from miyabi.ec2_settings import Ec2Settings
from miyabi.file_lock import alone
from miyabi.instance import Instance
from miyabi.instance_json import instance_from_json, instance_to_json
from miyabi.private_file import private_folder, read_private, write_private

_FORM = 1
# Seconds for which an answer holds while an instance is starting or stopping.
_WHILE_CHANGING = 30.0
# Seconds without asking after a failure, and at most after several in a row.
_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 600.0
_FORGOTTEN_AFTER = 30 * 86400.0
# What leads to another account, or to another EC2. A session's key id is new each time, so it does not count.
_ENVIRONMENT = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_ROLE_ARN",
)
_LASTING_KEY = "AKIA"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a region; all moments are seconds since the epoch.

    + asked_at: when EC2 answered last; None is never
    + failures: in a row since then, with the last one's moment and words
    + told: of instances that were looked at later than that: when
    """

    region: str
    instances: tuple[Instance, ...] = ()
    asked_at: float | None = None
    failures: int = 0
    failed_at: float = 0.0
    trouble: str = ""
    told: Mapping[str, float] = field(default_factory=dict)

    def is_fresh(self, keep: float, now: float) -> bool:
        """Whether it need not be asked again; an answer from the future comes from a clock that was set back."""
        life = min(keep, _WHILE_CHANGING) if is_changing(self.instances) else keep
        return self.asked_at is not None and self.asked_at <= now < self.asked_at + life

    def again_at(self, now: float) -> float | None:
        """When it may be asked again after failures; None is now."""
        if not self.failures:
            return None
        pause = min(_FIRST_PAUSE * 2.0 ** min(self.failures - 1, 10), _LONGEST_PAUSE)
        return self.failed_at + pause if self.failed_at <= now < self.failed_at + pause else None


def read_known(settings: Ec2Settings, region: str) -> Known:
    """What is known of a region; nothing where nothing is kept that makes sense."""
    with suppress(OSError, ValueError, RuntimeError):
        return _from_json(region, read_private(_entry(settings, region)))
    return Known(region)


def keep_answer(settings: Ec2Settings, region: str, instances: tuple[Instance, ...], began: float) -> Known:
    """Keep what EC2 answered, but for instances that were looked at after it was asked.

    + began: when it was asked
    """
    with _alone():
        before = read_known(settings, region)
        told = {instance_id: at for instance_id, at in before.told.items() if began <= at <= time.time()}
        later = {each.instance_id: each for each in before.instances if each.instance_id in told}
        others = (each for each in instances if each.instance_id not in later)
        return _keep(settings, Known(region, (*others, *later.values()), began, told=told))


def keep_trouble(settings: Ec2Settings, region: str, words: str, now: float) -> Known:
    """Keep that a region could not be asked, beside what was known of it."""
    with _alone():
        before = read_known(settings, region)
        return _keep(settings, replace(before, failures=before.failures + 1, failed_at=now, trouble=words))


def keep_instance(settings: Ec2Settings, instance: Instance, now: float) -> None:
    """Keep what EC2 said of one instance: the next run finds it as it is now."""
    with _alone():
        before = read_known(settings, instance.region)
        others = (each for each in before.instances if each.instance_id != instance.instance_id)
        told = {**before.told, instance.instance_id: now}
        _keep(settings, replace(before, instances=(*others, instance), told=told))


def cache_folder() -> Path:
    """Where answers are kept: miyabi/ec2 in ``$XDG_CACHE_HOME``, or in ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "miyabi" / "ec2"


def _entry(settings: Ec2Settings, region: str) -> Path:
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    key_id = os.environ.get("AWS_ACCESS_KEY_ID", "")
    asked = [_FORM, settings.tags, settings.profile, environment, key_id if key_id.startswith(_LASTING_KEY) else ""]
    return cache_folder() / f"{region}.{sha256(json.dumps(asked).encode()).hexdigest()[:16]}.json"


@contextmanager
def _alone() -> Iterator[None]:
    """Let no other run change what is kept meanwhile, as far as that can be had."""
    with suppress(OSError, RuntimeError):
        private_folder(cache_folder())
    try:
        lock = alone(cache_folder() / "lock")
        lock.__enter__()
    except (OSError, RuntimeError):
        yield
        return
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def _keep(settings: Ec2Settings, known: Known) -> Known:
    with suppress(OSError, ValueError, RuntimeError):
        write_private(_entry(settings, known.region), _to_json(known))
        for each in cache_folder().glob("*.json"):
            if each.lstat().st_mtime < time.time() - _FORGOTTEN_AFTER:
                each.unlink()
    return known


def _to_json(known: Known) -> str:
    told: dict[str, Any] = {
        "form": _FORM,
        "instances": [instance_to_json(each) for each in known.instances],
        "asked_at": known.asked_at,
        "failures": known.failures,
        "failed_at": known.failed_at,
        "trouble": known.trouble,
        "told": dict(known.told),
    }
    return json.dumps(told, separators=(",", ":"))


def _from_json(region: str, text: str) -> Known:
    """What was kept. Raises ``ValueError`` when the text is anything else."""
    try:
        kept = json.loads(text)
        if kept["form"] != _FORM:
            raise ValueError("of another version")
        return Known(
            region,
            tuple(instance_from_json(each) for each in kept["instances"]),
            None if kept["asked_at"] is None else float(kept["asked_at"]),
            int(kept["failures"]),
            float(kept["failed_at"]),
            str(kept["trouble"]),
            {str(instance_id): float(at) for instance_id, at in kept["told"].items()},
        )
    except (TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"no answer of EC2: {error}") from error
