"""Takes the cheap model's own answer where it is sure of it, and the full agent's elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.errors import DeadlineError
from engine.workflow.agents.prompts import PROMPTS, instructed
from engine.workflow.agents.result import Agent, Outcome, noted, said, working
from engine.workflow.agents.verdict import Sure, sure
from engine.workflow.failure import BudgetError, StepError
from engine.workflow.parts import Asker, OnText
from engine.workflow.reply import Message
from engine.workflow.run import Run


class Shortcut:
    """An unreadable or unsure answer of the cheap model costs its call, and nothing else."""

    def __init__(
        self,
        asker: Asker,
        full: Agent,
        confidence: float,
        prompts: Mapping[str, str] = PROMPTS,
    ) -> None:
        self._asker = asker
        self._full = full
        self._confidence = confidence
        self._prompt = prompts["direct"]

    async def run(
        self, messages: Sequence[Message], run: Run, *, on_text: OnText | None = None
    ) -> Outcome:
        """Answer the conversation; see `Agent.run`."""
        with working(run, "shortcut") as span:
            direct = await self._direct(messages, run)
            span["confidence"] = None if direct is None else direct.confidence
            if direct is None or direct.confidence < self._confidence:
                outcome = await self._full.run(messages, run, on_text=on_text)
                return noted(span, replace(outcome, steps=outcome.steps + 1))
            told = (said(direct.answer),)
            outcome = noted(span, Outcome(direct.answer, told, 1, reason="shortcut"))
        if on_text is not None:
            on_text(outcome.text)
        return outcome

    async def _direct(self, messages: Sequence[Message], run: Run) -> Sure | None:
        prompt = instructed(messages, self._prompt)
        try:
            reply = await self._asker.ask(prompt, run, node="direct", tier="cheap")
        except BudgetError:
            raise
        except (StepError, DeadlineError):
            # the full agent may reach a model that the cheap tier could not
            return None
        return sure(reply.text)
