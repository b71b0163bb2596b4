"""The journal in a database: SQLite on one machine, PostgreSQL by URL."""

import asyncio
import json
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from engine.errors import ConfigError, NotFoundError
from engine.workflow.plan.journal import Decided, Kept, Outputs, Question, Status

_META = MetaData()
_RUNS = Table(
    "runs",
    _META,
    Column("id", String, primary_key=True),
    Column("status", String, nullable=False, index=True),
    Column("about", LargeBinary, nullable=False),
    Column("output", LargeBinary),
    Column("error", String, nullable=False),
    Column("at", Float, nullable=False),
)
_STEPS = Table(
    "steps",
    _META,
    Column("id", Integer, primary_key=True),
    Column("run", String, nullable=False, index=True),
    Column("path", String, nullable=False),
    Column("what", String, nullable=False),
    Column("outputs", LargeBinary),
)
_QUESTIONS = Table(
    "questions",
    _META,
    Column("id", String, primary_key=True),
    Column("run", String, nullable=False, index=True),
    Column("path", String, nullable=False),
    Column("ask", String, nullable=False),
    Column("options", String, nullable=False),
    Column("asked_at", Float, nullable=False),
    Column("decision", String, index=True),
    Column("answer", String),
    Column("reason", String),
    Column("by", String),
    Column("decided_at", Float),
)
BUSY_S = 10.0
T = TypeVar("T")


