"""What Prometheus's linter finds wrong with an exposition, looked for by other means than those that wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator

_NAME = r"[a-z][a-z0-9_]*"
_LABEL = rf'{_NAME}="(?:[^"\\\n]|\\[\\"n])*"'
_SAMPLE = re.compile(rf"(?P<name>{_NAME})(?:\{{(?P<labels>{_LABEL}(?:,{_LABEL})*)\}})? (?P<value>\S+)")
_COMMENT = re.compile(rf"# (?P<what>HELP|TYPE) (?P<name>{_NAME}) (?P<text>.+)")
_OTHER_UNITS = re.compile(
    r"_(?:milliseconds?|microseconds?|nanoseconds?|minutes?|hours?|days?|weeks?|percent|percentage|"
    r"kilobytes?|megabytes?|gigabytes?|kb|mb|gb|ms|us|ns|secs?)(?:_|$)"
)


def problems(text: str) -> Iterator[str]:
    """Everything that is wrong, a line each."""
    if not text.endswith("\n"):
        yield "the last line has no end"
    told: dict[str, dict[str, str]] = {"HELP": {}, "TYPE": {}}
    over: set[str] = set()
    series: set[tuple[str, str]] = set()
    current = ""
    for line in text.splitlines():
        comment, sample = _COMMENT.fullmatch(line), _SAMPLE.fullmatch(line)
        found = comment or sample
        if found is None:
            yield f"neither a comment nor a sample without a timestamp: {line!r}"
            continue
        if (name := found["name"]) != current:
            if name in over:
                yield f"{name}: not in one piece"
            over.add(current := name)
        if comment is not None:
            if name in told[comment["what"]]:
                yield f"{name}: {comment['what']} twice"
            told[comment["what"]][name] = comment["text"]
        elif not all(name in each for each in told.values()):
            yield f"{name}: no HELP or no TYPE before its samples"
        if sample is not None:
            yield from _of_sample(sample, series)
    yield from _of_names(told["TYPE"])


def _of_sample(sample: re.Match[str], series: set[tuple[str, str]]) -> Iterator[str]:
    name, labels = sample["name"], sample["labels"] or ""
    if (name, labels) in series:
        yield f"{name}{{{labels}}}: twice"
    series.add((name, labels))
    names = re.findall(rf"({_NAME})=\"", re.sub(r"\"(?:[^\"\\]|\\.)*\"", '"', labels))
    if {"le", "quantile"} & set(names) or len(set(names)) != len(names):
        yield f"{name}: labels {names}"
    float(sample["value"])


def _of_names(kinds: dict[str, str]) -> Iterator[str]:
    for name, kind in kinds.items():
        if (kind == "counter") != name.endswith("_total"):
            yield f"{name}: a {kind}"
        if kind == "gauge" and name.endswith(("_count", "_sum", "_bucket", "_info")) and name != "miyabi_build_info":
            yield f"{name}: a name of a histogram's"
        if _OTHER_UNITS.search(name):
            yield f"{name}: not in base units"
        if not name.startswith("miyabi_"):
            yield f"{name}: no prefix"
