"""The order of a graph's steps, found while they run: no step waits for one it doesn't read."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from engine.errors import DeadlineError
from engine.workflow.failure import PersonError, StepError
from engine.workflow.plan.journal import Decided, Question, Undoing
from engine.workflow.plan.place import Act, Place, Values, shown

T = TypeVar("T")


class WaitingError(Exception):
    """A person has to decide before the request can go on; nothing has failed."""

    code = "waiting"

    def __init__(self, questions: Sequence[Question]) -> None:
        super().__init__(", ".join(one.path for one in questions))
        self.questions = tuple(questions)


@dataclass(frozen=True)
class Task:
    """One step, made ready to run."""

    name: str
    kind: str
    act: Act
    needs: tuple[int, ...]
    """Steps that must have run; if one was skipped this one is, too."""
    awaits: tuple[int, ...]
    """All steps that must have ended, `needs` among them."""
    when: Callable[[Values], bool] | None = None
    enabled: bool = True
    timeout_s: float | None = None
    on_error: str = "terminate"
    instead: str | None = None
    gives_text: bool = False
    """A text can stand for all that it gives."""
    lasting: bool = False
    """Its outputs are written to the journal: they were paid for, or changed something."""
    effect: bool = False
    """It changes something outside: once begun it is brought to its end."""
    known_by_key: bool = False
    """Done again it changes nothing more: the other side knows it by its key."""
    undo: Callable[[Values], Undoing] | None = None
    """What takes its effect back, from the values at its end."""


@dataclass
class Execution:
    """What one run through a graph knows at a time."""

    values: Values
    place: Place
    left: list[int]
    skipped: set[int] = field(default_factory=set)
    parked: list[Question] = field(default_factory=list)


class Plan:
    """A graph's steps and who follows whom; made once, run many times at once."""

    def __init__(self, tasks: Sequence[Task], answer: Callable[[Values], object]) -> None:
        self.tasks = tuple(tasks)
        self._answer = answer
        self._counts = [len(task.awaits) for task in tasks]
        self._roots = [index for index, task in enumerate(tasks) if not task.awaits]
        self._followers: list[list[int]] = [[] for _ in tasks]
        for index, task in enumerate(tasks):
            for other in task.awaits:
                self._followers[other].append(index)
        one_each = all(len(followers) <= 1 for followers in self._followers)
        self._is_chain = one_each and len(self._roots) == 1

    async def run(self, given: Mapping[str, Any], place: Place) -> Execution:
        """Run every step that is to run; `given` is the graph's input.

        Raises:
            StepError, DeadlineError: The first failure; the other steps were cancelled.
            WaitingError: Everything that can run has run, and a person is asked.
        """
        execution = Execution({"input": dict(given)}, place, list(self._counts))
        if self._is_chain:
            await self._advance(execution, self._roots[0], None)
        else:
            try:
                async with asyncio.TaskGroup() as group:
                    for root in self._roots:
                        group.create_task(self._advance(execution, root, group))
            except BaseExceptionGroup as failures:
                raise first_failure(failures) from None
        if execution.parked:
            raise WaitingError(execution.parked)
        return execution

    def answer(self, values: Values) -> object:
        """What the graph is there for; None where the step that gives it was skipped."""
        return self._answer(values)

    async def _advance(
        self, execution: Execution, index: int, group: asyncio.TaskGroup | None
    ) -> None:
        """Run a step and then, in the same task, the first of those that waited for it alone."""
        following: int | None = index
        while following is not None:
            index, following = following, None
            if not await self._step(execution, index):
                return
            for follower in self._followers[index]:
                execution.left[follower] -= 1
                if execution.left[follower]:
                    continue
                if following is None:
                    following = follower
                elif group is not None:
                    group.create_task(self._advance(execution, follower, group))

    async def _step(self, execution: Execution, index: int) -> bool:
        """Run one step, or skip it; False where what follows has to wait for a person."""
        task, values = self.tasks[index], execution.values
        skipped = execution.skipped
        if (
            not task.enabled
            or (skipped and not skipped.isdisjoint(task.needs))
            or (task.when is not None and not task.when(values))
        ):
            skipped.add(index)
            return True
        place = execution.place
        path = place.path + task.name
        if path in place.kept:
            values[task.name] = place.kept[path]
            return True
        try:
            outputs = await (_helped if task.on_error == "person" else _acted)(
                task, values, place, path
            )
        except WaitingError as waiting:
            execution.parked += waiting.questions
            return False
        except (StepError, DeadlineError):
            stops = task.on_error in {"terminate", "person"}
            if stops or place.run.deadline <= time.monotonic():
                raise
            if task.on_error == "skip":
                skipped.add(index)
                return True
            outputs = {"text": task.instead}
        values[task.name] = outputs
        return True


