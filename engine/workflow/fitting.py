"""Fits every conversation into the model's context before the model is asked."""

import json
from collections.abc import Sequence

import orjson

from engine.config.context import Context
from engine.workflow.context.summary import Summaries
from engine.workflow.context.tokens import Tokens
from engine.workflow.context.window import Fitted, fitted
from engine.workflow.model.remembered import LastAnswers
from engine.workflow.parts import NOTHING, Asker, Offer, OnText, Tier
from engine.workflow.reply import Message, Reply
from engine.workflow.run import Run


class FittedAsker:
    """An asker that is never told more than its model can read."""

    def __init__(
        self, asker: Asker, settings: Context, model: str, last: LastAnswers | None = None
    ) -> None:
        """What the model answers is noted in `last`, where that is wanted."""
        self._asker = asker
        self._last = last
        self._settings = settings
        self._tokens = Tokens(model, settings.tokenizer)
        self._summaries = Summaries(asker, settings, self._tokens)

    async def ask(
        self,
        messages: Sequence[Message],
        run: Run,
        *,
        node: str,
        offer: Offer = NOTHING,
        tier: Tier = "usual",
        on_text: OnText | None = None,
    ) -> Reply:
        """One turn; what had to be left out or shortened has a span of kind `context`.

        Raises:
            DeadlineError, BudgetError, StepError: As the asker behind it.
        """
        found = await self._fitted(messages, run)
        reply = await self._asker.ask(
            found, run, node=node, offer=offer, tier=tier, on_text=on_text
        )
        if self._last is not None and not run.degraded:
            self._last.note(found, reply)
        return reply

    async def _fitted(self, messages: Sequence[Message], run: Run) -> Sequence[Message]:
        if self._is_short(messages):
            return messages
        with run.timeline.span("context") as span:
            found: Fitted
            if self._settings.strategy == "summarise":
                found = await self._summaries.fitted(messages, run)
            else:
                found = fitted(messages, self._settings, self._tokens)
            span.update(kind="context", tokens=found.tokens, dropped=found.dropped, cut=found.cut)
        return found.messages

    def _is_short(self, messages: Sequence[Message]) -> bool:
        """Whether it certainly fits: a token is no shorter than a byte."""
        if self._settings.strategy == "sliding":
            return len(messages) <= self._settings.turns
        return _bytes(messages) <= self._settings.room_tokens


def _bytes(messages: Sequence[Message]) -> int:
    try:
        return len(orjson.dumps(messages))
    except orjson.JSONEncodeError:
        # Half a surrogate pair in a text, which only an escape can write.
        return len(json.dumps(messages))
