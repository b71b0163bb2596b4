"""The journal in a database: SQLite on one machine, PostgreSQL by URL."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, delete, event, insert, select, update

from engine.errors import ConfigError, NotFoundError
from engine.workflow.plan.holds import abandoned, held, let_go
from engine.workflow.plan.journal import Decided, Kept, Outputs, Question, Status, Undoing
from engine.workflow.plan.packing import packed, unpacked
from engine.workflow.plan.tables import META, QUESTIONS, RUNS, STEPS, added

BUSY_S = 10.0
KEPT_S = 30 * 86_400.0
"""For as long a request that is over is still known by its id."""
SWEPT_EVERY = 1_000
"""Requests that end between two sweeps, fewer than one sweep lets go."""
OPEN = ("running", "waiting")
T = TypeVar("T")


class Runs:
    """Requests on their way, durable: a commit is on the disk before it is acknowledged."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, connect_args=_arguments(url))
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _durable)
        META.create_all(self._engine)
        self._ended = count(1)
        self.sweep()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    async def opened(self, run_id: str, about: Mapping[str, Any]) -> Kept | None:
        """Begin a request or go on with it; None while a living process works on it."""
        return await self._do(lambda connection: _opened(connection, run_id, about))

    async def released(self, run_id: str) -> None:
        """Nobody works on the request any more, and it isn't over."""
        await self._do(lambda connection: let_go(connection, run_id))

    async def began(self, run_id: str, path: str) -> None:
        """A step that changes something is about to."""
        await self._write_steps(run_id, path, {"began": None})

    async def finished(
        self, run_id: str, path: str, outputs: Outputs, undoing: Undoing | None = None
    ) -> None:
        """A step has ended well; `undoing` would take its effect back.

        Raises:
            StepError: Its outputs are no JSON.
        """
        what: dict[str, bytes | None] = {"finished": packed(outputs, f"what `{path}` gave")}
        if undoing is not None:
            what["owes"] = packed(vars(undoing), f"what takes `{path}` back")
        await self._write_steps(run_id, path, what)

    async def failed(self, run_id: str, path: str) -> None:
        """A step that was to change something has failed, which is an end too."""
        await self._write_steps(run_id, path, {"failed": None})

    async def undone(self, run_id: str, path: str) -> None:
        """A step's effect was taken back."""
        await self._write_steps(run_id, path, {"undone": None})

    async def failing(self, run_id: str, error: str) -> None:
        """The request has failed; what it changed is taken back from now on."""
        values = {"error": _whole(error)}
        await self._do(
            lambda connection: connection.execute(
                update(RUNS).where(RUNS.c.id == run_id).values(**values)
            )
        )

    async def waits(self, run_id: str, questions: Sequence[Question]) -> None:
        """The request stops until a person has decided."""
        await self._do(lambda connection: _waits(connection, run_id, questions))

    async def closed(
        self, run_id: str, status: Status, *, output: object = None, error: str = ""
    ) -> None:
        """The request is over."""
        values = {
            "status": status,
            "output": packed(output, "the answer"),
            "error": _whole(error),
            "at": time.time(),
        }
        await self._do(lambda connection: _closed(connection, run_id, values))
        if next(self._ended) % SWEPT_EVERY == 0:
            await asyncio.to_thread(self.sweep)

    def about(self, run_id: str) -> dict[str, Any]:
        """What a request was begun with.

        Raises:
            NotFoundError: There is no such request.
        """
        with self._engine.begin() as connection:
            row = connection.execute(select(RUNS.c.about).where(RUNS.c.id == run_id)).first()
        if row is None:
            raise NotFoundError(f"there is no request {run_id!r}")
        about: dict[str, Any] = unpacked(row.about)
        return about

    def questions(self, workflow: str = "", *, most: int = 100) -> list[Question]:
        """What people are waited for to say, oldest first; of one workflow, where it is named."""
        wanted = (
            select(QUESTIONS, RUNS.c.about)
            .join(RUNS, RUNS.c.id == QUESTIONS.c.run)
            .where(QUESTIONS.c.decision.is_(None))
            .order_by(QUESTIONS.c.asked_at)
        )
        with self._engine.begin() as connection:
            rows = connection.execute(wanted)
            found = (_question(row) for row in rows if _is_of(workflow, row.about))
            return list(islice(found, most))

    def abandoned(self) -> list[str]:
        """Requests that could go on and that no living process works on, oldest first."""
        with self._engine.begin() as connection:
            return abandoned(connection)

    def sweep(self, *, now: float | None = None, most: int = 2_000) -> int:
        """Let go of requests that have been over for long; what people decided stays on record."""
        before = (time.time() if now is None else now) - KEPT_S
        over = select(RUNS.c.id).where(RUNS.c.at < before, RUNS.c.status.not_in(OPEN)).limit(most)
        with self._engine.begin() as connection:
            ids = list(connection.scalars(over))
            for one in ids:
                connection.execute(delete(STEPS).where(STEPS.c.run == one))
                connection.execute(delete(RUNS).where(RUNS.c.id == one))
        return len(ids)

    def decide(self, question_id: str, decided: Decided, *, workflow: str = "") -> Question:
        """Record what a person said; the same once more changes nothing.

        A question of another workflow than the one that is named is none.

        Raises:
            NotFoundError: Nobody asked that.
            ConfigError: It is no answer to the question, has no reason, or it was decided
                otherwise before.
        """
        with self._engine.begin() as connection:
            wanted = select(QUESTIONS).where(QUESTIONS.c.id == question_id).with_for_update()
            row = connection.execute(wanted).first()
            if row is None or (workflow and self.about(row.run)["workflow"] != workflow):
                raise NotFoundError(f"there is no question {question_id!r}")
            question = _question(row)
            if row.decision is not None:
                if (row.decision, row.answer) == (decided.decision, decided.answer):
                    return question
                raise ConfigError(f"{question_id}: decided before: {row.decision}, {row.reason}")
            _check(question, decided)
            values = {**vars(decided), "decided_at": time.time()}
            undecided = QUESTIONS.c.id == question_id, QUESTIONS.c.decision.is_(None)
            if connection.execute(update(QUESTIONS).where(*undecided).values(**values)).rowcount:
                return question
        # Somebody else was quicker.
        return self.decide(question_id, decided, workflow=workflow)

    async def _write_steps(self, run_id: str, path: str, what: Mapping[str, bytes | None]) -> None:
        rows = [
            {"run": run_id, "path": path, "what": one, "outputs": kept}
            for one, kept in what.items()
        ]
        await self._do(lambda connection: connection.execute(insert(STEPS), rows))

    async def _do(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.to_thread(_committed, self._engine, work)


def _committed(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)


def _opened(connection: Connection, run_id: str, about: Mapping[str, Any]) -> Kept | None:
    new = {"id": run_id, "status": "running", "about": packed(about, "the request"), "error": ""}
    is_new = added(connection, RUNS, new | {"at": time.time()})
    row = connection.execute(select(RUNS).where(RUNS.c.id == run_id)).one()
    if row.status in OPEN and not held(connection, run_id):
        return None
    if is_new:
        return Kept()
    if row.status == "running":
        connection.execute(insert(STEPS).values(run=run_id, path="", what="again"))
    steps = connection.execute(select(STEPS).where(STEPS.c.run == run_id).order_by(STEPS.c.id))
    known = _Known()
    for step in steps:
        known.read(step.path, step.what, step.outputs)
    asked = connection.execute(
        select(QUESTIONS).where(QUESTIONS.c.run == run_id, QUESTIONS.c.decision.is_not(None))
    )
    return Kept(
        status=row.status,
        outputs=known.outputs,
        decided={
            one.id: Decided(one.decision, one.reason, one.answer or "", one.by or "")
            for one in asked
        },
        begun={path: times for path, times in known.begun.items() if path in known.unended},
        owed=known.owed,
        output=unpacked(row.output) if row.output is not None else None,
        error=row.error,
    )


@dataclass
class _Known:
    """What the steps of one request come to, read in the order in which they were written."""

    outputs: dict[str, Outputs] = field(default_factory=dict)
    owed: dict[str, Undoing] = field(default_factory=dict)
    begun: Counter[str] = field(default_factory=Counter)
    unended: set[str] = field(default_factory=set)

    def read(self, path: str, what: str, outputs: bytes | None) -> None:
        """Take in what was written next."""
        match what:
            case "began":
                self.begun[path] += 1
                self.unended.add(path)
            case "finished":
                self.outputs[path] = unpacked(outputs or b"")
                self.unended.discard(path)
            case "failed":
                self.unended.discard(path)
            case "owes":
                self.owed[path] = Undoing(**unpacked(outputs or b""))
            case "undone":
                self.owed.pop(path, None)
            case _:
                pass


def _closed(connection: Connection, run_id: str, values: Mapping[str, Any]) -> None:
    connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(**values))
    let_go(connection, run_id)