async def _acted(task: Task, values: Values, place: Place, path: str) -> dict[str, Any]:
    with place.run.timeline.span(shown(path)) as span:
        span["kind"] = task.kind
        try:
            if task.effect:
                return await brought_to_its_end(_effect(task, values, place, path))
            outputs = await _in_time(task, values, place, path)
            await _kept(task, values, place, path, outputs)
        except (StepError, DeadlineError, WaitingError):
            raise
        except Exception as error:
            # Whatever a part breaks with, what the request changed has to be taken back.
            why = f"`{path}`: {type(error).__name__}: {error}"
            raise StepError("step_failed", why) from error
        return outputs


async def _helped(task: Task, values: Values, place: Place, path: str) -> dict[str, Any]:
    """Run a step that a person helps out of its failures.

    Raises:
        WaitingError: It failed, and nobody has said yet what to do.
        PersonError: Somebody said to leave it.
    """
    tries = 1
    while (past := place.decided.get(f"{place.run.id}:{path}:{tries}")) is not None:
        if (answer := _instead(past)) is not None:
            await _kept(task, values, place, path, answer)
            return answer
        tries += 1
    try:
        return await _acted(task, values, place, path)
    except PersonError:
        raise
    except (StepError, DeadlineError) as error:
        id_, ask = f"{place.run.id}:{path}:{tries}", f"`{path}` failed: {error}. Approve to try"
        raise WaitingError([_question(id_, f"{ask} again", task, place, path)]) from error


def _instead(past: Decided) -> dict[str, Any] | None:
    """What a person answered in a step's place; None where it is to be tried again.

    Raises:
        PersonError: Somebody said to leave it.
    """
    if past.decision == "reject":
        raise PersonError("rejected", f"{past.by or 'a person'}: {past.reason}")
    return {"text": past.answer} if past.decision == "answer" else None


async def _effect(task: Task, values: Values, place: Place, path: str) -> dict[str, Any]:
    run, journal = place.run, place.journal
    run.within(float("inf"))
    outputs = _said_of_cut_off(task, place, path)
    if outputs is None:
        if journal is not None:
            await journal.began(run.id, path)
        try:
            outputs = await _in_time(task, values, place, path)
        except Exception:
            if journal is not None:
                await journal.failed(run.id, path)
            raise
    await _kept(task, values, place, path, outputs)
    return outputs


def _said_of_cut_off(task: Task, place: Place, path: str) -> dict[str, Any] | None:
    """What a person answered for an effect that was cut off; None where it is to be done.

    Raises:
        WaitingError: Nobody knows whether it was done, and nobody has said yet what to do.
        PersonError: Somebody said to leave it.
    """
    times = place.begun.get(path, 0)
    if not times or task.known_by_key:
        return None
    id_ = f"{place.run.id}:{path}:cut{times}"
    if (past := place.decided.get(id_)) is not None:
        return _instead(past)
    ask = f"`{path}` was cut off, and nobody knows whether it was done. Approve to do it again"
    raise WaitingError([_question(id_, ask, task, place, path)])


def _question(id_: str, ask: str, task: Task, place: Place, path: str) -> Question:
    answer = ("answer",) if task.gives_text else ()
    ask += ", answer in its place, or reject." if answer else ", or reject."
    options = ("approve", *answer, "reject")
    return Question(id_, place.run.id, path, ask, options, time.time())


async def _kept(
    task: Task, values: Values, place: Place, path: str, outputs: dict[str, Any]
) -> None:
    """Keep what a step gave, and what would take it back."""
    undoing = None
    if task.undo is not None:
        undoing = place.owed[path] = task.undo(values | {task.name: outputs})
    if task.lasting and place.journal is not None:
        await place.journal.finished(place.run.id, path, outputs, undoing)


async def brought_to_its_end(work: Awaitable[T]) -> T:
    """Not cut off in the middle, however often: then nobody would know what it did."""
    begun = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(begun)
    except asyncio.CancelledError:
        while not begun.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([begun])
        raise


async def _in_time(task: Task, values: Values, place: Place, path: str) -> dict[str, Any]:
    if task.timeout_s is None and not task.effect:
        return await task.act(values, place)
    limit_s = place.run.within(task.timeout_s or float("inf"))
    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            return await task.act(values, place)
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise DeadlineError(f"step `{path}` took longer than {limit_s:.3f} s") from error


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """What failed first; the rest was cancelled because of it."""
    failure = failures.exceptions[0]
    return first_failure(failure) if isinstance(failure, BaseExceptionGroup) else failure
