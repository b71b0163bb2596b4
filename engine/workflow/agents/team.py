"""A planner, executors and a reviewer around a coordinator, through whom everything goes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from engine.config import agents as config
from engine.errors import DeadlineError
from engine.workflow.agents.plan import Plan, Task, planned
from engine.workflow.agents.prompts import PROMPTS, instructed
from engine.workflow.agents.result import Agent, Outcome, noted, said, working
from engine.workflow.agents.verdict import Verdict, verdict
from engine.workflow.failure import BudgetError, PersonError, StepError
from engine.workflow.parts import Asker, OnText
from engine.workflow.reply import Message
from engine.workflow.run import Run

PARTIAL = "A person did this part: "


class HandOver(Protocol):
    """Lets a person do what no executor could."""

    async def __call__(self, reason: str, run: Run) -> str:
        """The result in the person's words.

        Raises:
            PersonError: The person rejected the step, or there is nobody to ask.
        """
        ...


async def nobody(reason: str, run: Run) -> str:
    """Hand over where no person is there."""
    raise PersonError("person_absent", f"request {run.id} needs a person: {reason}")


@dataclass
class _Work:
    """What became of a request so far."""

    messages: Sequence[Message]
    plan: Plan
    run: Run
    results: dict[str, str] = field(default_factory=dict)
    steps: int = 0
    handed_over: list[str] = field(default_factory=list)
    worn: list[str] = field(default_factory=list)
    """What executors gave up."""


class Team:
    """Plans, executes what can be done at once at once, composes one answer and reviews it.

    Each executor has a conversation of its own. One that fails is asked a second time with the
    reason; after that a person does the task.
    """

    def __init__(
        self,
        asker: Asker,
        executor: Agent,
        settings: config.Agent | None = None,
        prompts: Mapping[str, str] = PROMPTS,
        *,
        hand_over: HandOver = nobody,
    ) -> None:
        self._asker = asker
        self._executor = executor
        self._settings = settings or config.Agent(pattern="team")
        self._prompts = prompts
        self._hand_over = hand_over

    async def run(
        self, messages: Sequence[Message], run: Run, *, on_text: OnText | None = None
    ) -> Outcome:
        """Answer the conversation; only the answer that the review let pass is streamed."""
        with working(run, "team") as span:
            work = _Work(messages, await self._plan(messages, run), run, steps=1)
            span["tasks"] = len(work.plan.tasks)
            await self._execute(work, {task.id: "" for task in work.plan.tasks})
            answer = await self._compose(work, "")
            answer, reason = await self._reviewed(work, answer)
            outcome = noted(span, _outcome(work, answer, reason))
        if on_text is not None:
            on_text(answer)
        return outcome

    async def _plan(self, messages: Sequence[Message], run: Run) -> Plan:
        most = self._settings.max_tasks
        prompt = instructed(messages, f"{self._prompts['plan']} {most}")
        reply = await self._asker.ask(prompt, run, node="planner")
        return planned(reply.text, "Answer the user's request.", most)

    async def _execute(self, work: _Work, remarks: Mapping[str, str]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                running: dict[str, asyncio.Task[None]] = {}
                for task in work.plan.tasks:
                    if task.id in remarks:
                        needs = [running[need] for need in task.needs if need in running]
                        job = self._done(work, task, remarks[task.id], needs)
                        running[task.id] = group.create_task(job)
        except ExceptionGroup as group_error:
            # those who waited for it fail by the same error
            raise group_error.exceptions[0] from group_error

    async def _done(
        self, work: _Work, task: Task, remark: str, needs: Sequence[asyncio.Task[None]]
    ) -> None:
        for need in needs:
            await need
        try:
            outcome = await self._tried(work, task, remark)
        except (BudgetError, PersonError):
            raise
        except StepError as error:
            reason = f"task {task.id!r} failed twice, at last with: {error}"
            work.results[task.id] = PARTIAL + await self._hand_over(reason, work.run)
            work.handed_over.append(task.id)
            return
        work.results[task.id] = outcome.text
        work.steps += outcome.steps
        if outcome.status == "degraded":
            work.worn.append(outcome.reason)

    async def _tried(self, work: _Work, task: Task, remark: str) -> Outcome:
        try:
            return await self._executor.run(self._briefed(work, task, remark), work.run)
        except (BudgetError, PersonError):
            raise
        except (StepError, DeadlineError) as error:
            remark = f"{remark}\nThe last attempt failed: {error}".strip()
            return await self._executor.run(self._briefed(work, task, remark), work.run)

    def _briefed(self, work: _Work, task: Task, remark: str) -> list[Message]:
        read = "".join(f"\n\nResult of {need}:\n{work.results[need]}" for need in task.needs)
        again = f"\n\nRemarks on your last attempt:\n{remark}" if remark else ""
        brief = {"role": "user", "content": f"Your task: {task.goal}{read}{again}"}
        return instructed([*work.messages, brief], self._prompts["execute"])

    async def _compose(self, work: _Work, remarks: str) -> str:
        if len(work.plan.tasks) == 1:
            return work.results[work.plan.tasks[0].id]
        again = f"\n\nRemarks of the reviewer on the last answer:\n{remarks}" if remarks else ""
        told = {"role": "user", "content": f"The workers' results:{_results(work)}{again}"}
        prompt = instructed([*work.messages, told], self._prompts["compose"])
        work.steps += 1
        return (await self._asker.ask(prompt, work.run, node="coordinator")).text

    async def _reviewed(self, work: _Work, answer: str) -> tuple[str, str]:
        if not self._settings.review:
            return answer, ""
        for left in reversed(range(self._settings.review_rounds)):
            if work.run.level == "degraded":
                return answer, "unreviewed"
            try:
                found = await self._review(work, answer)
            except (StepError, DeadlineError):
                found = None
            if found is None:
                return answer, "unreviewed"
            if found.approved:
                return answer, ""
            if left == 0:
                break
            try:
                answer = await self._again(work, found)
            except PersonError:
                raise
            except (StepError, DeadlineError):
                break
        return answer, "not_approved"

    async def _review(self, work: _Work, answer: str) -> Verdict | None:
        shown = f"The results:{_results(work)}\n\nThe answer:\n{answer}"
        prompt = instructed(
            [*work.messages, {"role": "user", "content": shown}], self._prompts["review"]
        )
        with work.run.timeline.span("review") as span:
            work.steps += 1
            found = verdict((await self._asker.ask(prompt, work.run, node="reviewer")).text)
            span["approved"] = None if found is None else found.approved
            span["remarks"] = "" if found is None else found.remarks
        return found

    async def _again(self, work: _Work, found: Verdict) -> str:
        named = frozenset(found.redo) & {task.id for task in work.plan.tasks}
        if len(work.plan.tasks) == 1:
            named = frozenset({work.plan.tasks[0].id})
        remarks = {id: found.remarks if id in named else "" for id in work.plan.behind(named)}
        await self._execute(work, remarks)
        return await self._compose(work, found.remarks)


def _results(work: _Work) -> str:
    return "".join(f"\n\n{task.id}:\n{work.results[task.id]}" for task in work.plan.tasks)


def _outcome(work: _Work, answer: str, reason: str) -> Outcome:
    told = (said(answer),)
    if work.handed_over:
        return Outcome(answer, told, work.steps, "handed_over", ", ".join(work.handed_over))
    reason = reason or next(iter(work.worn), "")
    return Outcome(answer, told, work.steps, "degraded" if reason else "answered", reason)
