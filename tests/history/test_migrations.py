"""The schema has a version, and every version leads to the next."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from sqlalchemy import Connection, MetaData, Table, insert, text

from miyabi.errors import HistoryError
from miyabi.history_engine import SCHEMA, make_engine, place_of
from miyabi.history_migrations import MIGRATIONS, make_schema
from miyabi.history_tables import ABOUT, METADATA
from miyabi.journal import append, journal_size
from miyabi.predicted import Predicted
from miyabi.records import Decided, IncidentChanged, Recovered, RunStarted
from tests.history.ground import Ground, make
from tests.history.test_journal import REPOSITORY

VERSION_1 = Path(__file__).with_name("version_1.txt")


def add_mood(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE runs ADD COLUMN mood TEXT NOT NULL DEFAULT 'good'"))


def fail_half_way(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE half (x INTEGER)"))
    connection.execute(text("INSERT INTO nowhere VALUES (1)"))


def version_of(ground: Ground) -> str:
    [(version,)] = ground.ask("SELECT value FROM about WHERE name = 'version'")
    return str(version)


def test_a_new_database_has_todays_version(ground: Ground) -> None:
    ground.open().close()
    assert version_of(ground) == str(len(MIGRATIONS) + 1)


def test_from_version_1_to_2_with_all_that_is_in_it(ground: Ground) -> None:
    with ground.open(migrations=()) as history:
        history.write([first := make(RunStarted)])
    append(ground.folder, [second := make(RunStarted)])
    with ground.open(migrations=[add_mood]) as history:
        assert history.records(RunStarted) == [second, first]
    assert version_of(ground) == "2"
    assert ground.ask("SELECT mood FROM runs") == [("good",), ("good",)]
    # Once is enough.
    ground.open(migrations=[add_mood]).close()


def test_a_newer_version_is_refused_and_left_alone(ground: Ground) -> None:
    ground.open(migrations=()).close()
    ground.open(migrations=[add_mood]).close()
    append(ground.folder, [make(RunStarted)])
    with pytest.raises(HistoryError, match=r"version 2, and this .* knows up to 1; it is left as it is: update"):
        ground.open(migrations=())
    assert version_of(ground) == "2"
    assert ground.ask("SELECT count(*) FROM runs") == [(0,)]
    assert journal_size(ground.folder) > 0
    with ground.open(migrations=[add_mood]) as history:
        assert len(history.records(RunStarted)) == 1


def test_a_step_that_fails_leaves_what_was_there(ground: Ground) -> None:
    """The steps before it stay done."""
    with ground.open(migrations=()) as history:
        history.write([record := make(RunStarted)])
    with pytest.raises(HistoryError, match="nowhere"):
        ground.open(migrations=[add_mood, fail_half_way])
    assert version_of(ground) == "2"
    with pytest.raises(Exception, match="half"):
        ground.ask("SELECT * FROM half")
    with ground.open(migrations=[add_mood]) as history:
        assert history.records(RunStarted) == [record]


OPENING = """
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from sqlalchemy import text
from miyabi.history import open_history
def add_mood(connection):
    connection.execute(text("ALTER TABLE runs ADD COLUMN mood TEXT"))
sys.stdin.readline()
open_history(Path(sys.argv[1]), sys.argv[2] or None, now=1.0, migrations=[add_mood][: int(sys.argv[3])]).close()
"""


@pytest.mark.parametrize("migrations", [0, 1])
def test_many_who_make_or_migrate_it_at_once(ground: Ground, migrations: int) -> None:
    if migrations:
        ground.open(migrations=()).close()
    several = [
        subprocess.Popen(
            [sys.executable, "-c", OPENING, str(ground.folder), ground.url or "", str(migrations)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(5)
    ]
    for each in several:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    assert [each.communicate(timeout=30)[1] for each in several] == [""] * 5
    assert version_of(ground) == str(migrations + 1)


def described(tables: Iterable[Table]) -> str:
    return "".join(
        f"{table.name}.{column.name} {column.type}{'?' if column.nullable else ''}\n"
        for table in sorted(tables, key=lambda each: each.name)
        for column in table.columns
    )


def test_the_tables_of_version_1() -> None:
    """Once it is released, a table changes by a migration alone."""
    later = {"predictions"}
    tables = [each for each in METADATA.sorted_tables if each.name not in later]
    assert described(tables) == VERSION_1.read_text(), "a column came or went: add a migration"


def test_a_database_of_version_1_becomes_what_a_new_one_is(ground: Ground) -> None:
    older = [each for each in METADATA.sorted_tables if each.name != "predictions"]
    place = place_of(ground.folder, ground.url)
    engine = make_engine(place)
    with engine.begin() as connection:
        make_schema(connection, SCHEMA)
        METADATA.create_all(connection, tables=older)
        connection.execute(insert(ABOUT).values(name="version", value="1"))
    with ground.open() as history:
        wanted = make(Predicted, forecast=((1.0, 2.0, 1.5, 2.5),), error={"cases": 3})
        history.write([wanted])
        [found] = history.records(Predicted)
        assert (found.host, found.error, list(found.forecast[0])) == (wanted.host, {"cases": 3}, [1.0, 2.0, 1.5, 2.5])
    with engine.connect() as connection:
        found_table = Table("predictions", MetaData(), autoload_with=connection)
        ours = METADATA.tables["predictions"]
        assert [each.name for each in found_table.columns] == [each.name for each in ours.columns]
        assert {each.name for each in found_table.columns if each.nullable} == {
            each.name for each in ours.columns if each.nullable
        }
        assert {each.name for each in found_table.indexes} >= {each.name for each in ours.indexes}
    engine.dispose()


def test_the_manual_names_every_column() -> None:
    manual = (REPOSITORY / "docs" / "history.md").read_text()
    for table in METADATA.sorted_tables:
        [row] = [line for line in manual.splitlines() if line.startswith(f"| `{table.name}` |")]
        for column in set(table.columns.keys()) - {"id", "event", "run", "at"}:
            assert f"`{column}`" in row, f"{table.name}.{column} is not in docs/history.md"


def test_the_manual_s_questions_have_answers(ground: Ground) -> None:
    manual = (REPOSITORY / "docs" / "history.md").read_text()
    code = "".join(line[4:] if line.startswith("    ") else "\n" for line in manual.splitlines(keepends=True))
    questions = re.findall(r"^SELECT .*?;$", code, re.DOTALL | re.MULTILINE)
    assert len(questions) == 4
    with ground.open() as history:
        history.write(
            [make(Recovered, time.time()), make(Decided), make(Decided, allowed=False), make(IncidentChanged)]
        )
    for question in questions:
        if ground.url is not None:
            question = question.replace("unixepoch()", "extract(epoch from now())")  # noqa: PLW2901
        assert len(ground.ask(question)) == 1
