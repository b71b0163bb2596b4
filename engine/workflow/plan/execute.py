"""The order of a graph's steps, found while they run: no step waits for one it doesn't read."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import DeadlineError
from engine.workflow.failure import PersonError, StepError
from engine.workflow.plan.journal import Question
from engine.workflow.plan.place import Act, Place, Undoing, Values


class WaitingError(Exception):
    """A person has to decide before the request can go on; nothing has failed."""

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
            self._ended(execution, task, place.kept[path], path)
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
        self._ended(execution, task, outputs, path)
        return True

    def _ended(self, execution: Execution, task: Task, outputs: dict[str, Any], path: str) -> None:
        values = execution.values
        values[task.name] = outputs
        if task.undo is not None:
            execution.place.owed[path] = task.undo(values)


async def _acted(task: Task, values: Values, place: Place, path: str) -> dict[str, Any]:
    run = place.run
    with run.timeline.span(path) as span:
        span["kind"] = task.kind
        if task.effect:
            return await _brought_to_its_end(_effect(task, values, place, path))
        if task.timeout_s is None:
            outputs = await task.act(values, place)
        else:
            outputs = await _in_time(task.act(values, place), run.within(task.timeout_s), path)
        if task.lasting and place.journal is not None:
            await place.journal.finished(run.id, path, outputs)
        return outputs


async def _helped(task: Task, values: Values, place: Place, path: str) -> dict[str, Any]:
    """Run a step that a person helps out of its failures.

    Raises:
        WaitingError: It failed, and nobody has said yet what to do.
        PersonError: Somebody said to leave it.
    """
    tries = 1
    while (past := place.decided.get(f"{place.run.id}:{path}#{tries}")) is not None:
        if past.decision == "answer":
            return {"text": past.answer}
        if past.decision == "reject":
            raise PersonError("rejected", f"{past.by or 'a person'}: {past.reason}")
        tries += 1
    try:
        return await _acted(task, values, place, path)
    except (StepError, DeadlineError) as error:
        options = ("approve", "answer", "reject") if task.gives_text else ("approve", "reject")
        ask = f"`{path}` failed: {error}. Approve to try again" + (
            ", answer in its place, or reject." if task.gives_text else ", or reject."
        )
        id_ = f"{place.run.id}:{path}#{tries}"
        question = Question(id_, place.run.id, path, ask, options, time.time())
        raise WaitingError([question]) from error


async def _effect(task: Task, values: Values, place: Place, path: str) -> dict[str, Any]:
    run, journal = place.run, place.journal
    if journal is not None:
        await journal.began(run.id, path)
    limit_s = run.within(task.timeout_s or float("inf"))
    outputs = await _in_time(task.act(values, place), limit_s, path)
    if journal is not None:
        await journal.finished(run.id, path, outputs)
    return outputs


async def _brought_to_its_end(work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """Not cut off in the middle when another step fails: then nobody would know what it did."""
    begun = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(begun)
    except asyncio.CancelledError:
        await asyncio.wait([begun])
        raise


async def _in_time(work: Awaitable[dict[str, Any]], limit_s: float, path: str) -> dict[str, Any]:
    try:
        async with asyncio.timeout(limit_s):
            return await work
    except TimeoutError as error:
        raise DeadlineError(f"step `{path}` took longer than {limit_s:.3f} s") from error


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """What failed first; the rest was cancelled because of it."""
    failure = failures.exceptions[0]
    return first_failure(failure) if isinstance(failure, BaseExceptionGroup) else failure
