import sqlite3
import time
from contextlib import closing

import pytest

from engine.config import tools as config
from engine.config.tools import Database
from engine.errors import ConfigError
from engine.workflow.failure import ToolError
from engine.workflow.tooling.builtin.sql import MAX_CHARS, MAX_ROWS, ask_database, query
from tests.engine.workflow.tooling.belts import a_belt, call, texts


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("sql") / "shop ?#%.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """
            CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, photo BLOB);
            CREATE TABLE secret (password TEXT);
            CREATE INDEX i ON secret (password);
            CREATE VIEW v AS SELECT password FROM secret;
            INSERT INTO t VALUES (1, 'tea', x'00ff'), (2, 'milk', NULL);
            INSERT INTO secret VALUES ('hunter2');
            """
        )
    return path


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT id, name FROM t ORDER BY id", [[1, "tea"], [2, "milk"]]),
        ("SELECT count(*) FROM t", [[2]]),
        # A filter of key words would refuse this harmless one.
        ("SELECT 'DROP TABLE t -- update'", [["DROP TABLE t -- update"]]),
        ("SELECT photo FROM t WHERE id = 1", [["<2 bytes>"]]),
        ("WITH c AS (SELECT id FROM t) SELECT sum(id) FROM c", [[3]]),
        ("WITH c AS (SELECT id FROM t) SELECT count(*) FROM c", [[2]]),
        ("SELECT COUNT(*) FROM T", [[2]]),
        ("SELECT upper(name) FROM t WHERE name LIKE 't%'", [["TEA"]]),
        (
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n < 3) "
            "SELECT max(n) FROM c",
            [[3]],
        ),
        ("SELECT name, rank() OVER (ORDER BY id) FROM t LIMIT 1", [["tea", 1]]),
        ("SELECT '2026-01-31', date('2026-01-31', '+1 day')", [["2026-01-31", "2026-02-01"]]),
    ],
)
def test_a_question_about_listed_tables_is_answered(path, sql, rows):
    assert query(path, sql, {"t"}).rows == rows


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT password FROM secret",
        "SELECT count(*) FROM secret",
        "SELECT count(*) FROM SECRET AS c",
        "SELECT 1 FROM secret",
        "WITH c AS (SELECT 1 FROM secret) SELECT count(*) FROM c",
        "SELECT count(*) FROM sqlite_master",
        "SELECT count(*) FROM pragma_table_info('secret')",
        "SELECT (SELECT password FROM secret) FROM t",
        "SELECT id FROM t UNION SELECT password FROM secret",
        "SELECT password FROM v",
        # A name of one's own choosing must not pass for a listed table.
        "WITH t AS (SELECT password FROM secret) SELECT * FROM t",
        "SELECT * FROM (SELECT password FROM secret) AS t",
        "SELECT sql FROM sqlite_master",
        "SELECT * FROM sqlite_schema",
        "DELETE FROM t",
        "UPDATE t SET name = 'x'",
        "INSERT INTO t VALUES (3, 'x', NULL)",
        "REPLACE INTO t VALUES (1, 'x', NULL)",
        "DROP TABLE t",
        "CREATE TABLE x (a)",
        "CREATE TEMP TABLE x (a)",
        "ALTER TABLE t RENAME TO u",
        "PRAGMA table_info(t)",
        "PRAGMA writable_schema = 1",
        "SELECT * FROM pragma_table_info('t')",
        "SELECT * FROM pragma_database_list",
        "ATTACH 'other.db' AS other",
        "SELECT load_extension('x')",
        "SELECT zeroblob(900000000)",
        "SELECT randomblob(10)",
        "SELECT sqlite_version()",
        "SELECT printf('%.*c', 900000000, 'x')",
        "SELECT replace(hex(id), '', 'x'), writefile('a', 'b') FROM t",
        "VACUUM INTO 'copy.db'",
        "BEGIN EXCLUSIVE",
        "SELECT 1; DELETE FROM t",
        "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
        "ANALYZE",
        f"SELECT count(*) FROM t WHERE name LIKE '{'%a' * 60}'",
        "REINDEX",
        "SELECT fts3_tokenizer('x')",
        "not sql",
        "SELECT '\0'",
        "SELECT '\ud800'",
        f"SELECT '{'x' * 30_000}'",
        f"SELECT {'(' * 60}1{')' * 60}+{'+'.join(['1'] * 60)}",
        " UNION ALL ".join(["SELECT 1"] * 11),
    ],
)
def test_everything_else_is_refused(path, sql):
    with pytest.raises(ToolError, match="the query was refused") as refused:
        query(path, sql, {"t"})

    assert refused.value.code == "sql_refused"
    assert "hunter2" not in str(refused.value)


def test_nothing_of_it_changed_the_file(path):
    assert query(path, "SELECT count(*) FROM t", {"t"}).rows == [[2]]


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT count(n) FROM c",
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT n FROM c WHERE n < 0",
    ],
)
def test_an_endless_query_is_stopped(path, sql):
    began = time.monotonic()

    with pytest.raises(ToolError, match=r"stopped after 0\.3 s"):
        query(path, sql, {"t"})

    assert time.monotonic() - began < 2.0


NUMBERS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c WHERE n < 5000) "


def test_rows_beyond_the_cap_are_left_out_and_said_so(path):
    rows = query(path, NUMBERS + "SELECT n FROM c", {"t"})

    assert (len(rows.rows), rows.more) == (MAX_ROWS, True)


def test_long_rows_are_cut_before_they_fill_the_memory(path):
    long = f"replace('{'x' * 1_000}', 'x', '{'y' * 900}')"

    rows = query(path, NUMBERS + f"SELECT {long} FROM c", {"t"})

    assert rows.more
    assert sum(len(row[0]) for row in rows.rows) < MAX_CHARS + 1_000_001


async def test_the_tool_tells_its_tables_and_answers_in_json(path):
    ask = ask_database(Database(name="shop", path=path, tables=("t",)))
    belt = a_belt(ask)

    answers = await texts(
        belt,
        call("ask_shop", sql="SELECT name FROM t WHERE id = 1"),
        call("ask_shop", "b", sql="SELECT * FROM secret"),
    )

    assert "Tables: t (id, name, photo)." in belt.schemas()[0]["function"]["description"]
    assert answers[0] == '{"columns":["name"],"rows":[["tea"]],"more":false}'
    assert answers[1].startswith("error: the query was refused: ")
    assert ask.scopes == ("sql:shop",)


def test_a_database_that_is_not_there_is_refused_at_once(tmp_path, path):
    with pytest.raises(ConfigError, match="unable to open"):
        ask_database(Database(name="shop", path=str(tmp_path / "no.db"), tables=("t",)))
    with pytest.raises(ConfigError, match="there is no table 'u'"):
        ask_database(Database(name="shop", path=path, tables=("t", "u")))


def test_databases_of_one_name_are_refused(path):
    shop = Database(name="shop", path=path, tables=("t",))

    with pytest.raises(ValueError, match="twice"):
        config.Tools(databases=(shop, shop))
