"""What SQLite and PostgreSQL do differently for the ledger, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from engine.books.durable import make_folder
from engine.books.sqlite import book_error, make_durable
from engine.errors import ConfigError

_WRITES = "trimtab_writes"
_ONE_WRITER = 7_246_318
"""The key of the advisory lock that PostgreSQL's writers queue for."""


def engine_of(url: str) -> Engine:
    """Open a database by its URL; a plain path is a SQLite file.

    Raises:
        ConfigError: The URL isn't one, or its driver isn't installed.
    """
    try:
        parsed = make_url(url) if "://" in url else URL.create("sqlite", database=url)
        engine = create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            f"ledger URL {url!r}: {error}; give a path or a PostgreSQL URL"
        ) from error
    if engine.dialect.name == "sqlite":
        if engine.url.database:
            make_folder(Path(engine.url.database).parent)
        event.listen(engine, "connect", _connected)
        event.listen(engine, "begin", _begun)
    elif engine.dialect.name != "postgresql":
        raise ConfigError(f"ledger URL {url!r}: only SQLite and PostgreSQL keep a ledger")
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other writer can overlap."""
    with told(engine), engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_ONE_WRITER})"))
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """One snapshot."""
    with told(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def told(engine: Engine) -> Iterator[None]:
    """Turn a driver's error into one of ours."""
    try:
        yield
    except DBAPIError as error:
        cause = error.orig if isinstance(error.orig, Exception) else error
        raise book_error(cause, f"ledger {engine.url!r}") from error


def append_only(table: str, dialect: str) -> list[str]:
    """The SQL that makes the database itself refuse to change or delete a row."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER IF NOT EXISTS {table}_never_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'the {table} is append-only'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    return [
        f"CREATE OR REPLACE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION 'the {table} is append-only'; END $$",
        f"CREATE OR REPLACE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
        f"ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()",
    ]


def _connected(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # the driver must not begin transactions by itself: `_begun` does
    connection.isolation_level = None
    make_durable(connection)  # type: ignore[arg-type]  # it is sqlite3's own


def _begun(connection: Connection) -> None:
    # a writer that begins by reading could not be made to wait later, only refused
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