class Runs:
    """Requests on their way, durable: a commit is on the disk before it is acknowledged."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, connect_args=_arguments(url))
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _durable)
        _META.create_all(self._engine)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    async def opened(self, run_id: str, about: Mapping[str, Any]) -> Kept:
        """Begin a request or go on with it; `about` is kept from the first time."""
        return await self._do(lambda connection: _opened(connection, run_id, about))

    async def began(self, run_id: str, path: str) -> None:
        """A step that changes something is about to."""
        await self._write_step(run_id, path, "began", None)

    async def finished(self, run_id: str, path: str, outputs: Outputs) -> None:
        """A step has ended well."""
        await self._write_step(run_id, path, "finished", _packed(outputs))

    async def undone(self, run_id: str, path: str) -> None:
        """A step's effect was taken back."""
        await self._write_step(run_id, path, "undone", None)

    async def waits(self, run_id: str, questions: Sequence[Question]) -> None:
        """The request stops until a person has decided."""
        await self._do(lambda connection: _waits(connection, run_id, questions))

    async def closed(
        self, run_id: str, status: Status, *, output: object = None, error: str = ""
    ) -> None:
        """The request is over."""
        values = {"status": status, "output": _packed(output), "error": error}
        await self._do(
            lambda connection: connection.execute(
                update(_RUNS).where(_RUNS.c.id == run_id).values(**values)
            )
        )

    def about(self, run_id: str) -> dict[str, Any]:
        """What a request was begun with.

        Raises:
            NotFoundError: There is no such request.
        """
        with self._engine.begin() as connection:
            row = connection.execute(select(_RUNS.c.about).where(_RUNS.c.id == run_id)).first()
        if row is None:
            raise NotFoundError(f"there is no request {run_id!r}")
        about: dict[str, Any] = _unpacked(row.about)
        return about

    def questions(self, *, most: int = 100) -> list[Question]:
        """What people are waited for to say, oldest first."""
        wanted = select(_QUESTIONS).where(_QUESTIONS.c.decision.is_(None))
        with self._engine.begin() as connection:
            rows = connection.execute(wanted.order_by(_QUESTIONS.c.asked_at).limit(most)).all()
        return [_question(row) for row in rows]

    def decide(self, question_id: str, decided: Decided) -> Question:
        """Record what a person said; the same once more changes nothing.

        Raises:
            NotFoundError: Nobody asked that.
            ConfigError: It is no answer to the question, has no reason, or it was decided
                otherwise before.
        """
        with self._engine.begin() as connection:
            wanted = select(_QUESTIONS).where(_QUESTIONS.c.id == question_id).with_for_update()
            row = connection.execute(wanted).first()
            if row is None:
                raise NotFoundError(f"there is no question {question_id!r}")
            question = _question(row)
            if row.decision is not None:
                if (row.decision, row.answer) == (decided.decision, decided.answer):
                    return question
                raise ConfigError(f"{question_id}: decided before: {row.decision}, {row.reason}")
            _check(question, decided)
            values = {**vars(decided), "decided_at": time.time()}
            connection.execute(
                update(_QUESTIONS).where(_QUESTIONS.c.id == question_id).values(**values)
            )
        return question

    async def _write_step(self, run_id: str, path: str, what: str, outputs: bytes | None) -> None:
        row = {"run": run_id, "path": path, "what": what, "outputs": outputs}
        await self._do(lambda connection: connection.execute(insert(_STEPS).values(**row)))

    async def _do(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.to_thread(_committed, self._engine, work)


def _committed(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)


def _opened(connection: Connection, run_id: str, about: Mapping[str, Any]) -> Kept:
    row = connection.execute(select(_RUNS).where(_RUNS.c.id == run_id)).first()
    if row is None:
        new = {"id": run_id, "status": "running", "about": _packed(about), "error": ""}
        try:
            with connection.begin_nested():
                connection.execute(insert(_RUNS).values(**new, at=time.time()))
            return Kept()
        except IntegrityError:
            row = connection.execute(select(_RUNS).where(_RUNS.c.id == run_id)).one()
    steps = connection.execute(select(_STEPS).where(_STEPS.c.run == run_id).order_by(_STEPS.c.id))
    written = [(one.what, one.path, one.outputs) for one in steps]
    asked = connection.execute(
        select(_QUESTIONS).where(_QUESTIONS.c.run == run_id, _QUESTIONS.c.decision.is_not(None))
    )
    return Kept(
        status=row.status,
        outputs={path: _unpacked(outputs) for what, path, outputs in written if what == "finished"},
        decided={
            one.id: Decided(one.decision, one.reason, one.answer or "", one.by or "")
            for one in asked
        },
        undone=frozenset(path for what, path, _ in written if what == "undone"),
        output=_unpacked(row.output) if row.output is not None else None,
        error=row.error,
    )


def _waits(connection: Connection, run_id: str, questions: Sequence[Question]) -> None:
    ids = [one.id for one in questions]
    known = set(connection.scalars(select(_QUESTIONS.c.id).where(_QUESTIONS.c.id.in_(ids))))
    for one in questions:
        if one.id not in known:
            row = vars(one) | {"options": ",".join(one.options), "run": run_id}
            row.pop("run_id")
            connection.execute(insert(_QUESTIONS).values(**row))
    connection.execute(update(_RUNS).where(_RUNS.c.id == run_id).values(status="waiting"))


def _question(row: Any) -> Question:  # noqa: ANN401 - a row of any dialect
    options = tuple(row.options.split(","))
    return Question(row.id, row.run, row.path, row.ask, options, row.asked_at)


def _check(question: Question, decided: Decided) -> None:
    if decided.decision not in question.options:
        offered = ", ".join(question.options)
        raise ConfigError(f"{question.id}: got {decided.decision!r}; write one of {offered}")
    if not decided.reason.strip():
        raise ConfigError(f"{question.id}: say why; a decision without a reason is not kept")
    if decided.decision == "answer" and not decided.answer.strip():
        raise ConfigError(f"{question.id}: an answer needs its text")


def _packed(value: object) -> bytes:
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 1)


def _unpacked(packed: bytes) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(zlib.decompress(packed))


def _arguments(url: str) -> dict[str, Any]:
    return {"timeout": BUSY_S} if url.startswith("sqlite") else {}


def _durable(connection: Any, record: object) -> None:  # noqa: ANN401 - the driver's own type
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
