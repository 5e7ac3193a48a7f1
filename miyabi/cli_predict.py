"""The command ``miyabi predict``: what is about to go wrong, when, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from miyabi.cli_fleet import (
    FleetOfClone,
    as_json,
    clock,
    fleet_of_clone,
    keep as keep_records,
    new_run,
    opened_history,
    print_json,
    say,
    show,
    working,
)
from miyabi.cli_options import plainly
from miyabi.cli_predict_view import backtest_json, backtest_table, predicted_json, predicted_table, worth_telling
from miyabi.errors import MiyabiError, TargetError
from miyabi.forecast import require
from miyabi.monitoring import comes_within, monitoring_of
from miyabi.predicted import Predicted
from miyabi.spec_document import nearest
from miyabi.units import parse_duration
from miyabi.words import counted, iso, lasting

if TYPE_CHECKING:
    from miyabi.forecast.backtest import Backtest
    from miyabi.forecast.samples import Samples
    from miyabi.history import History

DAY = 86400.0
# How far back a back-test goes.
_BACK = 90 * DAY
_SUFFIX = ".csv"
# Bytes of a file of somebody's own.
_LARGEST = 64_000_000

# The exit code when something is foretold within the horizon.
_FORETOLD = 2


def _horizon(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}; allowed: {error}") from None
    if not 3600 <= seconds <= 30 * DAY:
        raise click.BadParameter(f"{value!r}; allowed: 1h to 30d")
    return seconds


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command was asked for; ``limit`` and ``falling`` are of series of somebody's own."""

    horizon: float | None
    limit: float
    falling: bool
    is_json: bool


@click.command(short_help="What is about to go wrong, and when.")
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@click.option(
    "--horizon", metavar="DURATION", callback=_horizon, help="How far ahead counts; inventory/fleet.yaml's, or 24h."
)
@click.option("--backtest", "is_backtest", is_flag=True, help="How the predictions did on the past, instead.")
@click.option("--keep", is_flag=True, help="Remember what is foretold, for the page and the reports.")
@click.option("--tell", is_flag=True, help="Open and close the incidents of what is foretold, and send the alerts.")
@click.option(
    "--series", "files", multiple=True, metavar="FILE", help="Lines of at,value, or a folder of such files; repeatable."
)
@click.option(
    "--limit", metavar="NUMBER", type=float, help="What the values of --series must not reach.  [default: 90]"
)
@click.option("--falling", is_flag=True, help="Of --series less is worse.")
@as_json
@plainly
def predict(  # noqa: PLR0913 - each is an option
    hosts: tuple[str, ...],
    horizon: float | None,
    files: tuple[str, ...],
    limit: float | None,
    *,
    is_backtest: bool,
    keep: bool,
    tell: bool,
    falling: bool,
    is_json: bool,
) -> None:
    """Say when disks and memory reach their limits, which servers will fail, and which agents hit their usage limit.

    Without HOST of the whole fleet. Each with an interval, and with how the same method did on that host's own past.
    Nothing is changed. Exit code: 0, 2 when something is foretold within the horizon, 1 for an error.
    """
    require()
    asked = _Asked(horizon, 90.0 if limit is None else limit, falling, is_json)
    if files:
        if hosts or keep or tell:
            raise click.UsageError("--series is about files: leave HOST, --keep and --tell out")
        _about_files(files, asked, is_backtest=is_backtest)
        return
    if limit is not None or falling:
        raise click.UsageError("--limit and --falling are of --series; a host's limits stand in its spec")
    if is_backtest and (keep or tell):
        raise click.UsageError("--backtest foretells nothing: leave --keep and --tell out")
    fleet, now = fleet_of_clone(), clock()
    chosen = _chosen(fleet, hosts)
    if tell and len(chosen) < len(fleet.hosts):
        raise click.UsageError("--tell is about the whole fleet: leave HOST out")
    with opened_history(fleet, now) as history:
        if is_backtest:
            _about_past(fleet, history, chosen, asked, now)
        else:
            _about_fleet(fleet, history, chosen, asked, now, keep=keep, tell=tell)


def _chosen(fleet: FleetOfClone, hosts: Sequence[str]) -> tuple[str, ...]:
    names = (*fleet.hosts, *fleet.groups)
    for name in hosts:
        with suppress(TargetError):
            fleet.chosen([name])
            continue
        raise TargetError(f"{name}: {fleet.missing(name)}{nearest(name, names)}")
    return fleet.chosen(hosts)


def _horizon_of(fleet: FleetOfClone, asked: _Asked) -> float:
    return monitoring_of(fleet.file.monitoring).predictions.horizon if asked.horizon is None else asked.horizon


