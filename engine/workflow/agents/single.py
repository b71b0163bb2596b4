"""Answers in one turn, without tools."""

from collections.abc import Sequence

from engine.workflow.agents.result import Outcome, noted, said, working
from engine.workflow.failure import LlmError
from engine.workflow.parts import Asker, OnText, Tier
from engine.workflow.reply import Message
from engine.workflow.run import Run


class Single:
    """The simplest agent: what the model says is the answer."""

    def __init__(self, asker: Asker, *, tier: Tier = "usual") -> None:
        self._asker = asker
        self._tier = tier

    async def run(
        self, messages: Sequence[Message], run: Run, *, on_text: OnText | None = None
    ) -> Outcome:
        """Answer the conversation; see `Agent.run`."""
        with working(run, "single") as span:
            reply = await self._asker.ask(
                messages, run, node="single_turn", tier=self._tier, on_text=on_text
            )
            if not reply.text.strip():
                raise LlmError("upstream_malformed", "the language model's answer is empty")
            return noted(span, Outcome(reply.text, (said(reply.text),), 1))