def _waits(connection: Connection, run_id: str, questions: Sequence[Question]) -> None:
    for one in questions:
        row = vars(one) | {"options": ",".join(one.options), "run": run_id, "ask": _whole(one.ask)}
        row.pop("run_id")
        added(connection, QUESTIONS, row)
    connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(status="waiting"))
    let_go(connection, run_id)


def _question(row: Any) -> Question:  # noqa: ANN401 - a row of any dialect
    options = tuple(row.options.split(","))
    return Question(row.id, row.run, row.path, row.ask, options, row.asked_at)


def _is_of(workflow: str, about: bytes) -> bool:
    return not workflow or unpacked(about).get("workflow") == workflow


def _check(question: Question, decided: Decided) -> None:
    if decided.decision not in question.options:
        offered = ", ".join(question.options)
        raise ConfigError(f"{question.id}: got {decided.decision!r}; write one of {offered}")
    if not decided.reason.strip():
        raise ConfigError(f"{question.id}: say why; a decision without a reason is not kept")
    if decided.decision == "answer" and not decided.answer.strip():
        raise ConfigError(f"{question.id}: an answer needs its text")


def _whole(text: str) -> str:
    # Half a character, such as a broken file name holds, is nothing that a database keeps.
    return text.encode(errors="replace").decode()


def _arguments(url: str) -> dict[str, Any]:
    return {"timeout": BUSY_S} if url.startswith("sqlite") else {}


def _durable(connection: Any, record: object) -> None:  # noqa: ANN401 - the driver's own type
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