def _about_fleet(  # noqa: PLR0913 - what is asked, and what is done with the answer
    fleet: FleetOfClone,
    history: History,
    hosts: Sequence[str],
    asked: _Asked,
    now: float,
    *,
    keep: bool,
    tell: bool,
) -> None:
    from miyabi.forecast.fleet import limits_of, predictions_of  # noqa: PLC0415 - numpy and scipy are dear

    horizon = _horizon_of(fleet, asked)
    limits = {host: limits_of(fleet.spec(host)) for host in hosts}
    with working(f"looking ahead for {counted(len(hosts), 'host')}", is_json=asked.is_json):
        predicted = predictions_of(history, limits, now, run=new_run(now), horizon=horizon)
    if keep:
        keep_records(fleet, *predicted)
    if tell:
        from miyabi.prediction_alerts import tell_predictions  # noqa: PLC0415 - channels are dear

        tell_predictions(fleet, history, predicted, horizon, now)
    near = [each for each in predicted if _is_near(each, horizon, now)]
    if asked.is_json:
        print_json(
            {
                "at": iso(now),
                "horizon": horizon,
                "exit_code": _FORETOLD if near else 0,
                "predictions": [predicted_json(each, horizon, now) for each in predicted],
            }
        )
    else:
        _print(predicted, horizon, now, len(near))
    raise SystemExit(_FORETOLD if near else 0)


def _is_near(predicted: Predicted, horizon: float, now: float) -> bool:
    return comes_within(horizon, now, predicted.crosses_at, predicted.latest)


def _print(predicted: Sequence[Predicted], horizon: float, now: float, near: int) -> None:
    told = [each for each in predicted if worth_telling(each)]
    if told:
        show(lambda _: predicted_table(told, horizon, now))
        click.echo()
    hosts = len({each.host for each in predicted})
    found = counted(near, "limit") if near else "nothing"
    click.echo(f"{counted(hosts, 'host')}: {found} to be reached within {lasting(horizon)}")
    few = sorted({each.host for each in predicted if each.outcome == "too-few-samples" and each.kind == "crossing"})
    if few:
        click.echo(f"too little is known of {', '.join(few)}: it takes some hours of runs (miyabi history)")


def _about_past(fleet: FleetOfClone, history: History, hosts: Sequence[str], asked: _Asked, now: float) -> None:
    from miyabi.forecast.fleet import SUBJECTS, backtest_of, limits_of  # noqa: PLC0415 - see _about_fleet

    horizon = _horizon_of(fleet, asked)
    limits = {host: limits_of(fleet.spec(host)) for host in hosts}
    with working(f"replaying the past of {counted(len(hosts), 'host')}", is_json=asked.is_json):
        tested = backtest_of(history, limits, now - _BACK, now + 1, horizon)
    missing = sorted(set(hosts) - {host for host, _ in tested})
    _tell_tested({f"{host} {SUBJECTS[measure]}": each for (host, measure), each in tested.items()}, horizon, asked)
    if missing and not asked.is_json:
        say(f"note: nobody has ever looked at the disk or the memory of {', '.join(missing)}")


def _about_files(files: Sequence[str], asked: _Asked, *, is_backtest: bool) -> None:
    horizon = DAY if asked.horizon is None else asked.horizon
    series = {str(path): _samples(path, asked) for path in _paths(files)}
    if is_backtest:
        from miyabi.forecast.backtest import backtest  # noqa: PLC0415 - see _about_fleet

        with working(f"replaying {counted(len(series), 'series')}", is_json=asked.is_json):
            tested = {name: backtest(each, asked.limit, horizon) for name, each in series.items()}
        _tell_tested(tested, horizon, asked)
        return
    from miyabi.forecast.fleet import file_predicted  # noqa: PLC0415 - see _about_fleet

    # What is foretold of a series is foretold at its end.
    moments = {name: each.last_at or 0.0 for name, each in series.items()}
    predicted = {name: file_predicted(name, each, asked.limit, horizon, moments[name]) for name, each in series.items()}
    near = [name for name, each in predicted.items() if _is_near(each, horizon, moments[name])]
    if asked.is_json:
        told = [
            {"at": iso(moments[name]), **predicted_json(each, horizon, moments[name])}
            for name, each in predicted.items()
        ]
        print_json({"horizon": horizon, "exit_code": _FORETOLD if near else 0, "predictions": told})
    else:
        for name, each in predicted.items():
            click.echo(f"{name}: {each.summary}")
    raise SystemExit(_FORETOLD if near else 0)


def _tell_tested(tested: Mapping[str, Backtest], horizon: float, asked: _Asked) -> None:
    if asked.is_json:
        print_json(backtest_json(tested, horizon))
    elif not tested:
        click.echo("no disk and no memory was ever looked at: miyabi run, or pyinfra inventory deploys/recover.py -y")
    else:
        show(lambda _: backtest_table(tested))
        click.echo(
            f"\nforetold: said within {lasting(horizon)} before it came, and at least {lasting(horizon / 4)} before"
        )


def _paths(files: Sequence[str]) -> list[Path]:
    found: list[Path] = []
    for each in map(Path, files):
        if each.is_dir():
            inside = sorted(path for path in each.rglob(f"*{_SUFFIX}") if path.is_file())
            if not inside:
                raise MiyabiError(f"{each}: no file in it ends in {_SUFFIX}")
            found += inside
        else:
            found.append(each)
    return list(dict.fromkeys(found))


def _samples(path: Path, asked: _Asked) -> Samples:
    from miyabi.forecast.reading import read_series  # noqa: PLC0415 - see _about_fleet
    from miyabi.forecast.samples import Samples  # noqa: PLC0415

    try:
        if path.stat().st_size > _LARGEST:
            raise MiyabiError(f"{path}: larger than {_LARGEST // 1_000_000} MB; name a part of it")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise MiyabiError(f"{path}: cannot be read: {error.strerror}") from None
    at, values = read_series(text, str(path))
    return Samples(at, values, falling=asked.falling)
