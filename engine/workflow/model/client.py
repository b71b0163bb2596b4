"""Asks a model and, while it fails, whatever may stand in for it."""

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from openai import AsyncOpenAI

from engine.config.model import Resilience
from engine.config.workflow import Llm
from engine.errors import DeadlineError
from engine.workflow.failure import BudgetError, StepError
from engine.workflow.model.answer import UNSAID, Answer
from engine.workflow.model.breaker import Breakers
from engine.workflow.model.call import Endpoint, Turn
from engine.workflow.model.fallback import FREE, Choice, Remembered, StandIn, nothing_remembered
from engine.workflow.model.prices import PriceList, today
from engine.workflow.model.retry import Retries
from engine.workflow.model.transport import line_of
from engine.workflow.parts import NOTHING, Offer, OnText, Tier
from engine.workflow.reply import Message, Reply, Usage
from engine.workflow.run import Run
from engine.workflow.spans import Span


@dataclass(frozen=True)
class Kept:
    """What a client keeps from one request to the next; two variants share none of it."""

    breakers: Breakers
    prices: PriceList
    remembered: Remembered = nothing_remembered
    dice: Random = field(default_factory=Random)


class Client:
    """A variant's way to its models; made once, used by all of its requests at the same time."""

    def __init__(
        self, upstream: AsyncOpenAI, settings: Llm, resilience: Resilience, kept: Kept
    ) -> None:
        self._endpoint = Endpoint(line_of(upstream), settings, resilience)
        self._choice = Choice(settings.name, resilience, kept.remembered)
        self._retries = Retries(resilience.retry, kept.dice)
        self._kept = kept

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
        """One turn, counted and charged in `run`, with a span for each attempt.

        A failure that may pass is tried again, and then passed on to the next stand-in, as long
        as none of the answer's text was handed on.

        Raises:
            DeadlineError: The request's time, or the call's own limit, ran out.
            BudgetError: The request's steps, tokens or money are used up.
            StepError: The model failed, and so did everything that could stand in for it.
        """
        turn = Turn(messages, run, node, offer, on_text)
        failure: StepError | DeadlineError
        try:
            run.step()
        except BudgetError as spent:
            return self._kept_answer(turn, spent)
        wanted = self._choice.model(tier)
        for model in self._choice.models(tier, run.level):
            try:
                return await self._asked(model, turn, "faster_model" if model != wanted else None)
            except (StepError, DeadlineError) as error:
                if not turn.may_pass_on(error):
                    raise
                failure = error
        return self._kept_answer(turn, failure)

    async def _asked(self, model: str, turn: Turn, action: StandIn | None) -> Reply:
        if action:
            turn.run.give_up(action)
        attempt = functools.partial(self._attempt, model, turn, action)
        return await self._retries.until_answered(attempt, deadline=turn.run.deadline)

    async def _attempt(self, model: str, turn: Turn, action: StandIn | None, number: int) -> Reply:
        with turn.run.timeline.span(turn.node) as span:
            span.update(kind="llm", model=model, attempt=number)
            if action:
                span["action"] = action
            breaker = self._kept.breakers.of("model", model)
            try:
                with breaker.guard(turn.speaks_against_endpoint):
                    return await self._answered(model, turn, span)
            except StepError as failure:
                if turn.told:
                    failure.action = "terminate"
                elif failure.action == "retry" and breaker.state == "open":
                    # A pause would end at the breaker; something else may answer now.
                    failure.action = "fallback"
                raise

    async def _answered(self, model: str, turn: Turn, span: Span) -> Reply:
        began = time.monotonic()
        answer = Answer(model, self._kept.prices.price(model, today()))

        def first_text(text: str) -> None:
            span["first_text_s"] = round(time.monotonic() - began, 6)

        try:
            return await self._endpoint.answer(turn, answer, first_text)
        finally:
            # An answer that was paid for counts, also when nobody could use it.
            if answer.finish or answer.usage != UNSAID:
                turn.run.charge(answer.usage)
                span.update(_figures(answer.usage))

    def _kept_answer(self, turn: Turn, failure: StepError | DeadlineError) -> Reply:
        # Only a shorter conversation mends this one, and whoever can shorten it has to know.
        if isinstance(failure, StepError) and failure.code == "context_too_long":
            raise failure
        for action, reply in self._choice.kept(turn.messages, turn.run.id):
            with turn.run.timeline.span(turn.node) as span:
                span.update(kind="llm", model=reply.model, action=action, **_figures(FREE))
            turn.run.give_up(action)
            turn.tell(reply.text)
            return reply
        raise failure


def _figures(usage: Usage) -> dict[str, int | float | None]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_usd,
    }
