"""Questions in SQL, of which SQLite itself refuses everything but reads of listed tables."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from pathlib import Path

from pydantic import BaseModel, JsonValue

from engine.config.tools import Database
from engine.errors import ConfigError
from engine.workflow.failure import ToolError
from engine.workflow.tooling.tool import Tool, tool

DEADLINE_S = 0.3
MAX_ROWS = 1_000
MAX_CHARS = 1_000_000
"""Of all rows together: a thousand rows may each be as long as one value is allowed to be."""
STEPS = 1_000
"""Of SQLite's machine between two looks at the clock."""
LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 20_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 50,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 10,
    # One LIKE is one step of the machine, so the deadline can't stop a hard pattern.
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100,
}
FUNCTIONS = """
abs avg ceil ceiling coalesce concat concat_ws count date datetime floor glob group_concat hex
ifnull iif instr json_array_length json_extract julianday length like lower ltrim max min mod nullif
power replace round rtrim sign sqrt strftime string_agg substr substring sum time total trim trunc
typeof unicode unixepoch upper -> ->> row_number rank dense_rank percent_rank cume_dist ntile lag
lead first_value last_value nth_value
"""
"""What a query may call: nothing that loads code, makes up bytes or tells of this machine."""


class Rows(BaseModel):
    """What a question came to."""

    columns: list[str]
    rows: list[list[JsonValue]]
    more: bool
    """There were more rows than are shown."""


def query(path: str, sql: str, tables: Collection[str]) -> Rows:
    """Answer one SELECT over these tables.

    Raises:
        ToolError: SQLite refused it, or it took too long.
    """
    ends = time.monotonic() + DEADLINE_S
    try:
        with closing(_opened(path)) as connection:
            for limit, most in LIMITS.items():
                connection.setlimit(limit, most)
            connection.set_authorizer(_authorizer(tables, _names(connection)))
            connection.set_progress_handler(lambda: time.monotonic() > ends, STEPS)
            return _rows(connection.execute(sql))
    # Two statements are a Warning before Python 3.12; a lone surrogate or a NUL is a ValueError.
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        why = f"stopped after {DEADLINE_S:g} s" if str(error) == "interrupted" else str(error)
        raise ToolError("sql_refused", f"the query was refused: {why}") from error


def ask_database(database: Database) -> Tool:
    """A tool that answers questions in SQL about one database.

    Raises:
        ConfigError: The file can't be read, or a listed table is not in it.
    """
    tables = frozenset(database.tables)

    async def ask(sql: str) -> Rows:
        return await asyncio.to_thread(query, database.path, sql, tables)

    ask.__doc__ = f"""Answers one SELECT in SQLite's dialect. Tables: {_described(database)}.

    Args:
        sql: The statement.
    """
    scope = f"sql:{database.name}"
    return tool(effect="read", name=f"ask_{database.name}", scopes=(scope,))(ask)


def _opened(path: str) -> sqlite3.Connection:
    uri = f"{Path(path).absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=DEADLINE_S)


def _names(connection: sqlite3.Connection) -> set[str]:
    return {name.lower() for (name,) in connection.execute("SELECT name FROM sqlite_master")}


def _authorizer(tables: Collection[str], names: Collection[str]) -> Callable[..., int]:
    functions = frozenset(FUNCTIONS.split())
    listed = {table.lower() for table in tables}

    def counted(table: str) -> bool:
        # Rows are counted without reading a column, and the name is as the query wrote it: it may
        # be one that the query made up in a WITH, which hides no table of the file.
        table = table.lower()
        return table in listed or not (table in names or table.startswith(("sqlite_", "pragma_")))

    def allow(
        action: int, first: str | None, second: str | None, base: str | None, source: str | None
    ) -> int:
        # `source` names the view that reads; a query may name anything so, thus it proves nothing.
        match action:
            case sqlite3.SQLITE_SELECT | sqlite3.SQLITE_RECURSIVE:
                return sqlite3.SQLITE_OK
            case sqlite3.SQLITE_READ if second and first in tables and base == "main":
                return sqlite3.SQLITE_OK
            case sqlite3.SQLITE_READ if not second and counted(first or ""):
                return sqlite3.SQLITE_OK
            case sqlite3.SQLITE_FUNCTION if (second or "").lower() in functions:
                return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    return allow


def _rows(cursor: sqlite3.Cursor) -> Rows:
    columns = [column[0] for column in cursor.description or ()]
    rows: list[list[JsonValue]] = []
    chars = 0
    for row in cursor:
        if len(rows) == MAX_ROWS or chars > MAX_CHARS:
            return Rows(columns=columns, rows=rows, more=True)
        rows.append([_plain(value) for value in row])
        chars += sum(len(value) for value in row if isinstance(value, str | bytes))
    return Rows(columns=columns, rows=rows, more=False)


def _plain(value: str | bytes | float | None) -> JsonValue:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else value


def _described(database: Database) -> str:
    try:
        with closing(_opened(database.path)) as connection:
            return ", ".join(f"{t} ({', '.join(_columns(connection, t))})" for t in database.tables)
    except sqlite3.Error as error:
        raise ConfigError(f"database {database.name!r}: {database.path}: {error}") from error


def _columns(connection: sqlite3.Connection, table: str) -> Sequence[str]:
    columns = [
        name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    ]
    if not columns:
        raise sqlite3.OperationalError(f"there is no table {table!r}")
    return columns
