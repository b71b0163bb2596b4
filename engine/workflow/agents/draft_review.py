"""Has a cheap draft approved or corrected by the usual model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.errors import DeadlineError
from engine.workflow.agents.prompts import PROMPTS, instructed
from engine.workflow.agents.result import Agent, Outcome, noted, said, working
from engine.workflow.agents.verdict import Verdict, verdict
from engine.workflow.failure import StepError
from engine.workflow.parts import Asker, OnText
from engine.workflow.reply import Message
from engine.workflow.run import Run


class DraftReview:
    """A draft that nobody could review still answers; it is marked `unreviewed`."""

    def __init__(self, asker: Asker, drafter: Agent, prompts: Mapping[str, str] = PROMPTS) -> None:
        self._asker = asker
        self._drafter = drafter
        self._prompt = prompts["correct"]

    async def run(
        self, messages: Sequence[Message], run: Run, *, on_text: OnText | None = None
    ) -> Outcome:
        """Answer the conversation; only the reviewed answer is streamed, in one piece."""
        with working(run, "draft_review") as span:
            draft = await self._drafter.run(messages, run)
            outcome = noted(span, await self._reviewed(messages, draft, run))
        if on_text is not None:
            on_text(outcome.text)
        return outcome

    async def _reviewed(self, messages: Sequence[Message], draft: Outcome, run: Run) -> Outcome:
        if run.level == "degraded":
            return replace(draft, status="degraded", reason="unreviewed")
        try:
            found = await self._review(messages, draft.text, run)
        except (StepError, DeadlineError):
            return replace(draft, status="degraded", reason="unreviewed")
        steps = draft.steps + 1
        if found is not None and found.approved:
            return replace(draft, steps=steps)
        if found is None or not found.answer:
            reason = "unreviewed" if found is None else "not_approved"
            return replace(draft, steps=steps, status="degraded", reason=reason)
        added = (*draft.messages[:-1], said(found.answer))
        return replace(draft, text=found.answer, messages=added, steps=steps)

    async def _review(self, messages: Sequence[Message], draft: str, run: Run) -> Verdict | None:
        shown = {"role": "user", "content": f"The draft:\n{draft}"}
        prompt = instructed([*messages, shown], self._prompt)
        with run.timeline.span("review") as span:
            found = verdict((await self._asker.ask(prompt, run, node="reviewer")).text)
            span["approved"] = None if found is None else found.approved
            span["remarks"] = "" if found is None else found.remarks
        return found
