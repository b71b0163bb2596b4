"""A request through a graph, from its first step to what it came to."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import DeadlineError
from engine.workflow.failure import StepError
from engine.workflow.plan.acts import known_by_key, tool_called
from engine.workflow.plan.execute import Plan, WaitingError, brought_to_its_end
from engine.workflow.plan.journal import Journal, Question, Status, Undoing
from engine.workflow.plan.packing import sayable
from engine.workflow.plan.place import NOTHING_SAID, Parts, Place, Said
from engine.workflow.run import Run

LOOK_S = 0.1
"""Between two looks at whether whoever works on a request has let go of it."""
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
        self._going: set[asyncio.Task[Ended]] = set()

    async def run(
        self,
        given: Mapping[str, Any],
        run: Run,
        *,
        about: Mapping[str, Any] | None = None,
        said: Said = NOTHING_SAID,
    ) -> Ended:
        """Bring a request to its end, or to where a person must decide.

        A request of a known id goes on where it stood: what is finished isn't done again. `about`
        is what it takes to go on with it later. With a journal the request goes on to its end
        even if the caller leaves; without one, what it changed is then taken back.

        Raises:
            StepError, DeadlineError: It failed; what it had changed was taken back.
        """
        if self._journal is None:
            return await self._brought(given, Place(run, said=said))
        going = asyncio.create_task(self._kept(self._journal, given, run, about or {}, said))
        self._going.add(going)
        going.add_done_callback(self._going.discard)
        return await asyncio.shield(going)

    async def _kept(
        self,
        journal: Journal,
        given: Mapping[str, Any],
        run: Run,
        about: Mapping[str, Any],
        said: Said,
    ) -> Ended:
        # Whoever holds the request may be another process, which sets no event here.
        while (kept := await journal.opened(run.id, about)) is None:  # noqa: ASYNC110
            await asyncio.sleep(run.within(LOOK_S))
        if kept.status == "done":
            return Ended("done", kept.output)
        failure = StepError("failed_before", kept.error)
        if kept.status in {"failed", "undone"}:
            raise failure
        run.decided = {id_: one.decision == "approve" for id_, one in kept.decided.items()}
        place = Place(
            run,
            journal,
            kept.outputs,
            kept.decided,
            kept.begun,
            said=said,
            owed=dict(kept.owed),
        )
        try:
            if kept.error:
                return await self._take_back(place, failure)
            return await self._brought(given, place)
        except BaseException:
            await journal.released(run.id)
            raise

    async def _brought(self, given: Mapping[str, Any], place: Place) -> Ended:
        run = place.run
        try:
            async with asyncio.timeout(run.within(float("inf"))):
                execution = await self._plan.run(given, place)
            output = sayable(self._plan.answer(execution.values), "the answer")
        except WaitingError as waiting:
            if place.journal is not None:
                return await _wait(place.journal, run, waiting.questions)
            names = ", ".join(one.path for one in waiting.questions)
            why = f"{names}: a person has to decide, but nothing keeps the request meanwhile"
            return await self._take_back(place, StepError("nobody_to_ask", why))
        except asyncio.CancelledError as error:
            return await brought_to_its_end(self._take_back(place, error))
        except TimeoutError:
            return await self._take_back(place, DeadlineError("no time left"))
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing may stay half done
            return await self._take_back(place, _told(error))
        if place.journal is not None:
            await place.journal.closed(run.id, "done", output=output)
        return Ended("done", output)

    async def _take_back(self, place: Place, failure: BaseException) -> Ended:
        """Undo every effect, the last one first; what can't be undone waits for a person.

        Raises:
            StepError, DeadlineError: What the request failed with.
        """
        run, journal = place.run, place.journal
        why = f"{getattr(failure, 'code', 'timeout')}: {failure}"
        if journal is not None and place.owed:
            await journal.failing(run.id, why)
        stand = []
        for path, undoing in reversed(place.owed.items()):
            question = await self._undo(path, undoing, place)
            if question is not None and journal is not None:
                return await _wait(journal, run, (question,))
            if question is not None:
                stand.append(f"`{path}` could not be taken back by `{undoing.tool}`")
        if journal is not None:
            await journal.closed(run.id, "undone" if place.owed else "failed", error=why)
        if stand:
            code = getattr(failure, "code", "not_taken_back")
            raise StepError(code, f"{failure}; {', '.join(stand)}") from failure
        raise failure

    async def _undo(self, path: str, undoing: Undoing, place: Place) -> Question | None:
        """Take one effect back; a question where it can't be done."""
        run, journal, undo = place.run, place.journal, f"{path}.undo"
        tries = 1
        while (past := place.decided.get(f"{run.id}:{undo}:{tries}")) is not None:
            if past.decision == "reject":
                return None
            tries += 1
        later = Run(run.id, time.monotonic() + UNDO_S, run.timeline, run.budget, run.emit)
        if place.begun.get(undo, 0) >= tries and not known_by_key(undoing.tool, self._parts):
            why = "it was cut off, and nobody knows whether it was done"
            return _about_undo(run, path, tries, undoing, why)
        try:
            if journal is not None:
                await journal.began(run.id, undo)
            with run.timeline.span(undo) as span:
                span["kind"] = "undo"
                at = Place(later, journal)
                await tool_called(undoing.tool, undoing.arguments, self._parts, at, undo)
        except Exception as error:  # noqa: BLE001 - a person has to know, whatever it was
            return _about_undo(run, path, tries, undoing, str(error))
        if journal is not None:
            await journal.undone(run.id, path)
        return None


def _about_undo(run: Run, path: str, tries: int, undoing: Undoing, why: str) -> Question:
    ask = (
        f"`{path}` could not be taken back by `{undoing.tool}`: {why}. "
        "Approve to try again; reject to leave it as it is."
    )
    id_ = f"{run.id}:{path}.undo:{tries}"
    return Question(id_, run.id, path, ask, ("approve", "reject"), time.time())


async def _wait(journal: Journal, run: Run, questions: tuple[Question, ...]) -> Ended:
    # Two agents may have asked for the very same call.
    each = tuple({one.id: one for one in questions}.values())
    await journal.waits(run.id, each)
    return Ended("waiting", questions=each)


def _told(error: Exception) -> Exception:
    if isinstance(error, StepError | DeadlineError):
        return error
    broken = StepError("step_failed", f"{type(error).__name__}: {error}")
    broken.__cause__ = error
    return broken
