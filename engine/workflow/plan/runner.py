"""A request through a graph, from its first step to what it came to."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import DeadlineError
from engine.workflow.failure import StepError
from engine.workflow.plan.acts import tool_called
from engine.workflow.plan.execute import Plan, WaitingError
from engine.workflow.plan.journal import Journal, Kept, Question, Status
from engine.workflow.plan.place import Parts, Place, Undoing
from engine.workflow.reply import Message
from engine.workflow.run import Run

UNDO_S = 30.0
"""For taking one effect back, whatever is left of the request's own time."""


@dataclass(frozen=True)
class Ended:
    """What a request came to."""

    status: Status
    output: object = None
    questions: tuple[Question, ...] = ()
    """What a person is asked, while it waits."""


class Runner:
    """Runs one variant's graph; with a journal, a request goes on where it was cut off."""

    def __init__(self, plan: Plan, parts: Parts, journal: Journal | None = None) -> None:
        self._plan = plan
        self._parts = parts
        self._journal = journal

    async def run(
        self,
        given: Mapping[str, Any],
        run: Run,
        *,
        about: Mapping[str, Any] | None = None,
        history: Sequence[Message] = (),
    ) -> Ended:
        """Bring a request to its end, or to where a person must decide.

        A request of a known id goes on where it stood: what is finished isn't done again. `about`
        is what it takes to go on with it later.

        Raises:
            StepError, DeadlineError: It failed; what it had changed was taken back.
        """
        kept = Kept()
        if self._journal is not None:
            kept = await self._journal.opened(run.id, about or {})
            if kept.status == "done":
                return Ended("done", kept.output)
            if kept.status in {"failed", "undone"}:
                raise StepError("failed_before", kept.error)
        run.decided = {id_: one.decision == "approve" for id_, one in kept.decided.items()}
        place = Place(run, self._journal, kept.outputs, kept.decided, history=history)
        try:
            execution = await self._plan.run(given, place)
        except WaitingError as waiting:
            return await self._wait(run, waiting.questions)
        except (StepError, DeadlineError) as error:
            return await self._take_back(place, kept, error)
        output = self._plan.answer(execution.values)
        if self._journal is not None:
            await self._journal.closed(run.id, "done", output=output)
        return Ended("done", output)

    async def _wait(self, run: Run, questions: tuple[Question, ...]) -> Ended:
        if self._journal is None:
            names = ", ".join(one.path for one in questions)
            why = f"{names}: a person has to decide, but nothing keeps the request meanwhile"
            raise StepError("nobody_to_ask", why)
        # Two agents may have asked for the very same call.
        each = tuple({one.id: one for one in questions}.values())
        await self._journal.waits(run.id, each)
        return Ended("waiting", questions=each)

    async def _take_back(self, place: Place, kept: Kept, error: Exception) -> Ended:
        """Undo every effect, the last one first; what can't be undone waits for a person.

        Raises:
            StepError, DeadlineError: What the request failed with.
        """
        run = place.run
        why = f"{getattr(error, 'code', 'timeout')}: {error}"
        order = {path: number for number, path in enumerate(kept.outputs)}
        owed = sorted(place.owed, key=lambda path: order.get(path, len(order)))
        for path in reversed([one for one in owed if one not in kept.undone]):
            question = await self._undo(path, place.owed[path], place)
            if question is not None:
                return await self._wait(run, (question,))
        if self._journal is not None:
            status: Status = "undone" if owed else "failed"
            await self._journal.closed(run.id, status, error=why)
        raise error

    async def _undo(self, path: str, undoing: Undoing, place: Place) -> Question | None:
        """Take one effect back; a question where it can't be done."""
        run = place.run
        tries = 1
        while (past := place.decided.get(_id(run, path, tries))) is not None:
            if past.decision == "reject":
                return None
            tries += 1
        later = Run(run.id, time.monotonic() + UNDO_S, run.timeline, run.budget, run.emit)
        at = Place(later, place.journal)
        try:
            with run.timeline.span(f"{path}.undo") as span:
                span["kind"] = "undo"
                await tool_called(undoing.tool, undoing.arguments, self._parts, at, f"{path}.undo")
        except (StepError, DeadlineError) as error:
            ask = (
                f"`{path}` could not be taken back by `{undoing.tool}`: {error}. "
                "Approve to try again; reject to leave it as it is."
            )
            id_ = _id(run, path, tries)
            return Question(id_, run.id, path, ask, ("approve", "reject"), time.time())
        if place.journal is not None:
            await place.journal.undone(run.id, path)
        return None


def _id(run: Run, path: str, tries: int) -> str:
    return f"{run.id}:{path}.undo#{tries}"
