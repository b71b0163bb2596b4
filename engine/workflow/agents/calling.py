"""Answers with tools, called over the OpenAI tools protocol."""

from collections.abc import Sequence
from dataclasses import replace

from engine.config import agents as config
from engine.workflow.agents.result import Outcome, noted, said, working
from engine.workflow.agents.turns import Calls, closed, iteration, numbered
from engine.workflow.failure import LlmError
from engine.workflow.parts import Asker, Offer, OnText, Tier, Toolbelt
from engine.workflow.reply import Message, Reply, turn_of
from engine.workflow.run import Run

EMPTY: Message = {
    "role": "user",
    "content": "Your last turn was empty. Answer, or call a tool.",
}


class Calling:
    """Lets the model call tools until it answers, in a bounded number of turns.

    On the last turn, and once the request has to save, the tools stay listed but closed, so that
    the model answers with what it has.
    """

    def __init__(
        self,
        asker: Asker,
        belt: Toolbelt,
        settings: config.Agent | None = None,
        *,
        tier: Tier = "usual",
    ) -> None:
        self._asker = asker
        self._belt = belt
        self._settings = settings or config.Agent()
        self._tier = tier

    async def run(
        self, messages: Sequence[Message], run: Run, *, on_text: OnText | None = None
    ) -> Outcome:
        """Answer the conversation; what the model says beside a call is streamed, too."""
        with working(run, "calling") as span:
            return noted(span, await self._turns(messages, run, on_text))

    async def _turns(
        self, messages: Sequence[Message], run: Run, on_text: OnText | None
    ) -> Outcome:
        calls = Calls(self._belt)
        added: list[Message] = []
        for turn in range(1, self._settings.max_steps + 1):
            shut = closed(run, turn, self._settings.max_steps)
            async with iteration(run, self._settings.iteration_timeout_s):
                reply = await self._ask([*messages, *added], run, shut, on_text)
                if reply.tool_calls and not shut:
                    added.append(turn_of(reply.text, reply.tool_calls))
                    added += await calls.made(reply.tool_calls, run)
                    continue
            if reply.text.strip():
                told = (*added, said(reply.text))
                return Outcome(reply.text, told, turn, "degraded" if shut else "answered", shut)
            added.append(EMPTY)
        raise LlmError("upstream_malformed", "the language model's last answer is empty")

    async def _ask(
        self, messages: Sequence[Message], run: Run, shut: str, on_text: OnText | None
    ) -> Reply:
        offer = Offer(self._belt.schemas(), "none" if shut else "auto")
        reply = await self._asker.ask(
            messages, run, node="calling_turn", offer=offer, tier=self._tier, on_text=on_text
        )
        return replace(reply, tool_calls=numbered(reply.tool_calls, run.steps))
