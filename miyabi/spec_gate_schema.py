"""What a user may write in a spec about the gate: how often, how soon and in whose presence something is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from miyabi.gate_rules import Rules
from miyabi.spec_values import Duration, Model, Percentage, Text, Whole, refused

_DAY = 86400.0
_DEFAULT = Rules()

# History keeps the latest 60 tries and looks of a target: what is counted has to fit.
_Count = Annotated[Whole, Field(ge=1, le=50)]
_Looks = Annotated[Whole, Field(ge=1, le=50)]
_Share = Annotated[Percentage, Field(gt=0)]


def _within(days: int, *, least: float = 1e-3) -> Callable[[float], float]:
    """A check that a duration is at least so many seconds, and not so long that it would be for ever."""

    def check(seconds: float) -> float:
        if not least <= seconds <= days * _DAY:
            raise refused(f"a duration of {'more than 0 and ' if least else ''}at most {days}d")
        return seconds

    return check


Pause = Annotated[Duration, AfterValidator(_within(1))]
LongPause = Annotated[Duration, AfterValidator(_within(7))]


def _reason(value: object) -> object:
    """Why something is left alone, from true or a text."""
    if isinstance(value, bool):
        return "maintenance" if value else None
    if value is None or isinstance(value, dict | list) or not str(value).strip():
        raise refused("true, false, or a reason", "an empty text" if isinstance(value, str) else "")
    return value


Maintenance = Annotated[
    Text | None,
    BeforeValidator(_reason),
    WithJsonSchema({"type": ["boolean", "string"]}),
]


class BackoffModel(Model):
    """The pauses between tries."""

    first: Pause = _DEFAULT.backoff_first
    """The pause after the first try. It doubles with each."""
    longest: Pause = _DEFAULT.backoff_longest
    """The longest pause."""


class FlappingModel(Model):
    """When a target that changes all the time is left as it is."""

    start: _Share = _DEFAULT.flapping_start
    """The share of changes among the latest looks from which it flaps."""
    stop: _Share = _DEFAULT.flapping_stop
    """The share below which it has stopped."""


class ConfirmModel(Model):
    """How often a drift must be seen before it counts."""

    seen: _Looks = _DEFAULT.seen
    """In so many looks."""
    of: _Looks = _DEFAULT.seen_of
    """Of the latest so many."""


class BreakerModel(Model):
    """When a host on which nothing holds is left alone."""

    failures: _Count = _DEFAULT.breaker_failures
    """Recoveries in a row that did not hold."""
    open: LongPause = _DEFAULT.breaker_open
    """How long it is left alone then."""


class GateModel(Model):
    """What holds recoveries back on this host."""

    backoff: BackoffModel = BackoffModel()
    """The pauses between tries."""
    healthy_after: LongPause = _DEFAULT.healthy_after
    """How long a target must be healthy until its incident is over, and its tries are counted anew."""
    tries: _Count = _DEFAULT.tries
    """How often a level is tried in one incident before the next one has its turn."""
    restarts_per_hour: _Count = _DEFAULT.restarts_per_hour
    """How often one target may be restarted within any hour."""
    retry_after: LongPause = _DEFAULT.retry_after
    """When all tries are used up, after how long one more is let through."""
    flapping: FlappingModel = FlappingModel()
    """When a target that changes all the time is left as it is."""
    confirm: ConfirmModel = ConfirmModel()
    """How often a drift must be seen before it counts."""
    presence: Annotated[Duration, AfterValidator(_within(1, least=0))] = _DEFAULT.presence
    """How long after the last key of somebody who looks at a window it is left alone. 0 is not at all."""
    breaker: BreakerModel = BreakerModel()
    """When a host on which nothing holds is left alone."""


def expand_gate(model: GateModel) -> Rules:
    """What the user wrote of the gate, as the rules that it goes by."""
    return Rules(
        backoff_first=model.backoff.first,
        backoff_longest=model.backoff.longest,
        healthy_after=model.healthy_after,
        tries=model.tries,
        restarts_per_hour=model.restarts_per_hour,
        retry_after=model.retry_after,
        flapping_start=model.flapping.start,
        flapping_stop=model.flapping.stop,
        seen=model.confirm.seen,
        seen_of=model.confirm.of,
        presence=model.presence,
        breaker_failures=model.breaker.failures,
        breaker_open=model.breaker.open,
    )
