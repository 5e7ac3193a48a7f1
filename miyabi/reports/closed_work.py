"""Closed issues and merged pull requests, from what GitHub answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from miyabi.reports.report import Item, RepositoryWork

# Of GitHub's pages.
PAGE = 100

_NEXT = re.compile(r'<(?P<address>[^<>\s]{1,2000})>\s*;[^,]{0,200}?\brel="?next\b')


def question(repository: str, since: float) -> str:
    """What is asked: all that was closed and has changed since then; what was closed later has changed, too."""
    stamp = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked = {"state": "closed", "since": stamp, "sort": "updated", "direction": "desc", "per_page": PAGE}
    return f"repos/{repository}/issues?{urlencode(asked)}"


def next_page(link: str) -> str | None:
    """The address of the next page, from the header ``Link``; None at the last one."""
    found = _NEXT.search(link)
    return found["address"] if found else None


def work_of(repository: str, answered: Iterable[Any]) -> RepositoryWork:
    """What was closed and merged ever, as far as it was answered, the oldest first.

    + answered: issues and pull requests as GitHub writes them

    Raises ``ValueError`` when they are anything else. A pull request that was closed without being merged is neither.
    """
    closed: dict[int, Item] = {}
    merged: dict[int, Item] = {}
    for told in answered:
        try:
            # Pages overlap when something changes while they are read.
            if (pull := told.get("pull_request")) is None:
                closed[told["number"]] = _item(told, told["closed_at"])
            elif pull.get("merged_at"):
                merged[told["number"]] = _item(told, pull["merged_at"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"what it answered are no issues: {error}") from None
    return RepositoryWork(repository, _in_order(closed), _in_order(merged))


def between(work: RepositoryWork, since: float, until: float) -> RepositoryWork:
    """What of it was closed and merged from ``since`` until before ``until``."""
    return replace(
        work,
        closed=tuple(each for each in work.closed if since <= each.at < until),
        merged=tuple(each for each in work.merged if since <= each.at < until),
    )


def _item(told: Mapping[str, Any], at: str) -> Item:
    author = (told.get("user") or {}).get("login") or ""
    moment = datetime.fromisoformat(at)
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Item(int(told["number"]), str(told["title"]), str(author), zoned.timestamp())


def _in_order(items: Mapping[int, Item]) -> tuple[Item, ...]:
    return tuple(sorted(items.values(), key=lambda each: (each.at, each.number)))
