"""The tables of the history: one for each kind of record, made from its class; and records as rows. Pure.

Each has ``id``, which counts in the order of arrival: clocks are set back, and arrival is what "last" means. A record's
``event`` is unique in its table, so that a record that arrives twice is one row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from math import isfinite
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    RowMapping,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeEngine

from miyabi.records import Record, from_line, record_kinds

R = TypeVar("R", bound=Record)

METADATA = MetaData()

ABOUT = Table("about", METADATA, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))
LEASES = Table(
    "leases",
    METADATA,
    Column("host", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Double, nullable=False),
)

_COLUMN_TYPES: dict[type, type[TypeEngine[Any]]] = {
    str: Text,
    float: Double,
    int: BigInteger,
    bool: Boolean,
    dict: JSON,
    tuple: JSON,
}

# What is looked for, beside a record's moment and its run.
_LOOKED_UP = (
    ("incident", "id"),
    ("host", "subject", "id"),
    ("subject", "id"),
    ("host", "target", "id"),
    ("host", "id"),
)
_NAMES = {"event", "run", "host", "target", "incident", "subject"}
# Bytes. PostgreSQL takes 2704 in an index, and one has three of them.
_LONGEST_NAME = 800


def _types(kind: type[Record]) -> dict[str, tuple[type, bool]]:
    """The type of each field in Python, and whether it may be None."""
    hints = get_type_hints(kind)
    return {each.name: _type(hints[each.name]) for each in fields(kind)}


def _type(hint: Any) -> tuple[type, bool]:
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return _type(next(each for each in get_args(hint) if each is not type(None)))[0], True
    return {None: hint, Literal: str, tuple: tuple}.get(origin, dict), False


_TYPES = {kind: _types(kind) for kind in record_kinds().values()}


def _table(kind: type[Record]) -> Table:
    columns = [
        Column(name, _COLUMN_TYPES[python], nullable=optional) for name, (python, optional) in _TYPES[kind].items()
    ]
    names = {"id"} | set(_TYPES[kind])
    wanted = next((each for each in _LOOKED_UP if names.issuperset(each)), None)
    return Table(
        kind.TABLE,
        METADATA,
        Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
        *columns,
        UniqueConstraint("event", name=f"{kind.TABLE}_event"),
        Index(f"{kind.TABLE}_at", "at"),
        Index(f"{kind.TABLE}_run", "run", *(each for each in ("host", "target") if each in names)),
        *([Index(f"{kind.TABLE}_{'_'.join(wanted[:-1])}", *wanted)] if wanted else []),
    )


TABLES: dict[type[Record], Table] = {kind: _table(kind) for kind in record_kinds().values()}


def row_of(record: Record) -> dict[str, Any] | None:
    """A record as a row; None when a database would not take it, such as one without a finite time."""
    row = {}
    for name, (python, optional) in _TYPES[type(record)].items():
        value = _column(getattr(record, name), python)
        if value is None and not optional:
            return None
        if name in _NAMES and isinstance(value, str) and len(value.encode()) > _LONGEST_NAME:
            return None
        row[name] = value
    return row


def _column(value: Any, python: type) -> Any:
    """A value as its column takes it; None when it is none, or not of that type."""
    if python is float:
        return float(value) if _is_number(value) and isfinite(value) else None
    if python is int:
        return value if _is_number(value) and isinstance(value, int) and abs(value) < 2**63 else None
    if python is tuple and isinstance(value, list):
        value = tuple(value)
    return _plain(value) if isinstance(value, Mapping if python is dict else python) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """A value without what no database takes: zero bytes, halves of characters, numbers that are none."""
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_plain(str(name)): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value if value is None or isinstance(value, int | float) else str(value)


def record_of(kind: type[R], row: RowMapping) -> R:
    """The record of a row."""
    values: dict[str, Any] = {}
    for name in _TYPES[kind]:
        value = row[name]
        values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def inserting(connection: Connection) -> Any:
    """The INSERT of a connection's dialect, which alone can say what to do with a row that is there already."""
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def read_line(line: str) -> tuple[Record | None, bool]:
    """The record of a journal's line, and whether that is all that the line says; None when it makes no sense."""
    try:
        record = from_line(line)
        if record is None or row_of(record) is None:
            return None, False
        return record, set(json.loads(line)) <= {"table", *_TYPES[type(record)]}
    except (RecursionError, OverflowError):
        return None, False
